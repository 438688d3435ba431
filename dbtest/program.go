package dbtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// program is what distinguishes one kind of server from another.
type program struct {
	name   string   // as LARDER_REQUIRE spells it
	debian string   // the Debian package that holds it
	tools  []string // the executables it takes; the first is the server
	dirs   []string // patterns of directories to look in besides PATH

	init   func(*Server) error           // makes the data directory; nil if there is none to make
	args   func(*Server) []string        // the server's command line
	socket func(port int) string         // the socket's file name; nil if there is none
	ping   func(*Server, net.Conn) error // nil when the server answers on a fresh connection
	sql    func(*Server) dialect         // nil if it is no SQL server
	clean  func(*Server) error           // takes away what a killed server leaves outside its folder; nil if nothing
	stop   syscall.Signal                // ends it in order
	abort  syscall.Signal                // ends it at once and still leaves nothing behind
}

// need skips the test if p is not installed, or fails it where p is required.
func need(t testing.TB, p *program) {
	t.Helper()
	for _, tool := range p.tools {
		if _, err := p.find(tool); err != nil {
			absent(t, p, err)
		}
	}
}

// absent ends a test for want of a server.
func absent(t testing.TB, p *program, err error) {
	t.Helper()
	message := fmt.Sprintf("dbtest: no %s here: %v (Debian: apt-get install %s)", p.name, err, p.debian)
	if required(p.name, os.Getenv("LARDER_REQUIRE"), os.Getenv("CI")) {
		t.Fatal(message)
	}
	t.Skip(message)
}

// required tells whether the absence of the server of that name is a failure.
func required(name, list, ci string) bool {
	if ci != "" && ci != "false" && ci != "0" {
		return true
	}
	return slices.Contains(strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }), name)
}

// find returns the path of one of p's executables: from PATH, or from the newest of p's directories.
func (p *program) find(tool string) (string, error) {
	if path, err := exec.LookPath(tool); err == nil {
		return path, nil
	}
	for _, pattern := range p.dirs {
		if path := newest(pattern, tool); path != "" {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is neither in PATH nor in %s", tool, strings.Join(p.dirs, " nor "))
}

// newest returns the tool in the directory of the highest version that matches pattern, or "".
func newest(pattern, tool string) string {
	paths, err := filepath.Glob(filepath.Join(pattern, tool))
	if err != nil || len(paths) == 0 {
		return ""
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(padded(a), padded(b)) })
	path, err := exec.LookPath(paths[len(paths)-1])
	if err != nil {
		return ""
	}
	return path
}

var number = regexp.MustCompile(`\d+`)

// padded makes versions compare by number: 9.6 before 15.
func padded(path string) string {
	return number.ReplaceAllStringFunc(path, func(digits string) string { return fmt.Sprintf("%08s", digits) })
}
