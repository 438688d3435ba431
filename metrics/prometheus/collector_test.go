package prometheus

import (
	"context"
	"crypto/rand"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	_ "modernc.org/sqlite"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var update = flag.Bool("update", false, "write testdata/exposition.txt")

// open opens a database whose hits are checked, with its collector.
func open(t *testing.T, options *Options) (*sql.DB, *Collector) {
	t.Helper()
	db, err := larder.Open("sqlite", filepath.Join(t.TempDir(), "metrics.db"), &larder.Options{MaxBytes: 1 << 20, Verify: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cache, _ := larder.Of(db)
	c := New(cache, options)
	t.Cleanup(func() { c.Close() })
	return db, c
}

func work(t *testing.T, db *sql.DB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		rows, err := db.Query(text)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
		}
		rows.Close()
	}
}

const read, write = "SELECT name FROM stuff WHERE user_id = 42", "UPDATE stuff SET name = 'x' WHERE id = 1"

// times are values that differ from run to run.
var measured = regexp.MustCompile(`(?m)^(larder_\w+_duration_seconds_(?:bucket|sum)|larder_store_bytes)(\{[^}]*\})? .*$`)

// TestExposition: what Prometheus reads, but for how long it took, is what testdata has.
func TestExposition(t *testing.T) {
	db, c := open(t, &Options{Labels: prometheus.Labels{"cache": "main"}})
	work(t, db, "CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT)", "INSERT INTO stuff VALUES (1, 42, 'bread')",
		read, read, read, write, read, "SELECT random()")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&b, family); err != nil {
			t.Fatal(err)
		}
	}
	got := measured.ReplaceAllString(b.String(), "$1$2 …")
	if *update {
		if err := os.WriteFile("testdata/exposition.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/exposition.txt")
	if err != nil || got != string(want) {
		t.Errorf("%v; -update writes it\n%s", err, got)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// TestTimes: histograms have what they were given, with its weight.
func TestTimes(t *testing.T) {
	_, c := open(t, nil)
	for _, d := range []time.Duration{500 * time.Nanosecond, time.Microsecond, 3 * time.Millisecond, time.Minute} {
		c.hear(context.Background(), larder.Event{Outcome: larder.OutcomeHit, Total: d, Weight: 16})
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetName() != "larder_read_duration_seconds" || m.Label[0].GetValue() != "hit" {
				continue
			}
			h := m.Histogram
			if h.GetSampleCount() != 64 || h.Bucket[0].GetCumulativeCount() != 32 || h.Bucket[11].GetCumulativeCount() != 48 || h.Bucket[21].GetCumulativeCount() != 48 || h.GetSampleSum() < 960 {
				t.Errorf("%v", h)
			}
			return
		}
	}
	t.Error("there is no histogram of hits")
}

// TestBounded: series don't grow with relations or statements.
func TestBounded(t *testing.T) {
	_, c := open(t, &Options{Relations: 5})
	before := testutil.CollectAndCount(c)
	for i := range 1000 {
		name := fmt.Sprint("t", i)
		c.hear(context.Background(), larder.Event{Write: true, Writes: []string{name}, Fingerprint: name, Weight: 1})
		c.hear(context.Background(), larder.Event{Outcome: larder.OutcomeMiss, Cause: larder.Cause{Why: larder.WhyChanged, Relation: name}, Fingerprint: name, Weight: 1})
	}
	if grown := testutil.CollectAndCount(c) - before; grown != 2*6 {
		t.Errorf("%d series more", grown)
	}
}

// TestClosed: a collector that was closed costs nothing more.
func TestClosed(t *testing.T) {
	db, c := open(t, nil)
	work(t, db, "CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT)", read)
	if c.causes[larder.WhyNew].Load() != 1 {
		t.Error("the miss was not heard")
	}
	c.Close()
	work(t, db, "SELECT id FROM stuff")
	if c.causes[larder.WhyNew].Load() != 1 {
		t.Error("it hears still")
	}
}

// TestShared: how a store that processes share was asked is exported, and what its servers say; that of a cache without one isn't.
func TestShared(t *testing.T) {
	address := "redis://" + dbtest.Redis(t).Addr() + "?timeout=10s&settle=-1s&prefix=" + rand.Text() + ":"
	db, err := larder.Open("sqlite", filepath.Join(t.TempDir(), "shared.db"), &larder.Options{StoreURL: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cache, _ := larder.Of(db)
	work(t, db, "CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT)", read, read, read)
	values := exported(t, New(cache, nil))
	if values["larder_shared_calls_total"] < 5 || values["larder_shared_errors_total"] != 0 || values["larder_shared_seconds_total"] <= 0 || values["larder_server_bytes"] <= 0 {
		t.Errorf("%v", values)
	}
	if _, told := values["larder_shared_away_seconds"]; !told {
		t.Error("nothing says whether the store is left alone")
	}
	_, c := open(t, nil)
	for name := range exported(t, c) {
		if strings.HasPrefix(name, "larder_shared") || strings.HasPrefix(name, "larder_server") {
			t.Errorf("a cache without a shared store exports %s", name)
		}
	}
}

// exported are the values of the metrics without labels.
func exported(t *testing.T, c *Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			values[family.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	return values
}
