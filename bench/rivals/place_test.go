package rivals

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/larderdb/larder/dbtest"
)

// python is Debian's, for which its packages are.
const python = "/usr/bin/python3"

// places is the server on which each measurement has a database of its own, made from one of two that nobody else touches.
type places struct {
	server      *dbtest.Server
	few, many   table
	maintenance *sql.DB // of a database that isn't measured
	made        int
}

// A table is a database to be copied, and what is in its table.
type table struct {
	name        string
	rows, users int
	dsn         string
}

const (
	perList = 20  // rows of a user in the small table
	few     = 100 // users in it
)

func newPlaces(t testing.TB) *places {
	t.Helper()
	p := &places{server: dbtest.NewPostgres(t, "-c", "shared_preload_libraries=pg_stat_statements")}
	p.few = p.fill(t, few*perList, few)
	p.many = p.fill(t, 100_000, 1000)
	var err error
	if p.maintenance, err = sql.Open("pgx", p.server.Database(t).TCP()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.maintenance.Close() })
	p.exec(t, "CREATE EXTENSION pg_stat_statements")
	return p
}

// fill makes a database, and leaves it with no connection.
func (p *places) fill(t testing.TB, rows, users int) table {
	t.Helper()
	d := p.server.Database(t)
	d.Run(t, fmt.Sprintf(`
CREATE TABLE stuff (id bigint PRIMARY KEY, user_id bigint NOT NULL, name varchar(100) NOT NULL, price double precision NOT NULL, amount bigint NOT NULL);
INSERT INTO stuff SELECT n + 1, n %% %d, 'thing number', 1.5, 0 FROM generate_series(0, %d) n;
CREATE INDEX stuff_user ON stuff (user_id);
VACUUM ANALYZE stuff;`, users, rows-1))
	return table{name: d.Name, rows: rows, users: users, dsn: d.TCP()}
}

func (p *places) exec(t testing.TB, text string) {
	t.Helper()
	if _, err := p.maintenance.Exec(text); err != nil {
		t.Fatal(err)
	}
}

// A place is a fresh database and fresh stores.
type place struct {
	*places
	table
	memcached, redis string
}

func (p *places) fresh(t testing.TB, from table) *place {
	t.Helper()
	p.made++
	name := fmt.Sprintf("rivals_%d", p.made)
	p.exec(t, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, from.name))
	t.Cleanup(func() { p.exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(from.dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	from.name, from.dsn = name, u.String()
	return &place{p, from, dbtest.NewMemcached(t).Addr(), dbtest.NewRedis(t).Addr()}
}

// counted are the statements that the server has executed in a database: those that read lists, and all.
func (p *place) counted(t testing.TB) (lists, all int) {
	t.Helper()
	err := p.maintenance.QueryRow(`
SELECT coalesce(sum(calls) FILTER (WHERE query ~* '^select.*from "?stuff"?.*where.*user_id"? ?= ?\(?\$'), 0), coalesce(sum(calls), 0)
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1`, p.name).Scan(&lists, &all)
	if err != nil {
		t.Fatal(err)
	}
	return lists, all
}

// A worker is a process of a rival.
type worker struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	out       *bufio.Reader
	complaint bytes.Buffer
	version   []string
}

// start starts a worker. Its error says why the rival can't run here.
func (p *place) start(ctx context.Context, r *rival) (*worker, error) {
	j, err := json.Marshal(job{Rival: r.name, Store: r.store, DSN: p.dsn, Memcached: p.memcached, Redis: p.redis})
	if err != nil {
		return nil, err
	}
	w := new(worker)
	if r.open != nil {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		w.cmd = exec.CommandContext(ctx, self)
	} else {
		w.cmd = exec.CommandContext(ctx, python, "-B", "-W", "ignore", "django/worker.py") // -B: no __pycache__ here
	}
	w.cmd.Env = append(os.Environ(), jobVariable+"="+string(j))
	w.cmd.Stderr = &w.complaint
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = bufio.NewReader(out)
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	ready, err := w.answer()
	if err != nil {
		return nil, errors.Join(err, w.end())
	}
	w.version = ready.Version
	return w, nil
}

// do gives an order and waits until it is carried out.
func (w *worker) do(o order) (answer, error) {
	if err := json.NewEncoder(w.in).Encode(o); err != nil {
		return answer{}, err
	}
	return w.answer()
}

func (w *worker) answer() (a answer, err error) {
	line, err := w.out.ReadBytes('\n')
	if err != nil {
		return a, fmt.Errorf("the worker says no more: %w: %s", err, lastLine(w.complaint.String()))
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("%w in %q", err, line)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// end lets a worker go, which ends when it has no more orders.
func (w *worker) end() error { return errors.Join(w.in.Close(), w.cmd.Wait()) }

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
