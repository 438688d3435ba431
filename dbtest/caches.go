package dbtest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var memcached = program{
	name:   "memcached",
	debian: "memcached",
	tools:  []string{"memcached"},
	args: func(s *Server) []string {
		return []string{"-l", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "0", "-m", "64", "-c", "1024", "-t", "2"}
	},
	ping:  pingMemcached,
	stop:  syscall.SIGTERM,
	abort: syscall.SIGKILL,
}

// memcachedSocket is a memcached that listens on a unix socket, which it does on nothing else then.
var memcachedSocket = program{
	name:   "memcached",
	debian: "memcached",
	tools:  []string{"memcached"},
	socket: func(int) string { return "socket" },
	args: func(s *Server) []string {
		return []string{"-s", s.Socket(), "-a", "0777", "-m", "64", "-c", "1024", "-t", "2"}
	},
	ping:  pingMemcached,
	stop:  syscall.SIGTERM,
	abort: syscall.SIGKILL,
}

var redis = program{
	name:   "redis",
	debian: "redis-server",
	tools:  []string{"redis-server"},
	socket: func(int) string { return "socket" },
	args: func(s *Server) []string {
		return []string{
			"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--unixsocket", s.Socket(), "--dir", s.dir,
			"--daemonize", "no", "--save", "", "--appendonly", "yes", "--appendfsync", "no",
		}
	},
	ping:  pingRedis,
	stop:  syscall.SIGTERM,
	abort: syscall.SIGKILL,
}

// sentinel is a Redis server that watches others. It must be able to write to its configuration.
var sentinel = program{
	name:   "redis",
	debian: "redis-server",
	tools:  []string{"redis-server"},
	init: func(s *Server) error {
		path := filepath.Join(s.dir, "sentinel.conf")
		if err := os.WriteFile(path, nil, 0o644); err != nil || s.who == nil {
			return err
		}
		return os.Chown(path, int(s.who.Uid), int(s.who.Gid))
	},
	args: func(s *Server) []string {
		return []string{
			filepath.Join(s.dir, "sentinel.conf"), "--sentinel",
			"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir, "--daemonize", "no",
		}
	},
	ping:  pingRedis,
	stop:  syscall.SIGTERM,
	abort: syscall.SIGKILL,
}

// Memcached returns the memcached server that all tests of this process share. Its keys are everyone's: each test
// takes a prefix of its own.
func Memcached(t testing.TB) *Server {
	t.Helper()
	return shared.take(t, &memcached)
}

// NewMemcached starts a memcached server for one test; args are added to its command line.
func NewMemcached(t testing.TB, args ...string) *Server {
	t.Helper()
	return own(t, &memcached, args)
}

// NewMemcachedSocket starts a memcached server for one test which listens on its socket alone; args are added to its
// command line.
func NewMemcachedSocket(t testing.TB, args ...string) *Server {
	t.Helper()
	return own(t, &memcachedSocket, args)
}

// Redis returns the Redis server that all tests of this process share. Its keys are everyone's: each test takes a
// prefix of its own.
func Redis(t testing.TB) *Server {
	t.Helper()
	return shared.take(t, &redis)
}

// NewRedis starts a Redis server for one test; args are added to its command line. Unless they say otherwise it keeps
// its keys when it is killed.
func NewRedis(t testing.TB, args ...string) *Server {
	t.Helper()
	return own(t, &redis, args)
}

// NewSentinel starts a Redis Sentinel for one test. It watches nothing until it is told to (SENTINEL MONITOR).
func NewSentinel(t testing.TB, args ...string) *Server {
	t.Helper()
	return own(t, &sentinel, args)
}

// pingMemcached asks for the process id: another memcached may have come first to the port.
func pingMemcached(s *Server, conn net.Conn) error {
	if _, err := conn.Write([]byte("stats\r\n")); err != nil {
		return err
	}
	want := fmt.Sprintf("STAT pid %d", s.proc.pid)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if strings.TrimSpace(line) != want {
		return fmt.Errorf("another server answers: %q instead of %q", line, want)
	}
	return nil
}

func pingRedis(_ *Server, conn net.Conn) error {
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if strings.TrimSpace(line) != "+PONG" {
		return fmt.Errorf("it answers %q", line) // -LOADING while it reads its data
	}
	return nil
}
