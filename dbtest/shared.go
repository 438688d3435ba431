package dbtest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// registry holds the servers that the tests of this process share.
type registry struct {
	mu      sync.Mutex // guards what follows, and lets one server start at a time
	servers map[*program]*Server
	errs    map[*program]error // of servers that would not start: the next test need not wait for that again
}

var shared = registry{servers: map[*program]*Server{}, errs: map[*program]error{}}

// Main runs a package's tests and then stops the shared servers:
//
//	func TestMain(m *testing.M) { dbtest.Main(m) }
//
// Without it they stop as well, a moment after the process has ended.
func Main(m *testing.M) {
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// take returns the shared server of a kind, started if need be.
func (r *registry) take(t testing.TB, p *program) *Server {
	t.Helper()
	need(t, p)
	s, err := r.get(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *registry) get(p *program) (*Server, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.servers[p] == nil && r.errs[p] == nil {
		r.servers[p], r.errs[p] = launch(p, true)
	}
	return r.servers[p], r.errs[p]
}

// close discards all servers; asked for again, they would start afresh.
func (r *registry) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	for p, s := range r.servers {
		if s != nil {
			err = errors.Join(err, s.discard())
		}
		delete(r.servers, p)
	}
	return err
}
