package larder

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/store/memory"
)

// unknownDriver is a driver of which nothing is known.
type unknownDriver struct{}

func (unknownDriver) Open(string) (driver.Conn, error) { return nil, errors.New("never opened") }

func init() {
	sql.Register("unheard-of", unknownDriver{})
	sql.Register("strict", strictDriver{})
}

// strictDriver is a driver that refuses names of data sources.
type strictDriver struct{ unknownDriver }

var errRefused = errors.New("strict: invalid name")

func (d strictDriver) OpenConnector(dsn string) (driver.Connector, error) {
	if dsn != "strict://host" {
		return nil, errRefused
	}
	return dsnConnector{d, dsn}, nil
}

// TestStrictDriver: a driver is asked for no name but that which is given, and its error is
// handed on as it is.
func TestStrictDriver(t *testing.T) {
	db, err := Open("strict", "strict://host", &Options{Dialect: "postgres"})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, bare := sql.Open("strict", "other")
	if _, err := Open("strict", "other", &Options{Dialect: "postgres"}); err != bare || err != errRefused {
		t.Errorf("%v, want what the bare driver says: %v", err, bare)
	}
}

// TestWrongOptions: options that are wrong or contradict are refused by errors that say
// what to do instead.
func TestWrongOptions(t *testing.T) {
	for _, c := range []struct {
		driver  string
		options Options
		says    []string
	}{
		{"sqlite", Options{Dialect: "oracle"}, []string{`"oracle"`, `"postgres", "mysql" or "sqlite"`}},
		{"sqlite", Options{Dialect: "postgres"}, []string{"Dialect", "sqlite", "leave Dialect empty"}},
		{"sqlite", Options{Store: memory.New(1 << 20), MaxBytes: 1 << 20}, []string{"MaxBytes", "Store", "not both"}},
		{"sqlite", Options{MaxBytes: -1}, []string{"MaxBytes", "negative", "0 means the default"}},
		{"sqlite", Options{MaxEntryBytes: -1}, []string{"MaxEntryBytes", "negative"}},
		{"sqlite", Options{TTL: -1}, []string{"TTL", "negative"}},
		{"sqlite", Options{Lease: -1}, []string{"Lease", "negative"}},
		{"sqlite", Options{MaxBytes: 10, MaxEntryBytes: 11}, []string{"MaxEntryBytes (11)", "MaxBytes (10)"}},
		{"nosuch", Options{}, []string{`unknown driver "nosuch"`, "known are", "sqlite", "pgx"}},
		{"unheard-of", Options{}, []string{"dialect", "larder.unknownDriver", "set Options.Dialect"}},
	} {
		db, err := Open(c.driver, ":memory:", &c.options)
		if err == nil {
			db.Close()
			t.Errorf("%s %+v: no error", c.driver, c.options)
			continue
		}
		for _, part := range append(c.says, "larder: ") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q doesn't say %q", err, part)
			}
		}
	}
	cache, err := New(&Options{Dialect: "mysql"})
	if err != nil {
		t.Fatal(err)
	}
	db, err := cache.Open("unheard-of", "x")
	if err != nil {
		t.Errorf("a dialect that is told: %v", err)
	} else {
		db.Close()
	}
}

// TestCachesAndStores: caches that share a store see each other's writes, those of defaults
// share one, and those with stores of their own see nothing of each other.
func TestCachesAndStores(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		shared := h.client("")
		h.wantCached(h.db, names)
		shared.exec(shared.db, "UPDATE stuff SET name = 'shared'")
		h.want(h.db, "shared,shared,shared", OutcomeMiss, names)

		own := h.opened(Open(h.driver, h.dsn, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 10}))
		h.exec(own, "UPDATE stuff SET name = 'own'")
		h.want(h.db, "shared,shared,shared", OutcomeHit, names)
		if got := h.texts(own, names); got != "own,own,own" {
			h.Error(got)
		}

		first, second := h.opened(Open(h.driver, h.dsn, nil)), h.opened(Open(h.driver, h.dsn, nil))
		h.texts(first, names)
		h.texts(first, names)
		cache, _ := Of(first)
		if cache.Stats().Hits == 0 {
			h.Error("a cache of defaults has no hits")
		}
		h.exec(second, "UPDATE stuff SET name = 'default'")
		if got := h.texts(first, names); got != "default,default,default" {
			h.Error(got)
		}
	})
}

// TestCacheClosed: handles of a closed cache read and write their databases; a store that
// was given to the cache goes on.
func TestCacheClosed(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		h.ok(h.cache.Close())
		h.exec(h.bare, "UPDATE stuff SET name = 'unseen'")
		for range 2 {
			if got := h.texts(h.db, names); got != "unseen,unseen,unseen" {
				h.Error(got)
			}
		}
		h.exec(h.db, "UPDATE stuff SET name = 'seen'")
		if got := h.texts(h.other, names); got != "seen,seen,seen" {
			h.Error(got)
		}
	})
	for _, k := range kinds {
		t.Run(k.name+" given a store", func(t *testing.T) {
			h := newHouse(t, k, &Options{Store: memory.New(1 << 20)})
			h.prepare(base)
			h.ok(h.client("").cache.Close())
			h.wantCached(h.db, names)
		})
	}
}

// TestLog: a write whose outcome is unknown is told to the logger, without values.
func TestLog(t *testing.T) {
	for _, k := range kinds {
		if k.dialect == "sqlite" {
			continue // there is no connection to lose
		}
		t.Run(k.name, func(t *testing.T) {
			var out bytes.Buffer
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16, Logger: slog.New(slog.NewTextHandler(&out, nil))})
			h.prepare(base)
			slow, g := h.gated()
			h.texts(slow, people)
			const text = "UPDATE stuff SET name = 'secret'"
			h.exec(slow, "UPDATE stuff SET name = 'fine'")
			if out.Len() > 0 {
				t.Errorf("before anything was lost: %s", &out)
			}
			s := g.at(t, "after "+text)
			s.fault, s.severing = errLost, true
			s.go_()
			if _, err := slow.Exec(text); !errors.Is(err, errLost) {
				t.Errorf("exec: %v", err)
			}
			for _, part := range []string{"level=WARN", "larder: outcome of a write is unknown", "until the lease ends", errLost.Error()} {
				if !strings.Contains(out.String(), part) {
					t.Errorf("the log doesn't say %q: %s", part, &out)
				}
			}
			if strings.Contains(out.String(), "secret") {
				t.Errorf("the log tells values: %s", &out)
			}
			if n := h.cache.Stats().Abandoned; n != 1 {
				t.Errorf("%d writes of unknown outcome, want 1", n)
			}
		})
	}
}

// TestLifetime: an entry lives as long as its statement says, and no longer.
func TestLifetime(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		const short, long = "/* larder:ttl=100ms */ SELECT name FROM stuff ORDER BY id", "/* larder:ttl=1h */ SELECT name FROM stuff ORDER BY id"
		h.wantRead(h.db, OutcomeMiss, short)
		h.wantCached(h.db, long)
		before := h.texts(h.bare, names)
		h.exec(h.bare, "UPDATE stuff SET name = 'unseen'") // unseen by the cache
		for end := time.Now().Add(20 * time.Second); h.texts(h.db, short) == before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the entry doesn't end")
			}
		}
		h.wantWith(h.Context(), before, OutcomeHit, analyze.Cacheable, long)
		h.take()
		h.texts(h.db, "/* larder:ttl=never */ "+names)
		h.wantReason(analyze.Asked, "a lifetime that can't be read")
	})
}
