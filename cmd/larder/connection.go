package main

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/larderdb/larder/analyze"

	_ "github.com/go-sql-driver/mysql" // drivers of --driver
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// dialects are what drivers speak, by their name.
var dialects = map[string]analyze.Dialect{"sqlite": analyze.SQLite, "pgx": analyze.Postgres, "mysql": analyze.MySQL}

// dsnVariable is the environment variable that holds the data source name of commands without --dsn: what stands on a
// command line others can see.
const dsnVariable = "LARDER_DSN"

// A connection is how a command reaches a database.
type connection struct{ driver, dsn string }

func (c *connection) flags(flags *pflag.FlagSet) {
	flags.StringVar(&c.driver, "driver", "", "driver of the database: sqlite, pgx or mysql")
	flags.StringVar(&c.dsn, "dsn", "", "data source name of the database (or the environment's "+dsnVariable+")")
}

// given reports whether a database is named, and completes it.
func (c *connection) given() bool {
	if c.dsn == "" && c.driver != "" {
		c.dsn = os.Getenv(dsnVariable)
	}
	return c.driver != "" || c.dsn != ""
}

// check fails if a driver or data source name is missing or unknown.
func (c *connection) check() error {
	c.given()
	_, known := dialects[c.driver]
	switch {
	case c.driver == "" && c.dsn != "":
		return usagef("--dsn takes --driver: sqlite, pgx or mysql")
	case c.driver == "":
		return usagef("which database? Give --driver sqlite, pgx or mysql, and --dsn")
	case !known:
		return usagef("unknown driver %q: want sqlite, pgx or mysql", c.driver)
	case c.dsn == "":
		return usagef("--driver takes --dsn, the data source name of the database, or the environment's %s", dsnVariable)
	}
	return nil
}

func (c *connection) speaks() analyze.Dialect { return dialects[c.driver] }

// exists fails for an SQLite file that isn't there: opening it would make it.
func (c *connection) exists() error {
	if c.driver != "sqlite" || strings.HasPrefix(c.dsn, ":memory:") {
		return nil
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(c.dsn, "file:"), "?")
	if strings.Contains(c.dsn, "mode=memory") || path == "" || path == ":memory:" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no database: %w", err)
	}
	return nil
}

// bare opens a handle that no cache knows.
func (c *connection) bare() (*sql.DB, error) {
	if err := c.exists(); err != nil {
		return nil, err
	}
	db, err := sql.Open(c.driver, c.dsn)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", c.redact(err))
	}
	return db, nil
}

// redact takes the secrets of the data source name out of an error.
func (c *connection) redact(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, secret := range secrets(c.dsn) {
		text = strings.ReplaceAll(text, secret, "***")
	}
	if text == err.Error() {
		return err
	}
	return fmt.Errorf("%s", text) // what it wraps tells the secret
}

// passwordIs finds a password that is given by name.
var passwordIs = regexp.MustCompile(`(?i)\w*(?:password|passwd|pwd|secret|token)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]+)`)

// secrets are the passwords in a URL or data source name.
func secrets(dsn string) (list []string) {
	add := func(s string) {
		if len(s) > 0 {
			list = append(list, s)
		}
	}
	if u, err := url.Parse(dsn); err == nil && u.User != nil {
		if password, is := u.User.Password(); is {
			add(password)
			add(url.QueryEscape(password))
		}
	}
	_, rest, _ := strings.Cut(dsn, "://")
	if rest == "" {
		rest = dsn
	}
	if head, _, found := cutLast(rest, "@"); found { // user:password@…, as MySQL's have it, whatever it consists of
		if _, password, is := strings.Cut(head, ":"); is {
			add(password)
		}
	}
	for _, found := range passwordIs.FindAllStringSubmatch(dsn, -1) {
		add(found[1])
		add(strings.ReplaceAll(strings.Trim(found[1], "'"), `\'`, "'"))
		if value, err := url.QueryUnescape(found[1]); err == nil {
			add(value)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) }) // one may be a part of another
	return list
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
