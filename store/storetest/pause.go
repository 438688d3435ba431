package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/store"
)

// paused: what is kept of a paused tag isn't found until it is resumed, and nothing else is lost by that.
func paused(s *suite) {
	p, ok := s.Store.(store.Pauser)
	if !ok {
		s.Skip("the store pauses nothing")
	}
	s.fill("k", "v", "shape", "slice")
	s.fill("other", "v", "else")
	before := s.token("shape")
	p.Pause(1, []store.Tag{"shape"})
	p.Pause(2, []store.Tag{"shape"})
	s.miss("k", "shape", "slice")
	s.held(true, "shape")
	s.hit("other", "v")
	p.Resume(1, []store.Tag{"shape", "nobody's"})
	s.held(true, "shape")
	p.Resume(2, []store.Tag{"shape"})
	s.held(false, "shape")
	s.hit("k", "v")
	if s.token("shape") != before {
		s.Error("the pause has brought a new token")
	}
	p.Pause(3, []store.Tag{"shape"})
	s.release(3, "shape")
	s.held(false, "shape")
	s.miss("k", "shape", "slice")
}

// pausedMeanwhile: an entry whose slice is released while its shape is paused isn't found by a reader that begins when the change
// can be seen. Between the two tags are many others, so that readers take long from the one to the other.
func pausedMeanwhile(s *suite) {
	p, ok := s.Store.(store.Pauser)
	if !ok {
		s.Skip("the store pauses nothing")
	}
	tags := []store.Tag{"slice"}
	for i := range 2000 {
		tags = append(tags, store.Tag(fmt.Sprint("between", i)))
	}
	tags = append(tags, "shape")
	slice, shape := tags[:1], tags[len(tags)-1:]
	var changes atomic.Int64 // that can be seen
	find := func() (version int64) {
		v, err := s.Store.Lookup(s.Context(), "k", nil)
		if err != nil || v.Entry == nil {
			return -1
		}
		return v.Entry.Value.(int64)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if seen, found := changes.Load(), find(); found >= 0 && found < seen {
					s.Errorf("found what %d changes had made, after change %d", found, seen)
					return
				}
			}
		})
	}
	for i := range store.HoldID(1000) {
		s.fill("k", changes.Load(), tags...)
		p.Pause(i+1, shape)
		changes.Add(1)
		for range i % 16 {
			s.Store.Stats()
		}
		s.hold(i+1, 0, slice...)
		s.release(i+1, slice...)
		p.Resume(i+1, shape)
	}
	close(stop)
	readers.Wait()
}
