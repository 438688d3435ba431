// Package otel tells OpenTelemetry what a cache does: instruments of its counters, durations of statements, and spans.
//
//	stop, err := otel.Observe(cache, nil)
//
// It is a module of its own, so that programs without OpenTelemetry don't depend on it. Names of databases follow the
// semantic conventions for database clients; for caches there are none, so what is of the cache begins with "larder.". How many
// series there are doesn't grow with statements.
package otel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/larderdb/larder"
)

const scope = "github.com/larderdb/larder/metrics/otel"

// Options of Observe; the zero value is the default.
type Options struct {
	MeterProvider  metric.MeterProvider // nil: the global one
	TracerProvider trace.TracerProvider // nil: the global one

	// NoSpans makes no spans. Then hits that come again and again are counted by a sample, which costs less.
	NoSpans bool

	// Attributes are on all metrics and spans, to tell caches of one process apart.
	Attributes []attribute.KeyValue
}

// Observe tells OpenTelemetry what a cache does, until stop. Nil options are the default. It fails if an instrument can't be made.
//
// A span is made of each statement under a context that has a span which is recorded: after it has ended, with the time at which it began. Its text
// is that of the statement without literals.
func Observe(cache *larder.Cache, options *Options) (stop func() error, err error) {
	o := Options{}
	if options != nil {
		o = *options
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	t := &teller{common: o.Attributes, tracer: o.TracerProvider.Tracer(scope)}
	unregister, err := t.instruments(o.MeterProvider.Meter(scope), cache)
	if err != nil {
		return nil, fmt.Errorf("otel: observe the cache: %w", err)
	}
	watch := cache.Watch
	if t.spans = !o.NoSpans; !t.spans {
		watch = cache.WatchSampled
	}
	unwatch := watch(t.hear)
	return func() error { unwatch(); return unregister() }, nil
}

// A teller tells of events.
type teller struct {
	common    []attribute.KeyValue
	tracer    trace.Tracer
	spans     bool
	durations metric.Float64Histogram
}

// bounds are those of durations, in seconds: hits take microseconds.
var bounds = []float64{1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1, 5, 10}

// hear tells of an event.
func (t *teller) hear(ctx context.Context, e larder.Event) {
	if e.Kind != larder.KindStatement {
		return
	}
	attributes := append(t.common[:len(t.common):len(t.common)], systemOf(e.Dialect), attribute.String("larder.outcome", outcomeOf(&e)))
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	for range e.Weight {
		t.durations.Record(ctx, e.Total.Seconds(), set)
	}
	if t.spans && trace.SpanFromContext(ctx).IsRecording() {
		t.span(ctx, &e, attributes)
	}
}

// span makes the span of a statement that has ended.
func (t *teller) span(ctx context.Context, e *larder.Event, attributes []attribute.KeyValue) {
	operation, _, _ := strings.Cut(e.Shape, " ")
	operation = strings.ToUpper(operation)
	name, relations := operation, append(e.Reads[:len(e.Reads):len(e.Reads)], e.Writes...)
	attributes = append(attributes, semconv.DBOperationName(operation), semconv.DBQueryText(e.Shape), attribute.String("larder.fingerprint", e.Fingerprint))
	if len(relations) == 1 && relations[0] != "*" {
		name += " " + relations[0]
		attributes = append(attributes, semconv.DBCollectionName(relations[0]))
	}
	if !e.Write {
		attributes = append(attributes, semconv.DBResponseReturnedRows(e.Rows), attribute.Float64("larder.database_seconds", e.Database.Seconds()))
	}
	if e.Reason != 0 {
		attributes = append(attributes, attribute.String("larder.reason", e.Reason.String()))
	}
	if e.Cause.Why != larder.WhyUntold {
		attributes = append(attributes, attribute.String("larder.cause", e.Cause.Why.String()))
	}
	if e.Cause.Why == larder.WhyChanged {
		attributes = append(attributes, attribute.String("larder.removed_by", e.Cause.By), attribute.String("larder.removed_relation", e.Cause.Relation))
	}
	if e.Check != larder.Unchecked {
		attributes = append(attributes, attribute.String("larder.check", e.Check.String()))
	}
	end := time.Now()
	_, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(end.Add(-e.Total)), trace.WithAttributes(attributes...))
	if e.Err != nil {
		span.SetStatus(codes.Error, "the statement failed") // what the database says may tell values
		span.SetAttributes(attribute.String("error.type", fmt.Sprintf("%T", innermost(e.Err))))
	}
	span.End(trace.WithTimestamp(end))
}

// innermost is the error that others wrap.
func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

func outcomeOf(e *larder.Event) string {
	if e.Write {
		return "write"
	}
	return e.Outcome.String()
}

// systemOf names a database system as the semantic conventions do.
func systemOf(dialect string) attribute.KeyValue {
	switch dialect {
	case "postgres":
		return semconv.DBSystemNamePostgreSQL
	case "mysql":
		return semconv.DBSystemNameMySQL
	case "sqlite":
		return semconv.DBSystemNameSQLite
	}
	return semconv.DBSystemNameOtherSQL
}
