package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

func concurrentHolds(s *suite) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				id := store.HoldID(w*1000 + i + 1)
				tags := []store.Tag{"a", store.Tag(fmt.Sprint("own", w))}
				if err := s.Store.Hold(s.Context(), id, tags, 0, nil); err != nil {
					s.Error(err)
				}
				if v, err := s.Store.Lookup(s.Context(), "", tags[:1]); err != nil || !v.Held {
					s.Errorf("a tag under hold: held %v, %v", v.Held, err)
				}
				if err := s.Store.Release(s.Context(), id, tags); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.held(false, "a")
}

// concurrentUse has writers count a number up, each under a hold, and readers
// who must never see less than they have seen.
func concurrentUse(s *suite) {
	var db atomic.Int64
	var wg sync.WaitGroup
	tags := []store.Tag{"a"}
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for last := int64(0); ; {
				select {
				case <-stop:
					return
				default:
				}
				got := readThrough(s, "k", tags, &db)
				if got < last {
					s.Errorf("read %d after %d", got, last)
				}
				last = got
			}
		})
	}
	for i := range 300 {
		id := store.HoldID(i + 1)
		s.hold(id, 0, tags...)
		db.Add(1)
		s.release(id, tags...)
		if got := readThrough(s, "k", tags, &db); got != db.Load() {
			s.Errorf("read %d after the write of %d", got, db.Load())
		}
	}
	close(stop)
	wg.Wait()
}

// readThrough is the read of the protocol.
func readThrough(s *suite, key string, tags []store.Tag, db *atomic.Int64) int64 {
	v, err := s.Store.Lookup(s.Context(), key, tags)
	if err != nil {
		s.Error(err)
		return db.Load()
	}
	if v.Entry != nil {
		return v.Entry.Value.(int64)
	}
	n := db.Load()
	if v.Held {
		return n
	}
	e := &store.Entry{Value: n, Size: 8, Tags: tags, Tokens: v.Tokens}
	if err := s.Store.Fill(s.Context(), key, e, time.Hour); err != nil {
		s.Error(err)
	}
	return n
}

func concurrentFirst(s *suite) {
	for i := range 50 {
		tag := store.Tag(fmt.Sprint("t", i))
		var tokens [4]store.Token
		var wg sync.WaitGroup
		for w := range tokens {
			wg.Go(func() {
				if v, err := s.Store.Lookup(s.Context(), "", []store.Tag{tag}); err == nil {
					tokens[w] = v.Tokens[0]
				}
			})
		}
		wg.Wait()
		for _, token := range tokens {
			if token != tokens[0] || token == 0 {
				s.Fatalf("tokens %v of one tag", tokens)
			}
		}
	}
}
