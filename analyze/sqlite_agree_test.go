package analyze

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

const liteKeywords = `abort action add after all alter always analyze and as asc
	attach autoincrement before begin between by cascade case cast check collate
	column commit conflict constraint create cross current current_date current_time
	current_timestamp database default deferrable deferred delete desc detach
	distinct do drop each else end escape except exclude exclusive exists explain
	fail filter first following for foreign from full generated glob group groups
	having if ignore immediate in index indexed initially inner insert instead
	intersect into is isnull join key last left like limit match materialized
	natural no not nothing notnull null nulls of offset on or order others outer
	over partition plan pragma preceding primary query raise range recursive
	references regexp reindex release rename replace restrict returning right
	rollback row rows savepoint select set table temp temporary then ties to
	transaction trigger unbounded union unique update using vacuum values view
	virtual when where window with within without`

// TestSQLiteKeywords holds that every keyword is a name wherever SQLite takes
// it for one, and reads the same relations there.
func TestSQLiteKeywords(t *testing.T) {
	oracle := newLiteOracle(t)
	forms := []string{
		"SELECT a AS W FROM t1", "SELECT a W FROM t1", "SELECT W.a FROM t1 AS W", "SELECT * FROM t1 W",
		`SELECT W FROM (SELECT a AS "W" FROM t1)`, `SELECT x.W FROM (SELECT a AS "W" FROM t1) x`,
		"WITH W AS (SELECT a FROM t1) SELECT * FROM W", "WITH W AS (SELECT a FROM t1) SELECT * FROM t2 JOIN W",
		"SELECT * FROM t2 W JOIN t3 W ON 1", "SELECT sum(a) W FROM t1", "SELECT sum(a) OVER W FROM t1 WINDOW W AS (ORDER BY b)",
		"SELECT 1 WHERE 2 IN (WITH W AS (SELECT a FROM t1) SELECT * FROM W)", "SELECT 1 IN W FROM (SELECT 1 AS W)",
		"WITH W AS (SELECT a FROM t1) SELECT 1 IN W", "SELECT * FROM t1 ORDER BY a W", "SELECT * FROM t1, (t2 W)",
		"UPDATE t1 AS W SET a = 1", "DELETE FROM t1 AS W WHERE W.a = 1", "INSERT INTO t1 AS W (a) VALUES (1)",
		"INSERT INTO t1 (a) SELECT a W FROM t2", "SELECT a FROM t1 GROUP BY a W", "SELECT CAST(a AS W) FROM t1",
	}
	compiled := 0
	for _, word := range strings.Fields(liteKeywords) {
		for _, form := range forms {
			if liteAgree(t, oracle, strings.ReplaceAll(form, "W", word)) {
				compiled++
			}
		}
	}
	if compiled < 900 {
		t.Errorf("the engine took only %d forms", compiled)
	}
}

// liteAgree compares the facts of text with the engine's, and reports whether
// the engine takes it. The engine skips tables that are not used; it never
// reads one that we don't know of.
func liteAgree(t *testing.T, oracle *liteOracle, text string) bool {
	did, err := oracle.compile(text)
	if err != nil {
		return false
	}
	s := Analyze(SQLite, text)
	if s.Kind == Several || s.Reason == Explain {
		return true
	}
	liteCompare(t, goldenCase{text: text, comment: "wider"}, s, did, oracle.views)
	liteAgreeOnChange(t, oracle, text, s.Change)
	return true
}

var flagSQLiteSeed = flag.Uint64("sqlite.seed", 1, "seed of the tests that make up SQLite's statements; 0: another one each time")

func sqliteSeed() uint64 {
	if *flagSQLiteSeed == 0 {
		return rand.Uint64()
	}
	return *flagSQLiteSeed
}

// TestSQLiteMutations changes tokens of golden statements at random and
// compares what the engine still takes. It finds what nobody thought of.
func TestSQLiteMutations(t *testing.T) {
	steps := 10_000
	if testing.Short() {
		steps = 3_000
	}
	oracle := newLiteOracle(t)
	seed := sqliteSeed()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	corpus, words := liteCorpus(t)
	compiled := 0
	for range steps {
		pieces := append([]string(nil), corpus[random.IntN(len(corpus))]...)
		for range 1 + random.IntN(2) {
			pieces = liteMutate(random, pieces, words)
		}
		text := strings.Join(pieces, " ")
		if strings.Contains(strings.ToLower(text), "pragma ") {
			continue // to compile a PRAGMA is to run it
		}
		if liteAgree(t, oracle, text) {
			compiled++
		}
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, text)
		}
	}
	t.Logf("%d of %d compiled", compiled, steps)
	if compiled < steps/40 {
		t.Errorf("the engine took only %d of %d", compiled, steps)
	}
}

// liteMutate removes, adds, replaces or swaps one piece.
func liteMutate(random *rand.Rand, pieces, words []string) []string {
	if len(pieces) == 0 {
		return pieces
	}
	i, word := random.IntN(len(pieces)), words[random.IntN(len(words))]
	switch random.IntN(4) {
	case 0:
		return append(pieces[:i], pieces[i+1:]...)
	case 1:
		return append(pieces[:i], append([]string{word}, pieces[i:]...)...)
	case 2:
		pieces[i] = word
	case 3:
		j := random.IntN(len(pieces))
		pieces[i], pieces[j] = pieces[j], pieces[i]
	}
	return pieces
}

// liteCorpus is the golden statements in pieces of a token each, and the words
// to put among them: tokens, keywords and whole subqueries.
func liteCorpus(t testing.TB) (corpus [][]string, words []string) {
	files, err := filepath.Glob("testdata/sqlite/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, c := range readGolden(t, file) {
			pieces := []string{}
			for at := 0; at < len(c.text); {
				token, size := liteScan(c.text[at:])
				if token.kind != liteEnd {
					pieces = append(pieces, c.text[at:at+size])
				}
				at += size
			}
			corpus = append(corpus, pieces)
			words = append(words, pieces...)
			if len(pieces) > 0 && len(pieces) < 20 && strings.EqualFold(pieces[0], "select") {
				words = append(words, "( "+strings.Join(pieces, " ")+" )")
			}
		}
	}
	return corpus, append(words, strings.Fields(liteKeywords)...)
}
