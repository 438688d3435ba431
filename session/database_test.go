package session

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store/memory"
)

// A slowCatalog doesn't answer before it is let go.
type slowCatalog struct{ asked, answer chan struct{} }

var errNoCatalog = errors.New("no catalog")

func (q *slowCatalog) Query(context.Context, string) ([][]driver.Value, error) {
	close(q.asked)
	<-q.answer
	return nil, errNoCatalog
}

// TestLoadEndsWithContext: who waits for a catalog that another reads waits no longer than
// its own context.
func TestLoadEndsWithContext(t *testing.T) {
	db := acquire(databaseKey{store: memory.New(0), identity: "slow"}, false, coherence.Options{})
	defer db.release()
	q := &slowCatalog{make(chan struct{}), make(chan struct{})}
	first := make(chan error)
	go func() {
		_, err := db.load(t.Context(), q, analyze.SQLite)
		first <- err
	}()
	<-q.asked
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		_, err := db.load(ctx, q, analyze.SQLite)
		second <- err
	}()
	cancel()
	select {
	case err := <-second:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("who waited: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the end of a context doesn't end the waiting")
	}
	close(q.answer)
	if err := <-first; !errors.Is(err, errNoCatalog) {
		t.Errorf("who read: %v", err)
	}
}

// TestOtherLease: a database has one lease in a store, which is said by who opens it first; who
// asks for another hears of it, once.
func TestOtherLease(t *testing.T) {
	kept := memory.New(0)
	var log bytes.Buffer
	opened := func(lease time.Duration) *Source {
		return &Source{Config: Config{Store: kept, Domain: coherence.Options{Lease: lease}, Log: slog.New(slog.NewTextHandler(&log, nil))}}
	}
	defer opened(time.Second).acquire(t.Context(), "one", false).release()
	for lease, want := range map[time.Duration]int{0: 0, time.Second: 0, time.Minute: 1} { // 0 is what is there
		log.Reset()
		source := opened(lease)
		for range 2 {
			source.acquire(t.Context(), "one", false).release()
		}
		if got := strings.Count(log.String(), "asked="); got != want {
			t.Errorf("lease %v: %d warnings, want %d: %s", lease, got, want, log.String())
		}
	}
}
