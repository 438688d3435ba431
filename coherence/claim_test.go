package coherence_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder/coherence"
)

// TestShortLives: who asks for what has lived its short life doesn't wait for another to make it.
func TestShortLives(t *testing.T) {
	for _, ttl := range []time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second, 1500 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			d := coherence.NewDomain(newCommon(), "db", coherence.Options{})
			tags := []coherence.Tag{d.Tag("stuff?")}
			for range 3 {
				began := time.Now()
				r := d.Lookup(bg, "k", tags, true)
				if waited := time.Since(began); waited > 0 || r.Outcome != coherence.Miss {
					t.Errorf("TTL %v: %v after %v", ttl, r.Outcome, waited)
				}
				r.Fill(bg, "v", 8, ttl)
				r.Done()
				time.Sleep(ttl + time.Millisecond)
			}
		})
	}
}
