package dbtest

import (
	"fmt"
	"strings"
	"testing"
)

// dialect is what a SQL server's program knows of databases.
type dialect interface {
	dsn(address, name string, params []string) string // address is "" for the socket
	run(database, text string) (string, error)        // through the server's own client
	create(name string) error
	drop(name string) error
}

// Database is one database on a server.
type Database struct {
	Name   string
	server *Server
}

// Database creates an empty database for one test, and drops it when the test ends. On a shared server it fails the
// test if it can't be dropped, because the test left something open in it.
func (s *Server) Database(t testing.TB) *Database {
	t.Helper()
	if s.program.sql == nil {
		t.Fatalf("dbtest: %s has no databases", s.program.name)
	}
	d := &Database{Name: fmt.Sprintf("test_%d", s.count.Add(1)), server: s}
	if err := s.program.sql(s).create(d.Name); err != nil {
		t.Fatalf("dbtest: create database: %v", err)
	}
	if s.shared { // an own server goes as a whole
		t.Cleanup(func() { d.drop(t) })
	}
	return d
}

func (d *Database) drop(t testing.TB) {
	if err := d.server.program.sql(d.server).drop(d.Name); err != nil {
		t.Errorf("dbtest: drop database: %v", err)
	}
}

// Server returns where the database is.
func (d *Database) Server() *Server { return d.server }

// DSN names the database over the server's socket, for its superuser: a URL that both pgx and lib/pq take, or the form
// of go-sql-driver/mysql. Params, as in "parseTime=true", are added to its query.
func (d *Database) DSN(params ...string) string {
	return d.server.program.sql(d.server).dsn("", d.Name, params)
}

// TCP is like DSN, over loopback.
func (d *Database) TCP(params ...string) string {
	return d.server.program.sql(d.server).dsn(d.server.Addr(), d.Name, params)
}

// Run has the server's own command-line client execute SQL, as a foreign program would, and returns what it prints:
// rows as lines, columns separated by tabs.
func (d *Database) Run(t testing.TB, text string) string {
	t.Helper()
	out, err := d.server.program.sql(d.server).run(d.Name, text)
	if err != nil {
		t.Fatalf("dbtest: run SQL: %v", err)
	}
	return strings.TrimRight(out, "\n")
}
