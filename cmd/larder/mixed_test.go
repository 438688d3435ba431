package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/cmd/larder/predict"
	"github.com/larderdb/larder/dbtest"
)

// A mixed workload is that of bench/mixed_test.go: 95% reads of the list of a user, drawn by a zipf law, and 5% saves of
// any row by its key.
const (
	mixedUsers, mixedRows, mixedOperations = 100, 2000, 2000
	mixedWrites                            = 0.05
	mixedTolerance                         = 0.01 // promised are 3 points; a model that is right is closer
)

// A save is how a row is written.
type save struct {
	name, text string
	args       func(id, user int64, price float64) []any
}

var saves = []save{
	{"all columns", "UPDATE stuff SET user_id = ?, name = ?, price = ?, amount = ? WHERE id = ?",
		func(id, user int64, price float64) []any { return []any{user, "thing number", price, 3, id} }},
	{"one column", "UPDATE stuff SET price = ? WHERE id = ?",
		func(id, _ int64, price float64) []any { return []any{price, id} }},
}

func mixedMarks(driver, text string) string {
	for i := 1; driver == "pgx" && strings.Contains(text, "?"); i++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", i), 1)
	}
	return text
}

func fillMixed(t *testing.T, db *sql.DB, driver string) {
	t.Helper()
	exec := func(text string, args ...any) {
		if _, err := db.Exec(text, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE stuff (id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL, name VARCHAR(100), price DOUBLE PRECISION, amount BIGINT)")
	const chunk = 100
	text := mixedMarks(driver, "INSERT INTO stuff VALUES "+strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?), ", chunk), ", "))
	for from := 0; from < mixedRows; from += chunk {
		var args []any
		for id := from; id < from+chunk; id++ {
			args = append(args, id, id%mixedUsers, "thing number", 1.5, 3)
		}
		exec(text, args...)
	}
}

// runMixed does the operations, which are the same each time.
func runMixed(t *testing.T, db *sql.DB, driver string, s save) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	sums, sum := make([]float64, mixedUsers), 0.0
	for i := range sums {
		sum += 1 / float64(i+1)
		sums[i] = sum
	}
	list := mixedMarks(driver, "SELECT id, user_id, name, price, amount FROM stuff WHERE user_id = ? ORDER BY id")
	text := mixedMarks(driver, s.text)
	ctx := context.Background()
	for range mixedOperations {
		if r.Float64() < mixedWrites {
			id := int64(r.IntN(mixedRows))
			if _, err := db.ExecContext(ctx, text, s.args(id, id%mixedUsers, r.Float64())...); err != nil {
				t.Fatal(err)
			}
			continue
		}
		rows, err := db.QueryContext(ctx, list, sort.SearchFloat64s(sums, r.Float64()*sum))
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
}

// A logged server is one that logs all statements.
type logged struct {
	name, driver, dsn string
	logs              []string // their files
}

func loggedServers(t *testing.T) []logged {
	t.Helper()
	pg := dbtest.NewPostgres(t, "-c", "log_statement=all", "-c", "log_duration=on", "-c", "log_destination=stderr,csvlog,jsonlog",
		"-c", "logging_collector=on", "-c", "log_directory=.", "-c", "log_filename=statements", "-c", "log_file_mode=0644", "-c", "log_line_prefix=%m [%p] %q%u@%d ")
	maria := dbtest.NewMariaDB(t, "--general-log=1", "--general-log-file=general", "--slow-query-log=1", "--long-query-time=0", "--slow-query-log-file=slow")
	data := func(s *dbtest.Server, names ...string) (paths []string) {
		for _, name := range names {
			paths = append(paths, filepath.Join(s.Dir(), "data", name))
		}
		return paths
	}
	return []logged{
		{"postgres", "pgx", pg.Database(t).DSN(), data(pg, "statements", "statements.csv", "statements.json")},
		{"mariadb", "mysql", maria.Database(t).DSN(), data(maria, "general", "slow")},
	}
}

// written waits until the logs have all that was done: PostgreSQL's are written by a process of their own.
func written(t *testing.T, db *sql.DB, paths []string, mark string) {
	t.Helper()
	if _, err := db.Exec("SELECT '" + mark + "'"); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), mark) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s has no %s", path, mark)
			}
		}
	}
}

// recorded returns files with what the logs have got since they were so long.
func recorded(t *testing.T, paths []string, since []int64) (files []string) {
	t.Helper()
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), filepath.Base(path))
		if err := os.WriteFile(file, text[since[i]:], 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func lengths(t *testing.T, paths []string) (sizes []int64) {
	t.Helper()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	return sizes
}

// measured is the hit ratio of the workload through Larder, from a cold start.
func measured(t *testing.T, l logged, s save) float64 {
	t.Helper()
	cache, err := larder.New(&larder.Options{MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	db, err := cache.Open(l.driver, l.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	runMixed(t, db, l.driver, s)
	return cache.Stats().HitRatio()
}

func predicted(t *testing.T, args ...string) predict.Report {
	t.Helper()
	status, stdout, stderr := larderCommand(t, "", append([]string{"analyze", "--json"}, args...)...)
	if status != exitOK || stderr != "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	var r predict.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	return r
}

// What analyze predicts from a log of the bare handle is what Larder then does.
func TestAnalyzePredictsTheMixedWorkload(t *testing.T) {
	for _, l := range loggedServers(t) {
		db, err := sql.Open(l.driver, l.dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		fillMixed(t, db, l.driver)
		for _, s := range saves {
			t.Run(l.name+"/"+s.name, func(t *testing.T) {
				written(t, db, l.logs, "before "+s.name)
				since := lengths(t, l.logs)
				runMixed(t, db, l.driver, s)
				written(t, db, l.logs, "after "+s.name)
				files := recorded(t, l.logs, since)
				want := measured(t, l, s)
				for _, file := range files {
					for _, live := range [][]string{nil, {"--driver", l.driver, "--dsn", l.dsn}} {
						r := predicted(t, append([]string{file}, live...)...)
						t.Logf("%s, with a database: %v: predicted %.4f, measured %.4f", filepath.Base(file), live != nil, r.HitRatio, want)
						if math.Abs(r.HitRatio-want) > mixedTolerance {
							t.Errorf("%s: predicted %.3f, measured %.3f: %v", filepath.Base(file), r.HitRatio, want, r.Assumptions)
						}
						if want < 0.5 || r.Reads < mixedOperations*9/10 || r.Writes < mixedOperations/25 {
							t.Errorf("%s: %d reads, %d writes", filepath.Base(file), r.Reads, r.Writes)
						}
					}
				}
			})
		}
	}
}
