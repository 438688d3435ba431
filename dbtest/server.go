package dbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	startWithin = time.Minute // what a loaded machine may need
	toolWithin  = time.Minute
)

// errShared is what a shared server answers who would stop it under the feet of other tests.
var errShared = errors.New("dbtest: the server is shared by all tests of the process: take an own one, as from NewPostgres")

// Server is a running server and its folder. Its methods may be called from any goroutine.
type Server struct {
	program *program
	dir     string // holds data, log and socket
	port    int
	extra   []string // of the command line
	shared  bool
	who     *syscall.Credential
	keeper  *keeper
	count   atomic.Int64 // of databases

	mu   sync.Mutex // guards proc and what is done to it
	proc *process
}

// launch makes a folder and starts a server in it.
func launch(p *program, shared bool, extra ...string) (*Server, error) {
	s := &Server{program: p, extra: extra, shared: shared}
	if err := s.settle(); err != nil {
		return nil, fmt.Errorf("dbtest: prepare %s: %w", p.name, errors.Join(err, s.discard()))
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.discard())
	}
	return s, nil
}

// settle makes the server's folder and what must be in it before the first start.
func (s *Server) settle() (err error) {
	if s.who, err = unprivileged(); err != nil {
		return err
	}
	if s.dir, err = folder(s.program.name); err != nil {
		return err
	}
	if s.keeper, err = keep(s.dir, s.program.abort); err != nil {
		return errors.Join(err, os.Remove(s.dir))
	}
	if s.who != nil {
		if err := os.Chown(s.dir, int(s.who.Uid), int(s.who.Gid)); err != nil {
			return err
		}
	}
	if s.program.init == nil {
		return nil
	}
	return s.program.init(s)
}

// folder makes a directory whose path is short enough for a socket in it: in memory where there is much, which makes
// an initdb twice and a CREATE DATABASE six times as fast. TMPDIR prevails.
func folder(name string) (string, error) {
	base := os.TempDir()
	if os.Getenv("TMPDIR") == "" && roomy("/dev/shm") {
		base = "/dev/shm"
	}
	if len(base) > 50 {
		base = "/tmp"
	}
	return os.MkdirTemp(base, "dbtest-"+name+"-")
}

// roomy tells whether a file system has 4 GiB to spare, enough for the servers of many test processes.
func roomy(dir string) bool {
	var fs syscall.Statfs_t
	return syscall.Statfs(dir, &fs) == nil && uint64(fs.Bavail)*uint64(fs.Bsize) >= 4<<30
}

// open is the first start: it looks for a free port, which another process may take before the server does.
func (s *Server) open() (err error) {
	for range 5 {
		if s.port, err = freePort(); err != nil {
			return fmt.Errorf("dbtest: %w", err)
		}
		if err = s.Start(); err == nil || !strings.Contains(err.Error(), "ddress already in use") {
			return err
		}
	}
	return err
}

// freePort returns a loopback port nobody listens on. It is below those that outgoing connections get, so that a
// server that is stopped finds its port free when it comes back.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := 10000 + rand.IntN(20000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}

// Addr returns host and port on loopback.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Socket returns the path of the server's socket; "" if it has none.
func (s *Server) Socket() string {
	if s.program.socket == nil {
		return ""
	}
	return filepath.Join(s.dir, s.program.socket(s.port))
}

// Dir returns the server's folder, which holds its data, its log and its socket.
func (s *Server) Dir() string { return s.dir }

// PID returns the id of the server's process, 0 while it is stopped.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proc.running() {
		return 0
	}
	return s.proc.pid
}

// Start starts a server that was stopped or killed, at the same address and with the data it had, and returns when it
// accepts connections. Its error ends with the tail of the server's log.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc.running() {
		return fmt.Errorf("dbtest: start %s: it is running", s.program.name)
	}
	path, err := s.program.find(s.program.tools[0])
	if err != nil {
		return fmt.Errorf("dbtest: start %s: %w", s.program.name, err)
	}
	args := append(s.program.args(s), s.extra...)
	if s.proc, err = spawn(s.keeper, s.who, s.dir, s.log(), path, args...); err != nil {
		return fmt.Errorf("dbtest: start %s: %w", s.program.name, err)
	}
	if err := s.ready(); err != nil {
		if s.proc.running() {
			err = errors.Join(err, s.proc.kill())
		}
		return fmt.Errorf("dbtest: start %s: %w; its log ends:\n%s", s.program.name, err, tail(s.log()))
	}
	return nil
}

// ready waits until the server answers.
func (s *Server) ready() error {
	var last error
	for end := time.Now().Add(startWithin); time.Now().Before(end); {
		if last = s.answers(); last == nil {
			return nil
		}
		select {
		case <-s.proc.done:
			return fmt.Errorf("it ended at once: %w", errors.Join(s.proc.err, last))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("it does not answer within %v: %w", startWithin, last)
}

// answers opens a connection and asks the server for a sign of life.
func (s *Server) answers() error {
	network, address := "unix", s.Socket()
	if address == "" {
		network, address = "tcp", s.Addr()
	}
	conn, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	return s.program.ping(s, conn)
}

// Stop ends the server in order. A shared server refuses it.
func (s *Server) Stop() error {
	return s.do("stop", func() error { return s.proc.end(s.program.stop) })
}

// Kill ends the server and its children by SIGKILL, as a crash would. A shared server refuses it.
func (s *Server) Kill() error {
	return s.do("kill", func() error { return s.proc.kill() })
}

// Pause halts the server and its children by SIGSTOP: connections stay open and nothing answers. A shared server
// refuses it.
func (s *Server) Pause() error {
	return s.do("pause", func() error {
		_, err := s.proc.pause()
		return err
	})
}

// Resume undoes Pause.
func (s *Server) Resume() error {
	return s.do("resume", func() error { return s.proc.resume() })
}

// do does something to the running process of an own server.
func (s *Server) do(what string, f func() error) error {
	if s.shared {
		return errShared
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proc.running() {
		return fmt.Errorf("dbtest: %s %s: it is not running", what, s.program.name)
	}
	if err := f(); err != nil {
		return fmt.Errorf("dbtest: %s %s: %w", what, s.program.name, err)
	}
	return nil
}

// discard ends the server, whatever its state, and removes its folder.
func (s *Server) discard() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.proc.running() {
		// A process that is paused hears no signal but these two.
		err = errors.Join(s.proc.resume(), s.proc.end(s.program.abort))
	}
	if s.program.clean != nil {
		err = errors.Join(err, s.program.clean(s))
	}
	if s.keeper != nil {
		err = errors.Join(err, s.keeper.dismiss())
		s.keeper = nil
	}
	if err != nil {
		return fmt.Errorf("dbtest: discard %s: %w", s.program.name, err)
	}
	return nil
}

// log returns the path of the file that holds what the server says.
func (s *Server) log() string { return filepath.Join(s.dir, "log") }

// tail returns the last lines of a file.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(text) > 2000 {
		text = text[len(text)-2000:]
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return string(text)
}

// tool runs one of the program's executables as the server's user, with text on its standard input, and returns what
// it prints.
func (s *Server) tool(text, name string, args ...string) (string, error) {
	path, err := s.program.find(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), toolWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = s.dir, environ(s.dir)
	cmd.Stdin = strings.NewReader(text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.who}
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}

// own starts a server for one test.
func own(t testing.TB, p *program, extra []string) *Server {
	t.Helper()
	need(t, p)
	s, err := launch(p, false, extra...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.discard(); err != nil {
			t.Error(err)
		}
	})
	return s
}
