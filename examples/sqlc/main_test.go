package main

import (
	"strings"
	"testing"

	"github.com/larderdb/larder/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestOutput(t *testing.T) {
	var out strings.Builder
	if err := run(&out, dbtest.Postgres(t).Database(t).DSN()); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != want {
		t.Errorf("printed:\n%s\nwant:\n%s", got, want)
	}
}

const want = `stuff of 42: [{1 42 lamp} {2 42 chair}] (0 by the cache, 1 by the database)
stuff of 7: [{3 7 kettle}] (0 by the cache, 1 by the database)
owner of the chair: Ada (0 by the cache, 1 by the database)
stuff of 42: [{1 42 lamp} {2 42 chair}] (1 by the cache, 0 by the database)
stuff of 7: [{3 7 kettle}] (1 by the cache, 0 by the database)
owner of the chair: Ada (1 by the cache, 0 by the database)
the lamp is red now
stuff of 42: [{1 42 red lamp} {2 42 chair}] (0 by the cache, 1 by the database)
stuff of 7: [{3 7 kettle}] (1 by the cache, 0 by the database)
42 has given the chair to 7
stuff of 42: [{1 42 red lamp}] (0 by the cache, 1 by the database)
stuff of 7: [{2 7 chair} {3 7 kettle}] (0 by the cache, 1 by the database)
owner of the chair: Bob (0 by the cache, 1 by the database)
`
