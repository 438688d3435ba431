package otel_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	_ "modernc.org/sqlite"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/metrics/otel"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var update = flag.Bool("update", false, "write testdata")

const read, write = "SELECT name FROM stuff WHERE user_id = 42", "UPDATE stuff SET name = 'secret' WHERE id = 1"

// observed is a cached database whose metrics and spans can be read.
type observed struct {
	*testing.T
	db     *sql.DB
	reader *metric.ManualReader
	spans  *tracetest.SpanRecorder
	tracer *sdktrace.TracerProvider
	stop   func() error
}

func observe(t *testing.T, noSpans bool) *observed {
	t.Helper()
	return observeCache(t, noSpans, larder.Options{MaxBytes: 1 << 20, Verify: 1})
}

func observeCache(t *testing.T, noSpans bool, options larder.Options) *observed {
	t.Helper()
	db, err := larder.Open("sqlite", filepath.Join(t.TempDir(), "otel.db"), &options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cache, _ := larder.Of(db)
	o := &observed{T: t, db: db, reader: metric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	o.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(o.spans))
	o.stop, err = otel.Observe(cache, &otel.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(o.reader)), TracerProvider: o.tracer,
		NoSpans: noSpans, Attributes: []attribute.KeyValue{attribute.String("cache", "main")}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// work runs statements under a span, and one without.
func (o *observed) work() {
	o.Helper()
	ctx, span := o.tracer.Tracer("test").Start(context.Background(), "request")
	for _, text := range []string{"CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT)", read, read, write, read, "SELECT random()", "SELECT nothing FROM nowhere"} {
		if rows, err := o.db.QueryContext(ctx, text); err == nil {
			for rows.Next() {
			}
			rows.Close()
		}
	}
	span.End()
	_, _ = o.db.Exec("DELETE FROM stuff")
}

// golden compares a text with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%v; -update writes it\n%s", err, got)
	}
}

// TestSpans: each statement under a span that is recorded has one, with a bounded name and no literals.
func TestSpans(t *testing.T) {
	o := observe(t, false)
	o.work()
	var b strings.Builder
	for _, s := range o.spans.Ended() {
		if s.Name() == "request" {
			continue
		}
		if !s.Parent().IsValid() || s.StartTime().After(s.EndTime()) {
			t.Errorf("%v", s)
		}
		fmt.Fprintln(&b, s.SpanKind(), s.Name(), s.Status().Code)
		for _, a := range s.Attributes() {
			if a.Key != "larder.database_seconds" {
				fmt.Fprintf(&b, "    %s=%s\n", a.Key, a.Value.Emit())
			}
		}
	}
	if strings.Contains(b.String(), "secret") || strings.Contains(b.String(), "= 42") {
		t.Error("a literal is told")
	}
	golden(t, "spans.txt", b.String())
}

// TestMetrics: the instruments, their attributes and counts.
func TestMetrics(t *testing.T) {
	for _, noSpans := range []bool{false, true} {
		o := observe(t, noSpans)
		o.work()
		golden(t, "metrics.txt", o.metrics())
		if n := len(o.spans.Ended()); noSpans && n != 1 {
			t.Errorf("%d spans", n)
		}
	}
}

// metrics tells all that is collected, but for what differs from run to run.
func (o *observed) metrics() string {
	o.Helper()
	var all metricdata.ResourceMetrics
	if err := o.reader.Collect(context.Background(), &all); err != nil {
		o.Fatal(err)
	}
	var lines []string
	add := func(m metricdata.Metrics, set attribute.Set, value any) {
		lines = append(lines, fmt.Sprintf("%s [%s] {%s} %v", m.Name, m.Unit, set.Encoded(attribute.DefaultEncoder()), value))
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					if m.Name == "larder.store.size" {
						p.Value = 0
					}
					add(m, p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m, p.Attributes, p.Count)
				}
			default:
				o.Errorf("%s is %T", m.Name, m.Data)
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// TestStop: after stop nothing is told.
func TestStop(t *testing.T) {
	o := observe(t, false)
	if err := o.stop(); err != nil {
		t.Fatal(err)
	}
	o.work()
	if n := len(o.spans.Ended()); n != 1 || strings.Contains(o.metrics(), "larder.reads") {
		t.Errorf("%d spans, %s", n, o.metrics())
	}
}

// TestShared: how a store that processes share was asked is told, and what its servers say.
func TestShared(t *testing.T) {
	address := "redis://" + dbtest.Redis(t).Addr() + "?timeout=10s&settle=-1s&prefix=" + rand.Text() + ":"
	o := observeCache(t, true, larder.Options{StoreURL: address})
	o.work()
	told := o.metrics()
	for _, name := range []string{"calls", "errors", "skipped", "time", "away"} {
		if !strings.Contains(told, "larder.shared."+name+" ") {
			t.Errorf("nothing tells larder.shared.%s", name)
		}
	}
	if strings.Contains(told, "larder.shared.calls [{call}] {cache=main} 0\n") || !strings.Contains(told, "larder.shared.errors [{call}] {cache=main} 0\n") {
		t.Error(told)
	}
	if !strings.Contains(told, "larder.server.size ") || strings.Contains(told, "larder.server.size [By] {cache=main} 0\n") || !strings.Contains(told, "larder.server.evictions ") {
		t.Error(told)
	}
}
