package memcached_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
)

var benchTags = []store.Tag{"2:db:*", "2:db:public.stuff*", "2:db:public.stuff(user_id)*", "2:db:public.stuff{user_id=42}"}

func benchStore(b *testing.B) *memcached.Store {
	s := open(b, memcached.Options{Addrs: []string{dbtest.NewMemcachedSocket(b).Socket()}, TrustEmpty: true})
	v, err := s.Lookup(b.Context(), "", benchTags)
	if err != nil {
		b.Fatal(err)
	}
	e := &store.Entry{Value: store.Bytes(strings.Repeat("x", 1177)), Tags: benchTags, Tokens: v.Tokens}
	if err := s.Fill(b.Context(), "key", e, time.Hour); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkHit is beside the bare multi-get of the same keys by the same client.
func BenchmarkHit(b *testing.B) {
	s := benchStore(b)
	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if v, err := s.Lookup(b.Context(), "key", benchTags); err != nil || v.Entry == nil {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("without tags", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if v, err := s.Lookup(b.Context(), "key", nil); err != nil || v.Entry == nil {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.MultiGet("key", benchTags); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	s := benchStore(b)
	b.ReportAllocs()
	id := store.HoldID(0)
	for b.Loop() {
		id++
		if err := s.Hold(b.Context(), id, benchTags, 0, nil); err != nil {
			b.Fatal(err)
		}
		if err := s.Release(b.Context(), id, benchTags); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkColdMiss(b *testing.B) {
	s := benchStore(b)
	n := 0
	for b.Loop() {
		n++
		if _, err := s.Lookup(b.Context(), fmt.Sprint("k", n), []store.Tag{store.Tag(fmt.Sprint("t", n))}); err != nil {
			b.Fatal(err)
		}
	}
}
