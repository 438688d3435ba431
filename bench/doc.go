// Package bench measures Larder against the bare drivers and against the floor:
// a driver that returns the same rows from memory. `go test -bench .` runs it;
// what was measured is kept in history/.
package bench
