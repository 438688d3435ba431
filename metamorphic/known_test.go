package metamorphic

import (
	"slices"
	"testing"
)

// known are programs that failed once, shrunk.
var known = []struct {
	name    string
	engines []engine
	program program
}{
	{"SQLite begins a transaction at a savepoint", []engine{modernc, mattn}, program{
		{on: clean, do: exec, text: `CREATE TABLE t1 (id INTEGER, a INTEGER)`, unseen: true},
		{on: 0, do: exec, text: `SAVEPOINT outermost`},
		{on: 0, do: exec, text: `INSERT INTO t1 VALUES (1, 2)`},
		{on: clean, do: query, text: `SELECT * FROM t1`},
		{on: 0, do: query, text: `SELECT * FROM t1`},
		{on: 0, do: exec, text: `SAVEPOINT inner`},
		{on: 0, do: exec, text: `RELEASE inner`},
		{on: 0, do: exec, text: `INSERT INTO t1 VALUES (2, 3)`},
		{on: clean, do: query, text: `SELECT * FROM t1`},
		{on: 0, do: exec, text: `RELEASE outermost`},
		{on: clean, do: query, text: `SELECT * FROM t1`},
	}},
	{"PostgreSQL refuses reads in an aborted transaction", []engine{pgx, pq}, program{
		{on: clean, do: exec, text: `CREATE TABLE t1 (id INTEGER, a INTEGER)`, unseen: true},
		{on: 2, do: query, text: `SELECT * FROM t1`},
		{on: 2, do: exec, text: `BEGIN`},
		{on: 2, do: exec, text: `SAVEPOINT p`},
		{on: 2, do: query, text: `SELECT nosuch FROM t1`},
		{on: 2, do: query, text: `SELECT * FROM t1`},
		{on: 2, do: exec, text: `ROLLBACK TO p`},
		{on: 2, do: query, text: `SELECT * FROM t1`},
		{on: 2, do: exec, text: `INSERT INTO nosuch VALUES (1)`},
		{on: 2, do: query, text: `SELECT * FROM t1`},
	}},
	{"empty bytes are not nil", []engine{mysql, mattn}, program{
		{on: clean, do: exec, text: `CREATE TABLE t1 (id INTEGER, c VARBINARY(20))`, unseen: true},
		{on: clean, do: exec, text: `INSERT INTO t1 VALUES (1, ''), (2, 'x'), (3, ''), (4, NULL)`, unseen: true},
		{on: clean, do: query, text: `SELECT c FROM t1 WHERE id = 1`},
		{on: clean, do: query, text: `SELECT c FROM t1 WHERE id > ? ORDER BY id`, args: []any{0}, ordered: true},
	}},
	{"what a driver has prepared ends with DEALLOCATE", []engine{pgx, pq}, program{
		{on: clean, do: exec, text: `CREATE TABLE t1 (id INTEGER PRIMARY KEY, a INTEGER)`, unseen: true},
		{on: 2, do: prepare, text: `SELECT * FROM t1`, slot: 3},
		{on: 2, do: queryStmt, slot: 3},
		{on: 2, do: exec, text: `DEALLOCATE ALL`},
		{on: 2, do: queryStmt, slot: 3},
		{on: 2, do: query, text: `SELECT * FROM t1`},
	}},
	{"autocommit is off already", []engine{mysql}, program{
		{on: clean, do: exec, text: `CREATE TABLE t1 (id INT)`, unseen: true},
		{on: 2, do: exec, text: `SET autocommit = 0`},
		{on: 2, do: exec, text: `INSERT INTO t1 VALUES (1)`},
		{on: 2, do: exec, text: `SET autocommit = 0`},
		{on: clean, do: query, text: `SELECT * FROM t1`},
		{on: 2, do: exec, text: `COMMIT`},
		{on: clean, do: query, text: `SELECT * FROM t1`},
		{on: 2, do: exec, text: `SET autocommit = 1`},
		{on: 2, do: exec, text: `BEGIN`},
		{on: 2, do: exec, text: `INSERT INTO t1 VALUES (2)`},
		{on: 2, do: exec, text: `SET autocommit = 1`},
		{on: clean, do: query, text: `SELECT * FROM t1`},
		{on: 2, do: exec, text: `SET autocommit = 0`},
		{on: clean, do: query, text: `SELECT * FROM t1`},
		{on: 2, do: exec, text: `INSERT INTO t1 VALUES (3)`},
		{on: 2, do: exec, text: `COMMIT`},
		{on: clean, do: query, text: `SELECT * FROM t1`},
	}},
}

func TestKnown(t *testing.T) {
	for _, k := range known {
		for _, e := range k.engines {
			t.Run(k.name+"/"+e.driver, func(t *testing.T) {
				if failed := e.rerun(t, 0, slices.Clone(k.program), nil); failed != nil {
					t.Errorf("after\n%v\nanswers differ:\n%s", failed.program, failed.difference)
				}
			})
		}
	}
}
