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

var leftOut atomic.Uint32

// Leave has all domains that are made after it leave a step out.
func Leave(m Mutant) { leftOut.Store(uint32(m)) }

// left is the step that is left out where Options name none.
func left() Mutant { return Mutant(leftOut.Load()) }
