//go:build !ncruces

package catalog

import _ "github.com/mattn/go-sqlite3"
