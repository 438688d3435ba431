package larder

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"
	"testing"
)

// A traced is a connector as tracers make them: around a driver's, and counting what the driver is asked.
type traced struct {
	shell
	asked *atomic.Int64
}

func (t traced) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := t.shell.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return tracedConn{c, t.asked}, nil
}

// A tracedConn has no more methods than a connection must have, so that all statements come by Prepare.
type tracedConn struct {
	driver.Conn
	asked *atomic.Int64
}

func (c tracedConn) Prepare(text string) (driver.Stmt, error) {
	c.asked.Add(1)
	return c.Conn.Prepare(text)
}

// own are statements by which a session reads stuff otherwise than others.
var own = map[string]string{
	"postgres": "SET search_path = pg_catalog, public",
	"mysql":    "SET sql_mode = 'ANSI_QUOTES'",
	"sqlite":   "CREATE TEMP TABLE stuff (id INTEGER, name TEXT)",
}

// TestSteadyConnections: a hit over a wrapped driver asks the database for the session's state, a server once; and not at all, if the program says
// that resetting leaves it as it is. What statements set is seen all the same.
func TestSteadyConnections(t *testing.T) {
	const read = "SELECT id, name FROM stuff ORDER BY id"
	eachKind(t, func(h *house) {
		h.stuff()
		for _, steady := range []bool{false, true} {
			wrapped := traced{shell{h.bare.Driver(), h.dsn}, new(atomic.Int64)}
			cache, err := New(&Options{MaxBytes: 1 << 20, Dialect: h.dialect, Observe: h.note, SteadyConnections: steady})
			if err != nil {
				h.Fatal(err)
			}
			h.db = h.opened(sql.OpenDB(cache.Connector(wrapped)), nil)
			h.db.SetMaxOpenConns(1)
			h.wantRead(h.db, OutcomeMiss, read)
			for range 3 {
				before := wrapped.asked.Load()
				h.wantRead(h.db, OutcomeHit, read)
				asked := wrapped.asked.Load() - before
				if steady && asked != 0 || !steady && (asked == 0 || asked > 1 && h.dialect != "sqlite") {
					h.Errorf("steady %v: a hit asked the database %d times", steady, asked)
				}
			}
			h.exec(h.db, own[h.dialect])
			h.take()
			h.query(h.db, read)
			if events := h.take(); len(events) != 1 || events[0].Outcome == OutcomeHit {
				h.Errorf("steady %v: what the session has set was not seen: %+v", steady, events)
			}
		}
	})
}
