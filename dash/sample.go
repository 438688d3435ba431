package dash

import (
	"time"

	"github.com/larderdb/larder"
)

// A point is what happened in one second.
type point struct {
	At       int64   `json:"at"` // seconds since 1970
	Hits     int64   `json:"hits"`
	Misses   int64   `json:"misses"`
	Held     int64   `json:"held"`
	Bypasses int64   `json:"bypasses"`
	Writes   int64   `json:"writes"`
	Saved    float64 `json:"saved"`  // milliseconds of database time
	Calls    int64   `json:"calls"`  // of the store that processes share …
	Errors   int64   `json:"errors"` // … and of these, those that failed

	sums [7]int64
}

// A spark is what happened to one shape in a few seconds.
type spark struct {
	Hits int64 `json:"hits"`
	Rest int64 `json:"rest"`
}

// A note tells of one event that is no hit, for the list of the latest.
type note struct {
	N           int64   `json:"n"`
	At          int64   `json:"at"` // milliseconds since 1970
	What        string  `json:"what"`
	Fingerprint string  `json:"fingerprint"`
	Text        string  `json:"text"`
	Why         string  `json:"why"`
	Relation    string  `json:"relation"` // that was changed, or was written
	By          string  `json:"by"`       // the fingerprint of the statement that wrote
	Micros      float64 `json:"us"`
}

// noteLocked adds an event to the latest.
func (t *tally) noteLocked(s *shape, e *larder.Event, why string) {
	t.notes++
	n := note{N: t.notes, At: time.Now().UnixMilli(), What: e.Outcome.String(), Fingerprint: s.fingerprint, Text: s.text, Why: why,
		Relation: e.Cause.Relation, By: e.Cause.By, Micros: micros(e.Total)}
	if e.Write {
		n.What = "write"
		if len(e.Writes) > 0 {
			n.Relation = e.Writes[0]
		}
	}
	if len(t.recent) == maxEvents {
		copy(t.recent, t.recent[1:])
		t.recent = t.recent[:maxEvents-1]
	}
	t.recent = append(t.recent, n)
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// sample is called once a second with the cache's counters.
func (t *tally) sample(now time.Time, stats larder.Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.saved
	for _, s := range t.all {
		t.saved += s.sample(t.samples%sparkEvery == 0)
	}
	for _, r := range t.relations {
		r.rate += (float64(r.writes-r.sampled) - r.rate) / 10 // over about ten seconds
		r.sampled = r.writes
	}
	p := point{At: now.Unix(), Saved: float64(t.saved-before) / float64(time.Millisecond)}
	p.sums = [...]int64{stats.Hits, stats.Misses, stats.Held, stats.Bypasses, stats.Writes, stats.Shared.Calls, stats.Shared.Errors}
	if len(t.points) > 0 {
		last := t.points[len(t.points)-1].sums
		p.Hits, p.Misses, p.Held, p.Bypasses, p.Writes = p.sums[0]-last[0], p.sums[1]-last[1], p.sums[2]-last[2], p.sums[3]-last[3], p.sums[4]-last[4]
		p.Calls, p.Errors = p.sums[5]-last[5], p.sums[6]-last[6]
	}
	t.points = appended(t.points, p, maxPoints)
	t.samples++
}

// sample returns the database time that the hits since the last sample have saved: what misses of the shape cost on average.
func (s *shape) sample(sparks bool) (saved time.Duration) {
	hits := s.outcomes[larder.OutcomeHit].Load()
	rest := s.others()
	s.mu.Lock()
	defer s.mu.Unlock()
	if misses := s.outcomes[larder.OutcomeMiss].Load() + s.outcomes[larder.OutcomeHeld].Load(); misses > 0 {
		saved = time.Duration(float64(hits-s.counted) * float64(s.database.Load()) / float64(misses))
		s.counted = hits
		s.saved += saved
	}
	if sparks {
		s.spark = appended(s.spark, spark{hits - s.sampled[0], rest - s.sampled[1]}, maxSparks)
		s.sampled = [2]int64{hits, rest}
	}
	return saved
}

// others is how many reads were no hits.
func (s *shape) others() int64 {
	return s.outcomes[larder.OutcomeMiss].Load() + s.outcomes[larder.OutcomeHeld].Load() + s.outcomes[larder.OutcomeBypass].Load()
}

// appended appends to a list of the latest.
func appended[T any](list []T, v T, most int) []T {
	if len(list) == most {
		copy(list, list[1:])
		list = list[:most-1]
	}
	return append(list, v)
}
