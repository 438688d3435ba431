//go:build race

package metamorphic

// Steps don't overlap: the race detector is to see a few.
const (
	defaultSteps = 2000
	underRace    = true
)
