package larder

import (
	"context"
	"strings"
	"testing"
)

// A scenario is one line of a table of tests: what there is, what is read and kept,
// what is done then, and which of the reads that must change.
type scenario struct {
	name   string
	on     string   // dialects; empty is all
	setup  []string // done unseen by the cache, before anything is kept
	reads  []string // kept before; what is done changes them
	keeps  []string // kept before; what is done leaves them alone
	does   []string // done through another handle of the cache
	reason Reason   // of tables of reads that are never kept
}

// eachScenario runs a subtest of every scenario on every kind that it is for, each
// beginning with an empty database.
func eachScenario(t *testing.T, scenarios []scenario, run func(*house, *scenario)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var shared *house
			for i := range scenarios {
				s := &scenarios[i]
				if s.on != "" && !strings.Contains(s.on, k.dialect) {
					continue
				}
				if k.dialect != "postgres" {
					t.Run(s.name, func(t *testing.T) { run(newHouse(t, k, nil), s) })
					continue
				}
				if shared == nil {
					shared = newHouse(t, k, nil)
				}
				shared.TB = t
				shared.lendTo(s.name, func() { shared.clear(); run(shared, s) })
			}
		})
	}
}

// lendTo runs a subtest in a house that others use: making a database of its own for
// each takes PostgreSQL long.
func (h *house) lendTo(name string, run func()) {
	owner := h.TB
	owner.(*testing.T).Run(name, func(t *testing.T) {
		h.TB = t
		defer func() { h.TB = owner }()
		run()
	})
}

// clear empties a PostgreSQL database. The cache is told of it when the scenario is prepared.
func (h *house) clear() {
	h.Helper()
	h.reconnect()
	h.exec(h.bare, `DO $$ DECLARE s text; BEGIN
		FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
			EXECUTE format('DROP SCHEMA %I CASCADE', s);
		END LOOP;
		CREATE SCHEMA public; END $$`)
}

// reconnect closes connections that are not in use.
func (h *house) reconnect() {
	h.bare.SetMaxIdleConns(-1)
	h.bare.SetMaxIdleConns(2)
	h.db.SetMaxIdleConns(-1)
	h.db.SetMaxIdleConns(2)
	h.other.SetMaxIdleConns(-1)
	h.other.SetMaxIdleConns(2)
}

// unseen tells the cache that the bare handle has changed the database.
func (h *house) unseen() {
	h.Helper()
	handle, _ := handleOf(context.Background(), h.db)
	if err := handle.source.Invalidate(h.Context(), []string{"*"}); err != nil {
		h.Fatal(err)
	}
	h.quiet("")
	h.take()
}

// prepare runs the setup of a scenario on the bare handle.
func (h *house) prepare(statements []string) {
	h.Helper()
	for _, statement := range statements {
		h.do(h.bare, statement)
	}
	h.unseen()
}

// do runs a statement that may return rows.
func (h *house) do(on handle, statement string, args ...any) {
	h.Helper()
	upper := strings.ToUpper(statement)
	returns := strings.Contains(upper, "RETURNING") && !strings.HasPrefix(upper, "CREATE")
	if !returns && !strings.HasPrefix(upper, "SELECT") && !strings.HasPrefix(upper, "VALUES") {
		h.exec(on, statement, args...)
		return
	}
	if got := h.query(on, statement, args...); strings.Contains(got, "error: ") {
		h.Fatalf("%s: %s", statement, got)
	}
}

// wantCached reads twice: the first read is a miss, the second a hit.
func (h *house) wantCached(on handle, query string, args ...any) {
	h.Helper()
	h.wantRead(on, OutcomeMiss, query, args...)
	h.wantRead(on, OutcomeHit, query, args...)
}

// wantBypass reads twice: each time the database is asked, for the given reason, and
// answers what it answers the bare handle.
func (h *house) wantBypass(on handle, reason Reason, query string, args ...any) {
	h.Helper()
	for range 2 {
		h.take()
		got := h.query(on, query, args...)
		h.wantReason(reason, query)
		if want := h.query(h.bare, query, args...); got != want {
			h.Errorf("%s: cached\n%s\nbare\n%s", query, got, want)
		}
	}
}

// wantAsked is wantBypass for results that differ from read to read. It returns the two.
func (h *house) wantAsked(on handle, reason Reason, query string, args ...any) (first, second string) {
	h.Helper()
	h.take()
	first = h.query(on, query, args...)
	h.wantReason(reason, query)
	second = h.query(on, query, args...)
	h.wantReason(reason, query)
	if strings.Contains(first+second, "error: ") {
		h.Errorf("%s: %s%s", query, first, second)
	}
	return first, second
}

// wantReason looks at the event of the last statement: a bypass for the given reason.
func (h *house) wantReason(reason Reason, query string) {
	h.Helper()
	events := h.take()
	if len(events) != 1 || events[0].Outcome != OutcomeBypass || events[0].Reason != reason {
		h.Errorf("%s: %+v, want a bypass because of %q", query, events, reason)
	}
}

// changes runs a scenario: what is done changes every one of reads, which the next
// read shows, and leaves the entries of keeps alone.
func (h *house) changes(s *scenario) {
	h.Helper()
	if len(s.setup) > 0 {
		h.prepare(s.setup)
	}
	before := make([]string, len(s.reads))
	for i, read := range s.reads {
		h.wantCached(h.db, read)
		before[i] = h.query(h.bare, read)
	}
	for _, read := range s.keeps {
		h.wantCached(h.db, read)
	}
	for _, write := range s.does {
		h.do(h.other, write)
	}
	if h.name == "pgx" && len(s.setup) > 0 { // its prepared statements fail once after a change of their result's types
		h.reconnect()
	}
	for i, read := range s.reads {
		h.wantCached(h.db, read)
		if h.query(h.bare, read) == before[i] {
			h.Errorf("%s: not changed by %q: the scenario shows nothing", read, s.does)
		}
	}
	for _, read := range s.keeps {
		h.wantRead(h.db, OutcomeHit, read)
	}
}
