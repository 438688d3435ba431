package session

import (
	"context"
	"database/sql/driver"
	"strconv"

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
//
// Where the database's answer tells all that is missing, none of this is needed if readers can be kept from the rows
// meanwhile: see later.go. Nor is it where the row can be guessed: see guess.go.

// An imaging is what is asked beside a write.
type imaging struct {
	own     bool              // the transaction is the write's own
	later   bool              // there is none: what is held needs only to be told the rows
	columns []*confine.Column // of UPDATE and DELETE: what is asked for
	found   []confine.Image
	key     string         // under which what a row was like is remembered; "": it isn't …
	values  []driver.Value // … and what the last of them was like
	more    bool           // there are more than are asked for
	whole   *wholeRows     // if listeners want all of the rows

	number   *confine.Column // of an INSERT: the column that the database numbers
	returned *query          // the statement with RETURNING for what is asked for, if it has none
	numbers  []string        // what it has given, in canonical form
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
	target.known, target.rows, target.touched = true, somehow, p.touched
	p.narrow.Ran()
	shapes := s.db.domain.Shapes(s.storing(ctx), string(p.plan.Target))
	whole := s.wantWhole(p, c)
	if len(shapes) == 0 && whole == nil {
		return nil // nothing need be known
	}
	if w.wanted = p.looked.Of(shapes, p.wanted); !countable(c.args) {
		w.blind = "an argument can't be compared"
		return nil
	}
	target.rows = p.rowsByText(c.args)
	missing := target.missing(w.wanted)
	if w.blind = s.whyBlind(p); len(missing) == 0 && whole == nil || w.blind != "" {
		return nil
	}
	if whole == nil && !returnsRows && s.guess(ctx, w, c, target, missing, false) {
		return nil
	}
	if whole == nil && s.later(ctx, w, c, target, missing, returnsRows) {
		return nil
	}
	if whole == nil && !returnsRows && s.guess(ctx, w, c, target, missing, true) {
		return nil
	}
	if p.change.Op == analyze.Insert {
		w.imaging = s.imagingInsert(ctx, w, c, target, missing, returnsRows, whole)
	} else if columns := p.lookedAt(w.wanted, whole); len(columns) > 0 && p.tellsFound() && s.mayLook(ctx, p) {
		w.imaging = &imaging{columns: columns, whole: whole} // none: the shapes are of columns that it had once
	}
	if w.imaging == nil {
		w.blind = "the write's condition, or a trigger, doesn't let its rows be found before"
		return nil
	}
	if err := s.look(ctx, w, c); err != nil {
		return s.lookFailed(ctx, w, err)
	}
	return nil
}

// lookedAt are the columns that are asked for of rows which are found.
func (p *planned) lookedAt(names []string, whole *wholeRows) []*confine.Column {
	if whole != nil {
		return whole.columns
	}
	return p.change.Columns(names)
}

// tellsFound reports whether the rows that the condition finds tell what is changed. A trigger of PostgreSQL's may keep
// some as they are: then their number may be that of others, which came between. And if one alters
// rows that are updated, nothing is known of new ones.
func (p *planned) tellsFound() bool {
	altered := p.change.Table.Altered&p.change.Op != 0
	return p.text.Change.Repeatable && !(altered && (p.text.Dialect == analyze.Postgres || p.change.Op == analyze.Update))
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
	if im.later {
		s.tellLater(ctx, w, affected, err)
		return err
	}
	if err == nil && s.agrees(w, c, affected) {
		target := w.effect.of(w.plan.plan.Target)
		switch {
		case im.number != nil:
			target.rows = confine.Numbered(target.rows, im.number, im.numbers)
		case w.plan.change.Op != analyze.Insert:
			target.rows = w.plan.change.Changed(im.found, c.args)
		}
		err = s.readWhole(ctx, w, affected)
	} else {
		if im.more {
			w.blind = "it changes more than " + strconv.Itoa(maxFound) + " rows"
		}
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
	if err = s.ready(ctx, &w.holds); err == nil {
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
	ahead := read(live.rows, catalogLimit, false, likeness{})
	rest, err := ahead.countRest(live.rows)
	if closed := live.close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	if ahead.complete() {
		im.note(s.src.Dialect, ahead.set, 0)
	}
	return driver.RowsAffected(ahead.set.rows + rest), nil
}

// agrees reports whether the rows that were found are those that were changed. Where the
// database keeps others from adding some it needs no proof.
func (s *Session) agrees(w *write, c *call, affected int64) bool {
	im, change := w.imaging, w.plan.change
	switch {
	case im.number == nil && change.Op == analyze.Insert: // its text tells all
		return true
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

// limitOf is how far the rows of a write are read ahead, in bytes: to their end, if what
// was changed must be told by them before a COMMIT.
func (s *Session) limitOf(w *write) int {
	if w.imaging != nil {
		return catalogLimit
	}
	return s.src.MaxEntryBytes
}

// somehow is a row of which nothing is known. It must not be changed.
var somehow = []confine.Image{{}}

// rowsByText are the rows that a statement changes, as far as its text tells.
func (p *planned) rowsByText(args []driver.NamedValue) []confine.Image {
	rows, ok := p.change.Rows(args)
	if !ok {
		return somehow
	}
	return rows
}
