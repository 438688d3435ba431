package otel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/larderdb/larder"
)

// instruments makes all instruments; what they show is read from the cache's counters when it is asked for.
func (t *teller) instruments(meter metric.Meter, cache *larder.Cache) (unregister func() error, err error) {
	var failed []error
	counter := func(name, unit, help string) metric.Int64ObservableCounter {
		made, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
		failed = append(failed, err)
		return made
	}
	gauge := func(name, unit, help string) metric.Int64ObservableUpDownCounter {
		made, err := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
		failed = append(failed, err)
		return made
	}
	reads := counter("larder.reads", "{read}", "Reads by outcome: hit, miss, held (a write was in flight), bypass (the cache was not asked).")
	reasons := counter("larder.reads.unkept", "{read}", "Reads that were bypasses, or whose result was not kept, by reason.")
	writes := counter("larder.writes", "{write}", "Statements outside of transactions, and transactions, that announced a change.")
	abandoned := counter("larder.writes.abandoned", "{write}", "Writes of unknown outcome.")
	checks := counter("larder.checks", "{check}", "Hits of which the database was asked as well, by result.")
	evictions := counter("larder.store.evictions", "{entry}", "Entries that were let go for want of room.")
	unannounced := gauge("larder.writes.unannounced", "{write}", "Writes that the store could not be told of yet.")
	entries := gauge("larder.store.entries", "{entry}", "Entries in the store.")
	size := gauge("larder.store.size", "By", "Memory that entries take in this process.")
	shared, registered := sharedInstruments(counter, gauge)
	t.durations, err = meter.Float64Histogram("db.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of database client operations."), metric.WithExplicitBucketBoundaries(bounds...))
	if err := errors.Join(append(failed, err)...); err != nil {
		return nil, err
	}
	common := metric.WithAttributes(t.common...)
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := cache.Stats()
		by := func(instrument metric.Int64Observable, n int64, key, value string) {
			o.ObserveInt64(instrument, n, common, metric.WithAttributes(attribute.String(key, value)))
		}
		for outcome, n := range map[larder.Outcome]int64{larder.OutcomeHit: s.Hits, larder.OutcomeMiss: s.Misses, larder.OutcomeHeld: s.Held, larder.OutcomeBypass: s.Bypasses} {
			by(reads, n, "larder.outcome", outcome.String())
		}
		for reason, n := range s.Reasons {
			by(reasons, n, "larder.reason", reason.String())
		}
		by(checks, s.Verified-s.Wrong, "larder.check", "same")
		by(checks, s.Wrong, "larder.check", "different")
		by(checks, s.Unsure, "larder.check", "unsure")
		by(checks, s.Stuck, "larder.check", "stuck")
		for instrument, n := range map[metric.Int64Observable]int64{writes: s.Writes, abandoned: s.Abandoned, evictions: s.Evictions,
			unannounced: s.Unannounced, entries: int64(s.Entries), size: s.Bytes} {
			o.ObserveInt64(instrument, n, common)
		}
		if servers, is := cache.Servers(); is {
			for instrument, n := range shared(s.Shared, servers) {
				o.ObserveInt64(instrument, n, common)
			}
		}
		return nil
	}, append(registered, reads, reasons, writes, abandoned, checks, evictions, unannounced, entries, size)...)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

// A maker makes an instrument of a name, a unit and a description.
type maker[I metric.Int64Observable] func(name, unit, help string) I

// sharedInstruments makes those of a store that processes share, and what tells the value of each.
func sharedInstruments(counter maker[metric.Int64ObservableCounter], gauge maker[metric.Int64ObservableUpDownCounter]) (
	values func(larder.Traffic, larder.ServerStats) map[metric.Int64Observable]int64, all []metric.Observable) {
	calls := counter("larder.shared.calls", "{call}", "Calls of the store that processes share; each is a round trip.")
	failed := counter("larder.shared.errors", "{call}", "Calls of the shared store that it refused, or didn't answer in time.")
	skipped := counter("larder.shared.skipped", "{call}", "Calls of the shared store that weren't made, as it had just kept one waiting.")
	took := counter("larder.shared.time", "us", "How long calls of the shared store took, added up.")
	away := gauge("larder.shared.away", "ms", "For how long the shared store is left alone, as it keeps calls waiting; 0 while it answers.")
	size := gauge("larder.server.size", "By", "Memory in use in the servers of the shared store, by whomever.")
	evictions := counter("larder.server.evictions", "{entry}", "What the servers of the shared store let go for want of room, whoever's.")
	values = func(t larder.Traffic, servers larder.ServerStats) map[metric.Int64Observable]int64 {
		alone := int64(0)
		if !t.Away.IsZero() {
			alone = time.Since(t.Away).Milliseconds()
		}
		return map[metric.Int64Observable]int64{calls: t.Calls, failed: t.Errors, skipped: t.Skipped, took: t.Time.Microseconds(), away: alone,
			size: servers.Bytes, evictions: servers.Evictions}
	}
	return values, []metric.Observable{calls, failed, skipped, took, away, size, evictions}
}
