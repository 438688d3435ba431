package dbtest

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/lib/pq"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	Main(m)
}

// kinds is every kind of server: how tests get one, and whether it keeps what it was told when it is killed.
var kinds = []struct {
	name    string
	shared  func(testing.TB) *Server
	own     func(testing.TB, ...string) *Server
	durable bool
}{
	{"postgres", Postgres, NewPostgres, true},
	{"mariadb", MariaDB, NewMariaDB, true},
	{"memcached", Memcached, NewMemcached, false},
	{"redis", Redis, NewRedis, true},
}

// put and get keep one value in a server of any kind, over the network.
func put(t *testing.T, s *Server, d *Database, value string) {
	t.Helper()
	switch s.program.name {
	case "memcached":
		ask(t, s, fmt.Sprintf("set k 0 0 %d\r\n%s\r\n", len(value), value), 1)
	case "redis":
		ask(t, s, "SET k "+value+"\r\n", 1)
	default:
		db := dial(t, d)
		for _, text := range []string{"CREATE TABLE k (v varchar(100))", "INSERT INTO k VALUES ('" + value + "')"} {
			if _, err := db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func get(t *testing.T, s *Server, d *Database) (value string) {
	t.Helper()
	switch s.program.name {
	case "memcached":
		return ask(t, s, "get k\r\n", 2)
	case "redis":
		return ask(t, s, "GET k\r\n", 2)
	}
	if err := dial(t, d).QueryRow("SELECT v FROM k").Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// ask sends a request and returns the last of so many lines of the answer, or the first that ends it.
func ask(t *testing.T, s *Server, request string, lines int) (line string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	for r := bufio.NewReader(conn); lines > 0 && line != "END" && line != "$-1"; lines-- {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		line = strings.TrimSpace(line)
	}
	return line
}

// dial opens a database of either kind over loopback.
func dial(t *testing.T, d *Database) *sql.DB {
	t.Helper()
	driver := map[string]string{"postgres": "postgres", "mariadb": "mysql"}[d.Server().program.name]
	db, err := sql.Open(driver, d.TCP())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// database creates a database where there are some.
func database(t *testing.T, s *Server) *Database {
	if s.program.sql == nil {
		return nil
	}
	return s.Database(t)
}

func TestSharedServerAnswersAndIsOne(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s := k.shared(t)
			if again := k.shared(t); again != s {
				t.Fatalf("second server %s beside %s", again.Addr(), s.Addr())
			}
			d := database(t, s)
			put(t, s, d, "before")
			if got := get(t, s, d); got != "before" {
				t.Fatalf("got %q", got)
			}
			for what, f := range map[string]func() error{"Stop": s.Stop, "Kill": s.Kill, "Pause": s.Pause} {
				if err := f(); !errors.Is(err, errShared) {
					t.Errorf("%s of a shared server: %v", what, err)
				}
			}
		})
	}
}

func TestStopAndKillThenStart(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := k.own(t)
			d := database(t, s)
			put(t, s, d, "before")
			address := s.Addr()
			for what, end := range map[string]func() error{"Kill": s.Kill, "Stop": s.Stop} {
				if err := end(); err != nil {
					t.Fatal(err)
				}
				if conn, err := net.Dial("tcp", s.Addr()); err == nil {
					conn.Close()
					t.Fatalf("after %s the server still listens", what)
				}
				if s.PID() != 0 {
					t.Fatalf("after %s there is process %d", what, s.PID())
				}
				if err := s.Start(); err != nil {
					t.Fatal(err)
				}
				if s.Addr() != address {
					t.Fatalf("address moved from %s to %s", address, s.Addr())
				}
				if got := get(t, s, d); (got == "before") != k.durable {
					t.Fatalf("after %s and Start: %q", what, got)
				}
			}
		})
	}
}

func TestPauseAndResume(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := k.own(t)
			d := database(t, s)
			put(t, s, d, "before")
			if err := s.Pause(); err != nil {
				t.Fatal(err)
			}
			if err := s.answers(); err == nil {
				t.Fatal("a paused server answers")
			} else if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Fatalf("a paused server does not hang: %v", err)
			}
			if err := s.Resume(); err != nil {
				t.Fatal(err)
			}
			if got := get(t, s, d); got != "before" {
				t.Fatalf("after Resume: %q", got)
			}
		})
	}
}

// A session that is busy when the server is paused halts as well: in PostgreSQL it is a process of its own.
func TestPauseReachesOpenSessions(t *testing.T) {
	t.Parallel()
	s := NewPostgres(t)
	db := dial(t, s.Database(t))
	if _, err := db.Exec("SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := db.Exec("SELECT 1")
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Fatalf("a session of a paused server answers: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
}

// Kill is a crash for sessions that are busy, too: they would not notice for long, and keep Start from succeeding.
func TestKillWithBusySession(t *testing.T) {
	t.Parallel()
	s := NewPostgres(t)
	db := dial(t, s.Database(t))
	const busily = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"
	answer := make(chan error, 1)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "SET statement_timeout = '30s'"); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := conn.ExecContext(t.Context(), busily)
		answer <- err
	}()
	for busy := 0; busy == 0; {
		row := db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state = 'active'", busily)
		if err := row.Scan(&busy); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-answer:
		if err == nil {
			t.Fatal("the statement ended well")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the session lives on")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}

// A killed PostgreSQL server leaves memory to the system, which no folder holds.
func TestKilledPostgresLeavesNoSharedMemory(t *testing.T) {
	t.Parallel()
	var segment string
	t.Run("inner", func(t *testing.T) {
		s := NewPostgres(t)
		if segment = sharedMemory(s); !segments(t)[segment] {
			t.Fatalf("the running server has no segment %s", segment)
		}
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	})
	if segment != "" && segments(t)[segment] {
		t.Fatalf("segment %s is still there", segment)
	}
}

// segments returns the ids of all System V segments.
func segments(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Skip(err)
	}
	ids := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		ids[strings.Fields(line)[1]] = true
	}
	return ids
}

func TestStartFailureShowsTheLog(t *testing.T) {
	need(t, &postgres)
	s, err := launch(&postgres, false, "-c", "work_mem=nonsense")
	if err == nil {
		t.Fatal("started", s.discard())
	}
	if !strings.Contains(err.Error(), `invalid value for parameter "work_mem"`) {
		t.Fatalf("the error does not say why: %v", err)
	}
}

func TestStartTwice(t *testing.T) {
	s := NewMemcached(t)
	if err := s.Start(); err == nil {
		t.Fatal("a running server was started again")
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err == nil {
		t.Fatal("a dead server was killed again")
	}
}

func TestOwnServerIsGoneWithItsTest(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			var s *Server
			t.Run("inner", func(t *testing.T) {
				s = k.own(t)
				if err := s.Pause(); err != nil { // which must not keep it from ending
					t.Fatal(err)
				}
			})
			if s == nil {
				t.SkipNow() // inner was skipped
			}
			if gone := traces(s.Dir(), s.Addr()); gone != "" {
				t.Fatal(gone)
			}
		})
	}
}

// traces says what is left of a server; "" if nothing is.
func traces(dir, address string) string {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return fmt.Sprintf("the folder %s is still there: %v", dir, err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		return "somebody still listens on " + address
	}
	return ""
}
