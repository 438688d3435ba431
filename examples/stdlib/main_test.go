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

const want = `stuff of 42: [lamp chair] (0 by the cache, 1 by the database)
stuff of 42: [lamp chair] (1 by the cache, 0 by the database)
a transaction has written, and not committed
stuff of 42, in the transaction: [red lamp chair] (0 by the cache, 1 by the database)
stuff of 42, for others: [lamp chair] (1 by the cache, 0 by the database)
it has committed
stuff of 42: [red lamp chair] (0 by the cache, 1 by the database)
stuff of 42: [red lamp chair] (1 by the cache, 0 by the database)
`
