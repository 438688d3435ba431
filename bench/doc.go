// Package bench measures Larder against the bare drivers and against the floor:
// a driver that returns the same rows from memory. `go test -bench .` runs it;
// what was measured is kept in history/.
//
// Two benchmarks are workloads: BenchmarkMixed reads lists of users and saves rows, BenchmarkORM
// does what sites do through GORM. Each starts cold, compares every read with the database in a run
// that isn't timed, and tells the ideal hit ratio: that of a cache which drops only results that have changed.
//
//	go test -run '^$' -bench 'Mixed|ORM' -benchtime 1x -table history/today.md .
package bench
