package larder

import (
	"testing"
)

const (
	partedByB = "CREATE TABLE g (id INTEGER, a INTEGER, b INTEGER) PARTITION BY LIST (b) (PARTITION p1 VALUES IN (1), PARTITION p2 VALUES IN (2))"
	moveOne   = "UPDATE q SET b = b + 1 WHERE id IN (SELECT id FROM q LIMIT 1)"
)

var (
	liteByB    = []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, fat TEXT)", "CREATE INDEX i ON g (b, a)", "INSERT INTO g VALUES (1, 1, 1, ''), (2, 2, 2, '')"}
	liteFolded = []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, c TEXT COLLATE NOCASE, b INTEGER, fat TEXT)", "CREATE INDEX i ON g (b, c)", "INSERT INTO g VALUES (1, 'x', 1, ''), (2, 'X', 2, '')"}
	myByB      = []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, fat TEXT, KEY (b, a))", "INSERT INTO g VALUES (1, 1, 1, ''), (2, 2, 2, '')"}
	myTextByB  = []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, c VARCHAR(9), b INTEGER, fat TEXT, KEY (b, c))", "INSERT INTO g VALUES (1, 'x', 1, ''), (2, 'X', 2, '')"}
	scaled     = []string{"CREATE TABLE q2 (id int)", "CREATE TABLE g (id int PRIMARY KEY, b int, n numeric)", "INSERT INTO g VALUES (1, 1, 1.0), (2, 2, 1.00)"}
)

// choiceTraps are reads that depend on a column which isn't named because the database chooses by where rows lie, or in which order an index has
// them; the first ones on the partition that it says a row is in.
var choiceTraps = []trap{
	{"mysql", []string{partedByB, "INSERT INTO g VALUES (1, 1, 1)"}, "SELECT count(*) FROM g PARTITION (p1)", "UPDATE g SET b = 3 - b"},
	{"mysql", []string{partedByB, "INSERT INTO g VALUES (1, 1, 1)"}, "SELECT a FROM g PARTITION (p1) WHERE id = 1", "UPDATE g SET b = 3 - b WHERE id = 1"},
	{"mysql", []string{partedByB, "INSERT INTO g VALUES (1, 1, 1)", "CREATE VIEW w AS SELECT a FROM g PARTITION (p1)"}, "SELECT count(*) FROM w", "UPDATE g SET b = 3 - b"},
	{"mysql", []string{partedByB, "INSERT INTO g VALUES (1, 1, 1)"}, "SELECT p.a FROM p LEFT JOIN g PARTITION (p2) x ON x.id = p.id WHERE x.id IS NULL", "UPDATE g SET b = 3 - b"},
	{"mysql", nil, "SELECT count(*) FROM p JOIN (SELECT 1 AS z) r ON 1 < 1e5natural JOIN q", "UPDATE q SET b = 3 - b"},
	{"postgres", nil, "SELECT count(*) FROM p JOIN (SELECT 1 AS z) r ON 'x' = $$x$$NATURAL JOIN q", "UPDATE q SET b = 3 - b"},
	{"postgres", nil, "SELECT a FROM q WHERE 'x' = $$x$$limit 1", moveOne},
	{"postgres", nil, "SELECT a FROM q WHERE 'x' = $t$x$t$fetch first row only", moveOne},
	{"postgres", nil, "SELECT DISTINCT /* one */ ON (a > 0) a FROM q", moveOne},
	{"mysql", myByB, "SELECT a FROM g WHERE 1 < 1e5limit 1", "UPDATE g SET b = 3 - b"},
	{"postgres", nil, "SELECT ARRAY(SELECT a FROM q)", moveOne},
	{"postgres", []string{"CREATE VIEW w AS SELECT ARRAY(SELECT a FROM q) AS l"}, "SELECT l FROM w", moveOne},
	{"sqlite", liteByB, "SELECT (SELECT a FROM g)", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteByB, "SELECT count(*) FROM p WHERE id = (SELECT a FROM g) AND a = 1", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteByB, "SELECT count(*), a FROM g", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteByB, "SELECT count(*), a FROM (SELECT a FROM g) s", "UPDATE g SET b = 3 - b"},
	{"sqlite", append(liteByB[:len(liteByB):len(liteByB)], "CREATE VIEW w AS SELECT a FROM g"), "SELECT count(*), a + 1 FROM w", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteByB, "WITH s AS (SELECT a FROM g) SELECT a || count(*) FROM s", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteByB, "SELECT a FROM g GROUP BY a > 0", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteFolded, "SELECT DISTINCT c FROM g", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteFolded, "SELECT max(c) FROM g", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteFolded, "SELECT c FROM g UNION SELECT c FROM g", "UPDATE g SET b = 3 - b"},
	{"mysql", myByB, "SELECT a, count(*) FROM g", "UPDATE g SET b = 3 - b"},
	{"mysql", myByB, "SELECT a, count(*) FROM (SELECT a FROM g) s", "UPDATE g SET b = 3 - b"},
	{"mysql", append(myByB[:len(myByB):len(myByB)], "CREATE VIEW w AS SELECT a FROM g"), "SELECT a + count(*) FROM w", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteByB, "WITH s AS (SELECT a FROM r), r AS (SELECT a FROM g) SELECT (SELECT a FROM s)", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteByB, "WITH RECURSIVE s AS (SELECT a FROM r), r AS (SELECT a FROM g) SELECT x.a FROM (SELECT count(*), a FROM s) x", "UPDATE g SET b = 3 - b"},
	{"sqlite", liteByB, "WITH RECURSIVE s AS (SELECT a FROM r), r AS (SELECT a FROM g) SELECT count(*) FROM p WHERE p.a = (SELECT count(*) + a - 2 FROM s) AND p.id = 1", "UPDATE g SET b = 3 - b"},
	{"mysql", myByB, "WITH RECURSIVE s AS (SELECT a FROM r), r AS (SELECT a FROM g) SELECT x.a FROM (SELECT count(*), a FROM s) x", "UPDATE g SET b = 3 - b"},
	{"mysql", myByB, "SELECT GROUP_CONCAT(a) FROM g", "UPDATE g SET b = 3 - b"},
	{"mysql", myByB, "SELECT a FROM g GROUP BY a > 0", "UPDATE g SET b = 3 - b"},
	{"mysql", myTextByB, "SELECT DISTINCT c FROM g", "UPDATE g SET b = 3 - b"},
	{"mysql", myTextByB, "SELECT max(c) FROM g", "UPDATE g SET b = 3 - b"},
	{"mysql", myTextByB, "SELECT c FROM g UNION SELECT c FROM g", "UPDATE g SET b = 3 - b"},
	{"postgres", scaled, "SELECT max(n) FROM g", "UPDATE g SET b = b + 1 WHERE id IN (SELECT id FROM g LIMIT 1)"},
	{"postgres", scaled, "SELECT DISTINCT n FROM g", "UPDATE g SET b = b + 1 WHERE id IN (SELECT id FROM g LIMIT 1)"},
}

// TestColumnChoices: where the database may choose, what it has chosen is not left alone by an UPDATE after which it may choose otherwise.
func TestColumnChoices(t *testing.T) { springAll(t, choiceTraps) }

// TestSingleByNumber: a number compared with a unique text finds more than one row.
func TestSingleByNumber(t *testing.T) {
	h := newHouse(t, kinds[4], nil)
	h.exec(h.bare, "CREATE TABLE g (id INTEGER PRIMARY KEY, k VARCHAR(9) COLLATE utf8mb4_bin UNIQUE, a INTEGER, b INTEGER, fat TEXT, KEY (b, k, a))")
	h.exec(h.bare, "INSERT INTO g VALUES (1, 'x', 1, 1, ''), (2, 'y', 2, 2, '')")
	for _, arg := range []any{0, 0.0, false, "0", []byte("x")} {
		read := "SELECT a FROM g IGNORE INDEX (k) WHERE k = ? LIMIT 1"
		for range 4 {
			for range 3 {
				h.query(h.db, read, arg)
			}
			h.exec(h.db, "UPDATE g SET b = 3 - b")
			if got, want := h.query(h.db, read, arg), h.query(h.bare, read, arg); got != want {
				t.Errorf("%T %v: cached %s bare %s", arg, arg, got, want)
			}
		}
	}
}

// TestSingleByNull: a unique key that may be NULL has many of these.
func TestSingleByNull(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, nil)
			h.exec(h.bare, "CREATE TABLE g (id INTEGER PRIMARY KEY, k INTEGER UNIQUE, a INTEGER, b INTEGER, fat TEXT)")
			h.exec(h.bare, "CREATE INDEX i ON g (b, k, a)")
			h.exec(h.bare, "INSERT INTO g VALUES (1, NULL, 1, 1, ''), (2, NULL, 2, 2, '')")
			read := map[string]string{"sqlite": "SELECT a FROM g WHERE k IS ? LIMIT 1", "mysql": "SELECT a FROM g IGNORE INDEX (k) WHERE k <=> ? LIMIT 1", "postgres": "SELECT a FROM g WHERE k IS NOT DISTINCT FROM ? LIMIT 1"}[k.dialect]
			write := "UPDATE g SET b = 3 - b"
			if k.dialect == "postgres" {
				write = "UPDATE g SET b = b + 1 WHERE id IN (SELECT id FROM g LIMIT 1)"
			}
			if k.dialect == "sqlite" {
				read = "SELECT a FROM g INDEXED BY i WHERE k IS ? LIMIT 1"
			}
			for range 4 {
				for range 3 {
					h.query(h.db, read, nil)
				}
				h.exec(h.db, write)
				if got, want := h.query(h.db, read, nil), h.query(h.bare, read, nil); got != want {
					t.Errorf("cached %s bare %s", got, want)
				}
			}
			if x, err := Explain(t.Context(), h.db, h.marks(read), nil); err == nil {
				t.Log("ROWS", x.Rows)
			}
		})
	}
}
