package near_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/near"
)

func plainly(t testing.TB, s store.Plain, op store.PlainOp) store.PlainOp {
	t.Helper()
	op.TTL = time.Hour
	ops := []store.PlainOp{op}
	s.Plain(t.Context(), ops)
	return ops[0]
}

// TestPlainHasNoCopies: what another process has written is seen at once, though copies may be old.
func TestPlainHasNoCopies(t *testing.T) {
	open := processes(t, dbtest.Redis(t), 10*time.Second)
	a, b := open(near.Options{Bounded: time.Hour}), open(near.Options{Bounded: time.Hour})
	for i, value := range []string{"1", "2", "3"} {
		s := []*near.Store{a, b}[i%2]
		plainly(t, s, store.PlainOp{Verb: store.PlainSet, Key: "k", Value: []byte(value)})
		for _, s := range []*near.Store{a, b} {
			if op := plainly(t, s, store.PlainOp{Key: "k"}); string(op.Found) != value || op.Err != nil {
				t.Fatalf("%q, %v, want %q", op.Found, op.Err, value)
			}
		}
	}
}

// TestPlainOfStoreThatHangs: one op waits for a store that doesn't answer, the others fail at once. What they fail with by themselves
// keeps nobody from the store.
func TestPlainOfStoreThatHangs(t *testing.T) {
	server := dbtest.NewRedis(t)
	const timeout = 300 * time.Millisecond
	s := processes(t, server, timeout)(near.Options{Timeout: timeout})
	for n := 0; ; n++ { // the first ones connect
		if op := plainly(t, s, store.PlainOp{Verb: store.PlainSet, Key: "k", Value: []byte("word")}); op.Err == nil {
			break
		} else if n > 100 {
			t.Fatal(op.Err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	for range 3 {
		if op := plainly(t, s, store.PlainOp{Verb: store.PlainCount, Key: "k"}); !errors.Is(op.Err, store.ErrNotNumber) {
			t.Errorf("count of a word: %v", op.Err)
		}
	}
	ok(t, server.Pause())
	began := time.Now()
	if op := plainly(t, s, store.PlainOp{Key: "k"}); op.Err == nil {
		t.Error("a store that hangs has answered")
	}
	if took := time.Since(began); took < timeout/2 || took > 10*timeout {
		t.Errorf("given up after %v of %v", took, timeout)
	}
	began = time.Now()
	for range 20 {
		if op := plainly(t, s, store.PlainOp{Verb: store.PlainSet, Key: "k"}); op.Err == nil {
			t.Error("a store that hangs has answered")
		}
	}
	if took := time.Since(began); took > 10*timeout {
		t.Errorf("20 more took %v", took)
	}
	ok(t, server.Resume())
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		op := plainly(t, s, store.PlainOp{Key: "k"})
		if op.Err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(op.Err)
		}
	}
}

// A contested store has values that others change all the time.
type contested struct{ store.Shared }

func (contested) Plain(_ context.Context, ops []store.PlainOp) {
	time.Sleep(100 * time.Millisecond)
	store.FailPlain(ops, store.ErrBusy)
}

// TestPlainThatIsContested: a counter that is hot keeps nobody from the store.
func TestPlainThatIsContested(t *testing.T) {
	s := near.New(contested{processes(t, dbtest.Redis(t), 10*time.Second)(near.Options{}).Far()}, near.Options{})
	for range 2 {
		if op := plainly(t, s, store.PlainOp{Verb: store.PlainCount, Key: "k"}); !errors.Is(op.Err, store.ErrBusy) {
			t.Errorf("%v", op.Err)
		}
		if _, err := s.Lookup(t.Context(), "k", tags); err != nil {
			t.Errorf("after that: %v", err)
		}
	}
}

// TestPlainOfStoreWithout: a far store that keeps no plain values says so.
func TestPlainOfStoreWithout(t *testing.T) {
	s := near.New(struct{ store.Shared }{processes(t, dbtest.Redis(t), time.Second)(near.Options{})}, near.Options{})
	if op := plainly(t, s, store.PlainOp{Key: "k"}); !errors.Is(op.Err, store.ErrNoPlain) {
		t.Errorf("%v", op.Err)
	}
}
