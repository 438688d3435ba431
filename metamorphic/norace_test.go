//go:build !race

package metamorphic

const (
	defaultSteps = 50_000
	underRace    = false
)
