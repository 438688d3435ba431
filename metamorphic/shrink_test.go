package metamorphic

import (
	"time"
)

// shrink leaves out steps of a program that fails, as long as it fails, and returns what
// remains. Each try runs on a fresh database; no try begins after the deadline.
func shrink(p program, fails func(program) bool, deadline time.Time) program {
	for size := len(p) / 2; size > 0; {
		shorter := withoutChunks(p, size, fails, deadline)
		if len(shorter) == len(p) || size > 1 {
			size /= 2
		}
		p = shorter
		if time.Now().After(deadline) {
			break
		}
	}
	return p
}

// withoutChunks tries to leave out each run of size steps, from the end.
func withoutChunks(p program, size int, fails func(program) bool, deadline time.Time) program {
	for end := len(p); end > 0 && time.Now().Before(deadline); end -= size {
		start := max(0, end-size)
		candidate := append(p[:start:start], p[end:]...)
		if len(candidate) < len(p) && fails(candidate) {
			p = candidate
		}
	}
	return p
}
