//go:build ncruces

package catalog

import _ "github.com/ncruces/go-sqlite3/driver"
