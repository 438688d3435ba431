package session

import (
	"context"
	"database/sql/driver"
	"slices"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// A write of a single row by a unique key needs no transaction if it is right what is
// guessed of its row:
//
//  1. SELECT user_id FROM stuff WHERE id = 7, without a lock: 42; or what is known of it (known.go)
//  2. hold the slices of a row that has 42, and of what becomes of it
//  3. UPDATE stuff SET … WHERE (id = 7) AND user_id IS NOT DISTINCT FROM 42
//  4. release
//
// The database itself compares the row that it changes with what was guessed. If it changes
// none, another writer was faster, or there is no such row: the write is done as image.go says.

// A guess is a statement that is run in the place of a write, if its row is as guessed.
type guess struct {
	call
	plan    *planned
	key     string
	row     confine.Image  // as far as the text tells
	values  []driver.Value // of the row
	given   bool           // they are those that the write gives it
	sighted bool           // a result shows them
	asked   bool           // they were asked for just now
	stays   bool           // the write leaves them as they are
}

// proven notes how a guess turned out, and reports whether it was wrong: no row was changed, or
// the database didn't take the guard.
func (g *guess) proven(changed int64, err error) (wrong bool) {
	wrong = err == nil && changed == 0 || guardRefused(err)
	switch {
	case wrong && g.given:
		g.plan.moves.Store(true)
	case wrong && g.sighted:
		g.plan.sightedWrong.Add(1)
	case g.sighted:
		g.plan.sightedRight.Add(1)
	}
	if wrong || err != nil || !g.stays {
		g.plan.db.guesses.forget(g.key)
		g.plan.unsight(g.row)
	} else {
		g.plan.db.guesses.set(g.key, g.values)
	}
	return wrong
}

// guardRefused reports whether an error may be of the guard alone: its column is gone or has
// another type by now, or may not be read. The statement has done nothing then.
func guardRefused(err error) bool {
	if state, said := sqlState(err); said {
		return strings.HasPrefix(state, "42")
	}
	number, _ := mysqlNumber(err)
	switch number {
	case 1054, 1142, 1143, 1210, 1267, 1270, 1271:
		return true
	}
	return false
}

// guess prepares the statement that is run in the place of a write, and tells its rows. It reports false
// if there is none: with ask, the database may be asked what the row is like.
func (s *Session) guess(ctx context.Context, w *write, c *call, target *change, missing []string, ask bool) bool {
	p, text := w.plan, w.plan.text.Change
	switch {
	case p.change.Table.Fired&p.change.Op != 0 || s.tx.unlike, !s.counts: // it may be run twice, it isn't the first statement, or may change nothing unseen
		return false
	case p.change.Op == analyze.Insert || !text.Repeatable || text.Condition == "" || text.Returning != nil:
		return false
	case s.tx.open || c.stmt != nil || c.failed != nil && c.failed.asked || w.st != p.text || p.change.KeyCount(c.args) != 1 || !c.asksFor():
		return false
	}
	if s.src.Dialect == analyze.MySQL && actsBeside(p) {
		return false
	}
	columns := p.change.Columns(missing)
	before, _, ok := p.change.FromText(c.args)
	if len(columns) != len(missing) || !ok || len(before) != 1 {
		return false
	}
	args, err := arguments(text.Args, c.args)
	if err != nil {
		return false
	}
	g := &guess{plan: p, call: *c, key: p.rowKey(before[0], columns), row: before[0]}
	if g.key == "" || !s.values(ctx, g, before[0], columns, args, ask) {
		return false
	}
	image := confine.ImageOf(s.src.Dialect, columns, g.values)
	if len(image) != len(columns) {
		return false
	}
	before[0] = before[0].With(image)
	target.rows = p.change.Changed(before, c.args)
	last := target.rows[len(target.rows)-1]
	g.stays = p.change.Op == analyze.Update && !slices.ContainsFunc(image, func(c confine.Cell) bool { return !slices.Contains(last, c) })
	g.guard(s.src.Dialect, text.Span, columns)
	w.guess = g
	return true
}

// actsBeside reports whether a statement of MySQL's may do more for a row than change it, though the row has its
// new values already and isn't counted.
func actsBeside(p *planned) bool {
	return p.plan.Calls || p.plan.StateUnknown || strings.Contains(p.text.Text, "@") ||
		slices.ContainsFunc(p.text.Functions, func(f analyze.Name) bool { return mysqlActing[strings.ToLower(f.Name)] })
}

// mysqlActing are built-in functions that are called for what they do.
var mysqlActing = map[string]bool{
	"sleep": true, "benchmark": true, "get_lock": true, "release_lock": true, "release_all_locks": true,
	"nextval": true, "setval": true, "service_get_write_locks": true, "service_get_read_locks": true, "service_release_locks": true,
}

// guard adds the condition that the row is as guessed.
func (g *guess) guard(d analyze.Dialect, condition [2]int, columns []*confine.Column) {
	g.args = slices.Clip(g.args)
	var guard strings.Builder
	for i, column := range columns {
		guard.WriteString(" AND " + quote(d, column.Name))
		g.args = append(g.args, driver.NamedValue{Ordinal: len(g.args) + 1, Value: g.values[i]})
		switch d {
		case analyze.Postgres:
			guard.WriteString(" IS NOT DISTINCT FROM $" + strconv.Itoa(len(g.args)))
		case analyze.MySQL:
			guard.WriteString(" <=> ?")
		default:
			guard.WriteString(" IS ?" + strconv.Itoa(len(g.args)))
		}
	}
	from, to := condition[0], condition[1]
	g.query = &query{text: g.text[:from] + "(" + g.text[from:to] + ")" + guard.String() + g.text[to:], st: g.st}
}

// asksFor reports whether a call has as many arguments as its text has parameters, so that one more of each
// can be added after them. A sign in quotes or in a comment is counted too, which costs the guess; one that is
// missed would be given the guard's argument.
func (c *call) asksFor() bool {
	signs, highest, ok := 0, 0, true
	for i := 0; i < len(c.text); i++ {
		switch c.text[i] {
		case '?':
			signs++
			ok = ok && digits(c.text[i+1:]) == ""
		case '$':
			number := digits(c.text[i+1:])
			n, err := strconv.Atoi(number)
			ok = ok && (err == nil || c.st.Dialect != analyze.SQLite && number == "")
			highest = max(highest, n)
		case ':', '@':
			ok = ok && c.st.Dialect != analyze.SQLite
		}
	}
	named := slices.ContainsFunc(c.args, func(arg driver.NamedValue) bool { return arg.Name != "" })
	switch c.st.Dialect {
	case analyze.Postgres:
		return !named && highest == len(c.args)
	case analyze.MySQL:
		return !named && ok && signs == len(c.args)
	}
	return !named && ok && signs+highest == len(c.args)
}

// digits are those that a text begins with.
func digits(text string) string {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return text[:n]
}
