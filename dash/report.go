package dash

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/larderdb/larder"
)

// An overview is the page's first sight.
type overview struct {
	Since     int64   `json:"since"` // milliseconds since 1970: when watching began
	HitRatio  float64 `json:"hitRatio"`
	AllReads  int64   `json:"allReads"`
	SavedRate float64 `json:"savedRate"` // seconds of database time a minute, of late
	Saved     float64 `json:"saved"`     // seconds of database time, since watching began

	Stats     storeStats     `json:"stats"`
	Points    []point        `json:"points"`
	Hits      []int64        `json:"hitTimes"`
	Misses    []int64        `json:"missTimes"`
	Relations []relationView `json:"relations"`
	Recent    []note         `json:"recent"`
	Advice    []advice       `json:"advice"`
	Shared    *sharedView    `json:"shared,omitempty"` // nil without a store that processes share
}

// storeStats is larder.Stats for the page.
type storeStats struct {
	Hits, Misses, Held, Bypasses  int64
	Writes, WideWrites, Abandoned int64
	Unannounced                   int64
	Verified, Wrong, Unsure       int64
	Stuck                         int64
	Entries                       int
	Bytes, MaxBytes, Evictions    int64
}

// A relationView is a relation for the page.
type relationView struct {
	Name    string  `json:"name"`
	Writes  int64   `json:"writes"`
	Rate    float64 `json:"rate"`    // writes a second
	Precise float64 `json:"precise"` // share of the writes that removed no more than the results of the rows that they changed
	Removed int64   `json:"removed"` // results that a write removed, counted when they are asked for again
	Shapes  int     `json:"shapes"`  // of statements that read it

	InUse []string `json:"inUse"` // by which columns its results are told apart
}

// overview tells how the cache does.
func (d *dashboard) overview(t *tally) overview {
	s := d.cache.Stats()
	o := overview{Since: t.began.UnixMilli(), HitRatio: s.HitRatio(), AllReads: s.Hits + s.Misses + s.Held + s.Bypasses}
	if o.AllReads > 0 {
		o.HitRatio = float64(s.Hits) / float64(o.AllReads)
	}
	o.Stats = storeStats{s.Hits, s.Misses, s.Held, s.Bypasses, s.Writes, s.WideWrites, s.Abandoned, s.Unannounced,
		s.Verified, s.Wrong, s.Unsure, s.Stuck, s.Entries, s.Bytes, s.MaxBytes, s.Evictions}
	o.Hits, o.Misses = t.hits.counts(), t.misses.counts()
	o.Advice, o.Shared = t.advise(s), t.sharedView(s.Shared)
	d.relate(&o, t)
	t.mu.Lock()
	defer t.mu.Unlock()
	o.Points = append([]point{}, t.points[1:]...) // the first is where counting began
	o.Recent = append([]note{}, t.recent...)      // not nil, which JSON has another word for
	o.Saved = t.saved.Seconds()
	o.SavedRate = savedRate(t.points)
	return o
}

// relate tells of relations.
func (d *dashboard) relate(o *overview, t *tally) {
	t.mu.Lock()
	o.Relations = t.relationsLocked()
	t.mu.Unlock()
	for i := range o.Relations {
		r := &o.Relations[i]
		r.InUse = append([]string{}, d.cache.ShapesInUse(context.Background(), r.Name)...) // not nil
	}
}

// savedRate is how many seconds of database time a minute were saved in the last one.
func savedRate(points []point) float64 {
	points = points[max(len(points)-60, 0):]
	if len(points) == 0 {
		return 0
	}
	sum := 0.0
	for _, p := range points {
		sum += p.Saved
	}
	return sum / 1000 * 60 / float64(len(points))
}

func (t *tally) relationsLocked() []relationView {
	readers := map[string]int{}
	for _, s := range t.all {
		for _, name := range s.reads {
			readers[name]++
		}
	}
	views := []relationView{}
	for name, r := range t.relations {
		v := relationView{Name: name, Writes: r.writes, Rate: r.rate, Removed: r.removed, Shapes: readers[name]}
		if r.writes > 0 {
			v.Precise = 1 - float64(r.wide)/float64(r.writes)
		}
		views = append(views, v)
		delete(readers, name)
	}
	for name, n := range readers {
		views = append(views, relationView{Name: name, Shapes: n})
	}
	slices.SortFunc(views, func(a, b relationView) int { return cmp.Compare(a.Name, b.Name) })
	return views
}

// A shapeView is a shape for the page.
type shapeView struct {
	Fingerprint string      `json:"fingerprint"`
	Kind        string      `json:"kind"` // "statement", "value", …; "write"
	Text        string      `json:"text"`
	Calls       int64       `json:"calls"`
	Hits        int64       `json:"hits"`
	Misses      int64       `json:"misses"`
	Held        int64       `json:"held"`
	Bypasses    int64       `json:"bypasses"`
	HitRatio    float64     `json:"hitRatio"`
	HitMicros   float64     `json:"hitUs"`
	MissMicros  float64     `json:"missUs"`
	Saved       float64     `json:"saved"` // seconds of database time
	Bytes       int64       `json:"bytes"`
	Why         []counted   `json:"why"`
	Removed     []removedBy `json:"removed"`
	Checked     int64       `json:"checked"`
	Wrong       int64       `json:"wrong"`
	Errors      int64       `json:"errors"`
	Reads       []string    `json:"reads"`
}

type counted struct {
	What string `json:"what"`
	N    int64  `json:"n"`
}

// removedBy is a write that removed results of a shape.
type removedBy struct {
	Relation string `json:"relation"`
	By       string `json:"by"`   // its fingerprint, "" if it isn't of this process
	Text     string `json:"text"` // its shape
	N        int64  `json:"n"`
}

// shapes tells of all shapes, those that are asked for most first.
func (t *tally) shapes(literals bool) []shapeView {
	t.mu.Lock()
	all := slices.Clone(t.all)
	t.mu.Unlock()
	views := make([]shapeView, len(all))
	for i, s := range all {
		views[i] = t.view(s, literals)
	}
	slices.SortStableFunc(views, func(a, b shapeView) int { return cmp.Compare(b.Calls, a.Calls) })
	return views
}

func (t *tally) view(s *shape, literals bool) shapeView {
	v := shapeView{Fingerprint: s.fingerprint, Kind: s.kind.String(), Text: s.text, Reads: s.reads,
		Hits: s.outcomes[larder.OutcomeHit].Load(), Misses: s.outcomes[larder.OutcomeMiss].Load(),
		Held: s.outcomes[larder.OutcomeHeld].Load(), Bypasses: s.outcomes[larder.OutcomeBypass].Load(),
		HitMicros: s.hits.mean(), MissMicros: s.misses.mean(), Bytes: s.bytes.Load(),
		Checked: s.checked.Load(), Wrong: s.wrong.Load(), Errors: s.errors.Load(), Why: []counted{}, Removed: []removedBy{}}
	v.Calls = v.Hits + v.Misses + v.Held + v.Bypasses
	if v.Calls > 0 {
		v.HitRatio = float64(v.Hits) / float64(v.Calls)
	}
	if n := s.writes.Load(); n > 0 {
		v.Calls += n
		v.Kind = "write"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if literals && s.example != "" {
		v.Text = s.example
	}
	v.Saved = s.saved.Seconds()
	for what, n := range s.why {
		v.Why = append(v.Why, counted{cmp.Or(what, "other"), n})
	}
	for c, n := range s.causes {
		v.Removed = append(v.Removed, removedBy{c.relation, c.by, t.textOf(c.by), n})
	}
	slices.SortFunc(v.Why, func(a, b counted) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.What, b.What)) })
	slices.SortFunc(v.Removed, func(a, b removedBy) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Relation+a.By, b.Relation+b.By))
	})
	return v
}

// textOf is the shape of a fingerprint, "" if it isn't known.
func (t *tally) textOf(fingerprint string) string {
	if s, ok := t.shapeOf.Load(fingerprint); ok && fingerprint != "" {
		return s.(*shape).text
	}
	return ""
}

// A shapePage is all of one shape.
type shapePage struct {
	shapeView
	HitTimes    []int64      `json:"hitTimes"`
	MissTimes   []int64      `json:"missTimes"`
	Spark       []spark      `json:"spark"`
	Explanation *explanation `json:"explanation"`
	Unexplained string       `json:"unexplained"` // why there is no explanation
}

// An explanation is larder.Explanation for the page.
type explanation struct {
	Cacheable bool     `json:"cacheable"`
	Reason    string   `json:"reason"`
	Detail    string   `json:"detail"`
	Rows      []string `json:"rows"`
	Writes    []string `json:"writes"`
	Changes   []string `json:"changes"`
}

// serveShape answers with one shape.
func (d *dashboard) serveShape(w http.ResponseWriter, r *http.Request, fingerprint string) {
	t := d.touch()
	found, ok := t.shapeOf.Load(fingerprint)
	if !ok {
		http.Error(w, "there is no such shape; the cache may have been watched for too short a time", http.StatusNotFound)
		return
	}
	s := found.(*shape)
	page := shapePage{shapeView: t.view(s, d.options.Literals), HitTimes: s.hits.counts(), MissTimes: s.misses.counts()}
	s.mu.Lock()
	page.Spark = slices.Clone(s.spark)
	example := s.example
	s.mu.Unlock()
	page.Explanation, page.Unexplained = d.explain(r, s, example)
	answer(w, page)
}

// explain explains a shape by a text of it.
func (d *dashboard) explain(r *http.Request, s *shape, example string) (*explanation, string) {
	if s.kind != larder.KindStatement || example == "" || s.fingerprint == otherShapes {
		return nil, "there is no statement to explain yet"
	}
	e, err := d.cache.Explain(r.Context(), example)
	if err != nil {
		return nil, "it can't be explained now: the cache has several handles, or its database can't be asked"
	}
	x := &explanation{Cacheable: e.Reason == larder.Reason(0), Reason: e.Reason.String(), Detail: e.Detail, Rows: e.Rows, Writes: e.Writes, Changes: e.Changes}
	if !d.options.Literals {
		x.Rows, x.Changes = hidden(e.Rows), hidden(e.Changes)
		x.Detail = hide(x.Detail)
	}
	return x, ""
}

// literal is a value in the text of an explanation, but for parameters.
var literal = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|[$?]?\b[0-9][0-9a-fA-Fx._]*\b`)

// hide hides literals, and leaves parameters ($1, ?1) and names.
func hide(text string) string {
	return literal.ReplaceAllStringFunc(text, func(found string) string {
		if found[0] == '$' || found[0] == '?' {
			return found
		}
		return "…"
	})
}

func hidden(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = hide(text)
	}
	return out
}

// stream sends an overview each second, until the page is closed.
func (d *dashboard) stream(w http.ResponseWriter, r *http.Request) {
	controller := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	ticker := time.NewTicker(d.every)
	defer ticker.Stop()
	for {
		text, err := json.Marshal(d.overview(d.touch()))
		if err != nil {
			return
		}
		_ = controller.SetWriteDeadline(time.Now().Add(10 * time.Second)) // a server without deadlines has none to move
		if _, err := fmt.Fprintf(w, "data: %s\n\n", strings.TrimSpace(string(text))); err != nil {
			return
		}
		if controller.Flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}
