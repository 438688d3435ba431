// Package rivals measures Larder beside other caches for SQL results, in one run, on the same private servers. It is a module of its own,
// so that what they need is needed by nothing else. From the root, as a user who may install Debian's packages:
//
//	./dev rivals -table FILE
//
// Of each it tells, from a fresh database and fresh stores each time:
//
//   - a hit: the list of a user, 20 rows of 5 columns, read by one client again and again, in turn with the bare query by the driver of the
//     same language;
//   - the mixed workload of the package above: 95% reads of the list of one of 1,000 users, by a zipf law of exponent 1, and 5% saves of one
//     of 100,000 rows, all columns by primary key; cold, one client. What reached the database is what the server has counted;
//   - stale reads: four processes read and save the rows of few users, and note the machine's monotonic time. A read is stale if it shows
//     an older version of a row than one whose save was acknowledged before the read began. It went back if it shows an older one than
//     a read that had ended before it began.
//
// Beside it a page that is kept, over HTTP, is compared with a handler that writes the same bytes: BenchmarkPage.
//
// Each competitor runs in processes of its own (a Go one is this test's binary, a Python one django/worker.py), which take orders from their
// standard input. What isn't installed is told, and left out.
package rivals
