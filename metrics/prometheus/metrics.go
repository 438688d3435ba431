package prometheus

import (
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
	relationWrites, relationRemoved      *prometheus.Desc
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
		checks:          of("checks_total", "Hits of which the database was asked as well, by result: same, different, unsure.", "result"),
		entries:         of("store_entries", "Entries in the store."),
		bytes:           of("store_bytes", "Memory that entries take in this process."),
		maxBytes:        of("store_max_bytes", "Memory that entries may take in this process."),
		evictions:       of("store_evictions_total", "Entries that were let go for want of room."),
		readSeconds:     of("read_duration_seconds", "How long reads took, by outcome. Of hits a sample is counted with its weight.", "outcome"),
		databaseSeconds: of("database_duration_seconds", "How long reads spent in the database."),
		relationWrites:  of("relation_writes_total", "Statements that wrote a relation.", "relation"),
		relationRemoved: of("relation_removed_total", "Misses of results that a write of the relation had removed.", "relation"),
	}
}

func (d *descriptions) all() []*prometheus.Desc {
	return []*prometheus.Desc{d.reads, d.reasons, d.misses, d.writes, d.wide, d.abandoned, d.unannounced, d.checks, d.entries, d.bytes, d.maxBytes,
		d.evictions, d.readSeconds, d.databaseSeconds, d.relationWrites, d.relationRemoved}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.d.all() {
		out <- d
	}
}

// Collect implements prometheus.Collector.
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
	send(c.d.entries, gauge, int64(s.Entries))
	send(c.d.bytes, gauge, s.Bytes)
	send(c.d.maxBytes, gauge, s.MaxBytes)
	send(c.d.evictions, counter, s.Evictions)
	out <- c.database.metric(c.d.databaseSeconds)
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, r := range c.relations {
		send(c.d.relationWrites, counter, r.writes, name)
		send(c.d.relationRemoved, counter, r.removed, name)
	}
}
