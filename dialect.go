package larder

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// dialectsByPackage tells a dialect from the package of a driver's type.
var dialectsByPackage = []struct {
	path    string
	dialect analyze.Dialect
}{
	{"github.com/jackc/pgx/", analyze.Postgres},
	{"github.com/lib/pq", analyze.Postgres},
	{"github.com/uptrace/bun/driver/pgdriver", analyze.Postgres},
	{"github.com/go-sql-driver/mysql", analyze.MySQL},
	{"modernc.org/sqlite", analyze.SQLite},
	{"github.com/mattn/go-sqlite3", analyze.SQLite},
	{"github.com/ncruces/go-sqlite3", analyze.SQLite},
	{"github.com/glebarez/go-sqlite", analyze.SQLite},
}

// dialectsByName tells it from the name that a driver is usually registered under.
var dialectsByName = map[string]analyze.Dialect{
	"pgx": analyze.Postgres, "pgx/v5": analyze.Postgres, "postgres": analyze.Postgres, "cloudsqlpostgres": analyze.Postgres,
	"mysql": analyze.MySQL, "mariadb": analyze.MySQL,
	"sqlite": analyze.SQLite, "sqlite3": analyze.SQLite,
}

// dialectOf tells the dialect of a driver: what the options say, else what its type
// shows, else what its name is known for.
func (c *Cache) dialectOf(d driver.Driver, name string) (analyze.Dialect, error) {
	shown := dialectOfType(d)
	if asked := analyze.Dialect(c.options.Dialect); asked != "" {
		if shown != "" && shown != asked {
			return "", fmt.Errorf("larder: Options.Dialect is %q, but the driver %T speaks %q; leave Dialect empty", asked, d, shown)
		}
		return asked, nil
	}
	if shown != "" {
		return shown, nil
	}
	if known, ok := dialectsByName[name]; ok {
		return known, nil
	}
	return "", fmt.Errorf("larder: can't tell the SQL dialect of driver %T: set Options.Dialect to \"postgres\", \"mysql\" or \"sqlite\"", d)
}

func dialectOfType(d driver.Driver) analyze.Dialect {
	t := reflect.TypeOf(d)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, known := range dialectsByPackage {
		if strings.HasPrefix(t.PkgPath(), known.path) {
			return known.dialect
		}
	}
	return ""
}
