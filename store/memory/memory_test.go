package memory_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/store/memory"
	"github.com/larderdb/larder/store/storetest"
)

// A clock is moved by hand.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Duration    { return time.Duration(c.now.Load()) }
func (c *clock) Sleep(d time.Duration) { c.now.Add(int64(d)) }

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		c := new(clock)
		s := memory.NewWithClock(8<<20, c.Now)
		t.Cleanup(func() { s.Close() })
		return storetest.Subject{Store: s, Sleep: c.Sleep}
	})
}
