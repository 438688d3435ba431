package session

import (
	"context"
	"database/sql/driver"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// lookup asks for the entry of a call. A hit needs no tags: the entry has its own. Which rows
// the result depends on is told after a miss only, unless a look at the store is a round trip and there is no copy here.
func (p *planned) lookup(ctx context.Context, key string, args []driver.NamedValue, join bool) coherence.Read {
	domain, turns := p.db.domain, p.db.narrow.Turns()
	if to := p.route.Load(); to != nil {
		if slice, ok := to.slice(p, args, turns); ok {
			if r, taken := domain.LookupAlong(ctx, key, to.way, slice, join); taken {
				return r
			}
		}
		p.route.CompareAndSwap(to, nil)
	}
	var rows []coherence.Rows
	r := domain.LookupRows(ctx, key, p.base, func() []coherence.Rows {
		rows = p.rows(ctx, args)
		return rows
	}, join)
	p.noteRoute(&r, rows, args, turns)
	return r
}

// A route is by which slice of one relation the last result of a plan was found to depend on its rows, for the next one.
type route struct {
	way   *coherence.Route
	turns int64 // of NarrowWrites
}

// noteRoute notes how a read of one place by one value found its tags.
func (p *planned) noteRoute(r *coherence.Read, rows []coherence.Rows, args []driver.NamedValue, turns int64) {
	if len(p.by) != 1 || len(rows) != 1 || p.yield.verdict.Load() == overwritten {
		return
	}
	if !p.routed.Swap(true) { // texts that are asked once needn't remember theirs
		return
	}
	way := p.db.domain.RouteOf(r, rows)
	if way == nil {
		return
	}
	s, ok := p.by[0].Only(args)
	if columns, _ := confine.Shape(rows[0].Shape); !ok || s.Shape != columns { // it was sliced by another one that is in use
		return
	}
	p.route.Store(&route{way, turns})
}

// slice is that of the route for the arguments of a call, if the route may be taken.
func (to *route) slice(p *planned, args []driver.NamedValue, turns int64) (form string, ok bool) {
	if to.turns != turns || p.yield.verdict.Load() == overwritten || !countable(args) {
		return "", false
	}
	s, ok := p.by[0].Only(args)
	return s.Form, ok
}

// rows are the rows that a result depends on. A place that arguments don't confine, or
// not to values of which it is known what equals them, is of all rows.
func (p *planned) rows(ctx context.Context, args []driver.NamedValue) []coherence.Rows {
	if len(p.by) == 0 || !countable(args) {
		return p.whole
	}
	if p.yield.verdict.Load() == overwritten { // slices cost each write more than they save
		return p.whole
	}
	rows := make([]coherence.Rows, 0, len(p.by))
	for i := range p.by {
		rows = p.appendRows(ctx, rows, i, args)
	}
	return rows
}

// appendRows adds the rows that one place reads.
func (p *planned) appendRows(ctx context.Context, rows []coherence.Rows, i int, args []driver.NamedValue) []coherence.Rows {
	r, by := &p.plan.References[i], p.by[i]
	if by != nil && len(r.Table.Relations) == 1 {
		by = p.inUse(ctx, r, by)
	}
	var list []confine.Slice
	sliced := by != nil
	if sliced {
		list, sliced = by.Evaluate(args)
	}
	if !sliced {
		by = nil
	}
	apart := p.apart(ctx, r, by.Shapes())
	list, sliced = apart.Slices(list, sliced)
	for _, relation := range r.Table.Relations {
		if !sliced {
			rows = append(rows, coherence.Rows{Relation: relation, Wish: apart.Wish("")})
			continue
		}
		for _, s := range list {
			rows = addSlice(rows, coherence.Rows{Relation: relation, Shape: apart.Shape(s.Shape), Wish: apart.Wish(s.Shape)}, s.Form)
		}
	}
	return rows
}

// addSlice adds a slice to the rows that are of the same relation and shape.
func addSlice(rows []coherence.Rows, of coherence.Rows, form string) []coherence.Rows {
	for i := range rows {
		if rows[i].Relation == of.Relation && rows[i].Shape == of.Shape {
			rows[i].Slices = append(rows[i].Slices, form)
			return rows
		}
	}
	of.Slices = []string{form}
	return append(rows, of)
}

// inUse returns by, or, if its shapes aren't in use and there may be no more, the plan for
// those that are; by itself, if there is none.
func (p *planned) inUse(ctx context.Context, r *confine.Reference, by *confine.Plan) *confine.Plan {
	used := p.db.domain.Crowd(ctx, r.Table.Relations[0])
	if used == nil {
		return by
	}
	if !slices.ContainsFunc(by.Shapes(), func(shape string) bool { return !slices.Contains(used, shape) }) {
		return by
	}
	if confine.IgnoredBy(used, r, by.Shapes()) != nil {
		return by
	}
	if other, ok := r.Plan(used, false); ok {
		return other
	}
	return by // which takes the place of a shape that nobody uses, if there is one
}

// countable reports whether each argument stands for the parameter of its number, or of its
// name if all have one. Drivers take some types of their own for instructions, and don't count them.
func countable(args []driver.NamedValue) bool {
	for i := range args {
		if (args[i].Name == "") != (args[0].Name == "") || args[i].Name == "" && args[i].Ordinal != i+1 {
			return false
		}
		switch v := args[i].Value.(type) {
		case nil, int64, int, string, []byte, bool, float64, time.Time, driver.Valuer:
			continue
		default:
			if ofDriver(reflect.TypeOf(v)) {
				return false
			}
		}
	}
	return true
}

// ofDriver reports whether a type is one of a driver's.
func ofDriver(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	path := t.PkgPath()
	for _, driver := range []string{"github.com/jackc/", "github.com/lib/pq", "github.com/go-sql-driver/", "github.com/mattn/", "modernc.org/", "github.com/ncruces/"} {
		if strings.HasPrefix(path, driver) {
			return true
		}
	}
	return false
}

// rowTexts says which rows of the relations that are read the result depends on.
func (p *planned) rowTexts() []string {
	var texts []string
	for i := range p.plan.References {
		texts = append(texts, p.plan.References[i].Texts()...)
	}
	if texts == nil {
		for _, r := range p.whole {
			texts = append(texts, r.Relation+"?")
		}
	}
	return texts
}
