package bench

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
	"github.com/redis/rueidis"
)

const plainText = "a value of about the size that sessions and counters and rendered lines have, say sixty-four bytes and some"

func openBucket[T any](b *testing.B, s store.Store) *larder.Bucket[T] {
	b.Helper()
	c, err := larder.New(&larder.Options{Store: s, Name: "bench", StoreTimeout: timeoutOf(s)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	bucket, err := larder.NewBucket[T](c, "plain", nil)
	if err != nil {
		b.Fatal(err)
	}
	return bucket
}

// timeoutOf is that which a store in this process doesn't have.
func timeoutOf(s store.Store) time.Duration {
	if _, shared := s.(store.Shared); shared {
		return patience
	}
	return 0
}

func getPlain[T comparable](b *testing.B, bucket *larder.Bucket[T], want T) {
	ctx := context.Background()
	if err := bucket.Set(ctx, "key", want); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if v, ok, err := bucket.Get(ctx, "key"); err != nil || !ok || v != want {
			b.Fatal(v, ok, err)
		}
	}
}

// BenchmarkPlainGetMemory is a Get in this process's memory, beside a sync.Map that holds the same and knows neither TTLs nor bounds.
func BenchmarkPlainGetMemory(b *testing.B) {
	b.Run("sync.Map", func(b *testing.B) {
		var m sync.Map
		m.Store("key", plainText)
		b.ReportAllocs()
		for b.Loop() {
			if v, ok := m.Load("key"); !ok || v.(string) != plainText {
				b.Fatal(v)
			}
		}
	})
	b.Run("larder string", func(b *testing.B) { getPlain(b, openBucket[string](b, memory.New(0)), plainText) })
	b.Run("larder int", func(b *testing.B) { getPlain(b, openBucket[int](b, memory.New(0)), 123456) })
	b.Run("larder struct", func(b *testing.B) {
		type line struct {
			Text string
			N    int
		}
		getPlain(b, openBucket[line](b, memory.New(0)), line{plainText, 7})
	})
}

// BenchmarkPlainIncrMemory is a count in this process's memory.
func BenchmarkPlainIncrMemory(b *testing.B) {
	bucket := openBucket[int](b, memory.New(0))
	if err := bucket.Set(b.Context(), "key", 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bucket.Incr(b.Context(), "key", 1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlainGetShared is a Get through each store that processes share, beside the bare client that asks for one key.
func BenchmarkPlainGetShared(b *testing.B) {
	for _, f := range farServers {
		for network, addr := range f.addresses(b) {
			b.Run(f.name+"/"+network+"/bare", func(b *testing.B) {
				bare := f.bare(b, addr)
				if err := bare.set("bare", len(plainText)); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := bare.get([]string{"bare"}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(f.name+"/"+network+"/larder", func(b *testing.B) {
				getPlain(b, openBucket[string](b, f.store(b, addr)), plainText)
			})
		}
	}
}

// BenchmarkPlainIncrShared is a count through each store, beside the bare INCRBY of Redis.
func BenchmarkPlainIncrShared(b *testing.B) {
	for _, f := range farServers {
		addr := f.addresses(b)["unix"]
		if f.name == "redis" {
			b.Run("redis/bare", func(b *testing.B) {
				c := bareRedis(b, addr).(rueidisClient)
				for b.Loop() {
					if err := c.Do(b.Context(), c.B().Incrby().Key("n").Increment(1).Build()).Error(); err != nil && !rueidis.IsRedisNil(err) {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(f.name+"/larder", func(b *testing.B) {
			bucket := openBucket[int](b, f.store(b, addr))
			if err := bucket.Set(b.Context(), "n", 0); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := bucket.Incr(b.Context(), "n", 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
