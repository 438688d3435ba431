//go:build ncruces

package larder

import _ "github.com/ncruces/go-sqlite3/driver"

var sqlite3 = kind{"ncruces", "sqlite3", "sqlite", sqliteDSN("_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)")}
