package confine

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/larderdb/larder/analyze"
)

// A writer makes up statements over three small tables, of whose columns many have few values.
type writer struct {
	*rand.Rand
	depth int
	names int
}

func (w *writer) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w *writer) name() string {
	w.names++
	return fmt.Sprintf("s%d", w.names)
}

// scope is the aliases that a condition may name.
func (w *writer) column(aliases []string) string {
	c := w.pick("a", "b", "c")
	if w.IntN(12) == 0 {
		return c
	}
	return aliases[w.IntN(len(aliases))] + "." + c
}

func (w *writer) atom(aliases []string) string {
	x := w.column(aliases)
	switch w.IntN(11) {
	case 0, 1, 2, 3:
		return x + " = " + w.column(aliases)
	case 4, 5, 6:
		return x + " = " + w.pick("0", "1", "2")
	case 7:
		return x + " IN (" + w.pick("0, 1", "1, 2", "2, NULL", "1") + ")"
	case 8:
		return x + " IS NULL"
	case 9:
		return x + " IS " + w.pick("1", w.column(aliases), "NOT NULL")
	}
	return x + w.pick(" > 0", " <> 1", " + 1 = 2")
}

func (w *writer) cond(aliases []string, depth int) string {
	switch n := w.IntN(10); {
	case depth > 2 || n < 4:
		return w.atom(aliases)
	case n < 7:
		return w.cond(aliases, depth+1) + " AND " + w.cond(aliases, depth+1)
	case n < 9:
		return "(" + w.cond(aliases, depth+1) + " OR " + w.cond(aliases, depth+1) + ")"
	case w.depth < 3:
		return w.pick("EXISTS ", "NOT EXISTS ", w.column(aliases)+" IN ", w.column(aliases)+" NOT IN ") + "(" + w.query(aliases, 1) + ")"
	}
	return "NOT " + w.atom(aliases)
}

func (w *writer) source(outer []string) string {
	if w.depth >= 3 || w.IntN(3) > 0 {
		return w.pick("t", "t", "u", "v")
	}
	if w.IntN(4) == 0 {
		return w.pick("mine", "counts", "last", "odd")
	}
	return "(" + w.query(nil, 3) + ")"
}

// query writes a SELECT of some columns; those of outer may be named in it.
func (w *writer) query(outer []string, columns int) string {
	w.depth++
	defer func() { w.depth-- }()
	var own []string
	from := ""
	for i := range 1 + w.IntN(3) {
		alias := w.name()
		own = append(own, alias)
		source := w.source(outer) + " AS " + alias
		switch {
		case i == 0:
			from = source
		case w.IntN(4) == 0:
			from += ", " + source
		case w.IntN(6) == 0:
			from += w.pick(" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ") + source + " USING (" + w.pick("a", "b", "c") + ")"
		default:
			from += w.pick(" JOIN ", " JOIN ", " LEFT JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ") + source + " ON " + w.cond(own, 1)
		}
	}
	text := " FROM " + from
	if w.IntN(5) > 0 {
		text += " WHERE " + w.cond(append(outer[:len(outer):len(outer)], own...), 0)
	}
	names := []string{"a", "b", "c"}[:columns]
	shown := make([]string, columns)
	for i, name := range names {
		shown[i] = w.column(own[:1]) + " AS " + name
		if len(own) > 1 {
			shown[i] = own[w.IntN(len(own))] + "." + w.pick("a", "b", "c") + " AS " + name
		}
	}
	head := "SELECT "
	switch w.IntN(8) {
	case 0:
		head = "SELECT DISTINCT "
	case 1:
		key := own[0] + ".a"
		return head + strings.Join(append([]string{key + " AS a"}, []string{"count(*) AS b", "max(" + own[0] + ".b) AS c"}[:columns-1]...), ", ") + text + " GROUP BY " + key
	case 2:
		return head + strings.Join(shown, ", ") + text + " ORDER BY 1" + strings.Repeat(", 2, 3", columns/3) + " LIMIT " + w.pick("1", "2")
	case 3:
		if w.depth < 3 {
			return head + strings.Join(shown, ", ") + text + w.pick(" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ") + w.query(outer, columns)
		}
	}
	return head + strings.Join(shown, ", ") + text
}

// statement is a query, with CTEs at times.
func (w *writer) statement() string {
	if w.IntN(4) > 0 {
		return w.query(nil, 3)
	}
	with := w.pick("WITH t AS (", "WITH u AS (", "WITH mine AS (") + w.query(nil, 3) + ") "
	if w.IntN(2) == 0 {
		with = "WITH RECURSIVE v(a, b, c) AS (SELECT a, b, c FROM t WHERE " + w.cond([]string{"t"}, 2) +
			" UNION SELECT t.a, t.b, t.c FROM t JOIN v ON t.b = v.a AND " + w.cond([]string{"t", "v"}, 2) + ") "
	}
	return with + w.query(nil, 3)
}

// plainTables are the tables and views of made up statements.
func plainTables(t testing.TB) (tables, []string) {
	s, texts := tables{}, []string{}
	for _, name := range []string{"t", "u", "v"} {
		s[name] = tableOf(analyze.SQLite, name, "a int", "b int", "c int")
		s[name].Keys = nil
		texts = append(texts, "CREATE TABLE "+name+" (a INTEGER, b INTEGER, c INTEGER)")
	}
	for _, v := range [][2]string{
		{"mine", "SELECT a AS c, b AS a, c AS b FROM t WHERE a = 1"},
		{"counts", "SELECT a, count(*) AS b, b AS c FROM u GROUP BY a, b"},
		{"last", "SELECT a, b, c FROM t ORDER BY a DESC, b, c LIMIT 2"},
		{"odd", "SELECT t.a, u.b, u.c FROM t LEFT JOIN u ON u.a = t.a UNION ALL SELECT c, b, a FROM v"},
	} {
		st := analyze.Analyze(analyze.SQLite, v[1])
		if st.Rows == nil {
			t.Fatal(v)
		}
		s[v[0]] = &Table{Dialect: analyze.SQLite, View: st.Rows, Names: s,
			Columns: []Column{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
		if v[0] == "mine" {
			s[v[0]].Columns = nil
		}
		texts = append(texts, "CREATE VIEW "+v[0]+" AS "+v[1])
	}
	return s, texts
}

type rowOf [3]driver.Value

// needed reports whether a row decides for one of the references to its table.
func needed(refs []Reference, table string, row rowOf) bool {
	for _, r := range refs {
		if r.Table.Relations[0] != table {
			continue
		}
		if len(r.Alternatives) == 0 || slices.ContainsFunc(r.Alternatives, func(p Pins) bool { return satisfies(r.Table, p, row) }) {
			return true
		}
	}
	return false
}

func satisfies(t *Table, pins Pins, row rowOf) bool {
	for _, p := range pins {
		forms, ok := p.forms(t.Dialect, nil)
		at := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == p.Column.Name })
		form, _ := p.Column.Class.Stored(t.Dialect, row[at])
		if ok && !slices.Contains(forms, form) {
			return false
		}
	}
	return true
}

// A row that Reads says doesn't decide changes no result, whatever the statement: SQLite is asked with and without it.
func TestReadsAgainstSQLite(t *testing.T) {
	s, texts := plainTables(t)
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, text := range texts {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := rand.Uint64()
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 1))}
	t.Logf("seed %d", seed)
	rounds := 12000
	if testing.Short() {
		rounds = 3000
	}
	asked, confined, spared := 0, 0, 0
	for range rounds {
		text := w.statement()
		st := analyze.Analyze(analyze.SQLite, text)
		if st.Rows == nil {
			continue
		}
		refs, ok := Reads(st.Rows, s)
		if !ok || !slices.ContainsFunc(refs, func(r Reference) bool { return len(r.Alternatives) > 0 }) {
			continue
		}
		confined++
		w.fill(t, db)
		before, err := result(db, text)
		if err != nil {
			continue
		}
		asked++
		for range 6 {
			table, row := w.pick("t", "u", "v"), w.row()
			if needed(refs, table, row) {
				continue
			}
			spared++
			if _, err := db.Exec("INSERT INTO "+table+" VALUES (?, ?, ?)", row[0], row[1], row[2]); err != nil {
				t.Fatal(err)
			}
			after, err := result(db, text)
			if err != nil || after != before {
				t.Fatalf("seed %d: %s\n%s\nrow %v of %s: before %s after %s %v\n%s", seed, text, told(refs), row, table, before, after, err, st.Rows)
			}
		}
	}
	t.Logf("%d of %d statements confined, %d asked, %d rows spared", confined, rounds, asked, spared)
	if spared < rounds/20 {
		t.Errorf("only %d rows were spared in %d statements", spared, rounds)
	}
}

func (w *writer) row() (row rowOf) {
	for i := range row {
		if n := w.IntN(5); n < 4 {
			row[i] = int64(n)
		}
	}
	return row
}

func (w *writer) fill(t *testing.T, db *sql.DB) {
	for _, table := range []string{"t", "u", "v"} {
		if _, err := db.Exec("DELETE FROM " + table); err != nil {
			t.Fatal(err)
		}
		for range w.IntN(5) {
			row := w.row()
			if _, err := db.Exec("INSERT INTO "+table+" VALUES (?, ?, ?)", row[0], row[1], row[2]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// result returns the rows of a statement as a set.
func result(db *sql.DB, text string) (string, error) {
	rows, err := db.Query(text)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var a, b, c any
		if err := rows.Scan(&a, &b, &c); err != nil {
			return "", err
		}
		list = append(list, fmt.Sprint(a, b, c))
	}
	slices.Sort(list)
	return strings.Join(list, "; "), rows.Err()
}
