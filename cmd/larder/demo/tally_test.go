package demo

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestHistogramQuantiles(t *testing.T) {
	var h, other histogram
	for i := range 1_000 {
		h.add(time.Duration(i+1) * time.Microsecond)
		other.add(time.Second)
	}
	near := func(q float64, want time.Duration) {
		t.Helper()
		if got := h.quantile(q); got > want || got < want-want/30 {
			t.Errorf("quantile %g is %v, want %v", q, got, want)
		}
	}
	near(0.5, 501*time.Microsecond)
	near(0.99, 991*time.Microsecond)
	h.merge(&other)
	near(0.99, time.Second)
	if got := new(histogram).quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestHistogramBuckets(t *testing.T) {
	last := -1
	for _, d := range []time.Duration{0, 1, 63, 64, 65, 66, 127, 128, 130, 1_000, 1 << 40, 1<<63 - 1} {
		b := bucket(d)
		if b < last || floorOf(b) > d || d-floorOf(b) > d/32 {
			t.Errorf("%d is in bucket %d from %d on", d, b, floorOf(b))
		}
		last = b
	}
	if last >= len(histogram{}.buckets) || bucket(-1) != 0 {
		t.Errorf("the longest duration is in bucket %d", last)
	}
}

func TestZipf(t *testing.T) {
	z, random := newZipf(1_000), rand.New(rand.NewPCG(1, 1))
	counts := make(map[int64]int)
	const draws = 200_000
	for range draws {
		counts[z.draw(random)]++
	}
	for user := range counts {
		if user < 1 || user > 1_000 {
			t.Fatalf("drew %d", user)
		}
	}
	first, second := float64(counts[1])/draws, float64(counts[2])/draws
	if first < 0.12 || first > 0.15 || second < first*0.45 || second > first*0.55 { // 1/H(1000) = 0.1336
		t.Errorf("user 1 is drawn with %.4f, user 2 with %.4f", first, second)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1_000: "1,000", -1_234_567: "-1,234,567", -123: "-123"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}
