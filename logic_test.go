package larder

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// A record is one statement or query of a script.
type record struct {
	line  int
	query bool
	text  string
}

// TestLogic runs SQLite's own test scripts on two equal databases, past the cache and
// through it. Each query is asked three times of the cached handle, and the last
// ones again after each of many further writes; answers and errors must be equal. What
// the scripts expect isn't looked at: the bare handle is right.
func TestLogic(t *testing.T) {
	var sum logicSum
	for i, s := range logicScripts(t) {
		if testing.Short() && i%8 != 0 {
			continue
		}
		t.Run(s.name, func(t *testing.T) { newLogic(t, s, &sum).run() })
	}
	t.Logf("%+v", sum)
	if sum.Statements == 0 || sum.Hits < sum.Queries/2 || sum.Rows == 0 {
		t.Errorf("the scripts asked too little: %+v", sum)
	}
}

// A logicSum says how much was asked.
type logicSum struct {
	Scripts, Statements, Writes, Queries, Rows, Errors, Again int
	Hits, Misses, Bypasses                                    int
}

type script struct {
	name    string
	records []record
}

// logicScripts reads the archive.
func logicScripts(t *testing.T) (list []script) {
	f, err := os.Open("testdata/sqllogictest/scripts.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(unzipped)
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(head.Name, ".test") {
			continue
		}
		records, err := parseScript(archive)
		if err != nil || len(records) == 0 {
			t.Fatalf("%s: %d records, %v", head.Name, len(records), err)
		}
		list = append(list, script{strings.TrimPrefix(head.Name, "./"), records})
	}
}

// parseScript reads the records that are for SQLite.
func parseScript(r io.Reader) (list []record, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	skip := false
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		switch fields[0] {
		case "skipif":
			skip = skip || fields[1] == "sqlite"
		case "onlyif":
			skip = skip || fields[1] != "sqlite"
		case "halt":
			if !skip {
				return list, lines.Err()
			}
			skip = false
		case "statement", "query":
			rec := record{line: n, query: fields[0] == "query"}
			n += rec.read(lines)
			if !skip {
				list = append(list, rec)
			}
			skip = false
		case "hash-threshold":
		default:
			return nil, fmt.Errorf("line %d: unknown record %q", n, fields[0])
		}
	}
	return list, lines.Err()
}

// read takes a record's text, passes over the results that it expects, and returns the
// number of lines read.
func (r *record) read(lines *bufio.Scanner) (n int) {
	var text []string
	results := false
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			break
		}
		results = results || line == "----"
		if !results {
			text = append(text, line)
		}
	}
	r.text = strings.Join(text, "\n")
	return n
}

// A logic is one run of a script.
type logic struct {
	*testing.T
	script
	sum          *logicSum
	bare, cached *sql.DB
	asked        []record // the last queries
}

// How often a write is put between the queries, and how many of these are asked again then.
const (
	writeEvery = 50
	askAgain   = 12
)

func newLogic(t *testing.T, s script, sum *logicSum) *logic {
	k := kinds[0]
	cache, err := New(&Options{MaxBytes: 16 << 20, MaxEntryBytes: 1 << 20, Observe: sum.observe})
	if err != nil {
		t.Fatal(err)
	}
	l := &logic{T: t, script: s, sum: sum}
	if l.bare, err = sql.Open(k.driver, k.open(t)); err != nil {
		t.Fatal(err)
	}
	if l.cached, err = cache.Open(k.driver, k.open(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.bare.Close(); l.cached.Close(); cache.Close() })
	return l
}

func (s *logicSum) observe(_ context.Context, e Event) {
	switch {
	case e.Write:
		s.Writes++
	case e.Outcome == OutcomeHit:
		s.Hits++
	case e.Outcome == OutcomeMiss:
		s.Misses++
	default:
		s.Bypasses++
	}
}

func (l *logic) run() {
	l.sum.Scripts++
	for i, rec := range l.records {
		if !rec.query {
			l.exec(rec.line, rec.text)
			continue
		}
		for range 3 {
			l.ask(rec)
		}
		l.asked = append(l.asked, rec)
		if i%writeEvery == 0 {
			l.disturb(rec.line)
		}
		if l.Failed() {
			return
		}
	}
}

// exec runs a statement on both.
func (l *logic) exec(line int, text string) {
	l.sum.Statements++
	var bare, cached transcript
	for db, w := range map[*sql.DB]*transcript{l.bare: &bare, l.cached: &cached} {
		result, err := db.Exec(text)
		if w.fail("exec", err) {
			continue
		}
		id, err := result.LastInsertId()
		w.say("%d %v", id, err)
		n, err := result.RowsAffected()
		w.say("%d %v", n, err)
	}
	if bare.String() != cached.String() {
		l.Errorf("line %d: %s\n%s", line, text, difference(bare.String(), cached.String()))
	}
}

// ask asks a query of both.
func (l *logic) ask(rec record) {
	var bare, cached transcript
	bare.rows(l.bare.Query(rec.text))
	cached.rows(l.cached.Query(rec.text))
	if bare.String() != cached.String() {
		l.Errorf("line %d: %s\n%s", rec.line, rec.text, difference(bare.String(), cached.String()))
	}
	l.sum.Queries++
	l.sum.Rows += strings.Count(bare.String(), "\n")/2 - 2
	if strings.Contains(bare.String(), "query: ") {
		l.sum.Errors++
	}
}

// disturb changes every table a little on both, one after the other, and asks the last
// queries again after each.
func (l *logic) disturb(line int) {
	var tables []string
	rows, err := l.bare.Query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	if err != nil {
		l.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			l.Fatal(err)
		}
		tables = append(tables, name)
	}
	l.asked = l.asked[max(0, len(l.asked)-askAgain):]
	for _, table := range tables {
		l.exec(line, fmt.Sprintf("DELETE FROM %s WHERE rowid = (SELECT max(rowid) FROM %s)", table, table))
		for _, rec := range l.asked {
			l.ask(rec)
			l.sum.Again++
		}
	}
}
