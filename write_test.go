package larder

import (
	"context"
	"strings"
	"testing"
)

// base is stuff with its owners, before each scenario of writes.
var base = []string{
	"CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name VARCHAR(100), price INTEGER)",
	"INSERT INTO stuff VALUES (1, 42, 'bread', 1), (2, 42, 'wine', 2), (3, 7, 'milk', 0)",
	"CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(100), active INTEGER)",
	"INSERT INTO users VALUES (42, 'Ann', 1), (7, 'Bob', 1), (8, 'Cy', 0)",
	"CREATE TABLE stuff_tags (stuff_id INTEGER, tag_id INTEGER, PRIMARY KEY (stuff_id, tag_id))",
	"INSERT INTO stuff_tags VALUES (1, 1), (3, 1), (3, 2)",
	"CREATE TABLE tags (id INTEGER PRIMARY KEY, label VARCHAR(100))",
	"INSERT INTO tags VALUES (1, 'food'), (2, 'white')",
	"CREATE TABLE spare (id INTEGER, name VARCHAR(100))",
	"INSERT INTO spare VALUES (100, 'spare')",
}

// What is read of base in most scenarios.
const (
	allStuff  = "SELECT * FROM stuff ORDER BY id"
	allUsers  = "SELECT * FROM users ORDER BY id"
	allTags   = "SELECT * FROM tags ORDER BY id"
	allSpare  = "SELECT * FROM spare ORDER BY id"
	ofUser42  = "SELECT name FROM stuff WHERE user_id = 42 ORDER BY id"
	ofUser7   = "SELECT name FROM stuff WHERE user_id = 7 ORDER BY id"
	tagsOf3   = "SELECT t.label FROM tags t JOIN stuff_tags st ON st.tag_id = t.id WHERE st.stuff_id = 3 ORDER BY t.id"
	stuffOf1  = "SELECT s.name FROM stuff s JOIN stuff_tags st ON st.stuff_id = s.id WHERE st.tag_id = 1 ORDER BY s.id"
	ownersOf  = "SELECT s.id, u.name FROM stuff s JOIN users u ON u.id = s.user_id ORDER BY s.id"
	threeWays = "SELECT u.name, t.label FROM users u JOIN stuff s ON s.user_id = u.id JOIN stuff_tags st ON st.stuff_id = s.id JOIN tags t ON t.id = st.tag_id ORDER BY u.id, t.id, s.id"
)

var writes = []scenario{
	{name: "insert appears in the list", reads: []string{ofUser42, allStuff, "SELECT count(*) FROM stuff"}, keeps: []string{allUsers, tagsOf3},
		does: []string{"INSERT INTO stuff VALUES (4, 42, 'salt', 9)"}},
	{name: "insert of many rows", reads: []string{allStuff}, keeps: []string{allUsers},
		does: []string{"INSERT INTO stuff (id, name) VALUES (4, 'a'), (5, 'b'), (6, 'c')"}},
	{name: "insert from a select", reads: []string{allStuff}, keeps: []string{allSpare, allUsers},
		does: []string{"INSERT INTO stuff (id, name) SELECT id, name FROM spare"}},
	{name: "insert of default values", on: "postgres sqlite", reads: []string{allSpare}, keeps: []string{allStuff}, does: []string{"INSERT INTO spare DEFAULT VALUES"}},
	{name: "update by key", reads: []string{ofUser42, "SELECT name FROM stuff WHERE id = 1"}, keeps: []string{allUsers},
		does: []string{"UPDATE stuff SET name = 'rye' WHERE id = 1"}},
	{name: "update of all", reads: []string{ofUser42, ofUser7}, keeps: []string{allUsers}, does: []string{"UPDATE stuff SET name = 'x'"}},
	{name: "update by an expression", reads: []string{allStuff}, does: []string{"UPDATE stuff SET price = price + 1 WHERE id = 2"}},
	{name: "row moved to another user, both lists", reads: []string{ofUser42, ofUser7}, keeps: []string{allUsers}, does: []string{"UPDATE stuff SET user_id = 7 WHERE id = 1"}},
	{name: "bulk update by CASE", reads: []string{allStuff}, does: []string{"UPDATE stuff SET price = CASE id WHEN 1 THEN 10 WHEN 2 THEN 20 END WHERE id IN (1, 2)"}},
	{name: "update with a subquery", reads: []string{allStuff}, keeps: []string{allSpare}, does: []string{"UPDATE stuff SET name = (SELECT name FROM spare) WHERE id IN (SELECT stuff_id FROM stuff_tags)"}},
	{name: "update FROM", on: "postgres sqlite", reads: []string{allStuff}, keeps: []string{allUsers}, does: []string{"UPDATE stuff SET name = u.name FROM users u WHERE u.id = stuff.user_id"}},
	{name: "update of a join", on: "mysql", reads: []string{allStuff, allUsers}, keeps: []string{allTags},
		does: []string{"UPDATE stuff s JOIN users u ON u.id = s.user_id SET s.name = u.name, u.name = 'both'"}},
	{name: "update with ORDER BY and LIMIT", on: "mysql", reads: []string{allStuff}, keeps: []string{allTags}, does: []string{"UPDATE stuff SET name = 'one' ORDER BY price DESC LIMIT 1"}},
	{name: "key changed", reads: []string{allStuff, "SELECT count(*) FROM stuff WHERE id = 1"}, does: []string{"UPDATE stuff SET id = 11 WHERE id = 1"}},
	{name: "flag flips membership", reads: []string{"SELECT name FROM users WHERE active = 1 ORDER BY id", "SELECT name FROM users WHERE active = 0 ORDER BY id"}, keeps: []string{allStuff},
		does: []string{"UPDATE users SET active = 1 - active WHERE id = 8"}},
	{name: "delete by key", reads: []string{ofUser42, allStuff}, keeps: []string{allUsers}, does: []string{"DELETE FROM stuff WHERE id = 1"}},
	{name: "delete of all", reads: []string{allStuff, "SELECT EXISTS (SELECT 1 FROM stuff)"}, keeps: []string{allUsers}, does: []string{"DELETE FROM stuff"}},
	{name: "delete by a subquery", reads: []string{allStuff}, keeps: []string{allUsers}, does: []string{"DELETE FROM stuff WHERE user_id IN (SELECT id FROM users WHERE name = 'Bob')"}},
	{name: "delete USING", on: "postgres", reads: []string{allStuff}, keeps: []string{allUsers}, does: []string{"DELETE FROM stuff USING users u WHERE u.id = stuff.user_id AND u.name = 'Ann'"}},
	{name: "delete from several", on: "mysql", reads: []string{allStuff, allUsers}, keeps: []string{allTags}, does: []string{"DELETE s, u FROM stuff s JOIN users u ON u.id = s.user_id WHERE u.id = 7"}},
	{name: "truncate", on: "postgres mysql", reads: []string{allStuff}, does: []string{"TRUNCATE TABLE stuff"}},
	{name: "truncate of several", on: "postgres", reads: []string{allStuff, allSpare}, keeps: []string{allUsers}, does: []string{"TRUNCATE stuff, ONLY spare"}},
	{name: "upsert inserts", on: "postgres sqlite", reads: []string{allStuff}, keeps: []string{allUsers},
		does: []string{"INSERT INTO stuff (id, name) VALUES (9, 'nine') ON CONFLICT (id) DO UPDATE SET name = excluded.name"}},
	{name: "upsert updates", on: "postgres sqlite", reads: []string{allStuff}, keeps: []string{allUsers},
		does: []string{"INSERT INTO stuff (id, name) VALUES (1, 'one') ON CONFLICT (id) DO UPDATE SET name = excluded.name"}},
	{name: "upsert by key updates", on: "mysql", reads: []string{allStuff}, keeps: []string{allUsers},
		does: []string{"INSERT INTO stuff (id, name) VALUES (1, 'one') ON DUPLICATE KEY UPDATE name = VALUES(name)"}},
	{name: "insert or ignore", on: "sqlite", reads: []string{allStuff}, does: []string{"INSERT OR IGNORE INTO stuff (id) VALUES (1), (12)"}},
	{name: "insert ignore", on: "mysql", reads: []string{allStuff}, does: []string{"INSERT IGNORE INTO stuff (id) VALUES (1), (12)"}},
	{name: "replace", on: "mysql sqlite", reads: []string{allStuff}, keeps: []string{allUsers}, does: []string{"REPLACE INTO stuff (id, name) VALUES (1, 'replaced')"}},
	{name: "insert SET", on: "mysql", reads: []string{allStuff}, keeps: []string{allUsers}, does: []string{"INSERT INTO stuff SET id = 5, name = 'set'"}},
	{name: "insert RETURNING", reads: []string{allStuff}, keeps: []string{allUsers}, does: []string{"INSERT INTO stuff (id, name) VALUES (4, 'r') RETURNING id"}},
	{name: "update RETURNING", on: "postgres sqlite", reads: []string{allStuff}, keeps: []string{allUsers}, does: []string{"UPDATE stuff SET name = 'r' WHERE id = 1 RETURNING id, name"}},
	{name: "delete RETURNING", reads: []string{allStuff}, keeps: []string{allUsers}, does: []string{"DELETE FROM stuff WHERE id = 1 RETURNING id"}},
	{name: "update RETURNING inside WITH", on: "postgres", reads: []string{allStuff}, keeps: []string{allUsers},
		does: []string{"WITH changed AS (UPDATE stuff SET name = 'cte' WHERE id = 1 RETURNING id) SELECT id FROM changed -- RETURNING"}},
	{name: "delete and insert inside WITH", on: "postgres", reads: []string{allStuff, allSpare}, keeps: []string{allUsers},
		does: []string{"WITH gone AS (DELETE FROM stuff WHERE id = 1 RETURNING id, name) INSERT INTO spare SELECT * FROM gone"}},
	{name: "WITH before an update", reads: []string{allStuff}, keeps: []string{allSpare, allUsers}, on: "postgres sqlite",
		does: []string{"WITH s AS (SELECT name FROM spare) UPDATE stuff SET name = (SELECT name FROM s)"}},
	{name: "MERGE", on: "postgres", reads: []string{allStuff}, keeps: []string{allSpare, allUsers},
		does: []string{"MERGE INTO stuff USING spare ON spare.id = stuff.id WHEN MATCHED THEN UPDATE SET name = spare.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (spare.id, spare.name)"}},
	{name: "many to many: added", reads: []string{stuffOf1, threeWays}, keeps: []string{allStuff, allTags, allUsers}, does: []string{"INSERT INTO stuff_tags VALUES (2, 1)"}},
	{name: "many to many: removed", reads: []string{stuffOf1, tagsOf3}, keeps: []string{allStuff, allTags}, does: []string{"DELETE FROM stuff_tags WHERE stuff_id = 3 AND tag_id = 1"}},
	{name: "many to many: cleared", reads: []string{tagsOf3}, keeps: []string{allStuff, allTags}, does: []string{"DELETE FROM stuff_tags WHERE stuff_id = 3"}},
	{name: "many to many: an end deleted", reads: []string{stuffOf1, threeWays}, keeps: []string{allTags, allUsers}, does: []string{"DELETE FROM stuff WHERE id = 1"}},
	{name: "many to many: the other end changed", reads: []string{tagsOf3, threeWays}, keeps: []string{stuffOf1, allUsers}, does: []string{"UPDATE tags SET label = 'pale' WHERE id = 2"}},
	{name: "first relation of a join", reads: []string{ownersOf, threeWays}, keeps: []string{allUsers}, does: []string{"UPDATE stuff SET user_id = 8 WHERE id = 3"}},
	{name: "second relation of a join", reads: []string{ownersOf, threeWays}, keeps: []string{allStuff}, does: []string{"UPDATE users SET name = 'Anna' WHERE id = 42"}},
	{name: "related row no longer matches", reads: []string{"SELECT s.name FROM stuff s JOIN users u ON u.id = s.user_id WHERE u.active = 1 ORDER BY s.id"}, keeps: []string{allStuff},
		does: []string{"UPDATE users SET active = 0 WHERE id = 7"}},
	{name: "order by a related column", reads: []string{"SELECT s.id FROM stuff s JOIN users u ON u.id = s.user_id ORDER BY u.name, s.id"}, keeps: []string{allStuff},
		does: []string{"UPDATE users SET name = 'Zoe' WHERE id = 42"}},
	{name: "missing side of an outer join", reads: []string{"SELECT u.name FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE s.id IS NULL ORDER BY u.id"}, keeps: []string{allUsers},
		does: []string{"INSERT INTO stuff VALUES (4, 8, 'x', 0)"}},
	{name: "subquery IN", reads: []string{"SELECT name FROM users WHERE id IN (SELECT user_id FROM stuff) ORDER BY id"}, keeps: []string{allUsers}, does: []string{"DELETE FROM stuff WHERE user_id = 7"}},
	{name: "subquery EXISTS", reads: []string{"SELECT name FROM users u WHERE EXISTS (SELECT 1 FROM stuff s WHERE s.user_id = u.id AND s.price > 1) ORDER BY id"}, keeps: []string{allUsers},
		does: []string{"UPDATE stuff SET price = 5 WHERE id = 3"}},
	{name: "scalar subquery in the target list", reads: []string{"SELECT name, (SELECT count(*) FROM stuff s WHERE s.user_id = u.id) FROM users u ORDER BY id"}, keeps: []string{allUsers},
		does: []string{"DELETE FROM stuff WHERE id = 1"}},
	{name: "subquery in FROM", reads: []string{"SELECT max(n) FROM (SELECT count(*) AS n FROM stuff GROUP BY user_id) c"}, keeps: []string{allUsers}, does: []string{"DELETE FROM stuff WHERE id = 1"}},
	{name: "subquery in HAVING and ORDER BY", reads: []string{"SELECT user_id FROM stuff GROUP BY user_id HAVING count(*) >= (SELECT count(*) FROM spare) ORDER BY (SELECT min(id) FROM tags), 1"}, keeps: []string{allStuff},
		does: []string{"INSERT INTO spare VALUES (1, 'a')"}},
	{name: "CTE", reads: []string{"WITH c AS (SELECT name FROM stuff WHERE price = 0) SELECT c.name FROM c"}, keeps: []string{allUsers}, does: []string{"UPDATE stuff SET price = 1 WHERE id = 3"}},
	{name: "recursive CTE", reads: []string{"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < (SELECT count(*) FROM stuff)) SELECT count(*) FROM r"}, keeps: []string{allUsers},
		does: []string{"DELETE FROM stuff WHERE id = 1"}},
	{name: "second arm of a UNION", reads: []string{"SELECT name FROM users UNION SELECT name FROM spare ORDER BY 1"}, keeps: []string{allUsers, allStuff}, does: []string{"UPDATE spare SET name = 'other'"}},
	{name: "EXCEPT", reads: []string{"SELECT id FROM users EXCEPT SELECT user_id FROM stuff ORDER BY 1"}, keeps: []string{allUsers}, does: []string{"INSERT INTO stuff (id, user_id) VALUES (4, 8)"}},
	{name: "aggregate", reads: []string{"SELECT sum(price), max(id) FROM stuff"}, does: []string{"INSERT INTO stuff VALUES (4, 1, 'x', 5)"}},
	{name: "self join", reads: []string{"SELECT a.id, b.id FROM stuff a JOIN stuff b ON a.user_id = b.user_id AND a.id < b.id"}, keeps: []string{allUsers}, does: []string{"UPDATE stuff SET user_id = 42"}},
	{name: "TABLE", on: "postgres", reads: []string{"TABLE spare"}, keeps: []string{allStuff}, does: []string{"UPDATE spare SET name = 'x'"}},
	{name: "LATERAL", on: "postgres", reads: []string{"SELECT u.name, x.n FROM users u, LATERAL (SELECT count(*) AS n FROM stuff s WHERE s.user_id = u.id) x ORDER BY u.id"}, keeps: []string{allUsers}, does: []string{"DELETE FROM stuff WHERE id = 1"}},
	{name: "qualified name", on: "postgres", reads: []string{"SELECT name FROM public.spare", `SELECT name FROM "spare"`, "SELECT NAME FROM SPARE"}, keeps: []string{allStuff}, does: []string{`UPDATE "public"."spare" SET name = 'x'`}},
	{name: "qualified name", on: "sqlite", reads: []string{"SELECT name FROM main.spare", `SELECT name FROM "spare"`, "SELECT name FROM [SPARE]", "SELECT name FROM `Spare`"}, keeps: []string{allStuff}, does: []string{`UPDATE MAIN.SPARE SET name = 'x'`}},
	{name: "name in another case", on: "postgres sqlite", reads: []string{"SELECT NaMe FROM SpArE"}, does: []string{"UPDATE sPaRe SET name = 'x'"}},
	{name: "two statements in one text", on: "postgres sqlite", reads: []string{allStuff, allSpare}, keeps: []string{allUsers}, does: []string{"UPDATE stuff SET name = 'both'; UPDATE spare SET name = 'both'"}},
	{name: "two statements in one text", on: "mysql", reads: []string{allStuff, allSpare}, keeps: []string{allUsers}, does: []string{"UPDATE stuff SET name = 'both'; UPDATE spare SET name = 'both'"}},
	{name: "a write before a read in one text", on: "postgres mysql", reads: []string{allSpare}, keeps: []string{allUsers}, does: []string{"UPDATE spare SET name = 'x'; SELECT 1"}},
	{name: "transaction in one text", reads: []string{allStuff, allSpare}, keeps: []string{allUsers}, does: []string{"BEGIN; UPDATE stuff SET name = 'x'; DELETE FROM spare; COMMIT"}},
	{name: "comment and white space before", reads: []string{allSpare}, keeps: []string{allUsers}, does: []string{"  /* UPDATE users */ -- x\n\n UPDATE spare SET name = 'x'"}},
	{name: "executable comment", on: "mysql", reads: []string{allSpare}, does: []string{"/*! UPDATE spare SET name = 'x' */"}},
	{name: "PREPARE and EXECUTE", on: "postgres", reads: []string{allSpare}, does: []string{"PREPARE p AS UPDATE spare SET name = 'x'; EXECUTE p; DEALLOCATE p"}},
	{name: "PREPARE and EXECUTE", on: "mysql", reads: []string{allSpare}, does: []string{"PREPARE p FROM 'UPDATE spare SET name = ''x'''; EXECUTE p; DEALLOCATE PREPARE p"}},
	{name: "DO", on: "postgres", reads: []string{allSpare, allStuff}, does: []string{"DO $$ BEGIN UPDATE spare SET name = 'x'; EXECUTE 'DELETE FROM stuff'; END $$"}},
	{name: "EXPLAIN ANALYZE runs", on: "postgres", reads: []string{allSpare}, does: []string{"EXPLAIN ANALYZE UPDATE spare SET name = 'x'"}},
	{name: "compound block", on: "mysql", reads: []string{allSpare}, does: []string{"BEGIN NOT ATOMIC UPDATE spare SET name = 'x'; END"}},
	{name: "EXECUTE IMMEDIATE", on: "mysql", reads: []string{allSpare}, does: []string{"EXECUTE IMMEDIATE CONCAT('UPDATE spare SET ', 'name = 1')"}},
}

// TestWrites: every form of write is seen by all reads of what it changed, and leaves
// the entries of other relations alone.
func TestWrites(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		for i := range writes {
			if s := &writes[i]; s.on == "" || strings.Contains(s.on, h.dialect) {
				h.lendTo(s.name, func() { h.refill(); h.changes(s) })
			}
		}
	})
}

// refill restores the rows of base.
func (h *house) refill() {
	h.Helper()
	for _, statement := range base {
		if table, isTable := strings.CutPrefix(statement, "CREATE TABLE "); isTable {
			table, _, _ = strings.Cut(table, " ")
			statement = "DELETE FROM " + table
		}
		h.exec(h.db, statement)
	}
}

// TestWriteKeepsOthers: whatever a statement only reads, or doesn't change at all, stays.
func TestWriteKeepsOthers(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, allUsers)
		h.wantCached(h.db, allStuff)
		h.exec(h.other, "INSERT INTO spare SELECT id, name FROM users")
		h.exec(h.other, "UPDATE spare SET name = (SELECT max(name) FROM stuff)")
		h.exec(h.other, "DELETE FROM spare WHERE id IN (SELECT user_id FROM stuff)")
		h.wantRead(h.db, OutcomeHit, allUsers)
		h.wantRead(h.db, OutcomeHit, allStuff)
	})
}

// TestFailedWrite: a write that the database refuses changes nothing, and the entries
// of other relations stay.
func TestFailedWrite(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, allUsers)
		h.wantCached(h.db, allStuff)
		if _, err := h.other.Exec("INSERT INTO stuff (id) VALUES (1)"); err == nil {
			t.Fatal("two rows of one key")
		}
		h.wantRead(h.db, OutcomeHit, allUsers)
		got, want := h.query(h.db, allStuff), h.query(h.bare, allStuff)
		if got != want {
			t.Errorf("cached %s, bare %s", got, want)
		}
		h.wantRead(h.db, OutcomeHit, allStuff)
	})
}

// TestWritePrepared: writes by a prepared statement, run many times.
func TestWritePrepared(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		stmt, err := h.other.Prepare(h.marks("UPDATE stuff SET name = ? WHERE id = ?"))
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		h.wantCached(h.db, allUsers)
		for _, name := range []string{"a", "b", "c"} {
			h.wantCached(h.db, allStuff)
			if _, err := stmt.Exec(name, 1); err != nil {
				t.Fatal(err)
			}
		}
		h.wantCached(h.db, allStuff)
		h.wantRead(h.db, OutcomeHit, allUsers)
	})
}

// TestWriteByQuery: a write that is run by Query, and whose rows nobody reads, is
// announced before Query returns.
func TestWriteByQuery(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, allStuff)
		rows, err := h.other.Query("INSERT INTO stuff (id, name) VALUES (4, 'q') RETURNING id")
		if err != nil {
			t.Fatal(err)
		}
		h.wantCached(h.db, allStuff)
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		h.wantRead(h.db, OutcomeHit, allStuff)
		if rows, err = h.other.Query("UPDATE stuff SET name = 'z' WHERE id = 4"); err != nil {
			t.Fatal(err)
		}
		rows.Close()
		h.wantCached(h.db, allStuff)
	})
}

// TestWriteResult: RowsAffected and LastInsertId are the driver's.
func TestWriteResult(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		for _, statement := range []string{"UPDATE stuff SET price = 3", "DELETE FROM tags WHERE id = 77", "INSERT INTO spare VALUES (1, 'a'), (2, 'b')"} {
			n := func(on handle) [2]any {
				result, err := on.ExecContext(context.Background(), statement)
				if err != nil {
					t.Fatal(err)
				}
				affected, err := result.RowsAffected()
				if err != nil {
					t.Fatal(err)
				}
				_, err = result.LastInsertId()
				return [2]any{affected, err != nil}
			}
			if bare, cached := n(h.bare), n(h.db); strings.HasPrefix(statement, "UPDATE") && h.dialect == "mysql" {
				if cached[0] != int64(0) { // MySQL counts rows that it changed
					t.Errorf("%s: cached %v", statement, cached)
				}
			} else if bare != cached {
				t.Errorf("%s: bare %v, cached %v", statement, bare, cached)
			}
		}
	})
}
