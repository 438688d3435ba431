package dash

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
)

// advised returns the advice of a kind and text; a test fails if there is none.
func (d *desk) advised(kind, text string) advice {
	d.Helper()
	list := d.dash.touch().advise(d.cache.Stats())
	for _, a := range list {
		if a.Kind == kind && a.Text == text {
			return a
		}
	}
	d.Errorf("no advice says %s of %s: %+v", kind, text, list)
	return advice{}
}

// wantAdvice fails unless there is an advice that says so.
func (d *desk) wantAdvice(kind, text, why, do string) {
	d.Helper()
	if a := d.advised(kind, text); !strings.Contains(a.Why, why) || a.Do != do || a.What == "" || a.Kind != adviceWide && a.Lost <= 0 {
		d.Errorf("%+v; want %q, and %q", a, why, do)
	}
}

const (
	byName  = "UPDATE stuff SET name = 'a secret' WHERE name IN (SELECT name FROM stuff WHERE id = 1)"
	byNames = "UPDATE stuff SET name = ? WHERE name IN (SELECT name FROM stuff WHERE id = ?)"
)

// TestAdvice: what costs more than it saves, what isn't cached, and what removes more than it changes, is named with the reason and what
// to do; what pays isn't, nor is a value shown.
func TestAdvice(t *testing.T) {
	d := newDesk(t, nil)
	d.dash.touch()
	for i := range 60 {
		d.read(read, 1000+i)                                                    // never again
		d.read("SELECT id, name FROM stuff WHERE user_id = 42")                 // removed each time
		d.exec("UPDATE stuff SET name = 'a secret' WHERE user_id = 42")         // by this
		d.read("SELECT random(), name FROM stuff")                              // not cacheable
		d.read(fmt.Sprintf("SELECT name, id FROM stuff WHERE id = %d", 5000+i)) // a text of its own
		d.read("SELECT hex(zeroblob(20000)), id FROM stuff WHERE id IN (1, 2)") // over MaxEntryBytes
		d.read("SELECT 1")                                                      // nothing can be done
		tx, err := d.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		rows, err := tx.Query("SELECT count(*), 7 FROM stuff")
		if err != nil {
			t.Fatal(err)
		}
		rows.Close()
		tx.Rollback()
		if i%4 == 0 {
			d.exec(byName)
		}
	}
	d.exec("CREATE TABLE other (id INTEGER PRIMARY KEY, name TEXT)") // nobody writes it
	for range 300 {
		d.read("SELECT name FROM other")
	}
	d.wantAdvice(adviceCosts, read, "hardly asked again", doRepeat)
	d.wantAdvice(adviceCosts, "SELECT id, name FROM stuff WHERE user_id = ?", "writes of main.stuff removed its results before they were used, most of them UPDATE stuff SET name = ? WHERE user_id = ?", doConfine)
	d.wantAdvice(adviceBypass, "SELECT random(), name FROM stuff", "volatile (random())", remedies["volatile"])
	d.wantAdvice(adviceTexts, "SELECT name, id FROM stuff WHERE id = ?", "stand in its text", doArgs)
	d.wantAdvice(adviceBypass, "SELECT hex(zeroblob(?)), id FROM stuff WHERE id IN (?)", "result too large", remedies["result too large"])
	d.wantAdvice(adviceBypass, "SELECT count(*), ? FROM stuff", "isolation level", remedies["isolation level"])
	d.wantAdvice(adviceWide, "main.stuff", "so that it isn't known which user_id, id they have: "+byNames, doOf(""))
	for _, a := range d.dash.touch().advise(d.cache.Stats()) {
		if strings.Contains(a.Text, "other") || a.Text == "SELECT ?" {
			t.Errorf("there is nothing to advise: %+v", a)
		}
	}
	_, _, body := d.get("/larder/api/stats")
	if !strings.Contains(body, `"kind":"costs"`) || strings.Contains(body, "secret") || strings.Contains(body, "= 50") {
		t.Error(body)
	}
}

// told has a tally hear of reads of one shape: so many hits, and so many misses by one cause.
func told(hits, misses int, e larder.Event) *tally {
	t := newTally()
	e.Weight, e.Fingerprint, e.Shape, e.Text = 1, "f", "SELECT n FROM t", "SELECT n FROM t"
	for range misses {
		e.Outcome = larder.OutcomeMiss
		t.hear(context.Background(), e)
	}
	for range hits {
		t.hear(context.Background(), larder.Event{Weight: 1, Fingerprint: "f", Shape: e.Shape, Outcome: larder.OutcomeHit, Total: time.Microsecond})
	}
	return t
}

// TestAdviceByCause: what is advised of a shape depends on what it saves, and on why its results went.
func TestAdviceByCause(t *testing.T) {
	cause := func(why larder.Why) larder.Cause { return larder.Cause{Why: why, Relation: "t"} }
	for _, c := range []struct {
		name         string
		hits, misses int
		database     time.Duration
		cause        larder.Cause
		whole        bool
		kind, do     string // of the first advice; "" for none
	}{
		{"pays", 100, 100, time.Millisecond, cause(larder.WhyNew), false, "", ""},
		{"pays seldom, but much", 3, 100, 10 * time.Millisecond, cause(larder.WhyNew), false, "", ""},
		{"too few to tell", 0, 40, time.Millisecond, cause(larder.WhyNew), false, "", ""},
		{"never again", 0, 100, time.Millisecond, cause(larder.WhyNew), false, adviceCosts, doRepeat},
		{"for want of room", 0, 100, time.Millisecond, cause(larder.WhyEvicted), false, adviceMemory, doRoom},
		{"expired", 0, 100, time.Millisecond, cause(larder.WhyExpired), false, adviceCosts, doTTL},
		{"removed by rows", 0, 100, time.Millisecond, cause(larder.WhyChanged), false, adviceCosts, doConfine},
		{"removed by any write", 0, 100, time.Millisecond, cause(larder.WhyChanged), true, adviceCosts, doPin},
		{"pays, but is removed by any write", 500, 100, time.Millisecond, cause(larder.WhyChanged), true, adviceWhole, doPin},
		{"pays, and is removed by its own rows", 500, 100, time.Millisecond, cause(larder.WhyChanged), false, "", ""},
	} {
		e := larder.Event{Database: c.database, Store: 20 * time.Microsecond, Total: c.database + 20*time.Microsecond, Cause: c.cause}
		if e.Reads = []string{"t"}; c.whole {
			e.Whole = e.Reads
		}
		list := told(c.hits, c.misses, e).advise(larder.Stats{})
		if c.kind == "" && len(list) > 0 || c.kind != "" && (len(list) == 0 || list[0].Kind != c.kind || list[0].Do != c.do) {
			t.Errorf("%s: %+v; want %s: %s", c.name, list, c.kind, c.do)
		}
	}
}

// TestAdviceOfTime: the time of a statement isn't counted again as that of the value, the fragment and the page that are made from it.
func TestAdviceOfTime(t *testing.T) {
	e := larder.Event{Database: time.Millisecond, Total: time.Millisecond, Cause: larder.Cause{Why: larder.WhyEvicted}}
	tally := told(0, 100, e)
	lost := func() float64 { return tally.advise(larder.Stats{})[0].Lost }
	before := lost()
	for _, kind := range []larder.Kind{larder.KindValue, larder.KindFragment, larder.KindPage} {
		made := e
		made.Kind, made.Weight, made.Database, made.Outcome, made.Fingerprint = kind, 1, 0, larder.OutcomeMiss, kind.String()
		for range 100 {
			tally.hear(context.Background(), made)
		}
	}
	if after := lost(); before < 0.09 || after != before {
		t.Errorf("100 misses of 1 ms have lost %v s, and with what is made from them %v s", before, after)
	}
}

// TestAdviceUrgent: what is wrong, and a store that doesn't answer, come before what is slow.
func TestAdviceUrgent(t *testing.T) {
	e := larder.Event{Database: time.Second, Store: time.Millisecond, Cause: larder.Cause{Why: larder.WhyNew}}
	tally := told(0, 100, e)
	tally.hear(t.Context(), larder.Event{Weight: 1, Fingerprint: "g", Shape: "SELECT m FROM t", Outcome: larder.OutcomeHit, Check: larder.CheckDifferent})
	list := tally.advise(larder.Stats{Shared: larder.Traffic{Away: time.Now(), Skipped: 7}})
	if len(list) != 3 || list[0].Kind != adviceWrong || list[1].Kind != adviceStore || list[2].Kind != adviceCosts || !strings.Contains(list[1].What, "7 calls") {
		t.Errorf("%+v", list)
	}
}

// TestRemedies: each Reason of the closed list has its remedy, or none on purpose, and each reason of a wide write.
func TestRemedies(t *testing.T) {
	known := 0
	for r := larder.Reason(1); r.String() != larder.Reason(255).String(); r++ {
		known++
		if _, is := remedies[r.String()]; !is {
			t.Errorf("nothing is said of %s", r)
		}
	}
	if known != len(remedies) || known < 30 {
		t.Errorf("%d reasons, %d remedies", known, len(remedies))
	}
	if doOf("it changes the schema") == doOf("") || doOf("whatever") != doOf("") || doOf("") == "" {
		t.Error("what to do about wide writes")
	}
}
