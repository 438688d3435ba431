package demo

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets that grow with them: a quantile is right to one
// part in 32. It takes no more memory however many it counts.
type histogram struct {
	count   int64
	buckets [(64 - steps) << steps]int64
}

// steps is the logarithm of the number of buckets between two powers of two.
const steps = 5

// bucket returns the number of a duration's bucket.
func bucket(d time.Duration) int {
	n := uint64(max(d, 0))
	shift := max(bits.Len64(n)-steps-1, 0)
	return shift<<steps + int(n>>shift)
}

// floorOf returns the least duration of a bucket.
func floorOf(bucket int) time.Duration {
	if bucket < 2<<steps {
		return time.Duration(bucket)
	}
	shift := bucket>>steps - 1
	return time.Duration(bucket-shift<<steps) << shift
}

func (h *histogram) add(d time.Duration) {
	h.count++
	h.buckets[bucket(d)]++
}

func (h *histogram) merge(other *histogram) {
	h.count += other.count
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
}

// quantile returns the duration that a share q of those counted doesn't exceed; 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(q * float64(h.count))
	for i, n := range h.buckets {
		if rank -= n; rank < 0 {
			return floorOf(i)
		}
	}
	return 0
}
