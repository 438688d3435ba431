package session

import (
	"context"
	"database/sql/driver"
)

// A Stmt is a prepared statement of a session. It is prepared in the database when it
// is first needed there, or at once if it isn't known that the text is valid.
type Stmt struct {
	s     *Session
	query *query
	inner driver.Stmt
	made  int // after so many losses of the session
	seen  int // so many of them it has survived
}

// Prepare prepares a text. A text that was prepared before, on any session of the
// source, under the same catalog and state, is valid without asking again, unless the
// server may have ended statements: pgx takes a text that was prepared before then for prepared.
func (s *Session) Prepare(ctx context.Context, text string) (*Stmt, error) {
	stmt := &Stmt{s: s, query: s.query(text), made: s.own.losses}
	p, _ := s.currentPlan(ctx, stmt.query)
	if p != nil && s.own.losses == 0 && !s.tx.open && !s.tx.doubt && p.proven.Load() && p.db.current(ctx, p.facts) {
		return stmt, nil
	}
	if err := s.bind(ctx); err != nil {
		return nil, err
	}
	s.refresh(ctx)
	if _, err := stmt.prepared(ctx); err != nil {
		s.doubtAfter(err)
		return nil, err
	}
	for _, name := range stmt.query.st.Settings {
		s.changed(name) // SQLite runs some PRAGMAs when they are prepared
	}
	if p, _ := s.currentPlan(ctx, stmt.query); p != nil {
		p.proven.Store(true)
	}
	return stmt, nil
}

// prepared returns the driver's statement.
func (st *Stmt) prepared(ctx context.Context) (driver.Stmt, error) {
	if st.inner != nil {
		return st.inner, nil
	}
	inner, err := prepare(ctx, st.s.inner, st.query.text)
	if err != nil {
		return nil, err
	}
	st.inner = inner
	st.s.own.add(st)
	if st.made < st.s.own.ended {
		st.s.end(ctx, st.query.text)
	}
	return inner, nil
}

// Query runs the statement for rows.
func (st *Stmt) Query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return st.s.queryCall(ctx, call{query: st.query, args: args, stmt: st})
}

// Exec runs the statement for its effect.
func (st *Stmt) Exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return st.s.execCall(ctx, call{query: st.query, args: args, stmt: st})
}

// Close closes the driver's statement, if there is one.
func (st *Stmt) Close() error {
	if st.inner == nil {
		return nil
	}
	err := st.inner.Close()
	st.inner = nil
	delete(st.s.own.open, st)
	return err
}
