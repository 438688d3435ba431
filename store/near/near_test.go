package near_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/near"
	"github.com/larderdb/larder/store/redis"
	"github.com/larderdb/larder/store/storetest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// processes opens the same store in Redis for one process after the other.
func processes(t testing.TB, server *dbtest.Server, timeout time.Duration) func(near.Options) *near.Store {
	prefix := rand.Text() + ":"
	return func(o near.Options) *near.Store {
		far, err := redis.Open(redis.Options{Addresses: []string{server.Addr()}, Prefix: prefix, Timeout: timeout, Settle: -1})
		ok(t, err)
		s := near.New(far, o)
		t.Cleanup(func() { s.Close() })
		return s
	}
}

func TestContract(t *testing.T)      { storetest.Run(t, subject) }
func TestPlainContract(t *testing.T) { storetest.RunPlain(t, subject) }

func subject(t *testing.T) storetest.Subject {
	t.Parallel()
	s := processes(t, dbtest.Redis(t), 10*time.Second)(near.Options{})
	return storetest.Subject{Store: storetest.Outside(s), Sleep: time.Sleep, Lease: time.Second, Elsewhere: true}
}

var tags = []store.Tag{"stuff*", "stuff{user_id=1}"}

func fill(t testing.TB, s *near.Store, key, value string) {
	t.Helper()
	v, err := s.Lookup(t.Context(), key, tags)
	ok(t, err)
	ok(t, s.Fill(t.Context(), key, &store.Entry{Value: store.Bytes(value), Size: len(value), Tags: tags, Tokens: v.Tokens}, time.Hour))
}

// has looks for a value; none for a miss.
func has(t testing.TB, s store.Store, key, want string) {
	t.Helper()
	v, err := s.Lookup(t.Context(), key, tags)
	ok(t, err)
	got := ""
	if v.Entry != nil {
		got = string(v.Entry.Value.(store.Bytes))
	}
	if got != want {
		t.Fatalf("%q has %q, want %q", key, got, want)
	}
}

// write is a write of another process, as far as the store sees it.
func write(t testing.TB, s store.Store, id store.HoldID) {
	t.Helper()
	ok(t, s.Hold(t.Context(), id, tags[1:], 0, nil))
	ok(t, s.Release(t.Context(), id, tags[1:]))
}

// counted counts what is asked of a far store, and for how many entries.
type counted struct {
	store.Shared
	entries, calls int
}

func (c *counted) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	c.calls++
	if key != "" {
		c.entries++
	}
	return c.Shared.Lookup(ctx, key, tags)
}

// TestCopiesAsk: a hit of a copy asks for its tags once, and for no entry; what another process has
// filled is found.
func TestCopiesAsk(t *testing.T) {
	open := processes(t, dbtest.Redis(t), 10*time.Second)
	other := open(near.Options{})
	far := &counted{Shared: open(near.Options{}).Far()}
	s := near.New(far, near.Options{})
	fill(t, s, "k", "first")
	*far = counted{Shared: far.Shared}
	has(t, s, "k", "first")
	if far.calls != 1 || far.entries != 0 {
		t.Errorf("a hit of a copy asked %d times, %d for entries", far.calls, far.entries)
	}
	has(t, other, "k", "first")
	write(t, other, 1)
	has(t, s, "k", "")
	fill(t, other, "k", "second")
	*far = counted{Shared: far.Shared}
	has(t, s, "k", "second")
	if far.calls != 2 || far.entries != 1 {
		t.Errorf("an old copy asked %d times, %d for entries", far.calls, far.entries)
	}
	*far = counted{Shared: far.Shared}
	has(t, s, "k", "second")
	if far.calls != 1 || far.entries != 0 {
		t.Errorf("a copy of what another has filled asked %d times, %d for entries", far.calls, far.entries)
	}
}

// TestBounded: a copy that was found valid is served without asking, as long as it may be and this process writes
// nothing of its tags.
func TestBounded(t *testing.T) {
	const bound = 300 * time.Millisecond
	open := processes(t, dbtest.Redis(t), 10*time.Second)
	other := open(near.Options{})
	far := &counted{Shared: open(near.Options{}).Far()}
	s := near.New(far, near.Options{Bounded: bound})
	fill(t, s, "k", "first")
	has(t, s, "k", "first") // is asked for once
	began := time.Now()
	*far = counted{Shared: far.Shared}
	has(t, s, "k", "first")
	if time.Since(began) < bound && far.calls != 0 {
		t.Errorf("asked %d times within the bound", far.calls)
	}
	write(t, other, 1)
	time.Sleep(bound)
	has(t, s, "k", "")

	fill(t, s, "k", "second")
	has(t, s, "k", "second")
	ok(t, s.Hold(t.Context(), 2, tags[1:], 0, nil))
	has(t, s, "k", "")
	ok(t, s.Release(t.Context(), 2, tags[1:]))
	has(t, s, "k", "")
}

// TestTraffic: each call of the far store is counted once with the time it took; what isn't asked isn't, nor are refusals errors
// that are no fault of the store's.
func TestTraffic(t *testing.T) {
	far := &counted{Shared: processes(t, dbtest.Redis(t), 10*time.Second)(near.Options{}).Far()}
	s := near.New(far, near.Options{Bounded: time.Hour})
	fill(t, s, "k", "value") // asks for tags, and fills
	has(t, s, "k", "value")
	before := s.Traffic()
	if before.Calls != 3 || before.Errors != 0 || before.Skipped != 0 || before.Time <= 0 || before.Mean() != before.Time/3 || !before.Away.IsZero() {
		t.Errorf("%+v", before)
	}
	for range 10 { // within the bound
		has(t, s, "k", "value")
	}
	if after := s.Traffic(); after != before {
		t.Errorf("%+v, after ten hits that asked nobody %+v", before, after)
	}
	if err := s.Renew(t.Context(), 77, tags, time.Second); !errors.Is(err, store.ErrLapsed) {
		t.Error(err)
	}
	if told := s.Traffic(); told.Calls != 4 || told.Errors != 0 {
		t.Errorf("a hold that was never made: %+v", told)
	}
	if servers := s.Servers(); servers.Bytes <= 0 {
		t.Errorf("the server says %+v", servers)
	}
}

// TestBoundedFillBesideOwnWrite: a copy that is filled when this process has just written is asked for first.
func TestBoundedFillBesideOwnWrite(t *testing.T) {
	s := processes(t, dbtest.Redis(t), 10*time.Second)(near.Options{Bounded: time.Hour})
	v, err := s.Lookup(t.Context(), "k", tags)
	ok(t, err)
	write(t, s, 1) // between the read's look and its fill
	ok(t, s.Fill(t.Context(), "k", &store.Entry{Value: store.Bytes("old"), Size: 3, Tags: tags, Tokens: v.Tokens}, time.Hour))
	has(t, s, "k", "")
}

// TestCopiesLiveNoLonger: a copy of what another process has filled ends when that does.
func TestCopiesLiveNoLonger(t *testing.T) {
	open := processes(t, dbtest.Redis(t), 10*time.Second)
	a, b := open(near.Options{}), open(near.Options{})
	v, err := a.Lookup(t.Context(), "k", tags)
	ok(t, err)
	ok(t, a.Fill(t.Context(), "k", &store.Entry{Value: store.Bytes("x"), Size: 1, Tags: tags, Tokens: v.Tokens}, 500*time.Millisecond))
	has(t, b, "k", "x")
	time.Sleep(600 * time.Millisecond)
	has(t, b, "k", "")
	has(t, a, "k", "")
}

// TestDecode: what is known is decoded once, and the rest stays bytes.
func TestDecode(t *testing.T) {
	open := processes(t, dbtest.Redis(t), 10*time.Second)
	decoded := 0
	a, b := open(near.Options{}), open(near.Options{Decode: func(b store.Bytes) (any, int, bool) {
		decoded++
		return len(b), 8, string(b) != "unknown"
	}})
	fill(t, a, "k", "value")
	fill(t, a, "l", "unknown")
	for range 3 {
		v, err := b.Lookup(t.Context(), "k", tags)
		ok(t, err)
		if v.Entry == nil || v.Entry.Value != 5 || v.Entry.Size != 8 {
			t.Fatalf("%+v", v.Entry)
		}
	}
	has(t, b, "l", "unknown")
	if decoded != 2 {
		t.Errorf("decoded %d times", decoded)
	}
}

// TestStoreThatHangs: one caller waits for a store that doesn't answer, the others go on at once; it is asked again
// when it may have come back.
func TestStoreThatHangs(t *testing.T) {
	server := dbtest.NewRedis(t)
	const timeout = 300 * time.Millisecond
	s := processes(t, server, timeout)(near.Options{Timeout: timeout})
	fill(t, s, "k", "value")
	ok(t, server.Pause())
	began := time.Now()
	if _, err := s.Lookup(t.Context(), "k", tags); err == nil {
		t.Error("a store that hangs has answered")
	}
	if took := time.Since(began); took < timeout/2 {
		t.Errorf("given up after %v of %v: this test tests nothing", took, timeout)
	}
	began = time.Now()
	away := 0
	for range 100 {
		if _, err := s.Lookup(t.Context(), "k", tags); errors.Is(err, near.ErrAway) {
			away++
		}
	}
	if took := time.Since(began); took > 2*timeout || away < 90 {
		t.Errorf("100 reads of a store that hangs took %v, %d were turned away", took, away)
	}
	if told := s.Traffic(); told.Errors < 1 || told.Skipped < int64(away) || told.Away.IsZero() || told.Away.After(began) || told.Time < timeout/2 {
		t.Errorf("%d were turned away, and it tells %+v", away, told)
	}
	if servers := s.Servers(); servers != (store.Stats{}) {
		t.Errorf("a store that is left alone says %+v", servers)
	}
	ok(t, server.Resume())
	for range 100 {
		if v, err := s.Lookup(t.Context(), "k", tags); err == nil && v.Entry != nil {
			if told := s.Traffic(); !told.Away.IsZero() {
				t.Errorf("it answers, and is told to be left alone: %+v", told)
			}
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the store has come back and isn't asked")
}

// TestImpatientProbe: a caller that goes away before the store has answered tells nothing of it: the store stays left alone, and the next
// caller asks whether it has come back.
func TestImpatientProbe(t *testing.T) {
	server := dbtest.NewRedis(t)
	const timeout = 300 * time.Millisecond
	s := processes(t, server, timeout)(near.Options{Timeout: timeout})
	fill(t, s, "k", "value")
	ok(t, server.Pause())
	if _, err := s.Lookup(t.Context(), "k", tags); err == nil || s.Traffic().Away.IsZero() {
		t.Fatalf("a store that hangs is asked on: %v", err)
	}
	since := s.Traffic().Away
	impatient := map[string]func() (context.Context, context.CancelFunc){
		"whose time is over": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 20*time.Millisecond)
		},
		"who goes": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		},
	}
	ask := func(who string) error {
		ctx, cancel := impatient[who]()
		defer cancel()
		_, err := s.Lookup(ctx, "k", tags)
		return err
	}
	err := near.ErrAway
	for errors.Is(err, near.ErrAway) { // its pause
		time.Sleep(10 * time.Millisecond)
		err = ask("who goes")
	}
	for range 3 {
		for who := range impatient {
			if told := s.Traffic(); err == nil || !told.Away.Equal(since) || told.Errors != 1 {
				t.Fatalf("the store hangs since %v; by one %s it is told as %+v (%v)", since, who, told, err)
			}
			if err = ask(who); errors.Is(err, near.ErrAway) {
				t.Fatalf("nobody asks after one %s", who)
			}
		}
	}
	ok(t, server.Resume())
	for range 100 {
		if _, err := s.Lookup(t.Context(), "k", tags); err == nil && s.Traffic().Away.IsZero() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the store has come back and isn't asked")
}
