// Package dbtest provides private real servers for tests: PostgreSQL, MariaDB, memcached and Redis.
//
// A server is started on first use and shared by all tests of the process ([Postgres], [MariaDB], [Memcached],
// [Redis]), or belongs to one test ([NewPostgres] and its like), which may then stop, kill, pause and restart it. Each
// lives in a folder of its own, in memory or under the temporary directory, and listens on loopback and on a socket in
// that folder. It is gone, folder included, when the process ends: in order through [Main], and otherwise, even after
// SIGKILL, because a small shell process that outlives the test notices its end.
//
// On a SQL server, [Server.Database] creates an empty database for one test, and [Database.DSN] says how drivers reach
// it. The package itself uses no driver: it speaks through the servers' own command-line clients.
//
// Where a server is not installed its tests are skipped, unless the environment variable LARDER_REQUIRE lists it
// (LARDER_REQUIRE=postgres,mariadb,memcached,redis) or CI is set: then its absence is a failure.
//
// Limits. Servers trade durability for speed: what was committed survives [Server.Kill], not a crash of the machine.
// Each server initialises its data anew, which costs half a second to a second: a copied PostgreSQL cluster would
// share its system identifier with its siblings, and tests of who is who would be deceived. Only Unix is supported, and
// [Server.Pause] and [Server.Kill] reach a server's child processes on Linux only. memcached has a socket or a port, not both.
package dbtest
