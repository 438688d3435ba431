package memory_test

import (
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
	"github.com/larderdb/larder/store/storetest"
)

// A clock is moved by hand.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Duration    { return time.Duration(c.now.Load()) }
func (c *clock) Sleep(d time.Duration) { c.now.Add(int64(d)) }

func TestContract(t *testing.T)      { storetest.Run(t, subject) }
func TestPlainContract(t *testing.T) { storetest.RunPlain(t, subject) }

func subject(t *testing.T) storetest.Subject {
	c := new(clock)
	s := memory.NewWithClock(8<<20, c.Now)
	t.Cleanup(func() { s.Close() })
	return storetest.Subject{Store: s, Sleep: c.Sleep}
}

func TestFlush(t *testing.T) {
	s := memory.New(0)
	tags := []store.Tag{"a", "held"}
	if err := s.Hold(t.Context(), 1, tags[1:], 0, nil); err != nil {
		t.Fatal(err)
	}
	v, _ := s.Lookup(t.Context(), "k", tags[:1])
	e := &store.Entry{Value: 1, Size: 8, Tags: tags[:1], Tokens: v.Tokens}
	if err := s.Fill(t.Context(), "k", e, math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	if v, _ := s.Lookup(t.Context(), "k", tags[:1]); v.Entry == nil {
		t.Fatal("miss of an entry that lives for ever")
	}
	s.Flush()
	if v, _ := s.Lookup(t.Context(), "k", tags[:1]); v.Entry != nil {
		t.Fatal("hit after flush")
	}
	if v, _ := s.Lookup(t.Context(), "", tags); !v.Held {
		t.Fatal("a hold has gone with the entries")
	}
	if st := s.Stats(); st.Entries != 0 || st.Tags != 2 || st.MaxBytes != 64<<20 {
		t.Fatalf("after flush: %+v", st)
	}
}

// TestAbandonedHoldsGo: holds that have lapsed don't keep their tags for ever.
func TestAbandonedHoldsGo(t *testing.T) {
	c := new(clock)
	s := memory.NewWithClock(1<<20, c.Now)
	for round := range 20 {
		for i := range 5000 {
			id, tag := store.HoldID(round*5000+i+1), []store.Tag{store.Tag(fmt.Sprint(round, i))}
			if err := s.Hold(t.Context(), id, tag, time.Second, nil); err != nil {
				t.Fatal(err)
			}
		}
		c.Sleep(time.Minute)
	}
	if st := s.Stats(); st.Tags > 10_000 {
		t.Errorf("100,000 holds have come and lapsed: %+v", st)
	}
}
