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

// varnish is a Varnish with the VCL that lies in its folder.
var varnish = program{
	name:   "varnish",
	debian: "varnish",
	tools:  []string{"varnishd", "gcc"},
	dirs:   []string{"/usr/sbin"},
	args: func(s *Server) []string {
		return []string{"-F", "-a", "127.0.0.1:" + strconv.Itoa(s.port), "-n", filepath.Join(s.dir, "work"), "-f", filepath.Join(s.dir, "default.vcl"),
			"-s", "malloc,32m", "-T", "none", "-p", "thread_pool_min=10"}
	},
	ping:  pingHTTP,
	stop:  syscall.SIGTERM,
	abort: syscall.SIGTERM,
}

// NewVarnish starts a Varnish for one test, with this VCL; args are added to its command line.
func NewVarnish(t testing.TB, vcl string, args ...string) *Server {
	t.Helper()
	p := varnish
	p.init = func(s *Server) error {
		return os.WriteFile(filepath.Join(s.dir, "default.vcl"), []byte(vcl), 0o644)
	}
	return own(t, &p, args)
}

// pingHTTP asks for anything.
func pingHTTP(_ *Server, conn net.Conn) error {
	if _, err := conn.Write([]byte("OPTIONS /dbtest-ping HTTP/1.1\r\nHost: dbtest\r\nConnection: close\r\n\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "HTTP/1.1 ") {
		return fmt.Errorf("it answers %q", line)
	}
	return nil
}
