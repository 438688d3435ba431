package analyze

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestCacheReturnsTheSame(t *testing.T) {
	c := NewCache(0)
	text := "SELECT * FROM stuff WHERE user_id = $1"
	first := c.Analyze(Postgres, text)
	if got := c.Analyze(Postgres, strings.Clone(text)); got != first {
		t.Error("a text seen before was analysed again")
	}
	if got := c.Analyze(SQLite, text); got == first || got.Dialect != SQLite {
		t.Errorf("the statement of one dialect was returned for another")
	}
	if want := Analyze(Postgres, text).Facts(); first.Facts() != want {
		t.Errorf("got %s, want %s", first.Facts(), want)
	}
}

func TestCacheHitAllocatesNothing(t *testing.T) {
	c := NewCache(0)
	text := "SELECT * FROM stuff WHERE user_id = $1"
	c.Analyze(Postgres, text)
	if n := testing.AllocsPerRun(1000, func() { c.Analyze(Postgres, text) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestCacheIsBounded(t *testing.T) {
	const bound = 64 << 10
	c := NewCache(bound)
	for i := range 2000 {
		c.Analyze(Postgres, fmt.Sprintf("SELECT a, b, c FROM t%d WHERE id = %d", i, i))
	}
	c.statements.CleanUp()
	if got := c.statements.WeightedSize(); got > bound || got < bound/2 {
		t.Errorf("holds %d bytes, want between %d and %d", got, bound/2, bound)
	}
}

func TestCacheConcurrently(t *testing.T) {
	c := NewCache(0)
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 200 {
				table := fmt.Sprintf("t%d", (i+g)%10)
				s := c.Analyze(Postgres, "SELECT * FROM "+table)
				if len(s.Reads) != 1 || s.Reads[0].Name != table {
					t.Errorf("%s: reads %v", table, s.Reads)
				}
			}
		})
	}
	wait.Wait()
}

func BenchmarkCacheHit(b *testing.B) {
	c := NewCache(0)
	text := `SELECT "stuff"."id", "stuff"."user_id", "stuff"."name" FROM "stuff" WHERE "stuff"."user_id" = $1 ORDER BY "stuff"."id" LIMIT 20`
	c.Analyze(Postgres, text)
	b.ReportAllocs()
	for b.Loop() {
		c.Analyze(Postgres, text)
	}
}

func BenchmarkPostgres(b *testing.B) {
	text := `SELECT "stuff"."id", "stuff"."user_id", "stuff"."name" FROM "stuff" WHERE "stuff"."user_id" = $1 ORDER BY "stuff"."id" LIMIT 20`
	b.ReportAllocs()
	for b.Loop() {
		Analyze(Postgres, text)
	}
}
