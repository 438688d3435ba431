//go:build !ncruces

package larder

import _ "github.com/mattn/go-sqlite3"

// Two drivers register as "sqlite3", so one program can't have both: the tests are
// built once with each.
var sqlite3 = kind{"mattn", "sqlite3", "sqlite", sqliteDSN("_busy_timeout=5000&_foreign_keys=1&_journal_mode=WAL")}
