package rivals

import (
	"context"
	"database/sql"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"ariga.io/entcache"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/dtm-labs/rockscache"
	"github.com/go-gorm/caches/v4"
	redisv8 "github.com/go-redis/redis/v8"
	"github.com/redis/go-redis/v9"
	"github.com/zeromicro/go-zero/core/stores/cache"
	zeroredis "github.com/zeromicro/go-zero/core/stores/redis"
	"github.com/zeromicro/go-zero/core/stores/sqlc"
	"github.com/zeromicro/go-zero/core/stores/sqlx"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Each library is used as its README shows, or, where that stops, its documentation.

// stuff is a thing as GORM and go-zero want it.
type stuff struct {
	ID     int64   `gorm:"primaryKey" db:"id"`
	UserID int64   `db:"user_id"`
	Name   string  `db:"name"`
	Price  float64 `db:"price"`
	Amount int64   `db:"amount"`
}

func (stuff) TableName() string { return "stuff" }

func thingsOf(rows []stuff) []thing {
	got := make([]thing, len(rows))
	for i, r := range rows {
		got[i] = thing{r.ID, r.UserID, r.Name, r.Price, r.Amount}
	}
	return got
}

type throughGorm struct{ db *gorm.DB }

func (s throughGorm) list(ctx context.Context, user int64) ([]thing, error) {
	var rows []stuff
	err := s.db.WithContext(ctx).Where("user_id = ?", user).Order("id").Find(&rows).Error
	return thingsOf(rows), err
}

func (s throughGorm) save(ctx context.Context, t thing) error {
	return s.db.WithContext(ctx).Save(&stuff{t.ID, t.User, t.Name, t.Price, t.Amount}).Error
}

func openGorm(j job, c caches.Cacher) (service, error) {
	db, err := gorm.Open(postgres.Open(j.DSN), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxIdleConns(clientsEach)
	return throughGorm{db}, db.Use(&caches.Caches{Conf: &caches.Config{Cacher: c}})
}

func openGormMemory(j job) (service, error) { return openGorm(j, new(gormMemory)) }

func openGormRedis(j job) (service, error) { return openGorm(j, gormRedis{newGoRedis(j)}) }

func newGoRedis(j job) *redis.Client { return redis.NewClient(&redis.Options{Addr: j.Redis}) }

// gormMemory and gormRedis are the cachers of the README of go-gorm/caches; the map is exchanged without a race here.
type gormMemory struct{ kept atomic.Pointer[sync.Map] }

func (c *gormMemory) Get(_ context.Context, key string, q *caches.Query[any]) (*caches.Query[any], error) {
	kept := c.kept.Load()
	if kept == nil {
		return nil, nil
	}
	value, ok := kept.Load(key)
	if !ok {
		return nil, nil
	}
	return q, q.Unmarshal(value.([]byte))
}

func (c *gormMemory) Store(_ context.Context, key string, q *caches.Query[any]) error {
	value, err := q.Marshal()
	if err != nil {
		return err
	}
	c.kept.CompareAndSwap(nil, new(sync.Map))
	c.kept.Load().Store(key, value)
	return nil
}

func (c *gormMemory) Invalidate(context.Context) error {
	c.kept.Store(new(sync.Map))
	return nil
}

type gormRedis struct{ *redis.Client }

func (c gormRedis) Get(ctx context.Context, key string, q *caches.Query[any]) (*caches.Query[any], error) {
	value, err := c.Client.Get(ctx, key).Result()
	if err == redis.Nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return q, q.Unmarshal([]byte(value))
}

func (c gormRedis) Store(ctx context.Context, key string, q *caches.Query[any]) error {
	value, err := q.Marshal()
	if err != nil {
		return err
	}
	return c.Set(ctx, key, value, ttl).Err()
}

func (c gormRedis) Invalidate(ctx context.Context) error {
	var keys []string
	for cursor := uint64(0); ; {
		some, next, err := c.Scan(ctx, cursor, caches.IdentifierPrefix+"*", 0).Result()
		if err != nil {
			return err
		}
		keys = append(keys, some...)
		if cursor = next; cursor == 0 {
			break
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return c.Del(ctx, keys...).Err()
}

// throughRocks is rockscache, with the database by database/sql.
type throughRocks struct {
	bare
	c *rockscache.Client
}

func openRockscache(strong bool) func(job) (service, error) {
	return func(j job) (service, error) {
		o := rockscache.NewDefaultOptions()
		o.StrongConsistency = strong
		db, err := openPgx(j)
		return throughRocks{bare{db}, rockscache.NewClient(newGoRedis(j), o)}, err
	}
}

func (s throughRocks) list(ctx context.Context, user int64) (got []thing, err error) {
	value, err := s.c.Fetch2(ctx, listKey(user), ttl, func() (string, error) {
		got, err := s.bare.list(ctx, user)
		if err != nil {
			return "", err
		}
		value, err := json.Marshal(got)
		return string(value), err
	})
	if err != nil {
		return nil, err
	}
	return got, json.Unmarshal([]byte(value), &got)
}

func (s throughRocks) save(ctx context.Context, t thing) error {
	if err := s.bare.save(ctx, t); err != nil {
		return err
	}
	return s.c.TagAsDeleted2(ctx, listKey(t.User))
}

// throughZero is the cached connection that goctl's models have.
type throughZero struct{ c sqlc.CachedConn }

func openGoZero(j job) (service, error) {
	db, err := openPgx(j)
	if err != nil {
		return nil, err
	}
	node := cache.NodeConf{RedisConf: zeroredis.RedisConf{Host: j.Redis, Type: zeroredis.NodeType}, Weight: 100}
	return throughZero{sqlc.NewConn(sqlx.NewSqlConnFromDB(db), cache.CacheConf{node}, cache.WithExpiry(ttl))}, nil
}

func (s throughZero) list(ctx context.Context, user int64) ([]thing, error) {
	var rows []stuff
	err := s.c.QueryRowCtx(ctx, &rows, listKey(user), func(ctx context.Context, conn sqlx.SqlConn, v any) error {
		return conn.QueryRowsCtx(ctx, v, listOfUser, user)
	})
	return thingsOf(rows), err
}

func (s throughZero) save(ctx context.Context, t thing) error {
	_, err := s.c.ExecCtx(ctx, func(ctx context.Context, conn sqlx.SqlConn) (sql.Result, error) {
		return conn.ExecCtx(ctx, saveThing, t.User, t.Name, t.Price, t.Amount, t.ID)
	}, listKey(t.User))
	return err
}

// throughEntcache is the driver under an ent client, without the client. It has no way to remove what a write changes but its TTL,
// here the one second of its README, or a context for each read that evicts.
type throughEntcache struct{ d *entcache.Driver }

func openEntcache(far bool) func(job) (service, error) {
	return func(j job) (service, error) {
		db, err := openPgx(j)
		if err != nil {
			return nil, err
		}
		o := []entcache.Option{entcache.TTL(time.Second)}
		if far {
			o = append(o, entcache.Levels(entcache.NewRedis(redisv8.NewClient(&redisv8.Options{Addr: j.Redis}))))
		}
		return throughEntcache{entcache.NewDriver(entsql.OpenDB(dialect.Postgres, db), o...)}, nil
	}
}

func (s throughEntcache) list(ctx context.Context, user int64) ([]thing, error) {
	rows := new(entsql.Rows)
	if err := s.d.Query(ctx, listOfUser, []any{user}, rows); err != nil {
		return nil, err
	}
	return things(rows)
}

func (s throughEntcache) save(ctx context.Context, t thing) error {
	return s.d.Exec(ctx, saveThing, []any{t.User, t.Name, t.Price, t.Amount, t.ID}, nil)
}
