package coherence

import (
	"strconv"
	"testing"
)

// TestShardsOfKeys: keys that differ in little are spread over the shards.
func TestShardsOfKeys(t *testing.T) {
	for name, key := range map[string]func(i int) string{
		"end":    func(i int) string { return "a statement of some length, user " + strconv.Itoa(i) },
		"begin":  func(i int) string { return strconv.Itoa(i) + " is the user of a statement of some length" },
		"number": func(i int) string { return "prefix\x02\x40" + string([]byte{byte(i), byte(i >> 8), 0, 0, 0, 0, 0, 0}) },
		"short":  strconv.Itoa,
	} {
		var in [flightShards]int
		const keys = 64 * flightShards
		for i := range keys {
			in[shardOf(key(i))]++
		}
		for shard, n := range in {
			if n > 4*keys/flightShards {
				t.Errorf("%s: %d of %d keys are in shard %d", name, n, keys, shard)
			}
		}
	}
}
