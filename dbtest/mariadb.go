package dbtest

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var mariadb = program{
	name:   "mariadb",
	debian: "mariadb-server",
	tools:  []string{"mariadbd", "mariadb-install-db", "mariadb"},
	dirs:   []string{"/usr/sbin", "/usr/local/sbin", "/usr/libexec"},
	socket: func(int) string { return "socket" },
	init:   initMariaDB,
	args:   mariaDBArgs,
	ping:   pingMariaDB,
	sql:    func(s *Server) dialect { return mariaDBSQL{s} },
	stop:   syscall.SIGTERM,
	abort:  syscall.SIGKILL,
}

// MariaDB returns the MariaDB server that all tests of this process share.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	return shared.take(t, &mariadb)
}

// NewMariaDB starts a MariaDB server for one test; args are added to its command line.
func NewMariaDB(t testing.TB, args ...string) *Server {
	t.Helper()
	return own(t, &mariadb, args)
}

const mariaDBLog = "--innodb-log-file-size=16M" // the default of 96M is written out by every start

func initMariaDB(s *Server) error {
	_, err := s.tool("", "mariadb-install-db", "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db", mariaDBLog)
	return err
}

func mariaDBArgs(s *Server) []string {
	return []string{
		"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--pid-file=" + filepath.Join(s.dir, "pid"),
		"--socket=" + s.Socket(), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.port), "--skip-name-resolve",
		"--max-connections=300", "--character-set-server=utf8mb4", "--local-infile=1", mariaDBLog,
		// 2 writes at each commit and leaves flushing to the system: commits survive the process, not the machine.
		"--innodb-flush-log-at-trx-commit=2",
		"--log-bin=binlog", "--binlog-format=ROW", "--server-id=1", "--sync-binlog=0",
	}
}

// pingMariaDB reads the greeting. A server that can take no session greets with an error.
func pingMariaDB(_ *Server, conn net.Conn) error {
	var head [5]byte // length, sequence, protocol
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	if head[4] == 0xff {
		return errors.New("it takes no sessions yet")
	}
	return nil
}

// mariaDBSQL is a MariaDB server as a place of databases.
type mariaDBSQL struct{ s *Server }

func (m mariaDBSQL) dsn(address, name string, params []string) string {
	at := "unix(" + m.s.Socket() + ")"
	if address != "" {
		at = "tcp(" + address + ")"
	}
	dsn := "root@" + at + "/" + name
	if len(params) > 0 {
		dsn += "?" + strings.Join(params, "&")
	}
	return dsn
}

func (m mariaDBSQL) run(database, text string) (string, error) {
	return m.s.tool(text, "mariadb", "--no-defaults", "--batch", "--skip-column-names", "--user=root",
		"--socket="+m.s.Socket(), "--database="+database)
}

func (m mariaDBSQL) create(name string) error {
	_, err := m.run("mysql", "CREATE DATABASE "+name)
	return err
}

// drop waits half a minute for transactions that still use the database.
func (m mariaDBSQL) drop(name string) error {
	_, err := m.run("mysql", "SET lock_wait_timeout = 30; DROP DATABASE "+name)
	return err
}
