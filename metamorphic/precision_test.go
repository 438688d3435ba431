package metamorphic

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/larderdb/larder"
)

var flagUpdate = flag.Bool("update", false, "rewrite testdata/precision.txt")

// What a precision test does: so many worlds, writes in each, and reads that are remembered.
const (
	precisionWorlds = 10
	precisionWrites = 60
	remembered      = 24
	longest         = 300 // bytes of a read; longer ones take long, too
)

// A share counts the results that writes of one kind removed from the cache, and how many of these had changed.
type share struct{ stood, removed, changed int }

func (s share) precision() float64 {
	if s.removed == 0 {
		return 1
	}
	return float64(s.changed) / float64(s.removed)
}

// A precision holds the shares by kind of statement.
type precision map[string]*share

// A recollection is a read with the answer that it got last, which is in the cache.
type recollection struct {
	step
	answer answer
}

// TestPrecision compares what writes removed with what they changed. The shares are held in
// testdata/precision.txt, and may only rise.
func TestPrecision(t *testing.T) {
	for _, e := range []engine{modernc, pgx, mysql} {
		if (testing.Short() || underRace) && e.lang != lite {
			continue
		}
		t.Run(string(e.lang), func(t *testing.T) {
			got := precision{}
			for seed := uint64(1); seed <= precisionWorlds; seed++ {
				e.measure(t, seed, got)
			}
			got.hold(t, string(e.lang))
		})
	}
}

// measure does writes in a world of its own, outside of transactions, and looks after each which reads are still hits.
func (e engine) measure(t *testing.T, seed uint64, got precision) {
	r := rand.New(rand.NewPCG(seed, 1))
	o := options(r, nil)
	o.MaxBytes, o.MaxEntryBytes = 16<<20, 0
	w, err := newWorld(e.place(t, 1), o, newTally())
	if err != nil {
		t.Fatal(err)
	}
	defer w.closeUnlessPanicking()
	m := &maker{g: &gen{r: r, d: e.lang}, r: r}
	for _, s := range schema(m.g) {
		w.do(s)
	}
	recollections := make([]*recollection, remembered)
	for range precisionWrites {
		for i := range recollections {
			if recollections[i] == nil || m.g.chance(5) {
				recollections[i] = w.memorize(m)
			}
		}
		s := m.newWrite()
		if failure, _ := w.do(s); failure == nil {
			w.weigh(recollections, got.of(kindOf(s.text)))
		} else {
			w.weigh(recollections, &share{})
		}
	}
}

func (p precision) of(kind string) *share {
	if p[kind] == nil {
		p[kind] = &share{}
	}
	return p[kind]
}

// newWrite is a write on the clean client.
func (m *maker) newWrite() step {
	m.g.marked, m.g.ctes, m.g.plain, m.g.n, m.g.depth = nil, nil, false, 0, 0
	s := m.write(clean)
	for strings.Contains(s.text, "LOCK TABLES") { // after which few reads succeed
		s = m.write(clean)
	}
	s.on, s.limit = clean, 0
	return s
}

// memorize makes reads until one stays in the cache; nil if none of a few does.
func (w *world) memorize(m *maker) *recollection {
	for range 5 {
		m.g.marked, m.g.ctes, m.g.plain, m.g.n, m.g.depth = nil, nil, false, 0, 0
		s := step{on: clean, do: query}
		s.text, s.ordered = m.g.query()
		if s.text, s.args = m.g.settle(s.text); len(s.text) > longest {
			continue
		}
		w.ask(s)
		if a, outcome := w.ask(s); outcome == larder.OutcomeHit && a.err == "" {
			return &recollection{s, a}
		}
	}
	return nil
}

func (w *world) ask(s step) (answer, larder.Outcome) {
	w.last = larder.Event{}
	rows, err := w.second.QueryContext(context.Background(), s.text, s.args...)
	return readAnswer(rows, err, 0), w.last.Outcome
}

// weigh asks the recollections again; those that aren't kept any more are forgotten.
func (w *world) weigh(recollections []*recollection, s *share) {
	for i, m := range recollections {
		if m == nil {
			continue
		}
		a, outcome := w.ask(m.step)
		switch outcome {
		case larder.OutcomeHit:
			s.stood++
		case larder.OutcomeMiss:
			s.stood++
			s.removed++
			if !a.equal(m.answer, m.ordered) {
				s.changed++
			}
		default:
			recollections[i] = nil
			continue
		}
		m.answer = a
	}
}

var (
	byKey    = regexp.MustCompile(` WHERE (\w+\.)?id = [^ ]+( \w+\(\d\)\))?( RETURNING .*)?$`)
	setsKey  = regexp.MustCompile(` SET (id|p) = `)
	setsAll  = regexp.MustCompile(` SET u = .*, s = .*, h = .*, x = `)
	setsUser = regexp.MustCompile(` SET (.*, )?u = `)
)

// kindOf tells writes apart by what a cache may learn from them.
func kindOf(text string) string {
	first, keyed := word(text), byKey.MatchString(text)
	switch {
	case first == "REPLACE" || strings.Contains(text, " ON CONFLICT ") || strings.Contains(text, " ON DUPLICATE ") || strings.Contains(text, "INSERT OR "):
		return "upsert"
	case first == "INSERT" && strings.Contains(text, ") VALUES ("):
		return "insert"
	case first == "INSERT":
		return "insert of a query"
	case first == "DELETE" && keyed:
		return "delete by key"
	case first == "DELETE":
		return "delete by condition"
	case first != "UPDATE":
		return "other"
	case !keyed:
		return "update by condition"
	case setsKey.MatchString(text):
		return "update of the key"
	case setsAll.MatchString(text):
		return "update of all columns by key"
	case setsUser.MatchString(text):
		return "update of u by key"
	}
	return "update by key"
}

// hold compares the shares with those of the file, and rewrites that with -update.
func (p precision) hold(t *testing.T, database string) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(p)) {
		t.Logf("%-30s of %5d results %5d were removed, %4d had changed: %.3f", kind, p[kind].stood, p[kind].removed, p[kind].changed, p[kind].precision())
	}
	file := filepath.Join("testdata", "precision.txt")
	held := heldPrecision(t, file)
	if *flagUpdate {
		p.write(t, file, database, held)
		return
	}
	for kind, want := range held[database] {
		s := p.of(kind)
		if s.precision() < want-0.01 {
			t.Errorf("%s: of %d results that were removed %d had changed, a share of %.3f; it was %.3f. If a write must remove more: -update",
				kind, s.removed, s.changed, s.precision(), want)
		}
	}
	if len(held[database]) == 0 {
		t.Errorf("%s has no figures of %s", file, database)
	}
}

// heldPrecision reads lines of database, kind and share, separated by tabs.
func heldPrecision(t *testing.T, file string) map[string]map[string]float64 {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !*flagUpdate {
		t.Fatal(err)
	}
	held := map[string]map[string]float64{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 {
			continue
		}
		value, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			t.Fatalf("%s: %q: %v", file, line, err)
		}
		if held[fields[0]] == nil {
			held[fields[0]] = map[string]float64{}
		}
		held[fields[0]][fields[1]] = value
	}
	return held
}

func (p precision) write(t *testing.T, file, database string, held map[string]map[string]float64) {
	t.Helper()
	held[database] = map[string]float64{}
	for kind, s := range p {
		held[database][kind] = s.precision()
	}
	var b strings.Builder
	b.WriteString("# Of the results that writes removed, the share that had changed; may only rise. go test -run Precision -update rewrites it.\n")
	for _, database := range slices.Sorted(maps.Keys(held)) {
		for _, kind := range slices.Sorted(maps.Keys(held[database])) {
			fmt.Fprintf(&b, "%s\t%s\t%.3f\n", database, kind, held[database][kind])
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
