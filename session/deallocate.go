package session

import (
	"context"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// PostgreSQL ends what a driver has prepared by DEALLOCATE and DISCARD as well, and the driver
// isn't told. What was prepared before asks the server then, which refuses it if it is gone; that
// it has run once proves that it isn't. The drivers' statements of MySQL and SQLite have no names in SQL.

// own is what the driver has prepared on one connection.
type own struct {
	open   map[*Stmt]struct{}
	losses int // how often the server may have ended some of it
	ended  int // … when it surely ended all of it
}

func (o *own) add(st *Stmt) {
	if o.open == nil {
		o.open = make(map[*Stmt]struct{})
	}
	o.open[st] = struct{}{}
}

// ownLost notes that the server may have ended what the driver has prepared.
func (s *Session) ownLost() {
	if s.src.Dialect == analyze.Postgres {
		s.own.losses++
	}
}

// noteDeallocated notes what a statement ended. Of several, some may have run.
func (s *Session) noteDeallocated(st *analyze.Statement, err error) {
	if st.Deallocates == "" {
		return
	}
	if _, other := s.prepared[st.Deallocates]; other { // by PREPARE
		return
	}
	s.ownLost()
	if st.Deallocates == "*" && err == nil {
		s.own.ended = s.own.losses
	}
}

// ran notes how a use of the driver's statement ended.
func (st *Stmt) ran(err error) {
	if err == nil {
		st.seen = st.s.own.losses
	}
}

// mayBeGone reports whether a call may be of a statement that the server has ended. pgx runs
// a text by the statement that was prepared from it, if there is one.
func (s *Session) mayBeGone(c *call) bool {
	if s.own.losses == 0 {
		return false
	}
	if c.stmt != nil {
		return c.stmt.seen != s.own.losses
	}
	for st := range s.own.open {
		if st.query.text == c.text && st.seen != s.own.losses {
			return true
		}
	}
	return false
}

// end ends in the server what the driver has prepared last from a text: had it been prepared when
// the program asked for that, it would be gone. Its use is refused in the driver's own words so.
// What fails here leaves it usable.
func (s *Session) end(ctx context.Context, text string) {
	const quote = "$larder$"
	if strings.Contains(text, quote) {
		return
	}
	names, err := querier{s.inner}.Query(ctx, "SELECT name FROM pg_prepared_statements WHERE NOT from_sql AND statement = "+
		quote+text+quote+" ORDER BY prepare_time DESC LIMIT 1")
	if err != nil || len(names) != 1 {
		return
	}
	if name, ok := names[0][0].(string); ok {
		execConn(ctx, s.inner, `DEALLOCATE "`+name+`"`, nil)
	}
}
