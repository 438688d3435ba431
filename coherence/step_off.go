//go:build !larder_steps

package coherence

// At says that a step is reached.
func At(Step) {}

// left is the step that is left out where Options name none.
func left() Mutant { return NoMutant }
