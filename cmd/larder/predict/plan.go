package predict

import (
	"slices"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// facts say what statements do in one database.
type facts interface {
	plan(st *analyze.Statement) *planned
}

// A planned statement is what it reads and changes.
type planned struct {
	st     *analyze.Statement
	reason analyze.Reason // why it can't be cached
	detail string

	reads      []string
	references []confine.Reference
	by         []*confine.Plan // how they are sliced; nil: they aren't

	writes []string
	wide   bool            // it may change any relation
	target string          // the one of writes whose rows change tells
	change *confine.Change // nil if it can't be told
	blind  int             // of an INSERT whose columns aren't known: its rows
}

// acts reports whether the statement writes.
func (p *planned) acts() bool { return p.wide || len(p.writes) > 0 }

// slice tells how the references are sliced.
func (p *planned) slice() {
	for i := range p.references {
		by, ok := p.references[i].Plan(nil, true)
		if !ok {
			by = nil
		}
		p.by = append(p.by, by)
	}
}

func (w *world) plan(st *analyze.Statement) *planned {
	if p := w.plans[st]; p != nil {
		return p
	}
	if len(w.plans) >= maxPlans { // of texts that hold their values there is no end
		clear(w.plans)
	}
	p := w.facts.plan(st)
	w.plans[st] = p
	return p
}

// A session is one connection's transaction.
type session struct {
	last *Shape // of its last statement
	hit  bool   // which was one

	open  bool
	level string // of the transaction, or of those to come
	next  string // of the next transaction
	wrote bool
	wide  bool
	done  []pending // until COMMIT
}

// bypasses says why a read would not ask the cache; that it is Cacheable if it would.
func (s *session) bypasses(p *planned, d analyze.Dialect) (analyze.Reason, string) {
	switch {
	case p.reason != analyze.Cacheable:
		return p.reason, p.detail
	case p.st.Hint.Bypass:
		return analyze.Asked, ""
	case !s.open:
		return analyze.Cacheable, ""
	}
	if level := s.isolation(d); level == "repeatable read" || level == "serializable" {
		return analyze.Isolation, level
	}
	written := func(relation string) bool {
		return slices.ContainsFunc(s.done, func(d pending) bool { return d.relation == relation })
	}
	if s.wide || slices.ContainsFunc(p.reads, written) {
		return analyze.Wrote, ""
	}
	return analyze.Cacheable, ""
}

// isolation is the level of the transaction, which is the server's own default unless the session has said so.
func (s *session) isolation(d analyze.Dialect) string {
	switch {
	case s.next != "":
		return s.next
	case s.level != "":
		return s.level
	}
	return map[analyze.Dialect]string{analyze.Postgres: "read committed", analyze.MySQL: "repeatable read", analyze.SQLite: "serializable"}[d]
}
