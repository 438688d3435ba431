package session

import (
	"context"
	"database/sql/driver"
	"hash/maphash"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// What a row is likely to be like, before a write. Any of it may be wrong: the guess is
// proven by the database. In this order:
//
//  1. what the last write of that row has found
//  2. what a result that is kept shows of it (sighted.go)
//  3. what the write itself gives it: who saves a whole row has most often read it, and changed little
//  4. what the database says, which costs a round trip: where the answer of the write itself can't tell it, see later.go
//
// A program that writes rows in the order of their key is spared most round trips: when some rows were asked for, each
// a little behind the one before, those behind the next are asked for with it.

// guesses are what rows of a database were like when they were written last. They may be wrong. Two rows may have one place; then the first is forgotten.
type guesses struct {
	seed  maphash.Seed
	slots [4096]atomic.Pointer[remembered]
}

type remembered struct {
	key    string
	values []driver.Value
}

func newGuesses() *guesses { return &guesses{seed: maphash.MakeSeed()} }

func (g *guesses) slot(key string) *atomic.Pointer[remembered] {
	return &g.slots[maphash.String(g.seed, key)%uint64(len(g.slots))]
}

func (g *guesses) get(key string) (values []driver.Value, ok bool) {
	if is := g.slot(key).Load(); is != nil && is.key == key {
		return is.values, true
	}
	return nil, false
}

func (g *guesses) set(key string, values []driver.Value) {
	g.slot(key).Store(&remembered{key, values})
}

func (g *guesses) forget(key string) {
	if slot := g.slot(key); slot.Load() != nil {
		slot.Store(nil) // be it another row's
	}
}

// rowKey is the key under which columns of a row are remembered; "" if it tells no unique key.
func (p *planned) rowKey(row confine.Image, columns []*confine.Column) string {
	key := p.change.Key(row)
	if key == nil {
		return ""
	}
	form, _ := row.Form(key)
	text := appendString(nil, string(p.plan.Target))
	for _, name := range key {
		text = appendString(text, name)
	}
	for _, column := range columns {
		text = appendString(text, column.Name)
	}
	return string(append(text, form...))
}

// values finds what columns of the row that a write will find are likely to be. It reports false if nothing is known, or
// no other than what was guessed in vain, or the database may not be asked.
func (s *Session) values(ctx context.Context, g *guess, row confine.Image, columns []*confine.Column, args []driver.NamedValue, ask bool) bool {
	given := g.plan.given(columns, g.args)
	if g.failed == nil {
		known := false
		if g.values, known = g.plan.db.guesses.get(g.key); !known {
			g.values, known = g.plan.turn.take(g.key)
		}
		if known {
			return true
		}
		if !s.src.Unsighted {
			if g.values = g.plan.sighted(row, columns); g.values != nil {
				g.sighted = true
				return true
			}
		}
		if g.given = given != nil && !g.plan.moves.Load(); g.given {
			g.values = given
			return true
		}
	}
	if !ask {
		return false
	}
	g.asked = true
	g.values = s.peek(ctx, g, row, columns, args)
	if given != nil && slices.Equal(given, g.values) {
		g.plan.moves.Store(false)
	}
	return g.values != nil && (g.failed == nil || !reflect.DeepEqual(g.values, g.failed.values))
}

// given are the values that an UPDATE gives some columns, nil if it doesn't give them all.
func (p *planned) given(columns []*confine.Column, args []driver.NamedValue) []driver.Value {
	values := make([]driver.Value, len(columns))
	for i, column := range columns {
		var ok bool
		if values[i], ok = p.change.Given(column, args); !ok {
			return nil
		}
	}
	return values
}

// peek reads columns of the row that a write will find, without a lock; nil if there isn't one.
func (s *Session) peek(ctx context.Context, g *guess, row confine.Image, columns []*confine.Column, args []driver.NamedValue) []driver.Value {
	if number, n := g.plan.numberOf(row); number != nil && g.plan.turn.note(n) {
		if values := s.peekAhead(ctx, g, number, n, columns); values != nil {
			return values
		}
	}
	set := s.peekSet(ctx, selectText(s.src.Dialect, g.plan.text.Change, columns), args)
	if set == nil || set.rows != 1 {
		return nil
	}
	return asArguments(columns, set.row(0))
}

// peekSet reads some rows; nil if they can't be read.
func (s *Session) peekSet(ctx context.Context, text string, args []driver.NamedValue) *rowSet {
	live, err := queryText(ctx, s.inner, text, args)
	if err != nil {
		return nil
	}
	ahead := read(live.rows, s.src.MaxEntryBytes, false, likeness{})
	if err := live.close(); err != nil || !ahead.complete() {
		return nil
	}
	return ahead.set
}

// What is read ahead of writes in the order of a key.
const (
	aheadRows = 64 // at a time
	aheadGap  = 64 // how far a number may lie behind the one before
	aheadRun  = 3  // how many times in turn it must
)

// A turn is how far a statement has written rows in the order of their key, and what was read ahead of it.
type turn struct {
	mu     sync.Mutex
	last   int64                     // the number of the last row that was asked for
	length int                       // how often one after the other the next one was a little behind
	rows   map[string][]driver.Value // that were read ahead; each is used once
}

// note notes that a row of a number is asked for, and reports whether those behind it are likely to be next.
func (t *turn) note(n int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last < n && n-t.last <= aheadGap {
		t.length++
	} else {
		t.length = 0
	}
	t.last = n
	return t.length >= aheadRun
}

// reset makes the turn that of some rows, of which the last has a number.
func (t *turn) reset(last int64, rows map[string][]driver.Value) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.rows = last, rows
	if rows == nil {
		t.length = 0
	}
}

// take returns a row that was read ahead.
func (t *turn) take(key string) (values []driver.Value, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	values, ok = t.rows[key]
	delete(t.rows, key)
	return values, ok
}

// numberOf returns the column that is a unique key by itself and a whole number, and its value in a row; nil if there is none.
func (p *planned) numberOf(row confine.Image) (*confine.Column, int64) {
	key := p.change.Key(row)
	if len(key) != 1 {
		return nil, 0
	}
	form, _ := row.Get(key[0])
	n, ok := confine.Number(form)
	columns := p.change.Columns(key)
	if !ok || len(columns) != 1 {
		return nil, 0
	}
	return columns[0], n
}

// peekAhead reads columns of the row of a number and of those behind it, and keeps these for the writes that follow; nil if
// the row isn't there.
func (s *Session) peekAhead(ctx context.Context, g *guess, number *confine.Column, n int64, columns []*confine.Column) []driver.Value {
	set := s.peekSet(ctx, aheadText(s.src.Dialect, g.plan.text.Change, number, columns), []driver.NamedValue{{Ordinal: 1, Value: n}})
	if set == nil {
		g.plan.turn.reset(n, nil) // not soon again
		return nil
	}
	rows := make(map[string][]driver.Value, set.rows)
	for i := range set.rows {
		row := confine.ImageOf(s.src.Dialect, []*confine.Column{number}, set.row(i))
		if form, ok := row.Get(number.Name); ok {
			if at, ok := confine.Number(form); ok {
				n = at
			}
		}
		if values := asArguments(columns, set.row(i)[1:]); values != nil {
			rows[g.plan.rowKey(row, columns)] = values
		}
	}
	values := rows[g.key]
	delete(rows, g.key)
	g.plan.turn.reset(n, rows)
	return values
}

// aheadText selects a number and other columns of rows in the order of the number, from a given one on.
func aheadText(d analyze.Dialect, change *analyze.Change, number *confine.Column, columns []*confine.Column) string {
	mark := "?"
	if d == analyze.Postgres {
		mark = "$1"
	}
	from := &analyze.Change{From: change.From, Condition: quote(d, number.Name) + " >= " + mark}
	return selectText(d, from, append([]*confine.Column{number}, columns...)) +
		" ORDER BY " + quote(d, number.Name) + " LIMIT " + strconv.Itoa(aheadRows)
}

// asArguments are values of columns as arguments, nil if one of them can't be.
func asArguments(columns []*confine.Column, values []driver.Value) []driver.Value {
	list := make([]driver.Value, len(values))
	for i, value := range values {
		if list[i] = asArgument(columns[i], value); list[i] == nil && value != nil {
			return nil
		}
	}
	return list
}

// asArgument is a value of a column as an argument that equals nothing else in it; nil if
// there is none. Drivers give some values as text.
func asArgument(column *confine.Column, value driver.Value) driver.Value {
	b, ok := value.([]byte)
	switch {
	case !ok || column.Class.Kind == confine.Bytes:
		return value
	case column.Class.Kind != confine.Integer:
		return string(b)
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return nil
	}
	return n
}
