package dbtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var postgres = program{
	name:   "postgres",
	debian: "postgresql",
	tools:  []string{"postgres", "initdb", "psql"},
	dirs:   []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"},
	socket: func(port int) string { return ".s.PGSQL." + strconv.Itoa(port) },
	init:   initPostgres,
	args:   postgresArgs,
	ping:   pingPostgres,
	sql:    func(s *Server) dialect { return postgresSQL{s} },
	clean:  cleanPostgres,
	stop:   syscall.SIGINT,  // "fast": sessions are cut, a checkpoint is made
	abort:  syscall.SIGQUIT, // "immediate": shared memory is freed, nothing else
}

// Postgres returns the PostgreSQL server that all tests of this process share.
func Postgres(t testing.TB) *Server {
	t.Helper()
	return shared.take(t, &postgres)
}

// NewPostgres starts a PostgreSQL server for one test; args are added to its command line.
func NewPostgres(t testing.TB, args ...string) *Server {
	t.Helper()
	return own(t, &postgres, args)
}

func initPostgres(s *Server) error {
	_, err := s.tool("", "initdb", "-D", filepath.Join(s.dir, "data"), "-U", "postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	return err
}

func postgresArgs(s *Server) []string {
	args := []string{"-D", filepath.Join(s.dir, "data"), "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-k", s.dir}
	for _, setting := range []string{
		"fsync=off", "full_page_writes=off", // what is written survives the process, not the machine
		"wal_level=logical", "max_replication_slots=20", "max_wal_senders=20",
		"max_prepared_transactions=20", "max_connections=300",
		"max_wal_size=256MB",              // what is not yet checkpointed may lie in memory
		"dynamic_shared_memory_type=mmap", // files in the folder, which go with it
	} {
		args = append(args, "-c", setting)
	}
	return args
}

// cleanPostgres removes the System V segment by which a server tells that another has its data. Only one that was
// killed leaves it. Where the system has no ipcrm, those few bytes stay.
func cleanPostgres(s *Server) error {
	segment := sharedMemory(s)
	if _, err := exec.LookPath("ipcrm"); err != nil || segment == "" {
		return nil
	}
	_, err := s.tool("", "ipcrm", "-m", segment)
	return err
}

// sharedMemory returns the id of the segment; "" if there is none. The seventh line of the server's lock file has it.
func sharedMemory(s *Server) string {
	text, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 7 {
		return "" // ended in order, or did not get far
	}
	_, id, _ := strings.Cut(strings.TrimSpace(lines[6]), " ") // key, id
	return strings.TrimSpace(id)
}

// pingPostgres asks for a session. A server that is still starting, or recovering, answers with an error instead of
// the request to authenticate.
func pingPostgres(_ *Server, conn net.Conn) error {
	const body = "user\x00postgres\x00database\x00postgres\x00\x00"
	hello := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	hello = binary.BigEndian.AppendUint32(hello, 3<<16) // protocol 3.0
	if _, err := conn.Write(append(hello, body...)); err != nil {
		return err
	}
	var kind [1]byte
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		return err
	}
	if kind[0] != 'R' {
		return errors.New("it takes no sessions yet")
	}
	return nil
}

// postgresSQL is a PostgreSQL server as a place of databases.
type postgresSQL struct{ s *Server }

func (p postgresSQL) dsn(address, name string, params []string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: address, Path: "/" + name}
	query := "sslmode=disable"
	if address == "" {
		query += "&host=" + url.QueryEscape(p.s.dir) + "&port=" + strconv.Itoa(p.s.port)
	}
	u.RawQuery = strings.Join(append([]string{query}, params...), "&")
	return u.String()
}

func (p postgresSQL) run(database, text string) (string, error) {
	return p.s.tool(text, "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
		"-h", p.s.dir, "-p", strconv.Itoa(p.s.port), "-U", "postgres", "-d", database)
}

func (p postgresSQL) create(name string) error {
	_, err := p.run("postgres", "CREATE DATABASE "+name)
	return err
}

// drop takes away what would keep the database: prepared transactions, replication slots and sessions.
func (p postgresSQL) drop(name string) error {
	_, err := p.run(name, fmt.Sprintf(`
SELECT format('ROLLBACK PREPARED %%L', gid) FROM pg_prepared_xacts WHERE database = current_database() \gexec
SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE database = current_database() AND active;
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database();
\c postgres
DROP DATABASE %s WITH (FORCE);`, name))
	return err
}
