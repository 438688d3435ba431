package session

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/catalog"
	"github.com/larderdb/larder/confine"
)

// Signals: what a statement did is noted when the database has answered. Outside of transactions it is told
// then, after the release, or in a shared store when that is on its way; inside it is kept until what commits it was released, and forgotten with a rollback.
// What isn't known to have been committed, or not to have been, is told with Perhaps.

// noted is what a transaction did so far.
type noted struct {
	list    []Notice
	missing bool // something was written while nobody listened
	saves   []savepoint

	aborted  bool // PostgreSQL has: a COMMIT rolls it back
	refused  bool // SQLite has refused a COMMIT: if no transaction is open after that, it was rolled back
	released bool // SQLite: a savepoint was released that may have been the outermost, and so has committed
}

// A savepoint is one that a rollback may return to, with how much was noted before it.
type savepoint struct {
	name string
	at   int
}

const (
	maxNoted  = 1000 // notices that are kept apart in a transaction
	maxSlices = 1000 // of one notice
)

// note notes what a statement did, once the session knows where it stands after it.
func (s *Session) note(w *write, err error) {
	if w.void {
		return
	}
	inside := w.inside && !w.st.ImplicitCommit || w.st.Parts != nil && (s.tx.open || s.tx.doubt)
	if inside {
		s.noteControl(w.st, err)
	}
	if w.effect.none() {
		return
	}
	if !s.src.hub.listens() {
		s.tx.noted.missing = s.tx.noted.missing || inside
		return
	}
	perhaps := err != nil
	if perhaps && !s.unknownEnd(err) && !w.mayKeepSome() {
		return
	}
	list := s.notices(w, perhaps)
	if w.atOnce { // in doubt it may be visible, or become so
		s.tell(list, inside)
	}
	if inside {
		s.tx.noted.add(list)
	}
}

// unknownEnd reports whether what has failed may have become visible, or may yet.
func (s *Session) unknownEnd(err error) bool {
	return !errors.Is(err, ErrNotHeld) && !answered(s.src.Dialect, s.inner, err)
}

// mayKeepSome reports whether a statement that failed may have changed something all the same: the first rows of
// SQLite's FAIL, or the first of several statements.
func (w *write) mayKeepSome() bool {
	st := w.st
	if w.plan != nil && w.plan.plan != nil && w.plan.plan.MayFail {
		return true
	}
	return st.Parts != nil || st.Dialect == analyze.SQLite && strings.Contains(strings.ToUpper(st.Text), "FAIL")
}

func (n *noted) add(list []Notice) {
	n.list = append(n.list, list...)
	if len(n.list) > maxNoted { // what is merged can't be rolled back apart any more
		n.list, n.saves = merged(n.list), nil
	}
}

// noteControl follows savepoints. What can't be followed is not rolled back: it may be told in vain.
func (s *Session) noteControl(st *analyze.Statement, err error) {
	n := &s.tx.noted
	if err != nil {
		_, said := sqlState(err)
		n.aborted = n.aborted || said && s.src.Dialect == analyze.Postgres
		return
	}
	switch {
	case st.Parts != nil: // it has succeeded, and may have rolled back to a savepoint
		n.saves, n.aborted = nil, false
	case st.Kind == analyze.Call, st.Kind == analyze.Unknown, st.Executes != "":
		n.saves = nil
	case st.Control == analyze.Savepoint:
		n.save(savepointName(st), s.src.Dialect == analyze.MySQL)
	case st.Control == analyze.ReleaseSavepoint:
		if i := n.find(savepointName(st)); i >= 0 {
			n.saves = n.saves[:i]
		}
	case st.Control == analyze.RollbackTo:
		n.aborted = false
		if i := n.find(savepointName(st)); i >= 0 {
			n.list, n.saves = n.list[:n.saves[i].at], n.saves[:i+1]
		}
	}
}

// save notes a savepoint. MySQL's takes the place of an earlier one of its name.
func (n *noted) save(name string, replaces bool) {
	if name == "" {
		n.saves = nil
		return
	}
	if i := n.find(name); i >= 0 && replaces {
		n.saves = slices.Delete(n.saves, i, i+1)
	}
	n.saves = append(n.saves, savepoint{name, len(n.list)})
}

// find returns the last savepoint of a name, -1 if there is none.
func (n *noted) find(name string) int {
	for i := len(n.saves) - 1; i >= 0 && name != ""; i-- {
		if n.saves[i].name == name {
			return i
		}
	}
	return -1
}

// plainSavepoint is how savepoints are named that can be followed.
var plainSavepoint = regexp.MustCompile(`(?i)^\s*(?:SAVEPOINT|RELEASE(?:\s+SAVEPOINT)?|ROLLBACK(?:\s+WORK|\s+TRANSACTION)?\s+TO(?:\s+SAVEPOINT)?)\s+([a-z_][a-z0-9_]*)\s*;?\s*$`)

// savepointName is the name in a statement, in lower case; "" if it isn't a plain word.
func savepointName(st *analyze.Statement) string {
	if found := plainSavepoint.FindStringSubmatch(st.Text); found != nil {
		return strings.ToLower(found[1])
	}
	return ""
}

// tellEnd tells what the transaction did, by how its COMMIT has ended. If the database has refused that, nothing is told.
func (s *Session) tellEnd(err error) {
	switch {
	case errors.Is(err, ErrNotHeld): // it was rolled back
		s.tx.noted = noted{}
	case err == nil || s.unknownEnd(err):
		// MySQL has rolled all back after some errors, and says nothing of it at COMMIT.
		s.tellGathered(err != nil || s.tx.doubt && s.src.Dialect == analyze.MySQL)
	default:
		s.tx.noted.refused = true
	}
}

// tellEnded is tellEnd for a statement that commits what was gathered before it.
func (s *Session) tellEnded(w *write, err error) {
	switch {
	case w.st.Control == analyze.ReleaseSavepoint:
		s.tx.noted.released = err == nil
	case w.st.ImplicitCommit, w.st.Parts != nil, w.st.Control == analyze.OtherControl:
		s.tellGathered(err != nil || w.st.Parts != nil || !w.st.ImplicitCommit) // which may have failed after the commit
	default:
		s.tellEnd(err)
	}
}

// settleReleased asks SQLite whether a savepoint that was released has committed, so that it is told at once.
func (s *Session) settleReleased(ctx context.Context) {
	if s.tx.noted.released && s.src.hub.listens() && len(s.open) == 0 {
		s.settle(ctx)
	}
}

// tellSettled tells what a transaction did that has ended, it isn't known how.
func (s *Session) tellSettled() {
	if !s.tx.noted.refused {
		s.tellGathered(!s.tx.noted.released)
	}
}

func (s *Session) tellGathered(perhaps bool) {
	n := &s.tx.noted
	if !s.src.hub.listens() || n.aborted {
		return
	}
	s.tell(s.gathered(), perhaps)
	n.list, n.missing, n.saves = nil, false, nil
}

// tellInvalidated tells what a program says was changed.
func (s *Session) tellInvalidated(e *effect) {
	if s.src.hub.listens() {
		w := &write{st: &analyze.Statement{}, effect: *e, changed: unknownCount}
		s.tell(s.notices(w, false), false)
	}
}

// gathered is what was noted, and of what was written while nobody listened that it was.
func (s *Session) gathered() []Notice {
	list := s.tx.noted.list
	if !s.tx.noted.missing {
		return list
	}
	list = slices.Clip(list)
	for _, r := range slices.Sorted(maps.Keys(s.tx.changes)) {
		list = append(list, Notice{Relation: string(r), Ops: OpUnknown, Count: unknownCount})
	}
	if s.tx.wide {
		list = append(list, Notice{Relation: "*", Ops: OpUnknown, Count: unknownCount})
	}
	return list
}

// tell tells listeners of what is visible, each relation once. Its time is theirs, and not that of the statement.
func (s *Session) tell(list []Notice, perhaps bool) {
	list = merged(list)
	for i := range list {
		n := &list[i]
		n.From, n.Perhaps = s.src, n.Perhaps || perhaps
		if s.db != nil {
			n.Database = s.db.key.identity
		}
	}
	began := time.Now()
	s.src.hub.Tell(list)
	s.telling += time.Since(began)
}

// tellAny tells that anything may have been changed.
func (s *Session) tellAny(perhaps bool) {
	if s.src.hub.listens() {
		s.tell([]Notice{{Relation: "*", Ops: OpUnknown, Count: unknownCount}}, perhaps)
	}
}

// merged makes one notice of those of one relation. The result shares nothing with list.
func merged(list []Notice) []Notice {
	var all []Notice
	at := make(map[string]int)
	for _, n := range list {
		i, ok := at[n.Relation]
		if !ok {
			at[n.Relation] = len(all)
			all = append(all, n)
			continue
		}
		all[i].add(&n)
	}
	if i, ok := at["*"]; ok {
		wide := all[i]
		for k := range all {
			if k != i {
				all[k].add(&wide)
			}
		}
	}
	return all
}

// add makes n the notice of what both of the same relation tell.
func (n *Notice) add(other *Notice) {
	n.Ops |= other.Ops
	n.Perhaps = n.Perhaps || other.Perhaps
	if n.Count < 0 || other.Count < 0 {
		n.Count = unknownCount
	} else {
		n.Count += other.Count
	}
	if n.Slices == nil || other.Slices == nil || len(n.Slices)+len(other.Slices) > maxSlices {
		n.Slices = nil
	} else {
		n.Slices = slices.Concat(n.Slices, other.Slices)
	}
	if n.Whole = n.Whole && other.Whole && len(n.Rows)+len(other.Rows) <= maxSlices; n.Whole {
		n.Rows = slices.Concat(n.Rows, other.Rows)
	} else {
		n.Rows = nil
	}
}

// notices are what a statement did, as far as that is known. A relation of which no row was changed has none.
func (s *Session) notices(w *write, perhaps bool) []Notice {
	var list []Notice
	if w.effect.wide || len(w.effect.changes) == 0 {
		n := Notice{Relation: "*", Ops: OpUnknown, Count: unknownCount, Perhaps: perhaps}
		if w.st.Kind == analyze.Schema {
			n.Ops = OpSchema
		}
		list = append(list, n)
	}
	for i := range w.effect.changes {
		c := &w.effect.changes[i]
		n := Notice{Relation: string(c.relation), Ops: w.opsOn(c.relation), Count: unknownCount, Perhaps: perhaps}
		if w.targets(c.relation) && !perhaps {
			w.detail(&n, c)
		}
		if n.Count != 0 {
			list = append(list, n)
		}
	}
	return list
}

// targets reports whether the text of a statement says all about what it does to a relation.
func (w *write) targets(r catalog.Relation) bool {
	return w.plan != nil && w.plan.change != nil && r == w.plan.plan.Target && !w.effect.wide
}

// detail adds how many rows of its target a statement changed, and which.
func (w *write) detail(n *Notice, c *change) {
	text, table := w.plan.text.Change, w.plan.change.Table
	if (text.Op|text.Also)&table.Altered == 0 && (text.Also == 0 || w.changed == 0) {
		n.Count = w.changed
	}
	if c.known {
		n.Slices = slicesOf(w.images(c))
	}
	if w.rows != nil {
		n.Rows, n.Whole = w.rows, true
		n.Count = int64(len(w.rows))
	}
}

// images are what is known of the rows of a target: what the text tells and, of a single row, what was found.
func (w *write) images(c *change) []confine.Image {
	if w.args == nil || !countable(w.args) {
		return c.rows
	}
	text := w.plan.rowsByText(w.args)
	untold := len(c.rows) == 1 && len(c.rows[0]) == 0
	switch {
	case untold:
		return text
	case w.plan.change.Op == analyze.Insert, len(text) > 0 && len(text[0]) == 0:
		return c.rows
	case len(text) != len(c.rows) || len(text) > 2:
		return text
	}
	both := make([]confine.Image, len(text))
	for i := range text {
		both[i] = text[i].With(c.rows[i])
	}
	return both
}

// slicesOf are images with values as a program knows them; nil if nothing is known of one of them.
func slicesOf(images []confine.Image) []map[string]any {
	if len(images) > maxSlices {
		return nil
	}
	list := make([]map[string]any, 0, len(images))
	for _, image := range images {
		if len(image) == 0 {
			return nil
		}
		values, possible := make(map[string]any, len(image)), true
		for _, c := range image {
			if values[c.Column], possible = confine.Plain(c.Form); !possible {
				break
			}
		}
		if possible {
			list = append(list, values)
		}
	}
	return list
}

// opsOn is what a statement does to a relation.
func (w *write) opsOn(r catalog.Relation) Ops {
	st := w.st
	if w.plan != nil && w.plan.text != nil {
		st = w.plan.text
	}
	ops := Ops(0)
	_, name, _ := strings.Cut(string(r), ".")
	for _, write := range st.Writes {
		if strings.EqualFold(write.Relation.Name, name) {
			ops |= Ops(write.Op)
		}
	}
	switch {
	case st.Kind == analyze.Schema:
		return ops | OpSchema
	case ops == 0:
		return OpUnknown
	}
	return ops
}
