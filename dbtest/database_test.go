package dbtest

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestDatabasesAreSeparate(t *testing.T) {
	for _, k := range kinds[:2] {
		t.Run(k.name, func(t *testing.T) {
			s := k.shared(t)
			a, b := s.Database(t), s.Database(t)
			put(t, s, a, "in a")
			put(t, s, b, "in b")
			if got := get(t, s, a) + ", " + get(t, s, b); got != "in a, in b" {
				t.Fatal(got)
			}
		})
	}
}

func TestDatabaseIsDroppedAtTheEnd(t *testing.T) {
	count := map[string]string{
		"postgres": "SELECT count(*) FROM pg_database WHERE datname = ",
		"mariadb":  "SELECT count(*) FROM information_schema.schemata WHERE schema_name = ",
	}
	for _, k := range kinds[:2] {
		t.Run(k.name, func(t *testing.T) {
			outer := k.shared(t).Database(t)
			var name string
			t.Run("inner", func(t *testing.T) {
				inner := outer.Server().Database(t)
				name = inner.Name
				if got := outer.Run(t, count[k.name]+"'"+name+"'"); got != "1" {
					t.Fatalf("%s databases of that name", got)
				}
			})
			if got := outer.Run(t, count[k.name]+"'"+name+"'"); got != "0" {
				t.Fatalf("%s databases of that name after the test", got)
			}
		})
	}
}

// What keeps a PostgreSQL database from being dropped does not survive the test that left it.
func TestDropPostgresInUse(t *testing.T) {
	outer := Postgres(t).Database(t)
	var open *sql.DB // when its database is dropped
	t.Run("inner", func(t *testing.T) {
		d := outer.Server().Database(t)
		d.Run(t, `SELECT pg_create_logical_replication_slot('leftover', 'pgoutput')`)
		d.Run(t, `CREATE TABLE k (v int); BEGIN; INSERT INTO k VALUES (1); PREPARE TRANSACTION 'left''over';`)
		var err error
		if open, err = sql.Open("postgres", d.DSN()); err != nil {
			t.Fatal(err)
		}
		if err := open.Ping(); err != nil {
			t.Fatal(err)
		}
	})
	defer open.Close()
	left := "SELECT (SELECT count(*) FROM pg_prepared_xacts), (SELECT count(*) FROM pg_replication_slots)"
	if got := outer.Run(t, left); got != "0\t0" {
		t.Fatalf("left: %q", got)
	}
}

func TestEveryFormOfDSN(t *testing.T) {
	for _, c := range []struct {
		kind, driver string
		shared       func(testing.TB) *Server
		params       []string
	}{
		{"postgres", "postgres", Postgres, []string{"application_name=dbtest", "connect_timeout=5"}},
		{"mariadb", "mysql", MariaDB, []string{"parseTime=true", "timeout=5s"}},
	} {
		t.Run(c.driver, func(t *testing.T) {
			d := c.shared(t).Database(t)
			for _, dsn := range []string{d.DSN(), d.TCP(), d.DSN(c.params...), d.TCP(c.params...)} {
				db, err := sql.Open(c.driver, dsn)
				if err != nil {
					t.Fatalf("%s: %v", dsn, err)
				}
				if err := db.Ping(); err != nil {
					t.Errorf("%s: %v", dsn, err)
				}
				db.Close()
			}
		})
	}
	t.Run("pgx", func(t *testing.T) {
		d := Postgres(t).Database(t)
		for _, dsn := range []string{d.DSN(), d.TCP(), d.DSN("application_name=dbtest")} {
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatalf("%s: %v", dsn, err)
			}
			var name string
			if err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil || name != d.Name {
				t.Errorf("%s: in %q: %v", dsn, name, err)
			}
			if err := conn.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// The settings that tests of transactions and change streams rely on.
func TestSettings(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		got := Postgres(t).Database(t).Run(t, `SELECT current_setting('wal_level'), current_setting('max_connections'),
			current_setting('max_prepared_transactions'), current_setting('fsync'), current_setting('TimeZone')`)
		if want := "logical\t300\t20\toff\tUTC"; strings.Replace(got, "Etc/", "", 1) != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
	t.Run("mariadb", func(t *testing.T) {
		got := MariaDB(t).Database(t).Run(t, `SELECT @@local_infile, @@log_bin, @@binlog_format, @@skip_networking,
			@@innodb_flush_log_at_trx_commit, @@character_set_database, @@time_zone, @@system_time_zone`)
		if want := "1\t1\tROW\t0\t2\tutf8mb4\tSYSTEM\tUTC"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestSQLiteFile(t *testing.T) {
	a, b := SQLiteFile(t), SQLiteFile(t)
	if a == b {
		t.Fatalf("two files of one name: %s", a)
	}
	if _, err := os.Stat(a); !os.IsNotExist(err) {
		t.Fatalf("the file is not fresh: %v", err)
	}
	if _, err := os.Stat(filepath.Dir(a)); err != nil {
		t.Fatal(err)
	}
}
