// Package metamorphic tests that a cached handle can't be told from the bare one. It holds nothing but tests.
//
// A program is a list of steps: reads, writes, changes of the schema, of settings and of transactions, on several
// connections in turn. It is made at random from a seed, for a random schema. One goroutine runs it, so that
// between the steps every connection is in a known state; each read is then answered three times in the same session:
// twice as a program would ask, so that there are hits, and once past the cache. The three must agree in columns,
// column types, Go types, values and errors. Reads of a connection whose state was never changed must also agree with
// those of a handle without a cache.
//
// When they differ, the program is shrunk: steps are left out, each time on a fresh database, while the difference
// stays. What remains is printed as Go text; TestKnown runs such programs.
//
//	go test ./metamorphic -seed 0 -steps 100000    # of each database, other programs each time
//	go test ./metamorphic -run Postgres -seed 7    # the same program as yesterday
//	go test ./metamorphic -run SQLite -forever
//
// Half of the statements are of typed tables, whose types, collations and conditions are chosen to mislead
// slices: what looks equal isn't, and the reverse. TestPrecision tells how much of what writes remove had changed.
//
// That the test has teeth is tested too: the share of reads that were hits, and programs whose writes, triggers or
// views the cache isn't told of, which must fail.
//
// Limits: steps don't overlap, so races aren't found here (see the linearizability test of package larder); a read
// that the database refuses because of another's locks isn't compared, since a hit needs none.
package metamorphic
