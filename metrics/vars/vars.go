// Package vars publishes the counters of a cache with expvar.
package vars

import (
	"expvar"

	"github.com/larderdb/larder"
)

// Publish publishes larder.Stats under name, for the page that expvar serves at /debug/vars. It panics, as expvar does, if the
// name is taken.
func Publish(name string, cache *larder.Cache) { expvar.Publish(name, Var(cache)) }

// Var returns a variable that shows larder.Stats, with names for the reasons, and what the servers of a shared store say when
// they are asked.
func Var(cache *larder.Cache) expvar.Var {
	return expvar.Func(func() any {
		stats := cache.Stats()
		reasons := make(map[string]int64, len(stats.Reasons))
		for reason, n := range stats.Reasons {
			reasons[reason.String()] = n
		}
		var servers *larder.ServerStats
		if s, shared := cache.Servers(); shared {
			servers = &s
		}
		return struct {
			larder.Stats
			Reasons  map[string]int64
			HitRatio float64
			Servers  *larder.ServerStats `json:",omitempty"`
		}{stats, reasons, stats.HitRatio(), servers}
	})
}
