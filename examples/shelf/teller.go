package shelf

import (
	"fmt"
	"io"
	"os"

	"github.com/larderdb/larder"
)

// A Teller prints what was read, and how many statements of it the cache and the database answered.
type Teller struct {
	out   io.Writer
	cache *larder.Cache
	last  larder.Stats
}

// Tell returns a teller that prints to standard output.
func Tell(cache *larder.Cache) *Teller { return TellTo(os.Stdout, cache) }

// TellTo returns a teller that prints to out.
func TellTo(out io.Writer, cache *larder.Cache) *Teller {
	return &Teller{out: out, cache: cache, last: cache.Stats()}
}

// Read prints a value, and where it came from since the last time something was printed.
func (t *Teller) Read(what string, value any) {
	now := t.cache.Stats()
	cache, database := now.Hits-t.last.Hits, now.Misses-t.last.Misses+now.Held-t.last.Held+now.Bypasses-t.last.Bypasses
	t.last = now
	fmt.Fprintf(t.out, "%s: %v (%d by the cache, %d by the database)\n", what, value, cache, database)
}

// Wrote prints what was written. Reads that the writer made for itself don't count.
func (t *Teller) Wrote(what string) {
	t.last = t.cache.Stats()
	fmt.Fprintln(t.out, what)
}
