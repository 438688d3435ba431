package session

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/confine"
)

// A yield is whether it pays to keep the results of one text. It is judged by what became of those that were
// kept, once so many have left the store: what their uses have saved is what the database takes, each time,
// and what they have cost is the keeping. A result that is still there isn't judged, so that a
// cache which fills up, or is asked for much that comes again late, goes on filling.
//
// Where it doesn't pay a result is kept only if its key comes again, soon (see Domain.Again), and after some thousand
// that weren't kept all are tried again. Only results in this process's memory are judged.
type yield struct {
	left, uses, removed atomic.Int64 // of entries that have left: how many, their uses, how many of the unused a write removed
	took                atomic.Int64 // what the database takes for one, in nanoseconds, about
	cost                atomic.Int64 // what keeping one costs, in nanoseconds, about
	verdict             atomic.Int32
	skipped             atomic.Int64 // results that weren't kept since the verdict

	lastUses, lastRemoved atomic.Int64 // by which the verdict was found
}

// Verdicts.
const (
	pays        int32 = iota
	passing           // most leave unused, to make room: a scan
	overwritten       // most are removed by writes before they are used
)

// What a yield is judged by. BenchmarkMissOwn measures what keeping costs.
const (
	judged       = 256                  // entries that have left
	tried        = 16 * judged          // results that weren't kept, after which all are kept again
	keepCost     = 4 * time.Microsecond // of a result
	keepCostCell = 40 * time.Nanosecond // of each of its values
	takesLong    = 1 << 10 * keepCost   // longer times of the database count as this
)

// lean reports whether results are to be kept only if they come again.
func (y *yield) lean() bool { return y.verdict.Load() != pays }

// kept notes what a result took that is now kept.
func (y *yield) kept(took time.Duration, cells int) {
	smooth(&y.took, int64(min(took, takesLong)))
	smooth(&y.cost, int64(keepCost+time.Duration(cells)*keepCostCell))
}

// smooth moves a mean an eighth of the way. One of two that do so at a time may be lost.
func smooth(mean *atomic.Int64, to int64) {
	if before := mean.Load(); before != 0 {
		to = before + (to-before)/8
	}
	mean.Store(to)
}

// skip notes a result that isn't kept, and has all kept again if there were enough of them. It returns the verdict by which it isn't, and reports whether it is the
// first since that.
func (y *yield) skip() (verdict int32, first bool) {
	verdict = y.verdict.Load()
	n := y.skipped.Add(1)
	if n >= tried {
		y.judge(pays)
	}
	return verdict, n == 1
}

// gone notes that an entry has left the store, and judges if it was the last of enough.
func (y *yield) gone(uses int, removed bool) {
	y.uses.Add(int64(uses))
	if removed && uses == 0 {
		y.removed.Add(1)
	}
	left := y.left.Add(1)
	if left < judged {
		return
	}
	switch uses := y.uses.Load(); {
	case uses*y.took.Load() >= left*y.cost.Load():
		y.judge(pays)
	case y.removed.Load() > (left-uses)/2:
		y.judge(overwritten)
	default:
		y.judge(passing)
	}
}

func (y *yield) judge(verdict int32) {
	y.lastUses.Store(y.uses.Load())
	y.lastRemoved.Store(y.removed.Load())
	y.verdict.Store(verdict)
	y.left.Store(0)
	y.uses.Store(0)
	y.removed.Store(0)
	y.skipped.Store(0)
}

// retire puts the shapes out of use by which the plan's results were told apart, so that writes aren't asked for
// their rows on its behalf. Other reads by the same shapes put them in use again.
func (p *planned) retire(ctx context.Context) {
	for i, by := range p.by {
		if by == nil {
			continue
		}
		for _, relation := range p.plan.References[i].Table.Relations {
			for _, shape := range p.db.domain.Shapes(ctx, relation) {
				if columns, _ := confine.Shape(shape); slices.Contains(by.Shapes(), columns) {
					p.db.domain.Retire(ctx, relation, shape)
				}
			}
		}
	}
}

// Left implements store.Leaver.
func (s *rowSet) Left(uses int, removed bool) {
	if s.yield != nil {
		s.yield.gone(uses, removed)
	}
}
