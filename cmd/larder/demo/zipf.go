package demo

import (
	"math"
	"math/rand/v2"
	"sort"
)

// A zipf draws numbers from 1 to n, the kth with a probability in proportion to 1/k. The
// generator of math/rand takes no exponent of 1.
type zipf struct{ upTo []float64 }

func newZipf(n int) *zipf {
	z := &zipf{make([]float64, n)}
	sum := 0.0
	for k := range z.upTo {
		sum += 1 / float64(k+1)
		z.upTo[k] = sum
	}
	return z
}

func (z *zipf) draw(random *rand.Rand) int64 {
	total := z.upTo[len(z.upTo)-1]
	at := sort.SearchFloat64s(z.upTo, math.Nextafter(random.Float64()*total, math.Inf(1)))
	return int64(min(at, len(z.upTo)-1)) + 1
}
