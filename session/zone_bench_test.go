package session

import "testing"

func BenchmarkPrintOfZone(b *testing.B) {
	loc := berlin(b)
	for b.Loop() {
		printOf(loc)
	}
}
