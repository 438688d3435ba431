package dash

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/larderdb/larder"
)

// An advice names what costs more than it saves, or saves less than it could, with the reason and what to do. It comes of events,
// and of the cache's figures.
type advice struct {
	Kind        string  `json:"kind"`
	Fingerprint string  `json:"fingerprint"` // of the shape, "" if it is of none
	Text        string  `json:"text"`        // of the shape; or a relation; or of what else
	What        string  `json:"what"`        // figures
	Why         string  `json:"why"`
	Do          string  `json:"do"`
	Lost        float64 `json:"lost"` // seconds of time that could be spared, about: the worst comes first
}

// The kinds of advice.
const (
	adviceWrong  = "wrong"  // a hit wasn't what the database says
	adviceStore  = "store"  // a store that processes share doesn't answer
	adviceCosts  = "costs"  // a shape whose keeping costs more than its hits save
	adviceBypass = "bypass" // a shape that the cache isn't asked for, or whose results can't be kept
	adviceWhole  = "whole"  // a shape that any write of a relation removes
	adviceTexts  = "texts"  // a shape whose literals differ
	adviceHeld   = "held"   // a shape that waits for writes
	adviceWide   = "wide"   // a relation whose writes remove more than they change
	adviceMemory = "memory" // results go for want of room
)

// From how many reads, or writes, on advice is given; and how many are given at most.
const (
	enoughReads  = 50
	enoughWrites = 5
	maxAdvice    = 20
)

// advise lists what is worth a change, the worst first.
func (t *tally) advise(stats larder.Stats) []advice {
	t.mu.Lock()
	all := slices.Clone(t.all)
	list := append([]advice{}, t.adviseRelationsLocked()...)
	t.mu.Unlock()
	evicted, misses := int64(0), int64(0)
	for _, s := range all {
		found := s.advise()
		for i := range found {
			found[i].Fingerprint, found[i].Text = s.fingerprint, s.text
			found[i].Why = strings.ReplaceAll(found[i].Why, byMark, cmp.Or(t.textOf(s.remover()), "what isn't of this process"))
		}
		list = append(list, found...)
		evicted += s.missedBy(larder.WhyEvicted.String())
		misses += s.outcomes[larder.OutcomeMiss].Load()
	}
	list = append(list, adviseStore(stats.Shared)...)
	if evicted >= enoughReads && evicted*10 >= misses {
		list = append(list, advice{Kind: adviceMemory, Text: "memory", What: fmt.Sprintf("%d of %d misses were of results that had been let go for want of room", evicted, misses),
			Why: fmt.Sprintf("results may take %d bytes", stats.MaxBytes), Do: doRoom, Lost: share(evicted, misses) * t.databaseTime(all)})
	}
	slices.SortStableFunc(list, func(a, b advice) int {
		return cmp.Or(cmp.Compare(urgency(b.Kind), urgency(a.Kind)), cmp.Compare(b.Lost, a.Lost), cmp.Compare(a.Text, b.Text))
	})
	return list[:min(len(list), maxAdvice)]
}

// urgency puts what is wrong before what is slow.
func urgency(kind string) int {
	return slices.Index([]string{adviceStore, adviceWrong}, kind)
}

// databaseTime is what the database took for misses, in seconds. That of values, fragments and pages is the time of what they are made
// from, which has misses of its own.
func (t *tally) databaseTime(all []*shape) (sum float64) {
	for _, s := range all {
		if s.kind == larder.KindStatement {
			sum += time.Duration(s.database.Load()).Seconds()
		}
	}
	return sum
}

func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// adviseStore tells of a store that is left alone.
func adviseStore(shared larder.Traffic) []advice {
	if shared.Away.IsZero() {
		return nil
	}
	return []advice{{Kind: adviceStore, Text: "the store", What: fmt.Sprintf("it has been left alone since %s; %d calls weren't made", shared.Away.Format(time.TimeOnly), shared.Skipped),
		Why: "it keeps calls waiting, and then fails them", Do: doStore}}
}

// byMark stands in a reason for the statement that removed most results.
const byMark = "\x00"

// advise tells of one shape.
func (s *shape) advise() (list []advice) {
	hits, misses, bypasses := s.outcomes[larder.OutcomeHit].Load(), s.outcomes[larder.OutcomeMiss].Load(), s.outcomes[larder.OutcomeBypass].Load()
	held := s.outcomes[larder.OutcomeHeld].Load()
	if wrong := s.wrong.Load(); wrong > 0 {
		list = append(list, advice{Kind: adviceWrong, What: fmt.Sprintf("%d of %d hits that were checked differ from what the database says", wrong, s.checked.Load()),
			Why: "a program writes past Larder, or Larder has a fault", Do: doThrough})
	}
	if s.kind != larder.KindStatement || s.write || hits+misses+bypasses+held < enoughReads {
		return list
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	database := time.Duration(s.database.Load()).Seconds()
	if a, costs := s.costsLocked(hits, misses, held); costs {
		list = append(list, a)
	} else if relation, n := s.wholeLocked(); n*2 >= misses && n >= enoughReads {
		list = append(list, advice{Kind: adviceWhole, What: fmt.Sprintf("%d of %d misses were of results that a write had removed", n, misses),
			Why: "it depends on every row of " + relation + "; most were removed by " + byMark, Do: doPin, Lost: share(n, misses) * database})
	}
	if s.various*2 >= misses && s.various >= enoughReads {
		list = append(list, advice{Kind: adviceTexts, What: fmt.Sprintf("%d of %d misses were of a text with other literals or comments than the one before", s.various, misses),
			Why: "its values stand in its text", Do: doArgs, Lost: share(s.various, misses) * database})
	}
	if held*5 >= hits+misses+held && held >= enoughReads {
		list = append(list, advice{Kind: adviceHeld, What: fmt.Sprintf("%d of %d reads came while a write of what they read was in flight", held, hits+misses+held),
			Why: "what is being written isn't answered from the cache", Do: doShort, Lost: share(held, misses+held) * database})
	}
	return append(list, s.bypassesLocked(hits+misses+bypasses+held)...)
}

// costsLocked tells whether keeping the results of a shape has cost more than their hits have saved, and why they weren't used.
func (s *shape) costsLocked(hits, misses, held int64) (advice, bool) {
	if misses+held == 0 {
		return advice{}, false
	}
	saved := time.Duration(float64(hits) * float64(s.database.Load()) / float64(misses+held))
	cost := time.Duration(s.spent.Load() + s.hits.sum.Load())
	unprofitable := s.why["unprofitable"]
	if misses+unprofitable < enoughReads || saved >= cost {
		return advice{}, false
	}
	a := advice{Kind: adviceCosts, Lost: (cost - saved).Seconds(),
		What: fmt.Sprintf("%d hits of %d reads have saved %s; looking for results and keeping them has cost %s", hits, hits+misses+held+unprofitable, round(saved), round(cost))}
	a.Why, a.Do = s.whyUnusedLocked()
	if unprofitable > 0 {
		a.Why += fmt.Sprintf("; %d reads were passed by for that (unprofitable)", unprofitable)
	}
	return a, true
}

// whyUnusedLocked says what became of most results of a shape, and what to do about it.
func (s *shape) whyUnusedLocked() (why, do string) {
	most, n := "", int64(0)
	for _, cause := range []string{larder.WhyNew.String(), larder.WhyChanged.String(), larder.WhyEvicted.String(), larder.WhyExpired.String()} {
		if s.why[cause] > n {
			most, n = cause, s.why[cause]
		}
	}
	switch most {
	case larder.WhyChanged.String():
		relation, _ := s.removersLocked()
		if slices.Contains(s.whole, relation) {
			return "it depends on every row of " + relation + ", and writes removed its results before they were used, most of them " + byMark, doPin
		}
		return "writes of " + relation + " removed its results before they were used, most of them " + byMark, doConfine
	case larder.WhyEvicted.String():
		return "its results were let go for want of room before they were used", doRoom
	case larder.WhyExpired.String():
		return "its results expired before they were used", doTTL
	}
	return "it is hardly asked again with the same arguments", doRepeat
}

// removersLocked is the relation whose writes removed most results of a shape, and the fingerprint of the one that removed most.
func (s *shape) removersLocked() (relation, by string) {
	sums, most := make(map[string]int64), int64(0)
	for c, n := range s.causes {
		sums[c.relation] += n
	}
	for name, n := range sums {
		if n > sums[relation] || n == sums[relation] && name < relation {
			relation = name
		}
	}
	for c, n := range s.causes {
		if c.relation == relation && (n > most || n == most && c.by < by) {
			by, most = c.by, n
		}
	}
	return relation, by
}

// remover is the fingerprint of the write that removed most results of a shape.
func (s *shape) remover() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, by := s.removersLocked()
	return by
}

// wholeLocked is the relation whose writes removed most results, if the shape depends on every row of it, and how many.
func (s *shape) wholeLocked() (relation string, n int64) {
	relation, _ = s.removersLocked()
	if !slices.Contains(s.whole, relation) {
		return "", 0
	}
	for c, k := range s.causes {
		if c.relation == relation {
			n += k
		}
	}
	return relation, n
}

// missedBy is how many misses of a shape had a cause.
func (s *shape) missedBy(cause string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why[cause]
}

// bypassesLocked tells of each Reason for which a shape wasn't cached, that something can be done about.
func (s *shape) bypassesLocked(reads int64) (list []advice) {
	for reason, n := range s.why {
		do := remedies[reason]
		if do == "" || n < enoughReads/5 || n*20 < reads {
			continue
		}
		why := reason
		if s.detail != "" && s.detailOf == reason {
			why += " (" + hide(s.detail) + ")"
		}
		list = append(list, advice{Kind: adviceBypass, What: fmt.Sprintf("%d of %d reads asked the database", n, reads), Why: why, Do: do,
			Lost: share(n, s.outcomes[larder.OutcomeBypass].Load()+s.outcomes[larder.OutcomeMiss].Load()) * time.Duration(s.bypassed.Load()+s.database.Load()).Seconds()})
	}
	return list
}

// adviseRelationsLocked tells of relations whose writes remove more than the results of the rows that they change.
func (t *tally) adviseRelationsLocked() (list []advice) {
	for name, r := range t.relations {
		if r.wide < enoughWrites || r.wide*10 < r.writes {
			continue
		}
		var most wideWrite
		for w, n := range r.wides {
			if m := r.wides[most]; n > m || n == m && w.why+w.by < most.why+most.by {
				most = w
			}
		}
		a := advice{Kind: adviceWide, Text: name, Fingerprint: most.by, Why: most.why, Do: doOf(most.why), Lost: share(r.wide, r.writes) * r.lost.Seconds(),
			What: fmt.Sprintf("%d of %d writes removed all results of rows of it", r.wide, r.writes)}
		if name == "*" {
			a.Text, a.What = "all relations", fmt.Sprintf("%d writes removed every result", r.wide)
		}
		if text := t.textOf(most.by); text != "" {
			a.Why += ": " + text
		}
		list = append(list, a)
	}
	return list
}

// doOf says what to do about a write that is wide for a reason.
func doOf(why string) string {
	for _, w := range whatToWrite {
		if strings.HasPrefix(why, w.begins) {
			return w.do
		}
	}
	return ""
}

// round is a duration for people.
func round(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(100 * time.Nanosecond)
}
