// Package fleet is several processes of one program that share a database and a store, under faults, and the judge
// of what they have seen.
//
// A worker (fleet/worker) reads and writes the rows of a small schema, and notes in a file that outlives it when each call
// began and ended and which version of which row it saw or made. Every write makes the version of each of its rows
// larger. So what must hold is simple, and told in one pass: a read that began after a version was acknowledged,
// or seen by anybody, must not see an older one. Judge tells it; the tests of this package run workers, stop,
// kill and cut off what they depend on, and ask it.
//
// A worker also serves an answer to each question as a page over HTTP, and reads pages of the others, or of a Varnish before all of them.
// Rules say how old these may be, and reads under Options.Bounded.
//
// A worker can as well do by hand what Larder does: look into the store, read the database on a miss, set, and delete after a
// write, keep pages for some time, or leave a step out of the protocol. The judge must find its stale reads.
package fleet
