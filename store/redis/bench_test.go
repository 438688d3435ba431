package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
)

var benchTags = []store.Tag{"2:db:*", "2:db:public.stuff*", "2:db:public.stuff{user_id=42}"}

// stocked is a store with one entry of three tags, and their keys.
func stocked(b *testing.B) (s *Store, keys []string) {
	s = open(b, Options{Addresses: []string{dbtest.Redis(b).Socket()}, Prefix: newPrefix()})
	v, err := s.Lookup(b.Context(), "", benchTags)
	if err != nil {
		b.Fatal(err)
	}
	e := &store.Entry{Value: store.Bytes(strings.Repeat("x", 1200)), Tags: benchTags, Tokens: v.Tokens}
	if err := s.Fill(b.Context(), "key", e, time.Hour); err != nil {
		b.Fatal(err)
	}
	keys = []string{s.names.entry("key")}
	for _, tag := range benchTags {
		keys = append(keys, s.names.tagPrefix()+string(tag))
	}
	return s, keys
}

// BenchmarkMGET is what a hit is measured by: the same keys, by the same client.
func BenchmarkMGET(b *testing.B) {
	s, keys := stocked(b)
	c, _ := s.client(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := s.limit(b.Context())
		if _, err := c.Do(ctx, c.B().Mget().Key(keys...).Build()).ToArray(); err != nil {
			b.Fatal(err)
		}
		cancel()
	}
}

func BenchmarkHit(b *testing.B) {
	for name, tags := range map[string][]store.Tag{"tags unknown": nil, "tags known": benchTags} {
		b.Run(name, func(b *testing.B) {
			s, _ := stocked(b)
			b.ReportAllocs()
			for b.Loop() {
				if v, err := s.Lookup(b.Context(), "key", tags); err != nil || v.Entry == nil {
					b.Fatal(v, err)
				}
			}
		})
	}
}

// BenchmarkLook is a near hit: the tokens alone.
func BenchmarkLook(b *testing.B) {
	s, _ := stocked(b)
	b.ReportAllocs()
	for b.Loop() {
		if v, err := s.Lookup(b.Context(), "", benchTags); err != nil || v.Held {
			b.Fatal(v, err)
		}
	}
}

func BenchmarkLookMGET(b *testing.B) {
	s, keys := stocked(b)
	c, _ := s.client(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := s.limit(b.Context())
		if _, err := c.Do(ctx, c.B().Mget().Key(keys[1:]...).Build()).ToArray(); err != nil {
			b.Fatal(err)
		}
		cancel()
	}
}

// BenchmarkWrite is what a write pays: two steps.
func BenchmarkWrite(b *testing.B) {
	s, _ := stocked(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Hold(b.Context(), 1, benchTags, 0, nil); err != nil {
			b.Fatal(err)
		}
		if err := s.Release(b.Context(), 1, benchTags); err != nil {
			b.Fatal(err)
		}
	}
}
