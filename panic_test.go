package larder

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPanickingDriver: where a transaction begins or ends the driver panics, in its caller. What
// is done on the connection after that is seen, whether the transaction is still open or
// not, and when the lease is over nothing keeps others from the cache.
func TestPanickingDriver(t *testing.T) {
	for _, k := range kinds {
		for _, point := range []string{"after BEGIN", "before COMMIT", "after COMMIT", "before ROLLBACK", "after ROLLBACK"} {
			t.Run(k.name+"/"+point, func(t *testing.T) {
				h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16, Lease: 100 * time.Millisecond})
				h.prepare(base)
				h.wantCached(h.db, names)
				c := h.gatedSession()
				c.panicAt(point)
				h.wantSame(names)
				c.run("UPDATE stuff SET name = 'after' WHERE id = 2")
				h.wantSame(names)
				if point != "after COMMIT" && point != "after ROLLBACK" { // it is open yet
					c.run("COMMIT")
				}
				h.wantSame(names)
				h.ok(c.Conn.Close())
				h.wantSame(names)
				h.waitForHit(h.db, names)
				h.exec(h.other, "CREATE TABLE later (id INTEGER)") // its release waits for writers under way
				h.query(h.db, names)
				h.waitForHit(h.db, names)
			})
		}
	}
}

// A gatedSession is a connection as database/sql has it, which it would not use any more.
type gatedSession struct {
	driver.Conn
	h *house
	g *gate
}

func (h *house) gatedSession() *gatedSession {
	h.Helper()
	connector, g := h.gatedConnector()
	conn, err := connector.Connect(h.Context())
	h.ok(err)
	h.Cleanup(func() { conn.Close(); connector.Close() })
	return &gatedSession{conn, h, g}
}

func (c *gatedSession) run(text string) {
	c.h.Helper()
	_, err := c.Conn.(driver.ExecerContext).ExecContext(c.h.Context(), text, nil)
	c.h.ok(err)
}

// panicAt runs a transaction in which the driver panics at a point.
func (c *gatedSession) panicAt(point string) {
	c.h.Helper()
	s := c.g.at(c.h, point)
	s.panics = true
	s.go_()
	if !panics(func() { c.transact(strings.HasSuffix(point, "ROLLBACK")) }) {
		c.h.Fatalf("no panic %s", point)
	}
}

func (c *gatedSession) transact(undo bool) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(c.h.Context(), driver.TxOptions{})
	c.h.ok(err)
	c.run("UPDATE stuff SET name = 'inside' WHERE id = 1")
	if undo {
		c.h.ok(tx.Rollback())
	} else {
		c.h.ok(tx.Commit())
	}
}

// wantSame reads by the cache, twice, and by the bare handle.
func (h *house) wantSame(query string) {
	h.Helper()
	for range 2 {
		if got, want := fmt.Sprint(h.query(h.db, query)), fmt.Sprint(h.query(h.bare, query)); got != want {
			h.Errorf("%s: cached %s, bare %s", query, got, want)
		}
	}
}
