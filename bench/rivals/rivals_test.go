package rivals

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/larderdb/larder"
	"github.com/redis/rueidis"
)

// A rival is one competitor over one store.
type rival struct {
	name    string
	store   string                     // memory, memcached or Redis; "" if it keeps nothing
	modules []string                   // whose versions it is told by
	open    func(job) (service, error) // nil: it is Python's, see django/worker.py
}

// id names the competitor among all.
func (r *rival) id() string {
	if r.store == "" {
		return r.name
	}
	return r.name + ", " + r.store
}

// shared reports whether several processes can use it.
func (r *rival) shared() bool { return r.store != "memory" }

// promises reports whether it promises never to be stale.
func (r *rival) promises() bool { return r.name == larderName }

// language is that of the driver which it is compared with.
func (r *rival) language() string {
	if r.open == nil {
		return "Python"
	}
	return "Go"
}

const larderName = "**Larder**"

// rivals in the order of the table; the first of each language is its bare driver.
var rivals = []rival{
	{"database/sql, pgx", "", []string{"github.com/jackc/pgx/v5"}, openBare},
	{larderName, "memory", nil, openLarder("")},
	{larderName, "memcached", nil, openLarder("memcached")},
	{larderName, "Redis", nil, openLarder("redis")},
	{"by hand", "memcached", []string{"github.com/bradfitz/gomemcache"}, openGomemcache},
	{"by hand", "Redis", []string{"github.com/redis/rueidis"}, openRueidis},
	{"go-gorm/caches", "memory", []string{"github.com/go-gorm/caches/v4", "gorm.io/gorm"}, openGormMemory},
	{"go-gorm/caches", "Redis", []string{"github.com/go-gorm/caches/v4", "gorm.io/gorm", "github.com/redis/go-redis/v9"}, openGormRedis},
	{"rockscache", "Redis", []string{"github.com/dtm-labs/rockscache", "github.com/redis/go-redis/v9"}, openRockscache(false)},
	{"rockscache, strong", "Redis", []string{"github.com/dtm-labs/rockscache", "github.com/redis/go-redis/v9"}, openRockscache(true)},
	{"go-zero sqlc", "Redis", []string{"github.com/zeromicro/go-zero"}, openGoZero},
	{"entcache, TTL 1 s", "memory", []string{"ariga.io/entcache", "entgo.io/ent"}, openEntcache(false)},
	{"entcache, TTL 1 s", "Redis", []string{"ariga.io/entcache", "entgo.io/ent", "github.com/go-redis/redis/v8"}, openEntcache(true)},

	{"Django", "", nil, nil},
	{"Django, by hand", "memcached", nil, nil},
	{"Django, by hand", "Redis", nil, nil},
	{"django-cachalot", "memcached", nil, nil},
	{"django-cachalot", "Redis", nil, nil},
	{"django-cacheops", "Redis", nil, nil},
	{"django-cache-machine", "memcached", nil, nil},
	{"django-cache-machine", "Redis", nil, nil},
}

func rivalNamed(name, store string) *rival {
	for i := range rivals {
		if r := &rivals[i]; r.name == name && r.store == store {
			return r
		}
	}
	return nil
}

const (
	listOfUser = "SELECT id, user_id, name, price, amount FROM stuff WHERE user_id = $1 ORDER BY id"
	saveThing  = "UPDATE stuff SET user_id = $1, name = $2, price = $3, amount = $4 WHERE id = $5"

	ttl      = 300 * time.Second // of all that is given one
	patience = time.Second       // what a call of a store may take: the machine is busy
)

// bare is a program on database/sql. Larder is nothing else.
type bare struct{ db *sql.DB }

func (s bare) list(ctx context.Context, user int64) ([]thing, error) {
	rows, err := s.db.QueryContext(ctx, listOfUser, user)
	if err != nil {
		return nil, err
	}
	return things(rows)
}

// things reads the rows of a list, and closes them.
func things(rows interface {
	Next() bool
	Scan(...any) error
	Err() error
	Close() error
}) ([]thing, error) {
	defer rows.Close()
	var got []thing
	for rows.Next() {
		var t thing
		if err := rows.Scan(&t.ID, &t.User, &t.Name, &t.Price, &t.Amount); err != nil {
			return nil, err
		}
		got = append(got, t)
	}
	return got, rows.Err()
}

func (s bare) save(ctx context.Context, t thing) error {
	_, err := s.db.ExecContext(ctx, saveThing, t.User, t.Name, t.Price, t.Amount, t.ID)
	return err
}

func openPgx(j job) (*sql.DB, error) {
	db, err := sql.Open("pgx", j.DSN)
	if err == nil {
		db.SetMaxIdleConns(clientsEach)
	}
	return db, err
}

func openBare(j job) (service, error) {
	db, err := openPgx(j)
	return bare{db}, err
}

// openLarder trusts stores that are new: nobody else has used them, and nobody restarts them. It has room for all lists, as others do.
func openLarder(store string) func(job) (service, error) {
	return func(j job) (service, error) {
		o := larder.Options{MaxBytes: 256 << 20}
		switch store {
		case "memcached":
			o.StoreURL, o.StoreTimeout = "memcached://"+j.Memcached+"?trust_empty=true&timeout=1s", patience
		case "redis":
			o.StoreURL, o.StoreTimeout = "redis://"+j.Redis+"?settle=-1s&timeout=1s", patience
		}
		db, err := larder.Open("pgx", j.DSN, &o)
		if err == nil {
			db.SetMaxIdleConns(clientsEach)
		}
		return bare{db}, err
	}
}

// A keeper is a client by which the cache-aside is written by hand.
type keeper interface {
	get(ctx context.Context, key string) ([]byte, error) // nil if there is none
	set(ctx context.Context, key string, value []byte) error
	del(ctx context.Context, key string) error
}

// byHand is GET, else SELECT and SET; UPDATE, then DEL.
type byHand struct {
	bare
	far keeper
}

func listKey(user int64) string { return "list:" + strconv.FormatInt(user, 10) }

func (s byHand) list(ctx context.Context, user int64) (got []thing, err error) {
	value, err := s.far.get(ctx, listKey(user))
	if err != nil {
		return nil, err
	}
	if value != nil {
		return got, json.Unmarshal(value, &got)
	}
	if got, err = s.bare.list(ctx, user); err != nil {
		return nil, err
	}
	if value, err = json.Marshal(got); err != nil {
		return nil, err
	}
	return got, s.far.set(ctx, listKey(user), value)
}

func (s byHand) save(ctx context.Context, t thing) error {
	if err := s.bare.save(ctx, t); err != nil {
		return err
	}
	return s.far.del(ctx, listKey(t.User))
}

type gomemcache struct{ *memcache.Client }

func openGomemcache(j job) (service, error) {
	c := memcache.New(j.Memcached)
	c.MaxIdleConns, c.Timeout = clientsEach, patience
	db, err := openPgx(j)
	return byHand{bare{db}, gomemcache{c}}, err
}

func (c gomemcache) get(_ context.Context, key string) ([]byte, error) {
	item, err := c.Get(key)
	if errors.Is(err, memcache.ErrCacheMiss) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return item.Value, nil
}

func (c gomemcache) set(_ context.Context, key string, value []byte) error {
	return c.Set(&memcache.Item{Key: key, Value: value, Expiration: int32(ttl.Seconds())})
}

func (c gomemcache) del(_ context.Context, key string) error {
	if err := c.Delete(key); !errors.Is(err, memcache.ErrCacheMiss) {
		return err
	}
	return nil
}

type rueidisKeeper struct{ rueidis.Client }

func openRueidis(j job) (service, error) {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{j.Redis}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return nil, err
	}
	db, err := openPgx(j)
	return byHand{bare{db}, rueidisKeeper{c}}, err
}

func (c rueidisKeeper) get(ctx context.Context, key string) ([]byte, error) {
	value, err := c.Do(ctx, c.B().Get().Key(key).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return value, err
}

func (c rueidisKeeper) set(ctx context.Context, key string, value []byte) error {
	return c.Do(ctx, c.B().Set().Key(key).Value(rueidis.BinaryString(value)).Ex(ttl).Build()).Error()
}

func (c rueidisKeeper) del(ctx context.Context, key string) error {
	return c.Do(ctx, c.B().Del().Key(key).Build()).Error()
}
