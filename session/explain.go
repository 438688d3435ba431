package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/catalog"
)

// An Explanation says what a statement would do, without running it.
type Explanation struct {
	Statement *analyze.Statement
	Reads     []string       // the relations that it reads, views resolved
	Writes    []string       // the relations that it would announce; "*" is all of them
	Reason    analyze.Reason // why its rows can't be cached
	Detail    string
	Cached    bool // there is an entry for it, valid now

	// Rows says on which rows of Reads the result depends: "main.stuff{user_id=$1}" for those
	// that have this value, "main.stuff?" for all; "main.stuff? (id, name)" if an UPDATE of other columns alone
	// changes nothing of it. It is for people; its form may change.
	Rows []string

	// Changes says for each of Writes which rows are changed, and how that is told, or why it can't be.
	Changes []string
}

// Explain says what a statement would do on a new connection of the source.
func (s *Source) Explain(ctx context.Context, text string, args []driver.NamedValue) (*Explanation, error) {
	session := s.New()
	defer session.Close()
	if err := session.bind(ctx); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	session.refresh(ctx)
	c := call{query: s.query(text), args: args}
	e := &Explanation{Statement: c.st, Reason: c.st.Reason, Detail: c.st.Detail}
	p, reason, err := session.readable(ctx, &c, wishOf(ctx, c.st))
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	if reason != analyze.Cacheable {
		e.Reason = reason
	}
	if p == nil || p.plan == nil {
		return e, nil
	}
	e.Reads, e.Writes = relationTexts(p.plan.Reads), p.write.names()
	e.Rows, e.Changes = p.rowTexts(), p.changeTexts()
	if e.Reason == analyze.Cacheable {
		e.Reason, e.Detail = p.plan.Reason, p.plan.Detail
	} else if e.Reason == p.plan.Reason {
		e.Detail = p.plan.Detail
	}
	if e.Reason == analyze.Cacheable && p.write.none() {
		e.Cached = session.cachedNow(ctx, p, &c)
	}
	return e, nil
}

// cachedNow reports whether there is a valid entry for the call. It asks the store
// without leaving a trace.
func (s *Session) cachedNow(ctx context.Context, p *planned, c *call) bool {
	key, ok := s.keyOf(p, c)
	if !ok {
		return false
	}
	v, err := s.src.Store.Lookup(ctx, key, nil)
	return err == nil && v.Entry != nil
}

// ErrUnknownRelation is returned for a relation that the database doesn't have.
var ErrUnknownRelation = errors.New("unknown relation")

// Invalidate announces a change of relations, named as in a statement on a new
// connection, or "*" for all.
func (s *Source) Invalidate(ctx context.Context, names []string) error {
	session := s.New()
	defer session.Close()
	if err := session.bind(ctx); err != nil {
		return fmt.Errorf("invalidate: %w", err)
	}
	session.refresh(ctx)
	for _, name := range names {
		e, err := session.effectOfName(name)
		if err != nil {
			return err
		}
		h := session.hold(ctx, e)
		session.release(ctx, &h, nil)
		session.tellInvalidated(&e)
		if h.failed != nil {
			return fmt.Errorf("invalidate %s: the store will be told as soon as it can be: %w", name, h.failed)
		}
	}
	return nil
}

func (s *Session) effectOfName(name string) (effect, error) {
	if name == "*" {
		return wideEffect(&analyze.Statement{}), nil
	}
	schema, relation, qualified := strings.Cut(name, ".")
	if !qualified {
		schema, relation = "", name
	}
	st := &analyze.Statement{Text: name, Dialect: s.src.Dialect, Kind: analyze.Modify,
		Reads:  []analyze.Name{{Schema: schema, Name: relation}}, // what a view stands for
		Writes: []analyze.Write{{Relation: analyze.Name{Schema: schema, Name: relation}, Op: analyze.Insert}}}
	p := s.effectPlan(&query{text: name, st: st})
	if p == nil {
		return effect{}, fmt.Errorf("invalidate %s: the catalog of the database can't be read", name)
	}
	if p.plan.UnknownRelation || qualified && !s.mayHave(schema) {
		return effect{}, fmt.Errorf("invalidate %s: %w", name, ErrUnknownRelation)
	}
	return effectOf(&catalog.Plan{Writes: append(slices.Clone(p.plan.Writes), p.plan.Reads...), WritesAll: p.plan.WritesAll, AttachedWrites: p.plan.AttachedWrites}), nil
}

// mayHave reports whether a schema may be one of the session's. Plans of SQLite don't say
// so: they take what they don't know for a database that will have been attached.
func (s *Session) mayHave(schema string) bool {
	return s.src.Dialect != analyze.SQLite || slices.Contains(s.state.Path, strings.ToLower(schema))
}
