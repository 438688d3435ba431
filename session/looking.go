package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// Looking: the rows that a write will find are read before it, with its own condition.

// maxFound bounds the rows that are asked for.
const maxFound = 256

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
	if w.plan.change.Op == analyze.Insert {
		return nil
	}
	if s.src.Dialect == analyze.SQLite { // what a reader has seen before it writes may be too old to write
		column := quote(s.src.Dialect, im.columns[max(slices.IndexFunc(im.columns, func(c *confine.Column) bool { return !c.Generated }), 0)].Name)
		lock := "UPDATE " + change.From + " SET " + column + " = " + column + " WHERE 0"
		if _, err := execConn(ctx, s.inner, lock, nil); err != nil {
			return err
		}
	}
	live, err := queryText(ctx, s.inner, s.lookText(w.plan, im.columns), args)
	if err != nil {
		return err
	}
	ahead := read(live.rows, catalogLimit, false, likeness{})
	if err := live.close(); err != nil {
		return err
	}
	if !ahead.complete() {
		return errors.Join(errUnseen, ahead.err)
	}
	im.more = ahead.set.rows > maxFound
	for i := range min(ahead.set.rows, maxFound) {
		im.found = append(im.found, confine.ImageOf(s.src.Dialect, im.columns, ahead.set.row(i)))
		if im.whole != nil {
			im.whole.old = append(im.whole.old, ahead.set.row(i))
		}
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
	w.imaging, w.blind = nil, "asking for the write's rows failed"
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

// quote writes a column's name as an identifier.
func quote(d analyze.Dialect, name string) string {
	mark := `"`
	if d == analyze.MySQL {
		mark = "`"
	}
	return mark + strings.ReplaceAll(name, mark, mark+mark) + mark
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
