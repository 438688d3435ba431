package session

import (
	"context"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// settle ends the doubt whether a transaction is open, by a question whose answer
// shows it. What was gathered in a transaction that has ended meanwhile is announced:
// it isn't known how it ended.
func (s *Session) settle(ctx context.Context) {
	open, known := s.inTransaction(ctx)
	switch {
	case !known:
	case open:
		s.tx.open, s.tx.doubt = true, false
		s.tx.noted.refused, s.tx.noted.released = false, false
		if s.tx.level == "" {
			s.tx.level = unknownLevel
		}
	default:
		h := s.hold(ctx, s.tx.effect())
		h.own = s.tx.writer
		s.release(ctx, &h, nil)
		s.tellSettled()
		s.ended(nil)
	}
}

// inTransaction asks the database whether the session is in a transaction.
func (s *Session) inTransaction(ctx context.Context) (open, known bool) {
	switch s.src.Dialect {
	case analyze.SQLite:
		return s.inSQLiteTransaction(ctx)
	case analyze.Postgres:
		return s.inPostgresTransaction(ctx)
	}
	return s.inMySQLTransaction(ctx)
}

// inSQLiteTransaction: BEGIN fails exactly inside one. It takes no lock.
func (s *Session) inSQLiteTransaction(ctx context.Context) (open, known bool) {
	if _, err := execConn(ctx, s.inner, "BEGIN", nil); err != nil {
		return true, strings.Contains(err.Error(), "within a transaction")
	}
	_, err := execConn(ctx, s.inner, "ROLLBACK", nil)
	return err != nil, true
}

// inPostgresTransaction: SAVEPOINT fails outside of one with a state of its own
// (25P01, no_active_sql_transaction), and in one that has failed with 25P02.
func (s *Session) inPostgresTransaction(ctx context.Context) (open, known bool) {
	_, err := execConn(ctx, s.inner, "SAVEPOINT larder_doubt", nil)
	if err != nil {
		state, ok := sqlState(err)
		return state != "25P01", ok && (state == "25P01" || state == "25P02")
	}
	_, err = execConn(ctx, s.inner, "RELEASE SAVEPOINT larder_doubt", nil)
	return true, err == nil
}

// inMySQLTransaction: MariaDB has a variable for it; MySQL has none that everybody may read.
func (s *Session) inMySQLTransaction(ctx context.Context) (open, known bool) {
	rows, err := querier{s.inner}.Query(ctx, "SELECT @@in_transaction")
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 {
		return false, false
	}
	switch v := rows[0][0].(type) {
	case int64:
		return v != 0, true
	case uint64:
		return v != 0, true
	case []byte:
		return string(v) != "0", true
	case string:
		return v != "0", true
	}
	return false, false
}

// doubtAfter notes an error inside a transaction. PostgreSQL answers nothing more in it
// then. SQLite (a full disk, an interrupt, OR ROLLBACK) and MySQL (a deadlock) may have
// rolled it back by themselves, and what follows commits by itself.
func (s *Session) doubtAfter(err error) {
	if err == nil || !s.tx.open {
		return
	}
	switch s.src.Dialect {
	case analyze.SQLite, analyze.MySQL:
		s.tx.doubt = true
	case analyze.Postgres:
		s.tx.failed = true
		if _, said := sqlState(err); said { // COMMIT will roll back
			s.tx.noted.aborted = true
		}
	}
}
