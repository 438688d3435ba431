package confine

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

// A looker makes up statements over two tables and some views, which look at few of their columns.
type looker struct {
	*rand.Rand
	dialect analyze.Dialect
	depth   int
}

var lookColumns = []string{"ka", "kb", "kc", "kd", "ke", "kf"}

func (w *looker) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w *looker) column(alias string) string {
	c := w.pick(lookColumns...)
	if w.IntN(8) == 0 {
		c = strings.ToUpper(c)
	}
	if w.IntN(12) == 0 && w.dialect == analyze.SQLite {
		c = w.pick(`"`+c+`"`, "["+c+"]", "'"+c+"'")
	}
	if w.IntN(12) == 0 && w.dialect == analyze.Postgres && c[0] != 'K' {
		return w.pick("("+alias+")."+c, alias+`."`+c+`"`)
	}
	return alias + "." + c
}

// whole writes what is of all columns.
func (w *looker) whole(alias string) string {
	if w.dialect == analyze.Postgres {
		return w.pick("md5("+alias+"::text)", "to_jsonb("+alias+")::text", alias+".to_jsonb::text", "row("+alias+".*)::text", "("+alias+").ka")
	}
	return w.column(alias)
}

func (w *looker) value(alias string) string {
	switch w.IntN(14) {
	case 0:
		return w.whole(alias)
	case 1:
		return "(SELECT count(*) FROM " + w.source("n") + " AS n WHERE n.ka = " + w.column(alias) + ")"
	case 2:
		return w.column(alias) + " + 1"
	case 3:
		return "CASE WHEN " + w.column(alias) + " > 1 THEN " + w.column(alias) + " END"
	}
	return w.column(alias)
}

func (w *looker) cond(alias string) string {
	switch w.IntN(6) {
	case 0:
		return w.column(alias) + " IN (SELECT " + w.column("m") + " FROM " + w.source("m") + " AS m)"
	case 1:
		return "EXISTS (SELECT * FROM " + w.source("e") + " AS e WHERE e.kb = " + w.column(alias) + ")"
	case 2:
		return w.column(alias) + " = 1 OR " + w.column(alias) + " > 2"
	}
	return w.column(alias) + w.pick(" = 1", " > 0", " <> 2", " IS NOT NULL")
}

// source writes what has the six columns.
func (w *looker) source(string) string {
	w.depth++
	defer func() { w.depth-- }()
	if w.depth < 3 && w.IntN(4) == 0 {
		inner := fmt.Sprintf("i%d", w.IntN(100))
		columns := make([]string, len(lookColumns))
		for i, c := range lookColumns {
			columns[i] = inner + "." + w.pick(c, c, "ka") + " AS " + c
		}
		return w.pick("(SELECT * FROM t)", "(SELECT "+inner+".* FROM t AS "+inner+")", "(SELECT "+strings.Join(columns, ", ")+" FROM t AS "+inner+")")
	}
	return w.pick("t", "t", "u", "stars", "few", "swapped")
}

func (w *looker) statement() string {
	from, more := w.source("x")+" AS x", ""
	aliases := []string{"x"}
	switch w.IntN(9) {
	case 0:
		from, aliases = from+w.pick(" JOIN ", " LEFT JOIN ")+w.source("y")+" AS y ON "+w.column("x")+" = "+w.column("y"), []string{"x", "y"}
	case 1:
		from, aliases = from+" JOIN "+w.source("y")+" AS y USING ("+w.pick(lookColumns...)+")", []string{"x", "y"}
	case 2:
		from, aliases = from+" NATURAL JOIN "+w.source("y")+" AS y", []string{"x", "y"}
	case 3:
		if w.dialect == analyze.Postgres {
			from = w.pick("t", "u") + " AS x (kb, ka)"
		}
	}
	one := func() string { return aliases[w.IntN(len(aliases))] }
	if w.IntN(2) == 0 {
		more += " WHERE " + w.cond(one())
	}
	shown := w.value(one()) + " AS p, " + w.value(one()) + " AS q"
	switch w.IntN(10) {
	case 0:
		shown = "*"
	case 1:
		shown = one() + ".*"
	case 2:
		shown = "count(*) AS n, max(" + w.column(one()) + ") AS m"
	case 3:
		key := w.column(one())
		shown, more = key+" AS p, count(*) AS n", more+" GROUP BY "+key+w.pick("", " HAVING min("+w.column(one())+") > 0")
	case 4:
		shown = "DISTINCT " + w.column(one()) + " AS p"
	case 5:
		more += " ORDER BY " + w.column(one()) + ", 1"
	}
	text := "SELECT " + shown + " FROM " + from + more
	if w.IntN(8) == 0 {
		text = "WITH c AS (" + text + ") SELECT * FROM c"
	}
	return text
}

// lookTables are the tables of made up statements, and what makes them.
func lookTables(t testing.TB, d analyze.Dialect) (tables, []string) {
	s, texts := tables{}, []string{}
	for _, name := range []string{"t", "u"} {
		var columns, kinds []string
		for _, c := range lookColumns {
			columns, kinds = append(columns, c+" INTEGER"), append(kinds, c+" int")
		}
		s[name] = tableOf(d, name, kinds...)
		s[name].Keys = nil
		texts = append(texts, "CREATE TABLE "+name+" ("+strings.Join(columns, ", ")+")")
		for row := range 4 {
			texts = append(texts, fmt.Sprintf("INSERT INTO %s VALUES (%d, %d, %d, %d, %d, %d)", name, row, row%2, 1, row%3, 3-row, row*row%3))
		}
	}
	for _, v := range [][2]string{
		{"stars", "SELECT * FROM t"},
		{"few", "SELECT ka, ka AS kb, kc AS kc, ka AS kd, ka AS ke, ka AS kf FROM u WHERE kb = 1"},
		{"swapped", "SELECT kf AS ka, kb, ke AS kc, kd, kc AS ke, ka AS kf FROM t ORDER BY kd"},
	} {
		st := analyze.Analyze(d, v[1])
		s[v[0]] = &Table{Dialect: d, View: st.Rows, Names: s}
		for _, c := range lookColumns {
			s[v[0]].Columns = append(s[v[0]].Columns, Column{Name: c})
		}
		texts = append(texts, "CREATE VIEW "+v[0]+" AS "+v[1])
	}
	return s, texts
}

// A lookContest holds that a change of columns at which no reference looks changes no result.
type lookContest struct {
	*looker
	db     *sql.DB
	schema tables
	mutant mutant

	asked, ignored int
}

func newLookContest(t testing.TB, db *sql.DB, d analyze.Dialect, m mutant) *lookContest {
	s, texts := lookTables(t, d)
	for _, text := range texts {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	return &lookContest{looker: &looker{Rand: rand.New(rand.NewPCG(*startWith, 3)), dialect: d}, db: db, schema: s, mutant: m}
}

// round makes up a statement, and returns what is wrong with the columns that it is said to look at.
func (c *lookContest) round() string {
	text := c.statement()
	st := analyze.Analyze(c.dialect, text)
	if st.Rows == nil {
		return ""
	}
	refs, ok := reads(st.Rows, c.schema, c.mutant)
	if !ok {
		return ""
	}
	tx, err := c.db.Begin()
	if err != nil {
		return err.Error()
	}
	defer tx.Rollback()
	before, err := anyResult(tx, text)
	if err != nil { // the database refuses it
		return ""
	}
	c.asked++
	for _, table := range []string{"t", "u"} {
		var set []string
		for _, column := range lookColumns {
			if !slices.ContainsFunc(refs, func(r Reference) bool { return r.Table.Relations[0] == table && r.Looks(column) }) {
				set = append(set, column+" = "+column+" + 1")
			}
		}
		if len(set) == 0 {
			continue
		}
		c.ignored += len(set)
		if _, err := tx.Exec("UPDATE " + table + " SET " + strings.Join(set, ", ")); err != nil {
			return err.Error()
		}
		if after, err := anyResult(tx, text); err != nil || after != before {
			return fmt.Sprintf("%s\nafter UPDATE %s SET %s\nbefore %s\nafter  %s %v", text, table, strings.Join(set, ", "), before, after, err)
		}
	}
	return ""
}

// anyResult returns the rows of a statement, in no order.
func anyResult(tx *sql.Tx, text string) (string, error) {
	rows, err := tx.Query(text)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var list []string
	for rows.Next() {
		values, pointers := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			return "", err
		}
		list = append(list, fmt.Sprint(values))
	}
	slices.Sort(list)
	return strings.Join(list, "\n"), rows.Err()
}

func sqliteInMemory(t testing.TB) *sql.DB {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

func TestLooksAgainstSQLite(t *testing.T) {
	newLookContest(t, sqliteInMemory(t), analyze.SQLite, noMutant).hold(t, 4000)
}

func TestLooksAgainstPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	db, err := sql.Open("pgx", dbtest.Postgres(t).Database(t).DSN("default_query_exec_mode=simple_protocol", "jit=off"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	newLookContest(t, db, analyze.Postgres, noMutant).hold(t, 2000)
}

func (c *lookContest) hold(t *testing.T, rounds int) {
	if *statements > 0 {
		rounds = *statements
	} else if testing.Short() {
		rounds /= 4
	}
	for range rounds {
		if wrong := c.round(); wrong != "" {
			t.Fatal(wrong)
		}
	}
	t.Logf("%d of %d statements asked, %d columns ignored", c.asked, rounds, c.ignored)
	if c.ignored < rounds {
		t.Errorf("only %d columns were ignored in %d statements", c.ignored, rounds)
	}
}

// TestLooksSeesMutants: the statements that are made up show when a column is looked at that isn't named.
func TestLooksSeesMutants(t *testing.T) {
	c := newLookContest(t, sqliteInMemory(t), analyze.SQLite, starsUnseen)
	for n := range 12000 {
		if wrong := c.round(); wrong != "" {
			t.Logf("seen in statement %d: %s", n, wrong)
			return
		}
	}
	t.Error("not seen")
}

// TestTouched: an UPDATE touches what it sets and what is computed from that. With the mutant it would not.
func TestTouched(t *testing.T) {
	db := sqliteInMemory(t)
	if _, err := db.Exec("CREATE TABLE g (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c INTEGER GENERATED ALWAYS AS (a + b)); INSERT INTO g (id, a, b) VALUES (1, 1, 1)"); err != nil {
		t.Fatal(err)
	}
	table := tableOf(analyze.SQLite, "g", "id int #", "a int", "b int", "c int =")
	for _, text := range []string{"UPDATE g SET a = a + 1", "UPDATE g SET b = 7, a = 8 WHERE id = 1", "UPDATE g SET (b, a) = (5, 6)"} {
		changed := changedColumns(t, db, text)
		change := ChangeOf(analyze.Analyze(analyze.SQLite, text).Change, tables{"g": table})
		if got := change.Touched(); got == nil || !containsAll(got, changed) {
			t.Errorf("%s: touches %v, has changed %v", text, got, changed)
		}
		if change.mutant = computedUntouched; containsAll(change.Touched(), changed) {
			t.Errorf("%s: the mutant isn't seen", text)
		}
	}
	for _, text := range []string{"INSERT INTO g (a) VALUES (1)", "DELETE FROM g WHERE id = 1", "UPDATE g SET nothing = 1", "UPDATE OR REPLACE g SET a = 1"} {
		change := ChangeOf(analyze.Analyze(analyze.SQLite, text).Change, tables{"g": table})
		if change != nil && change.Touched() != nil {
			t.Errorf("%s: touches %v alone", text, change.Touched())
		}
	}
	table.Altered = analyze.Update
	if got := ChangeOf(analyze.Analyze(analyze.SQLite, "UPDATE g SET a = 1").Change, tables{"g": table}).Touched(); got != nil {
		t.Errorf("what a trigger may alter: touches %v alone", got)
	}
}

func containsAll(list, of []string) bool {
	return !slices.ContainsFunc(of, func(item string) bool { return !slices.Contains(list, item) })
}

func changedColumns(t *testing.T, db *sql.DB, text string) (names []string) {
	t.Helper()
	read := func() (values [4]int) {
		if err := db.QueryRow("SELECT id, a, b, c FROM g").Scan(&values[0], &values[1], &values[2], &values[3]); err != nil {
			t.Fatal(err)
		}
		return values
	}
	before := read()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
	for i, after := range read() {
		if after != before[i] {
			names = append(names, []string{"id", "a", "b", "c"}[i])
		}
	}
	return names
}

// TestSpares: a shape spares an UPDATE of columns that its results ignore, and no other.
func TestSpares(t *testing.T) {
	for _, c := range []struct {
		shape   string
		touched []string
		want    bool
	}{
		{"id!seen", []string{"seen"}, true},
		{"id!seen,visits", []string{"seen"}, true},
		{"!seen,visits", []string{"seen", "visits"}, true},
		{"id!seen", []string{"seen", "visits"}, false},
		{"id!seen", []string{"see"}, false},
		{"id!seen", nil, false},
		{"id", []string{"seen"}, false},
	} {
		if got := Spares(c.shape, c.touched); got != c.want {
			t.Errorf("Spares(%q, %q) = %t", c.shape, c.touched, got)
		}
	}
}

// TestLooksBeforeLimit: before a LIMIT all columns are looked at, unless the rows are in the order of a unique key, or one.
func TestLooksBeforeLimit(t *testing.T) {
	for _, d := range []analyze.Dialect{analyze.Postgres, analyze.MySQL, analyze.SQLite} {
		s := house(t, d)
		for from, all := range map[string]bool{
			"stuff ORDER BY id LIMIT 3":                                      false,
			"stuff WHERE user_id = 7 ORDER BY kind, id LIMIT 3":              false,
			"stuff s WHERE user_id = 7 ORDER BY s.id LIMIT 3":                false,
			"stuff WHERE id = 7 LIMIT 1":                                     false,
			"stuff ORDER BY kind LIMIT 3":                                    true,
			"stuff LIMIT 3":                                                  true,
			"stuff ORDER BY -id LIMIT 3":                                     true,
			"stuff ORDER BY 1 LIMIT 3":                                       true,
			"stuff s JOIN users u ON u.id = s.user_id ORDER BY s.id LIMIT 3": true,
			"links ORDER BY stuff_id, tag_id LIMIT 3":                        true, // they may be NULL
			"(SELECT id, kind FROM stuff LIMIT 3) x ORDER BY id":             true,
			"(SELECT id, kind FROM stuff ORDER BY id LIMIT 3) x ORDER BY id": true, // which isn't told
			"stuff WHERE id IN (SELECT id FROM users LIMIT 1) ORDER BY id":   true,
			"stuff WHERE kind = 'a' GROUP BY id ORDER BY id LIMIT 3":         true,
			"last ORDER BY id":                                               false, // in the order of a key by itself
			"last ORDER BY id LIMIT 3":                                       true,
		} {
			refs, ok := Reads(analyze.Analyze(d, "SELECT 1 FROM "+from).Rows, s)
			if !ok {
				t.Errorf("%s: %s: not told", d, from)
				continue
			}
			if got := refs[0].Looks("done") || refs[0].Looks("name"); got != all {
				t.Errorf("%s: %s: looks at all: %t", d, from, got)
			}
		}
		refs, ok := Reads(analyze.Analyze(d, "SELECT 0 AS id FROM stuff ORDER BY id LIMIT 3").Rows, s)
		if !ok || !refs[0].Looks("done") {
			t.Errorf("%s: another id: looks at no other column", d)
		}
	}
}

// TestNarrowWrites: the UPDATEs that are run most often tell what is ignored, also one that came when there was no room.
func TestNarrowWrites(t *testing.T) {
	var n NarrowWrites
	for i := range maxNarrowWrites {
		n.Note("stuff", []string{fmt.Sprint("c", i)}).Ran()
	}
	late := n.Note("stuff", []string{"late"})
	n.Note("stuff", []string{"later"})
	never := func(string) bool { return false }
	if got := n.unseen("stuff", never); slices.Contains(got, "late") {
		t.Errorf("%q are ignored, before they were set", got)
	}
	for range 100 {
		late.Ran()
	}
	if got := n.unseen("stuff", never); !slices.Contains(got, "late") || len(got) != maxFrequent {
		t.Errorf("%q are ignored", got)
	}
	if got := n.unseen("stuff", func(c string) bool { return c == "late" }); slices.Contains(got, "late") {
		t.Errorf("%q are ignored by who looks at one", got)
	}
	for i := range 2 * maxNarrowRelations {
		n.Note(fmt.Sprint("r", i), []string{"a"})
	}
	if len(n.of) > maxNarrowRelations {
		t.Errorf("%d relations", len(n.of))
	}
	if n.Note("stuff", make([]string, maxNarrow+1)) != nil || n.Note("stuff", []string{"a,b"}) != nil || n.Note("stuff", nil) != nil {
		t.Error("columns that are too many, or can't be named")
	}
}
