package fleet

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
)

// Varnish before all processes: it keeps pages without asking, and each process has it purge what it has written.

const (
	onTheWay = 100 * time.Millisecond // how long a page may be on its way to Varnish
	again    = 300 * time.Millisecond // when a purge is repeated
)

// TestEdge: pages from Varnish, where
//
//	strict    a write is acknowledged when it was purged twice: they are never older than an acknowledged write
//	settled   … when it was purged: than one that was acknowledged before the repetition
//	unpurged  nothing is purged: the judge finds it
//	once      a write is acknowledged when it was purged, and pages may take their time: the judge finds it, if it is asked as if that were strict
func TestEdge(t *testing.T) {
	t.Run("strict", func(t *testing.T) {
		eachEdge(t, func(c *Config) { c.Strict = true }, func(f *fleet) {
			f.mustBeFresh()
			f.mustHaveKept()
		})
	})
	t.Run("settled", func(t *testing.T) {
		skipShort(t)
		eachEdge(t, func(*Config) {}, func(f *fleet) {
			f.stats()
			f.rules.Edge = again + again/4 + 2*f.told.Edge.Lag
			f.Logf("pages may be %v older", f.rules.Edge)
			f.mustBeFresh()
			f.mustHaveKept()
		})
	})
	t.Run("unpurged", func(t *testing.T) {
		eachEdge(t, func(c *Config) { c.Unpurged = true }, func(f *fleet) { f.mustBeFound("from the edge") })
	})
	t.Run("once", func(t *testing.T) {
		skipShort(t)
		eachEdge(t, func(c *Config) { c.Again, c.Ponder = -1, 10*onTheWay }, func(f *fleet) { f.mustBeFound("from the edge") })
	})
}

func skipShort(t *testing.T) {
	if testing.Short() {
		t.Skip("with -short")
	}
}

// eachEdge runs processes behind a Varnish.
func eachEdge(t *testing.T, change func(*Config), end func(*fleet)) {
	onSites(t, few, func(t *testing.T, s *site, server, cache *dbtest.Server) {
		c := Config{Clients: 8, Writes: 30, Timeout: 10 * time.Second, Again: again, Ponder: onTheWay / 2}
		change(&c)
		f := newFleet(t, s, server, cache, c)
		f.direct = true
		f.startEdge()
		f.launch()
		f.until(int64(*readsFlag / 100))
		end(f)
	})
}

//go:embed testdata/directors.vcl
var directors string

// startEdge starts a Varnish before the processes, as page/varnish.vcl has it.
func (f *fleet) startEdge() {
	f.Helper()
	vcl, err := os.ReadFile("../page/varnish.vcl")
	f.must(err)
	var backends, added strings.Builder
	for i, address := range f.base.Peers {
		_, port, err := net.SplitHostPort(address)
		f.must(err)
		fmt.Fprintf(&backends, "backend worker%d { .host = \"127.0.0.1\"; .port = %q; }\n", i, port)
		fmt.Fprintf(&added, "    all.add_backend(worker%d);\n", i)
	}
	ways := strings.NewReplacer("# BACKENDS", backends.String(), "# ADDED", added.String()).Replace(directors)
	text := regexp.MustCompile(`(?s)backend default \{.*?\n\}\n`).ReplaceAllLiteralString(string(vcl), ways)
	f.edge = dbtest.NewVarnish(f, strings.Replace(text, "> 1s", fmt.Sprintf("> %.1fs", 2*f.base.Ponder.Seconds()), 1))
	f.base.Edge = f.edge.Addr()
	f.base.Pages = 600
}

// mustHaveKept: the edge has answered by itself, and was purged in time.
func (f *fleet) mustHaveKept() {
	f.Helper()
	if n := &f.told; n.Kept < n.Pages/20 || n.Edge.Purges == 0 || n.Edge.Late > 0 {
		f.Errorf("of %d pages the edge had %d: %+v", n.Pages, n.Kept, n.Edge)
	}
}
