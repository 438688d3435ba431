package confine

import (
	"database/sql"
	"database/sql/driver"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

// A writer makes up statements over three small tables, of whose columns many have few values.
type writer struct {
	*rand.Rand
	dialect analyze.Dialect
	mixed   bool // columns of several types and collations
	depth   int
	names   int
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
	switch w.IntN(13) {
	case 11:
		return "(" + x + ", " + w.column(aliases) + ")" + w.pick(" = (1, ", " = (2, ", " <> (0, ") + w.column(aliases) + ")"
	case 12:
		return "(" + x + ", " + w.column(aliases) + ")" + w.pick(" IN ", " IN ", " NOT IN ") + w.pick("((1, 2), (0, 0))", "((1, NULL), (2, 1))", "((1, 0))")
	case 0, 1, 2, 3:
		return x + " = " + w.column(aliases)
	case 4, 5, 6:
		if w.mixed && w.IntN(2) == 0 {
			return x + " = " + w.pick("'a'", "'A'", "'1'")
		}
		return x + " = " + w.pick("0", "1", "2")
	case 7:
		return x + " IN (" + w.pick("0, 1", "1, 2", "2, NULL", "1") + ")"
	case 8:
		return x + " IS NULL"
	case 9:
		return x + w.same() + w.pick("1", "NULL", w.column(aliases))
	}
	return x + w.pick(" > 0", " <> 1", " + 1 = 2")
}

// same is = that takes NULL for equal to NULL.
func (w *writer) same() string {
	if w.dialect == analyze.Postgres {
		return " IS NOT DISTINCT FROM "
	}
	return " IS "
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
		if w.IntN(4) == 0 {
			return w.column(aliases) + " = (SELECT " + w.pick("max", "min", "count") + "(q.a) FROM (" + w.query(aliases, 1) + ") AS q)"
		}
		return w.pick("EXISTS ", "NOT EXISTS ", w.column(aliases)+" IN ", w.column(aliases)+" NOT IN ") + "(" + w.query(aliases, 1) + ")"
	}
	return "NOT " + w.atom(aliases)
}

// source writes a source of a query; beside are those before it that LATERAL shows it.
func (w *writer) source(outer, beside []string) string {
	if w.depth >= 3 || w.IntN(3) > 0 {
		return w.pick("t", "t", "u", "v")
	}
	if w.IntN(4) == 0 {
		return w.pick("mine", "counts", "last", "odd")
	}
	if w.dialect == analyze.Postgres && len(beside) > 0 && w.IntN(2) == 0 {
		return "LATERAL (" + w.query(slices.Concat(outer, beside), 3) + ")"
	}
	return "(" + w.query(outer, 3) + ")"
}

// query writes a SELECT of some columns; those of outer may be named in it.
func (w *writer) query(outer []string, columns int) string {
	w.depth++
	defer func() { w.depth-- }()
	var own []string
	from := ""
	for i := range 1 + w.IntN(3) {
		alias := w.name()
		source := w.source(outer, own) + " AS " + alias
		own = append(own, alias)
		switch {
		case i == 0:
			from = source
		case w.IntN(4) == 0:
			from += ", " + source
		case w.IntN(6) == 0:
			from += w.pick(" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ") + source + " USING (" + w.pick("a", "b", "c", "a, b") + ")"
		case w.IntN(8) == 0:
			inner := w.name()
			from += w.pick(" JOIN (", " LEFT JOIN (", " RIGHT JOIN (", " FULL JOIN (") + source + w.pick(" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ") +
				w.pick("t", "u", "v") + " AS " + inner + " ON " + w.cond([]string{alias, inner}, 1) + ")"
			own = append(own, inner)
			from += " ON " + w.cond(own, 1)
		default:
			from += w.pick(" JOIN ", " JOIN ", " LEFT JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ") + source + " ON " + w.cond(own, 1)
		}
	}
	text := " FROM " + from
	switch n := w.IntN(10); {
	case n == 0 && len(own) > 1: // those that have none
		text += " WHERE " + own[w.IntN(len(own))] + "." + w.pick("a", "b", "c") + w.pick(" IS NULL", w.same()+"NULL")
	case n > 1:
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
	switch w.IntN(10) {
	case 4:
		return head + strings.Join(append([]string{"count(*) AS a"}, []string{"max(" + own[0] + ".b) AS b", "min(" + own[0] + ".c) AS c"}[:columns-1]...), ", ") + text
	case 5:
		shown[len(shown)-1] = "count(*) OVER (PARTITION BY " + own[0] + ".a) AS " + names[columns-1]
		return head + strings.Join(shown, ", ") + text
	case 0:
		head = "SELECT DISTINCT "
	case 1:
		key := own[0] + ".a"
		return head + strings.Join(append([]string{key + " AS a"}, []string{"count(*) AS b", "max(" + own[0] + ".b) AS c"}[:columns-1]...), ", ") + text + " GROUP BY " + key + w.pick("", "", " HAVING count(*) > 1", " HAVING max("+own[0]+".b) = 1")
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
func plainTables(t testing.TB, d analyze.Dialect, mixed bool) (tables, []string) {
	s, texts := tables{}, []string{}
	for _, name := range []string{"t", "u", "v"} {
		s[name] = tableOf(d, name, "a int", "b int", "c int")
		text := " (a INTEGER, b INTEGER, c INTEGER)"
		if mixed {
			s[name] = tableOf(d, name, "a int", "b text", "c nocase")
			text = " (a INTEGER, b TEXT, c TEXT COLLATE NOCASE)"
		}
		s[name].Keys = nil
		texts = append(texts, "CREATE TABLE "+name+text)
	}
	for _, v := range [][2]string{
		{"mine", "SELECT a AS c, b AS a, c AS b FROM t WHERE a = 1"},
		{"counts", "SELECT a, count(*) AS b, b AS c FROM u GROUP BY a, b"},
		{"last", "SELECT a, b, c FROM t ORDER BY a DESC, b, c LIMIT 2"},
		{"odd", "SELECT t.a, u.b, u.c FROM t LEFT JOIN u ON u.a = t.a UNION ALL SELECT c, b, a FROM v"},
	} {
		st := analyze.Analyze(d, v[1])
		if st.Rows == nil {
			t.Fatal(v)
		}
		s[v[0]] = &Table{Dialect: d, View: st.Rows, Names: s,
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

var (
	statements = flag.Int("statements", 0, "how many statements are made up; 0: few")
	startWith  = flag.Uint64("seed", 1, "of statements; 0: another one each time")
)

func TestReadsAgainstSQLite(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	testAgainst(t, db, analyze.SQLite, 12000, false)
}

// Columns that compare in different ways, in unions and under DISTINCT too.
func TestMixedReadsAgainstSQLite(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	testAgainst(t, db, analyze.SQLite, 12000, true)
}

func TestReadsAgainstPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	db, err := sql.Open("pgx", dbtest.Postgres(t).Database(t).DSN("default_query_exec_mode=simple_protocol", "jit=off"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	testAgainst(t, db, analyze.Postgres, 3000, false)
}

// testAgainst holds that a row that Reads says doesn't decide changes no result, whatever the statement: a database is
// asked with and without it.
func testAgainst(t *testing.T, db *sql.DB, d analyze.Dialect, rounds int, mixed bool) {
	if *statements > 0 {
		rounds = *statements
	} else if testing.Short() {
		rounds /= 4
	}
	c := newContest(t, db, d, mixed, noMutant)
	for range rounds {
		if wrong := c.round(); wrong != "" {
			t.Fatal(wrong)
		}
	}
	t.Logf("%d of %d statements confined, %d asked, %d rows spared", c.confined, rounds, c.asked, c.spared)
	if c.spared < rounds/20 {
		t.Errorf("only %d rows were spared in %d statements", c.spared, rounds)
	}
}

// A contest is one of Reads with a database.
type contest struct {
	*writer
	db     *sql.DB
	schema tables
	mutant mutant
	seed   uint64

	confined, asked, spared int
}

func newContest(t testing.TB, db *sql.DB, d analyze.Dialect, mixed bool, m mutant) *contest {
	s, texts := plainTables(t, d, mixed)
	for _, text := range texts {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := *startWith
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 1)), dialect: d, mixed: mixed}
	return &contest{writer: w, db: db, schema: s, mutant: m, seed: seed}
}

// round makes up a statement, and returns what is wrong with what Reads says of it, "" if nothing is.
func (c *contest) round() string {
	text := c.statement()
	st := analyze.Analyze(c.dialect, text)
	if st.Rows == nil {
		return ""
	}
	refs, ok := reads(st.Rows, c.schema, c.mutant)
	if !ok || !slices.ContainsFunc(refs, func(r Reference) bool { return len(r.Alternatives) > 0 }) {
		return ""
	}
	c.confined++
	n, err := c.spare(c.db, text, refs)
	if err != nil {
		return fmt.Sprintf("seed %d: %s\n%s\n%v\n%s", c.seed, text, told(refs), err, st.Rows)
	}
	c.asked += min(n, 1)
	c.spared += n
	return ""
}

// TestReadsSeesMutants: the statements that are made up tell each rule from its absence.
func TestReadsSeesMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.String(), func(t *testing.T) {
			db, err := sql.Open("sqlite", ":memory:")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			c := newContest(t, db, analyze.SQLite, false, m)
			for n := range 20000 {
				if wrong := c.round(); wrong != "" {
					t.Logf("seen in statement %d: %s", n, wrong)
					return
				}
			}
			t.Error("not seen")
		})
	}
}

// spare asks a statement with and without rows that don't decide and returns how many these were. A
// statement that the database refuses has none.
func (w *writer) spare(db *sql.DB, text string, refs []Reference) (spared int, err error) {
	tx, err := db.Begin()
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	if err := w.fill(tx); err != nil {
		return 0, err
	}
	before, err := result(tx, text)
	if err != nil {
		return 0, nil
	}
	for range 6 {
		table, row := w.pick("t", "u", "v"), w.row()
		if needed(refs, table, row) {
			continue
		}
		spared++
		if _, err := tx.Exec("INSERT INTO " + table + " VALUES " + row.String()); err != nil {
			return 0, err
		}
		if after, err := result(tx, text); err != nil || after != before {
			return 0, fmt.Errorf("row %v of %s: before %s after %s %v", row, table, before, after, err)
		}
	}
	return spared, nil
}

// String is the row as SQL writes it.
func (r rowOf) String() string {
	var list []string
	for _, v := range r {
		switch v := v.(type) {
		case nil:
			list = append(list, "NULL")
		case string:
			list = append(list, "'"+v+"'")
		default:
			list = append(list, fmt.Sprint(v))
		}
	}
	return "(" + strings.Join(list, ", ") + ")"
}

func (w *writer) row() (row rowOf) {
	for i := range row {
		switch n := w.IntN(5); {
		case n < 4 && w.mixed && w.IntN(2) == 0:
			row[i] = w.pick("a", "A", "1", "0")
		case n < 4:
			row[i] = int64(n)
		}
	}
	return row
}

func (w *writer) fill(tx *sql.Tx) error {
	for _, table := range []string{"t", "u", "v"} {
		var rows []string
		for range w.IntN(5) {
			rows = append(rows, w.row().String())
		}
		if len(rows) == 0 {
			continue
		}
		if _, err := tx.Exec("INSERT INTO " + table + " VALUES " + strings.Join(rows, ", ")); err != nil {
			return err
		}
	}
	return nil
}

// result returns the rows of a statement as a set.
func result(tx *sql.Tx, text string) (string, error) {
	rows, err := tx.Query(text)
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
