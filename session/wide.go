package session

import (
	"cmp"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// widely tells of which relations a write has removed the results of more rows than it has changed, as it isn't known which
// these are, and why not; "*" is all relations. It is for those who watch.
func (w *write) widely() (names []string, why string) {
	switch {
	case w.st == nil: // a COMMIT: the statements before it have told
		return nil, ""
	case w.effect.wide:
		return []string{"*"}, w.whyAll()
	case w.plan == nil || w.plan.plan == nil:
		return nil, ""
	}
	for i := range w.effect.changes {
		if c := &w.effect.changes[i]; w.wide(c) {
			names = append(names, string(c.relation))
			why = cmp.Or(why, w.whyAny(c))
		}
	}
	return names, why
}

// wide reports whether a change is of rows that aren't told, or not by all columns by which results are told apart.
func (w *write) wide(c *change) bool { return !c.known || len(c.missing(w.wanted)) > 0 }

// whyAny says why it isn't told which rows of a relation were changed.
func (w *write) whyAny(c *change) string {
	if w.plan.change == nil || c.relation != w.plan.plan.Target {
		return w.plan.whyAny(c.relation)
	}
	columns := strings.Join(c.missing(w.wanted), ", ")
	if !c.known {
		columns = strings.Join(w.wanted, ", ")
	}
	return cmp.Or(w.blind, "other rows may have come between") + ", so that it isn't known which " + cmp.Or(columns, "rows") + " they have"
}

// whyAll says why a write has removed everything.
func (w *write) whyAll() string {
	switch {
	case w.st.Kind == analyze.Schema:
		return "it changes the schema"
	case w.st.Kind == analyze.Call:
		return "it isn't known what a procedure does"
	case w.st.Kind == analyze.Unknown || w.st.Reason == analyze.Unparsable:
		return "the statement isn't understood"
	case w.plan == nil:
		return "the catalog of the database can't be read"
	case len(w.st.Functions) > 0:
		return "it calls what may write anything: " + w.st.Functions[0].Name
	}
	return "it isn't known what it writes"
}

// whyBlind says why the rows of a write aren't asked for; "" if they may be.
func (s *Session) whyBlind(p *planned) string {
	switch {
	case len(s.open) > 0:
		return "a result is open still on the write's connection"
	case s.locks && !s.tx.open:
		return "the session has locked tables"
	case p.unseen.Load():
		return "the write's rows can't be read before it"
	}
	return ""
}
