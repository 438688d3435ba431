package confine

import (
	"testing"

	"github.com/larderdb/larder/analyze"
)

// each is a statement and the references that must be found in it.
type each struct{ text, want string }

var postgresReads = []each{
	// WHERE.
	{"SELECT * FROM stuff WHERE user_id = $1", "stuff{user_id=$1}"},
	{"SELECT * FROM stuff s WHERE s.user_id = 5 AND s.kind = 'a'", `stuff{user_id=5 kind="a"}`},
	{"SELECT * FROM stuff WHERE user_id IN ($1, $2)", "stuff{user_id=$1|$2}"},
	{"SELECT * FROM stuff WHERE user_id = ANY($1)", "stuff{user_id=any($1)}"},
	{"SELECT * FROM stuff WHERE user_id IS NULL", "stuff{user_id=null}"},
	{"SELECT * FROM stuff WHERE done", "stuff{done=true}"},
	{"SELECT * FROM stuff WHERE NOT done AND user_id = 1", "stuff{user_id=1 done=false}"},
	{"SELECT * FROM stuff WHERE price = 5", "stuff"},
	{"SELECT * FROM stuff WHERE user_id > 5", "stuff"},
	{"SELECT * FROM stuff WHERE NOT user_id = 5", "stuff"},
	{"SELECT * FROM stuff WHERE missing = 5", "stuff"},
	{"SELECT * FROM secret WHERE user_id = 5", "secret"},
	{"SELECT * FROM unknown WHERE id = 5", "unknown"},
	// OR.
	{"SELECT * FROM stuff WHERE user_id = 1 OR user_id = 2", "stuff{user_id=1|2}"},
	{"SELECT * FROM stuff WHERE user_id = 1 OR id = 2", "stuff{user_id=1} or {id=2}"},
	{"SELECT * FROM stuff WHERE user_id = 1 OR price = 2", "stuff"},
	{"SELECT * FROM stuff WHERE user_id = 1 AND (kind = 'a' OR price > 2)", "stuff{user_id=1}"},
	{"SELECT * FROM stuff WHERE user_id = 1 AND (kind = 'a' OR id = 2)", `stuff{user_id=1 kind="a"} or {id=2 user_id=1}`},
	// Joins.
	{"SELECT * FROM users u JOIN stuff s ON s.user_id = u.id WHERE u.id = $1", "users{id=$1}, stuff{user_id=$1}"},
	{"SELECT * FROM users u, stuff s WHERE s.user_id = u.id AND u.id = $1", "users{id=$1}, stuff{user_id=$1}"},
	{"SELECT * FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE u.id = $1", "users{id=$1}, stuff{user_id=$1}"},
	{"SELECT * FROM stuff s RIGHT JOIN users u ON s.user_id = u.id WHERE u.id = $1", "stuff{user_id=$1}, users{id=$1}"},
	{"SELECT * FROM users u LEFT JOIN stuff s ON s.user_id = u.id AND u.id = $1", "users, stuff{user_id=$1}"},
	{"SELECT * FROM users u FULL JOIN stuff s ON s.user_id = u.id AND u.id = $1", "users, stuff"},
	{"SELECT * FROM users u FULL JOIN stuff s ON s.user_id = u.id WHERE u.id = $1", "users{id=$1}, stuff"},
	// The absence of rows.
	{"SELECT * FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE s.user_id IS NULL", "users, stuff"},
	{"SELECT * FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE s.user_id IS NOT DISTINCT FROM $1", "users, stuff"},
	{"SELECT * FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE s.user_id = $1 OR s.user_id IS NULL", "users, stuff"},
	{"SELECT * FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE s.kind = 'a'", `users, stuff{kind="a"}`},
	{"SELECT * FROM users u LEFT JOIN stuff s ON s.user_id IS NULL", "users, stuff{user_id=null}"},
	{"SELECT * FROM (SELECT u.id, s.user_id FROM users u LEFT JOIN stuff s ON s.user_id = u.id) x WHERE x.user_id IS NULL", "users, stuff"},
	{"SELECT * FROM (SELECT u.id, s.kind FROM users u LEFT JOIN stuff s ON s.user_id = u.id) x WHERE x.kind = 'a'", `users, stuff{kind="a"}`},
	// Joins of several.
	{"SELECT * FROM users a, users b RIGHT JOIN stuff c ON b.id = c.user_id AND c.parent = 5 WHERE a.id = c.parent",
		"users, users, stuff"},
	{"SELECT * FROM users a JOIN (stuff b JOIN links c ON c.stuff_id = b.id) ON b.user_id = a.id WHERE a.id = 1", "users{id=1}, stuff{user_id=1}, links"},
	{"SELECT * FROM users a LEFT JOIN (stuff b JOIN links c ON c.stuff_id = b.id AND b.id = 3) ON b.user_id = a.id WHERE a.id = 1",
		"users{id=1}, stuff{id=3 user_id=1}, links{stuff_id=3}"},
	// Classes.
	{"SELECT * FROM users u JOIN stuff s ON s.name = u.nick WHERE u.nick = 'a'", `users{nick="a"}, stuff`},
	{"SELECT * FROM users u JOIN stuff s ON s.price = u.id WHERE u.id = 5", "users{id=5}, stuff"},
	// USING and NATURAL.
	{"SELECT * FROM users u JOIN stuff s USING (name) WHERE name = 'a'", `users{name="a"}, stuff{name="a"}`},
	{"SELECT * FROM users u LEFT JOIN stuff s USING (name) WHERE name = 'a'", `users{name="a"}, stuff{name="a"}`},
	{"SELECT * FROM users u RIGHT JOIN stuff s USING (name) WHERE name = 'a'", `users, stuff`},
	{"SELECT * FROM users u FULL JOIN stuff s USING (name) WHERE name = 'a'", `users, stuff`},
	{"SELECT * FROM users u NATURAL JOIN stuff s WHERE name = 'a' AND u.boss = 3", `users{boss=3}, stuff`},
	{"SELECT * FROM users u JOIN stuff s ON true WHERE name = 'a'", `users, stuff`},
	// Names.
	{"SELECT * FROM users WHERE EXISTS (SELECT 1 FROM stuff WHERE user_id = users.id) AND users.id = 1", "users{id=1}, stuff{user_id=1}"},
	{"SELECT * FROM users WHERE id = 1 AND EXISTS (SELECT 1 FROM stuff WHERE user_id = boss)", "users{id=1}, stuff"},
	{"SELECT * FROM users WHERE boss = 1 AND EXISTS (SELECT 1 FROM stuff WHERE user_id = boss)", "users{boss=1}, stuff{user_id=1}"},
	{"SELECT * FROM users WHERE boss = 1 AND EXISTS (SELECT 1 FROM unknown, stuff WHERE stuff.user_id = boss)", "users{boss=1}, unknown, stuff"},
	{"SELECT * FROM users WHERE id = 1 AND EXISTS (SELECT 1 FROM stuff WHERE user_id = id)", "users{id=1}, stuff"},
	{"SELECT ctid FROM users WHERE id = 1 AND EXISTS (SELECT 1 FROM stuff WHERE user_id = ctid)", "users{id=1}, stuff"},
	{"SELECT * FROM (SELECT id AS ctid FROM users) x WHERE x.ctid = 1 AND EXISTS (SELECT 1 FROM stuff s WHERE s.user_id = ctid)", "users{id=1}, stuff"},
	{"SELECT * FROM users x WHERE x.id = 1 AND EXISTS (SELECT 1 FROM stuff x, (SELECT s.id FROM stuff s WHERE s.user_id = x.id) d WHERE x.id = 2)",
		"users{id=1}, stuff{id=2}, stuff{user_id=1}"},
	{"SELECT * FROM users x WHERE x.id = 1 AND EXISTS (SELECT 1 FROM stuff x, LATERAL (SELECT s.id FROM stuff s WHERE s.user_id = x.id) d WHERE x.id = 2)",
		"users{id=1}, stuff{id=2}, stuff"},
	{"SELECT * FROM users WHERE boss = 1 AND EXISTS (SELECT 1 FROM users u, (SELECT 1 FROM stuff WHERE user_id = boss) d WHERE u.boss = 2)",
		"users{boss=1}, users{boss=2}, stuff{user_id=1}"},
	{"SELECT * FROM users u, LATERAL (SELECT 1 FROM (SELECT 1 FROM stuff s WHERE s.user_id = u.id) d, links u) x WHERE u.id = 1",
		"users{id=1}, stuff{user_id=1}, links"},
	{"SELECT * FROM users WHERE boss = 1 AND EXISTS (SELECT 1 FROM links l JOIN links m ON EXISTS (SELECT 1 FROM stuff WHERE user_id = boss), users u WHERE u.boss = 2)",
		"users{boss=1}, links, links, users{boss=2}, stuff"},
	{"SELECT * FROM users WHERE boss = 1 AND EXISTS (WITH c AS (SELECT 1 FROM stuff WHERE user_id = boss) SELECT 1 FROM users u, c WHERE u.boss = 2)",
		"users{boss=1}, users{boss=2}, stuff{user_id=1}"},
	{"SELECT * FROM users z WHERE z.boss = 1 AND EXISTS (SELECT 1 FROM links l JOIN stuff s ON s.user_id = z.boss, users z WHERE z.boss = 2)",
		"users{boss=1}, links, stuff, users{boss=2}"},
	// Subqueries.
	{"SELECT * FROM users u LEFT JOIN stuff x ON x.user_id = u.id WHERE u.id = 1 AND (SELECT count(*) FROM stuff s WHERE s.user_id = x.user_id) > 1",
		"users{id=1}, stuff{user_id=1}, stuff"},
	{"SELECT (SELECT count(*) FROM stuff s WHERE s.user_id = u.id LIMIT 1) FROM users u WHERE u.id = $1", "users{id=$1}, stuff{user_id=$1}"},
	{"SELECT * FROM users u WHERE u.id IN (SELECT user_id FROM stuff WHERE kind = $1)", "users, stuff{kind=$1}"},
	{"SELECT * FROM (SELECT * FROM stuff) x WHERE x.user_id = 1", "stuff{user_id=1}"},
	{"SELECT * FROM (SELECT DISTINCT user_id FROM stuff) x WHERE x.user_id = 1", "stuff{user_id=1}"},
	{"SELECT * FROM (SELECT * FROM stuff LIMIT 5) x WHERE x.user_id = 1", "stuff"},
	{"SELECT * FROM (SELECT DISTINCT ON (kind) * FROM stuff) x WHERE x.user_id = 1", "stuff"},
	{"SELECT * FROM (SELECT user_id, rank() OVER (ORDER BY id) AS r FROM stuff) x WHERE x.user_id = 1", "stuff"},
	{"SELECT * FROM (SELECT user_id, count(*) AS n FROM stuff GROUP BY user_id) x WHERE x.user_id = 1 AND x.n = 2", "stuff{user_id=1}"},
	{"SELECT * FROM (SELECT user_id, kind, count(*) AS n FROM stuff GROUP BY user_id, kind HAVING count(*) > 3) x WHERE x.kind = 'a'", `stuff{kind="a"}`},
	{"SELECT * FROM (SELECT user_id, kind, count(*) FROM stuff GROUP BY ROLLUP (user_id, kind)) x WHERE x.kind = 'a'", "stuff"},
	{"SELECT * FROM (SELECT id, max(user_id) AS user_id FROM stuff GROUP BY id) x WHERE x.user_id = 1", "stuff"},
	{"SELECT * FROM (SELECT user_id + 0 AS user_id FROM stuff) x WHERE x.user_id = 1", "stuff"},
	{"SELECT * FROM (SELECT user_id, id FROM stuff) x(a, b) WHERE a = 1", "stuff{user_id=1}"},
	{"SELECT * FROM users u, LATERAL (SELECT * FROM stuff s WHERE s.user_id = u.id ORDER BY id LIMIT 3) x WHERE u.id = 1", "users{id=1}, stuff{user_id=1}"},
	{"SELECT * FROM users u LEFT JOIN LATERAL (SELECT * FROM stuff s WHERE s.user_id = u.id) x ON true WHERE u.id = 1 AND x.kind = 'a'",
		`users{id=1}, stuff{user_id=1 kind="a"}`},
	// Set operations.
	{"SELECT * FROM (SELECT user_id FROM stuff UNION SELECT id FROM users) x WHERE x.user_id = 1", "stuff{user_id=1}, users{id=1}"},
	{"SELECT * FROM (SELECT user_id FROM stuff EXCEPT SELECT id FROM users) x WHERE x.user_id = 1", "stuff{user_id=1}, users{id=1}"},
	{"SELECT * FROM (SELECT name FROM stuff UNION SELECT nick FROM users) x WHERE x.name = 'a'", "stuff, users"},
	{"SELECT * FROM (SELECT user_id FROM stuff UNION SELECT id FROM users LIMIT 3) x WHERE x.user_id = 1", "stuff, users"},
	// CTEs.
	{"WITH x AS (SELECT * FROM stuff) SELECT * FROM x WHERE user_id = 1", "stuff{user_id=1}"},
	{"WITH x AS (SELECT * FROM stuff) SELECT * FROM x a, x b WHERE a.user_id = 1 AND b.id = a.id", "stuff{user_id=1}, stuff"},
	{"WITH x AS (SELECT * FROM stuff WHERE kind = 'a') SELECT 1", `stuff{kind="a"}`},
	{"WITH x(a) AS (SELECT user_id FROM stuff), y AS (SELECT a AS b FROM x) SELECT * FROM y WHERE b = 1", "stuff{user_id=1}"},
	{"WITH stuff AS (SELECT * FROM stuff WHERE user_id = 1) SELECT * FROM stuff WHERE kind = 'a'", `stuff{user_id=1 kind="a"}`},
	{"WITH RECURSIVE t AS (SELECT id, parent FROM stuff WHERE id = 1 UNION ALL SELECT s.id, s.parent FROM stuff s JOIN t ON s.parent = t.id) SELECT * FROM t WHERE parent = 2",
		"stuff{id=1}, stuff"},
	{"WITH RECURSIVE t AS (SELECT id FROM stuff) SELECT * FROM t JOIN users ON users.id = t.id WHERE t.id = 1", "stuff{id=1}, users{id=1}"},
	// Views.
	{"SELECT * FROM mine WHERE owner = 1", `stuff{user_id=1 kind="a"}`},
	{"SELECT * FROM counts c JOIN users u ON u.id = c.user_id WHERE u.id = 1", "stuff{user_id=1}, users{id=1}"},
	{"SELECT * FROM last WHERE user_id = 1", "stuff"},
	{"SELECT * FROM lost", "?"},
	{"SELECT * FROM nowhere", "?"},
}

func TestPostgresReads(t *testing.T) { testReads(t, analyze.Postgres, postgresReads) }

var sqliteReads = []each{
	{"SELECT * FROM stuff WHERE User_ID = ?", "stuff{user_id=$1}"},
	{"SELECT * FROM stuff WHERE user_id = :u", "stuff{user_id=:u}"},
	{"SELECT * FROM stuff WHERE user_id IS 5", "stuff{user_id=5}"},
	{"SELECT * FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE s.user_id IS 5", "users, stuff{user_id=5}"},
	{"SELECT * FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE s.user_id IS ?", "users, stuff"},
	{"SELECT * FROM stuff WHERE done", "stuff"},
	{"SELECT * FROM stuff WHERE NOT done", "stuff"},
	{"SELECT * FROM stuff WHERE user_id = 4.25", "stuff"},
	{"SELECT * FROM stuff WHERE rowid = 5", "stuff"},
	{"SELECT * FROM users, stuff WHERE users.boss = 1 AND stuff.name = users.boss", "users{boss=1}, stuff"},
	{"SELECT * FROM users, stuff WHERE users.nick = 'a' AND stuff.name = users.nick", `users{nick="a"}, stuff`},
	{"SELECT * FROM users WHERE boss = 1 AND EXISTS (SELECT id AS boss FROM stuff s WHERE s.user_id = boss)", "users{boss=1}, stuff"},
	{"SELECT id AS boss FROM users WHERE id = 1 AND EXISTS (SELECT 1 FROM stuff s WHERE s.user_id = boss)", "users{id=1}, stuff"},
	{"WITH a AS (SELECT * FROM b), b AS (SELECT * FROM stuff WHERE user_id = 1) SELECT * FROM a WHERE kind = 'a'", `stuff{user_id=1}, stuff{user_id=1}`},
	{"SELECT * FROM users WHERE boss = 1 AND EXISTS (WITH c AS (SELECT 1 FROM stuff WHERE user_id = boss) SELECT 1 FROM users u WHERE u.boss = 2 AND EXISTS (SELECT 1 FROM c))",
		"users{boss=1}, users{boss=2}, stuff"},
	{"SELECT * FROM users WHERE boss = 1 AND EXISTS (SELECT 1 FROM users u, (SELECT 1 FROM stuff WHERE user_id = boss) d WHERE u.boss = 2)",
		"users{boss=1}, users{boss=2}, stuff{user_id=1}"},
	{"SELECT * FROM mine WHERE owner = 1", `stuff{user_id=1 kind="a"}`},
}

func TestSQLiteReads(t *testing.T) { testReads(t, analyze.SQLite, sqliteReads) }

func testReads(t *testing.T, d analyze.Dialect, list []each) {
	s := house(t, d)
	for _, e := range list {
		st := analyze.Analyze(d, e.text)
		if st.Rows == nil {
			t.Errorf("%s: analyze doesn't tell rows", e.text)
			continue
		}
		refs, ok := Reads(st.Rows, s)
		got := told(refs)
		if !ok {
			got = "?"
		}
		if got != e.want {
			t.Errorf("%s\n got %s\nwant %s\n   (%s)", e.text, got, e.want, st.Rows)
		}
	}
}
