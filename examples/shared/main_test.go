package main

import (
	"strings"
	"testing"

	"github.com/larderdb/larder/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// The servers are the test's own, so that nothing was in flight when they started: they may keep things at once.
func TestOutput(t *testing.T) {
	for name, url := range map[string]string{
		"redis":     "redis://" + dbtest.NewRedis(t).Addr() + "?settle=-1s&timeout=10s",
		"memcached": "memcached://" + dbtest.NewMemcached(t).Addr() + "?trust_empty=true&timeout=10s",
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := run(&out, url); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != want {
				t.Errorf("printed:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

const want = `one reads the stuff of 42: [lamp chair] (0 by the cache, 1 by the database)
two reads the stuff of 42: [lamp chair] (1 by the cache, 0 by the database)
two reads the stuff of 7: [kettle] (0 by the cache, 1 by the database)
one has painted the lamp
two reads the stuff of 42: [red lamp chair] (0 by the cache, 1 by the database)
two reads the stuff of 7: [kettle] (1 by the cache, 0 by the database)
two reads the stuff of 42: [red lamp chair] (1 by the cache, 0 by the database)
`
