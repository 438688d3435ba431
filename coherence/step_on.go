//go:build larder_steps

package coherence

import "sync/atomic"

var onStep atomic.Pointer[func(Step)]

// OnStep has f called at each step, by whoever is there.
func OnStep(f func(Step)) { onStep.Store(&f) }

// At says that a step is reached.
func At(s Step) {
	if f := onStep.Load(); f != nil {
		(*f)(s)
	}
}
