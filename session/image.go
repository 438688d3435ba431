package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// Which slices a write changes its text may not tell: UPDATE stuff SET … WHERE id = 7
// changes a row of some user. If results by user are kept, the row is asked for:
//
//  1. BEGIN, unless a transaction is open
//  2. the rows that the statement's own condition finds, locked
//  3. the statement, as it is
//  4. hold, COMMIT, release; or, in a transaction that was open, what was found is gathered
//
// The statement must have changed as many rows as were found, for between 2 and 3 others
// may have come that it finds as well; else the change is one of rows that aren't known.

// An imaging is what is asked beside a write.
type imaging struct {
	own     bool              // the transaction is the write's own
	columns []*confine.Column // of UPDATE and DELETE: what is asked for
	found   []confine.Image
	more    bool // there are more than are asked for

	number   *confine.Column // of an INSERT: the column that the database numbers
	returned *query          // … and the statement with RETURNING for it, if it has none
	numbers  []string        // … and what it has given, in canonical form
}

// maxFound bounds the rows that are asked for.
const maxFound = 256

// abandonImaging ends what was asked beside a write that panicked.
func (s *Session) abandonImaging(w *write) {
	own := w.imaging.own
	w.imaging = nil
	w.unknown()
	if !own {
		s.gather(w)
		return
	}
	s.tx.doubt = true
	defer s.gather(w) // if the driver panics again
	if _, err := execConn(context.Background(), s.inner, "ROLLBACK", nil); err == nil {
		s.tx.doubt = false
	}
}

// image tells which rows of its target a write changes, as far as its text does, and
// asks for the rest before the statement. An error is one that the
// statement would have got: it need not be run.
func (s *Session) image(ctx context.Context, w *write, c *call, returnsRows bool) error {
	returned := false
	defer s.abandonUnless(&returned, w)
	err := s.imageOf(ctx, w, c, returnsRows)
	returned = true
	return err
}

func (s *Session) imageOf(ctx context.Context, w *write, c *call, returnsRows bool) error {
	p := w.plan
	if p == nil || p.change == nil || w.effect.wide || s.tx.doubt {
		return nil
	}
	target := w.effect.of(p.plan.Target)
	if target == nil {
		return nil
	}
	target.known, target.rows = true, []confine.Image{{}} // somehow
	shapes := s.db.domain.Shapes(detached(ctx), string(p.plan.Target))
	if len(shapes) == 0 {
		return nil // nothing need be known
	}
	if !countable(c.args) {
		return nil
	}
	target.rows = p.rowsByText(c.args)
	missing := target.missing(shapes)
	if len(missing) == 0 || s.live > 0 || p.unseen.Load() || s.locks && !s.tx.open {
		return nil
	}
	if !returnsRows && s.guess(ctx, w, c, target, missing) {
		return nil
	}
	if p.change.Op == analyze.Insert {
		w.imaging = s.numbering(ctx, p, c, missing, returnsRows)
	} else if columns := p.change.Columns(columnsOf(shapes)); len(columns) > 0 && p.tellsFound() && s.mayLook(ctx, p) {
		w.imaging = &imaging{columns: columns} // none: the shapes are of columns that it had once
	}
	if w.imaging == nil {
		return nil
	}
	if err := s.look(ctx, w, c); err != nil {
		return s.lookFailed(ctx, w, err)
	}
	return nil
}

// tellsFound reports whether the rows that the condition finds tell what is changed. A trigger of PostgreSQL's may keep
// some as they are: then their number may be that of others, which came between. And if one alters
// rows that are updated, nothing is known of new ones.
func (p *planned) tellsFound() bool {
	altered := p.change.Table.Altered&p.change.Op != 0
	return p.text.Change.Repeatable && !(altered && (p.text.Dialect == analyze.Postgres || p.change.Op == analyze.Update))
}

// numbering prepares for an INSERT into a table whose rows the database numbers.
func (s *Session) numbering(ctx context.Context, p *planned, c *call, missing []string, returnsRows bool) *imaging {
	number, change := p.change.Serial(), p.text.Change
	if number == nil || !slices.Contains(missing, number.Name) {
		return nil
	}
	im := &imaging{number: number}
	switch {
	case returnsRows:
		if p.change.Returned(change, number) < 0 {
			return nil
		}
	case s.src.Dialect == analyze.MySQL: // the last insert id, which may be that of LAST_INSERT_ID(n) if the number is given
		if !p.change.Numbers(number, c.args) {
			return nil
		}
	case s.src.Dialect == analyze.SQLite:
		if len(change.Rows) != 1 {
			return nil
		}
	case c.stmt == nil && change.Append > 0 && s.mayLook(ctx, p):
		at := change.Append
		im.returned = &query{text: c.text[:at] + " RETURNING " + quote(s.src.Dialect, number.Name) + p.mark() + c.text[at:], st: c.st}
	default:
		return nil
	}
	return im
}

// mayLook reports whether the session may read rows of the target and, where they are changed, lock them: where
// asking without the right to would spoil the transaction, or the INSERT itself, it asks for the right first.
func (s *Session) mayLook(ctx context.Context, p *planned) bool {
	if s.src.Dialect != analyze.Postgres || p.seen.Load() {
		return true
	}
	name := pgLiteral(pgName(p.text.Change.Target))
	text := "SELECT pg_catalog.has_table_privilege(" + name + ", 'SELECT')"
	if p.change.Op != analyze.Insert {
		text += " AND pg_catalog.has_table_privilege(" + name + ", 'UPDATE')"
	}
	rows, err := querier{s.inner}.Query(ctx, text)
	if err != nil { // for another reason, which may pass
		return false
	}
	if allowed := len(rows) == 1 && len(rows[0]) == 1 && rows[0][0] == true; !allowed {
		p.unseen.Store(true)
		return false
	}
	p.seen.Store(true)
	return true
}

// look begins the transaction that the write needs and, for an UPDATE or DELETE, reads the
// rows that it will find.
func (s *Session) look(ctx context.Context, w *write, c *call) error {
	im, change := w.imaging, w.plan.text.Change
	args, err := arguments(change.Args, c.args)
	if err != nil {
		return err
	}
	if !s.tx.open {
		im.own = true // should the driver panic, too
		if _, err := execConn(s.engine(ctx), s.inner, "BEGIN", nil); err != nil {
			im.own = !answered(s.src.Dialect, s.inner, err) // it may have begun
			return err
		}
	}
	if im.number != nil {
		return nil
	}
	if s.src.Dialect == analyze.SQLite { // what a reader has seen before it writes may be too old to write
		column := quote(s.src.Dialect, im.columns[0].Name)
		lock := "UPDATE " + change.From + " SET " + column + " = " + column + " WHERE 0"
		if _, err := execConn(ctx, s.inner, lock, nil); err != nil {
			return err
		}
	}
	live, err := queryText(ctx, s.inner, s.lookText(w.plan, im.columns), args)
	if err != nil {
		return err
	}
	ahead := read(live.rows, catalogLimit, false, nil)
	if err := live.close(); err != nil {
		return err
	}
	if !ahead.complete() {
		return errors.Join(errUnseen, ahead.err)
	}
	im.more = ahead.set.rows > maxFound
	for i := range min(ahead.set.rows, maxFound) {
		im.found = append(im.found, confine.ImageOf(s.src.Dialect, im.columns, ahead.set.row(i)))
	}
	return nil
}

// errUnseen is why rows can't be told although the database gave them.
var errUnseen = errors.New("session: rows before a write can't be read")

// lookText selects columns of the rows that a change will find, and locks them as it will.
func (s *Session) lookText(p *planned, columns []*confine.Column) string {
	text := selectText(s.src.Dialect, p.text.Change, columns) + " LIMIT " + strconv.Itoa(maxFound+1)
	switch {
	case s.src.Dialect == analyze.SQLite:
		return text
	case s.src.Dialect == analyze.Postgres && p.change.Op == analyze.Update && !p.change.SetsKey():
		return text + " FOR NO KEY UPDATE" + p.mark()
	}
	return text + " FOR UPDATE" + p.mark()
}

// mark tells a text from the same one before a change of the schema. Drivers of PostgreSQL keep statements prepared, and a
// SELECT that was prepared fails when its columns have another type: an open transaction would be spoilt.
func (p *planned) mark() string {
	if p.text.Dialect != analyze.Postgres {
		return ""
	}
	return " /* " + strconv.FormatUint(p.number, 10) + " */"
}

// selectText selects columns of the rows that a change will find.
func selectText(d analyze.Dialect, change *analyze.Change, columns []*confine.Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = quote(d, c.Name)
	}
	text := "SELECT " + strings.Join(names, ", ") + " FROM " + change.From
	if change.Condition != "" {
		text += " WHERE (" + change.Condition + ")"
	}
	return text
}

// lookFailed goes on without what was to be asked, unless the statement itself must fail
// as well: it would wait for the same lock, or its transaction is over.
func (s *Session) lookFailed(ctx context.Context, w *write, err error) error {
	_, said := sqlState(err)
	over := said && s.src.Dialect == analyze.Postgres && s.tx.open
	if w.imaging.own {
		s.rollBack(ctx, w)
	}
	w.imaging = nil
	if over || refused(s.src.Dialect, err) || errors.Is(err, driver.ErrBadConn) {
		return err
	}
	if state, _ := sqlState(err); answered(s.src.Dialect, s.inner, err) && !strings.HasPrefix(state, "22") { // but for a value that doesn't fit
		w.plan.unseen.Store(true)
	}
	return nil
}

// refused reports whether an error is one of locks, deadlines or conflicts.
func refused(d analyze.Dialect, err error) bool {
	if state, ok := sqlState(err); ok {
		return strings.HasPrefix(state, "40") || strings.HasPrefix(state, "55") || strings.HasPrefix(state, "57")
	}
	if number, ok := mysqlNumber(err); ok {
		switch number {
		case 1205, 1213, 1290, 1317, 1792, 1836, 1969, 3024, 3572:
			return true
		}
		return false
	}
	if d == analyze.SQLite {
		text := strings.ToLower(err.Error())
		return strings.Contains(text, "busy") || strings.Contains(text, "locked") || strings.Contains(text, "interrupt") || strings.Contains(text, "readonly")
	}
	return false
}

// engine is the context of what begins or ends a transaction of the write's own. SQLite's drivers may
// say that a context has ended although the engine has done what it was asked; it doesn't keep
// anybody waiting.
func (s *Session) engine(ctx context.Context) context.Context {
	if s.src.Dialect == analyze.SQLite {
		return detached(ctx)
	}
	return ctx
}

// rollBack ends the transaction of a write's own. If that can't be, it may be committed by
// what comes after.
func (s *Session) rollBack(ctx context.Context, w *write) {
	if _, err := execConn(detached(ctx), s.inner, "ROLLBACK", nil); err != nil {
		s.tx.doubt = true
		w.unknown()
		s.gather(w)
	}
}

// unknown says that it isn't known which rows of its target a write changes.
func (w *write) unknown() {
	if target := w.effect.of(w.plan.plan.Target); target != nil {
		target.known, target.rows = false, nil
	}
}

// unknownCount is how many rows a statement has changed of which that isn't known.
const unknownCount = -1

// affected is how many rows a statement run by Exec has changed. With RETURNING a driver of SQLite's may not have
// run it to its end, and tell what one before has changed.
func (w *write) affected(result driver.Result) int64 {
	if result == nil || w.st.Dialect == analyze.SQLite && w.st.Change != nil && len(w.st.Change.Returning) > 0 {
		return unknownCount
	}
	n, err := result.RowsAffected()
	if err != nil {
		return unknownCount
	}
	return n
}

// imaged ends a statement beside which something was asked, once the database has answered: it tells the
// rows that were changed, if their count agrees, and ends the transaction of the write's own. It
// returns the error of the statement, which is that of its COMMIT if it has none.
func (s *Session) imaged(ctx context.Context, w *write, c *call, affected int64, err error) error {
	if w.imaging == nil {
		return err
	}
	returned := false
	defer s.abandonUnless(&returned, w)
	err = s.endImaging(ctx, w, c, affected, err)
	w.imaging, returned = nil, true
	return err
}

func (s *Session) endImaging(ctx context.Context, w *write, c *call, affected int64, err error) error {
	im := w.imaging
	if err == nil && s.agrees(w, c, affected) {
		target := w.effect.of(w.plan.plan.Target)
		if im.number != nil {
			target.rows = confine.Numbered(target.rows, im.number, im.numbers)
		} else {
			target.rows = w.plan.change.Changed(im.found, c.args)
		}
	} else {
		w.unknown()
	}
	if !im.own {
		s.gather(w)
		return err
	}
	if err != nil {
		s.rollBack(ctx, w)
		w.effect = effect{} // nothing of it is visible
		return err
	}
	w.holds = s.hold(ctx, w.effect)
	w.holds.own = w.writer
	if err = s.refused(ctx, &w.holds); err == nil {
		coherence.At(coherence.StepCommit)
		_, err = execConn(s.engine(ctx), s.inner, "COMMIT", nil)
	}
	if err != nil {
		s.rollBack(ctx, w) // SQLite leaves it open if others are reading
	}
	return err
}

// execImaged runs the call of a write, and notes the number that the database has given to its row.
func (s *Session) execImaged(ctx context.Context, c call, w *write) (driver.Result, error) {
	im := w.imaging
	if w.guess != nil {
		return s.exec(ctx, w.guess.call)
	}
	if im == nil || im.returned == nil {
		result, err := s.exec(ctx, c)
		if err == nil && im != nil && im.number != nil {
			im.noteInsertID(s.src.Dialect, w.affected(result), result)
		}
		return result, err
	}
	live, err := s.rows(ctx, call{query: im.returned, args: c.args})
	if err != nil {
		return nil, err
	}
	ahead := read(live.rows, catalogLimit, false, nil)
	if err := live.close(); err != nil {
		return nil, err
	}
	if !ahead.complete() {
		return nil, ahead.err
	}
	im.noteReturned(s.src.Dialect, ahead.set, 0)
	return driver.RowsAffected(ahead.set.rows), nil
}

// noteInsertID notes the last insert id, which is that of a single row.
func (im *imaging) noteInsertID(d analyze.Dialect, affected int64, result driver.Result) {
	if affected != 1 {
		return
	}
	if id, err := result.LastInsertId(); err == nil && (id > 0 || id < 0 && d == analyze.SQLite) {
		im.noteNumber(d, id)
	}
}

// noteReturned notes the numbers in one column of what was returned.
func (im *imaging) noteReturned(d analyze.Dialect, set *rowSet, column int) {
	for i := range set.rows {
		im.noteNumber(d, set.row(i)[column])
	}
}

func (im *imaging) noteNumber(d analyze.Dialect, value driver.Value) {
	if form, ok := im.number.Class.Stored(d, value); ok {
		im.numbers = append(im.numbers, form)
	}
}

// agrees reports whether the rows that were found are those that were changed. Where the
// database keeps others from adding some it needs no proof.
func (s *Session) agrees(w *write, c *call, affected int64) bool {
	im, change := w.imaging, w.plan.change
	switch {
	case im.number != nil:
		return affected == int64(len(im.numbers)) || affected == 0
	case im.more:
		return false
	case s.src.Dialect != analyze.MySQL:
		return affected == int64(len(im.found))
	case affected == 0: // a row that has its new values already doesn't count
		return true
	}
	level := s.level("")
	if s.tx.open {
		level = s.tx.level
	}
	gaps := !s.tx.unlike && (level == "repeatable read" || level == "serializable")
	return affected <= int64(len(im.found)) && (gaps || change.KeyCount(c.args) == len(im.found))
}

// counted is how many rows the statement has changed, if those that it returned tell that.
func (w *write) counted(returned int) int64 {
	if w.plan == nil || w.plan.text.Change == nil || len(w.plan.text.Change.Returning) == 0 {
		return unknownCount
	}
	return int64(returned)
}

// noteReturned notes the numbers among the rows that the statement itself returns.
func (w *write) noteReturned(d analyze.Dialect, ahead *readAhead) {
	if w.imaging == nil || w.imaging.number == nil || !ahead.complete() {
		return
	}
	if column := w.plan.change.Returned(w.plan.text.Change, w.imaging.number); column >= 0 && column < len(ahead.set.names) {
		w.imaging.noteReturned(d, ahead.set, column)
	}
}

// limitOf is how far the rows of a write are read ahead, in bytes: to their end, if what
// was changed must be told by them before a COMMIT.
func (s *Session) limitOf(w *write) int {
	if w.imaging != nil {
		return catalogLimit
	}
	return s.src.MaxEntryBytes
}

// quote writes a column's name as an identifier.
func quote(d analyze.Dialect, name string) string {
	mark := `"`
	if d == analyze.MySQL {
		mark = "`"
	}
	return mark + strings.ReplaceAll(name, mark, mark+mark) + mark
}

// rowsByText are the rows that a statement changes, as far as its text tells.
func (p *planned) rowsByText(args []driver.NamedValue) []confine.Image {
	before, after, ok := p.change.FromText(args)
	if !ok {
		return []confine.Image{{}} // somehow
	}
	return slices.Concat(before, after)
}

// arguments are those of the call that some parameters of its text stand for, numbered anew.
func arguments(params []analyze.Term, args []driver.NamedValue) ([]driver.NamedValue, error) {
	var list []driver.NamedValue
	for i, p := range params {
		value, ok := confine.Bound(p, args)
		if !ok {
			return nil, errUnseen
		}
		list = append(list, driver.NamedValue{Name: p.Text, Ordinal: i + 1, Value: value})
	}
	return list, nil
}

// pgName writes the name of a relation as PostgreSQL reads it.
func pgName(n analyze.Name) string {
	name := quote(analyze.Postgres, n.Name)
	if n.Schema != "" {
		name = quote(analyze.Postgres, n.Schema) + "." + name
	}
	return name
}

// pgLiteral writes a text as PostgreSQL reads it, whatever its settings.
func pgLiteral(text string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

// targetOnly is a schema that has one relation.
type targetOnly struct{ table *confine.Table }

// Table implements confine.Schema.
func (t targetOnly) Table(analyze.Name) (*confine.Table, bool) { return t.table, t.table != nil }
