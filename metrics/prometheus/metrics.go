package prometheus

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larderdb/larder"
)

// descriptions are those of all metrics.
type descriptions struct {
	reads, reasons, misses               *prometheus.Desc
	writes, wide, abandoned, unannounced *prometheus.Desc
	checks                               *prometheus.Desc
	entries, bytes, maxBytes, evictions  *prometheus.Desc
	readSeconds, databaseSeconds         *prometheus.Desc

	// Of a store that processes share.
	calls, callErrors, callsSkipped, callSeconds, away          *prometheus.Desc
	serverEntries, serverBytes, serverMaxBytes, serverEvictions *prometheus.Desc

	relationWrites, relationRemoved *prometheus.Desc
}

func describe(labels prometheus.Labels) descriptions {
	of := func(name, help string, by ...string) *prometheus.Desc {
		return prometheus.NewDesc("larder_"+name, help, by, labels)
	}
	return descriptions{
		reads:           of("reads_total", "Reads by outcome: hit, miss, held (a write was in flight), bypass (the cache was not asked).", "outcome"),
		reasons:         of("unkept_total", "Reads that were bypasses, or whose result was not kept, by reason.", "reason"),
		misses:          of("misses_by_cause_total", "Misses by cause, as far as it is known: new, expired, evicted, changed.", "cause"),
		writes:          of("writes_total", "Statements outside of transactions, and transactions, that announced a change."),
		wide:            of("wide_writes_total", "Writes that announced all relations."),
		abandoned:       of("abandoned_writes_total", "Writes of unknown outcome."),
		unannounced:     of("unannounced_writes", "Writes that the store could not be told of yet."),
		checks:          of("checks_total", "Hits of which the database was asked as well, by result: same, different, unsure; and writes whose holds stood after they had ended: stuck.", "result"),
		entries:         of("store_entries", "Entries in the store."),
		bytes:           of("store_bytes", "Memory that entries take in this process."),
		maxBytes:        of("store_max_bytes", "Memory that entries may take in this process."),
		evictions:       of("store_evictions_total", "Entries that were let go for want of room."),
		readSeconds:     of("read_duration_seconds", "How long reads took, by outcome. Of hits a sample is counted with its weight.", "outcome"),
		databaseSeconds: of("database_duration_seconds", "How long reads spent in the database."),
		calls:           of("shared_calls_total", "Calls of the store that processes share; each is a round trip."),
		callErrors:      of("shared_errors_total", "Calls of the shared store that it refused, or didn't answer in time."),
		callsSkipped:    of("shared_skipped_total", "Calls of the shared store that weren't made, as it had just kept one waiting."),
		callSeconds:     of("shared_seconds_total", "How long calls of the shared store took, added up."),
		away:            of("shared_away_seconds", "For how long the shared store is left alone, as it keeps calls waiting; 0 while it answers."),
		serverEntries:   of("server_entries", "Items in the servers of the shared store, whoever's; 0 where they don't say."),
		serverBytes:     of("server_bytes", "Memory in use in the servers of the shared store, by whomever."),
		serverMaxBytes:  of("server_max_bytes", "Memory that the servers of the shared store may use; 0 for no bound, or where they don't say."),
		serverEvictions: of("server_evictions_total", "What the servers of the shared store let go for want of room, whoever's."),
		relationWrites:  of("relation_writes_total", "Statements that wrote a relation.", "relation"),
		relationRemoved: of("relation_removed_total", "Misses of results that a write of the relation had removed.", "relation"),
	}
}

func (d *descriptions) all() []*prometheus.Desc {
	return []*prometheus.Desc{d.reads, d.reasons, d.misses, d.writes, d.wide, d.abandoned, d.unannounced, d.checks, d.entries, d.bytes, d.maxBytes,
		d.evictions, d.readSeconds, d.databaseSeconds, d.relationWrites, d.relationRemoved,
		d.calls, d.callErrors, d.callsSkipped, d.callSeconds, d.away, d.serverEntries, d.serverBytes, d.serverMaxBytes, d.serverEvictions}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.d.all() {
		out <- d
	}
}

// Collect implements prometheus.Collector. It asks the servers of a shared store once.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s := c.cache.Stats()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, float64(value), labels...)
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	for outcome, n := range map[larder.Outcome]int64{larder.OutcomeHit: s.Hits, larder.OutcomeMiss: s.Misses, larder.OutcomeHeld: s.Held, larder.OutcomeBypass: s.Bypasses} {
		send(c.d.reads, counter, n, outcome.String())
		out <- c.times[outcome].metric(c.d.readSeconds, outcome.String())
	}
	for reason, n := range s.Reasons {
		send(c.d.reasons, counter, n, reason.String())
	}
	for why := larder.WhyNew; why <= larder.WhyChanged; why++ {
		send(c.d.misses, counter, c.causes[why].Load(), why.String())
	}
	send(c.d.writes, counter, s.Writes)
	send(c.d.wide, counter, s.WideWrites)
	send(c.d.abandoned, counter, s.Abandoned)
	send(c.d.unannounced, gauge, s.Unannounced)
	send(c.d.checks, counter, s.Verified-s.Wrong, "same")
	send(c.d.checks, counter, s.Wrong, "different")
	send(c.d.checks, counter, s.Unsure, "unsure")
	send(c.d.checks, counter, s.Stuck, "stuck")
	send(c.d.entries, gauge, int64(s.Entries))
	send(c.d.bytes, gauge, s.Bytes)
	send(c.d.maxBytes, gauge, s.MaxBytes)
	send(c.d.evictions, counter, s.Evictions)
	out <- c.database.metric(c.d.databaseSeconds)
	c.collectShared(out, s.Shared)
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, r := range c.relations {
		send(c.d.relationWrites, counter, r.writes, name)
		send(c.d.relationRemoved, counter, r.removed, name)
	}
}

// collectShared tells of the store that processes share, if there is one.
func (c *Collector) collectShared(out chan<- prometheus.Metric, t larder.Traffic) {
	servers, shared := c.cache.Servers()
	if !shared {
		return
	}
	away := 0.0
	if !t.Away.IsZero() {
		away = time.Since(t.Away).Seconds()
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	for _, m := range []struct {
		d     *prometheus.Desc
		kind  prometheus.ValueType
		value float64
	}{
		{c.d.calls, counter, float64(t.Calls)}, {c.d.callErrors, counter, float64(t.Errors)}, {c.d.callsSkipped, counter, float64(t.Skipped)},
		{c.d.callSeconds, counter, t.Time.Seconds()}, {c.d.away, gauge, away},
		{c.d.serverEntries, gauge, float64(servers.Entries)}, {c.d.serverBytes, gauge, float64(servers.Bytes)},
		{c.d.serverMaxBytes, gauge, float64(servers.MaxBytes)}, {c.d.serverEvictions, counter, float64(servers.Evictions)},
	} {
		out <- prometheus.MustNewConstMetric(m.d, m.kind, m.value)
	}
}
