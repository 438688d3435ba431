package metamorphic

import (
	"strings"
	"testing"

	"github.com/larderdb/larder/store"
)

// within is how many steps it may take to see what is wrong with the cache.
const within = 60000

// The test sees what an analysis could forget, and shows it in few steps.
func TestTeeth(t *testing.T) {
	for _, l := range lapses {
		t.Run(l.name, func(t *testing.T) {
			mattn.mustFail(t, l.store(), nil)
		})
	}
}

// The test sees when something is done behind the cache's back.
func TestUnseen(t *testing.T) {
	for _, m := range []struct {
		name   string
		change mutation
	}{
		{"writes", func(s *step) { s.unseen = s.on == clean && s.do == exec && !strings.HasPrefix(s.text, "SELECT") }},
		{"triggers", func(s *step) { s.unseen = s.do == exec && changesSchema(s.text) && !strings.Contains(s.text, "VIEW") }},
		{"views", func(s *step) { s.unseen = strings.Contains(s.text, "CREATE VIEW v") }},
	} {
		t.Run(m.name, func(t *testing.T) { mattn.mustFail(t, nil, m.change) })
	}
}

func changesSchema(text string) bool {
	first := word(text)
	return first == "CREATE" || first == "DROP" || first == "ALTER"
}

// mustFail runs programs until one fails, and fails itself if none does.
func (e engine) mustFail(t *testing.T, s store.Store, change mutation) {
	count := newTally()
	for seed := uint64(1); count.steps < within; seed++ {
		if failed := e.live(t, seed, life, count, s, change); failed != nil {
			short := e.shrunk(t, failed, s)
			t.Logf("seen after %d steps, in %d:\n%v%s", count.steps, len(short.program), short.program, short.difference)
			if len(short.program) > 25 {
				t.Errorf("the program was shrunk from %d to %d steps, want at most 25", len(failed.program), len(short.program))
			}
			return
		}
	}
	t.Errorf("not seen in %d steps, of which %d were reads, %d of these hits", count.steps, count.reads, count.hits)
}
