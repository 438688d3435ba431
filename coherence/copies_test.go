package coherence_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// A copying store has copies of all its entries, and tells what a look at them shows.
type copying struct {
	*common
	view store.View
	is   bool
	err  error
}

func (c *copying) LookupCopy(context.Context, string) (store.View, bool, error) {
	return c.view, c.is, c.err
}

// TestLookupCopy: what a copy's tags show decides a read, unless it is only that the copy is old; while the store has
// not been told of a write nothing is read from copies.
func TestLookupCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &copying{common: newCommon()}
		d := coherence.NewDomain(c, "db", coherence.Options{})
		defer d.Close()
		entry := &store.Entry{Value: "value"}
		want := func(outcome coherence.Outcome, decided bool) {
			t.Helper()
			r, is := d.LookupCopy(bg, "k")
			if is != decided || is && (r.Outcome != outcome || (r.Value == "value") != (outcome == coherence.Hit)) {
				t.Errorf("%v of %v, %v; want %v, %v", r.Outcome, r.Value, is, outcome, decided)
			}
			if is && r.Fill(bg, "other", 5, 0) {
				t.Error("a read without tags was kept")
			}
		}
		want(0, false)
		c.is = true
		want(0, false)
		c.view = store.View{Held: true}
		want(coherence.Held, true)
		c.view, c.err = store.View{}, errAway
		want(coherence.Miss, true)
		c.view, c.err = store.View{Entry: entry}, nil
		want(coherence.Hit, true)

		h, err := d.Hold(bg, []store.Tag{d.Tag("stuff")})
		ok(t, err)
		c.set(true)
		if h.Release(bg) == nil || d.Unannounced() != 1 {
			t.Fatal("the write was announced: this test tests nothing")
		}
		want(0, false)
		c.set(false)
		for d.Unannounced() > 0 {
			synctest.Wait()
			time.Sleep(time.Second)
		}
		want(coherence.Hit, true)
	})
}
