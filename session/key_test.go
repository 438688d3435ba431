package session

import (
	"database/sql"
	"database/sql/driver"
	"flag"
	"math"
	"math/big"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/larderdb/larder/analyze"
)

func list(values ...any) []driver.NamedValue {
	args := make([]driver.NamedValue, len(values))
	for i, v := range values {
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return args
}

func keyFor(t testing.TB, args []driver.NamedValue) string {
	t.Helper()
	key, ok := appendArgs(nil, args)
	if !ok {
		t.Fatalf("%v has no key", args)
	}
	return string(key)
}

type (
	text   string
	uuid   [16]byte
	nested struct {
		A any
		B *int
		C []string
	}
	ticker struct{ calls *int }
)

func (c ticker) Value() (driver.Value, error) { *c.calls++; return int64(*c.calls), nil }

// TestKeysDiffer: lists of arguments that a driver could tell apart have different keys.
func TestKeysDiffer(t *testing.T) {
	one, two := 1, 2
	zone := time.FixedZone("X", 3600)
	now := time.Now()
	lists := [][]driver.NamedValue{
		list(), list(nil), list(nil, nil),
		list("a b", "c"), list("a", "b c"), list("a b c"), list("", "a b c"), list("a b c", ""),
		list(1), list(int64(1)), list(int32(1)), list(uint64(1)), list(1.0), list(float32(1)), list("1"), list([]byte("1")), list(true), list(text("1")),
		list(false), list(""), list([]byte(nil)), list([]byte{}), list(nil, "NULL"), list("NULL"),
		list(math.NaN()), list(math.Inf(1)), list(0.0), list(math.Copysign(0, -1)),
		list(now), list(now.Round(0)), list(now.Round(0).UTC()), list(now.Round(0).In(zone)), list(now.Add(1)),
		list(uuid{1}), list(uuid{2}), list(sql.NullString{String: "a"}), list(sql.NullString{String: "a", Valid: true}),
		list(nested{A: 1}), list(nested{A: int64(1)}), list(nested{B: &one}), list(nested{B: &two}), list(nested{C: []string{"a", "b"}}), list(nested{C: []string{"ab", ""}}), list(nested{C: []string{}}),
		list([]int{1, 2}), list([]int{12}), list([]any{1, 2}), list([]any{"1", 2}), list([2]int{1, 2}),
		list(big.NewInt(1)), list(big.NewInt(2)), list(&one), list(&two),
		{{Name: "a", Ordinal: 1, Value: 1}}, {{Name: "b", Ordinal: 1, Value: 1}},
	}
	seen := map[string]int{}
	for i, args := range lists {
		key := keyFor(t, args)
		if j, ok := seen[key]; ok {
			t.Errorf("%#v and %#v have one key", lists[j], args)
		}
		seen[key] = i
		if again := keyFor(t, args); again != key {
			t.Errorf("%#v has two keys", args)
		}
	}
}

// TestNoKey: what can't be compared has no key.
func TestNoKey(t *testing.T) {
	for _, v := range []any{map[string]int{}, func() {}, make(chan int), nested{A: map[int]int{}}, sql.Out{}, rewriter{}} {
		if _, ok := appendArgs(nil, list(v)); ok {
			t.Errorf("%T has a key", v)
		}
	}
}

type rewriter struct{}

func (rewriter) RewriteQuery(sql string) string { return sql + "!" }

// TestValuerIsAsked: an argument whose value changes while it stays as it is.
func TestValuerIsAsked(t *testing.T) {
	c := ticker{new(int)}
	first := keyFor(t, list(c))
	if keyFor(t, list(c)) == first {
		t.Error("a Valuer's second value has the key of its first")
	}
}

// TestKeysOfRandomLists: lists have one key exactly if they are equal.
func TestKeysOfRandomLists(t *testing.T) {
	value := rapid.OneOf(
		rapid.Map(rapid.StringN(0, 3, 6), func(s string) any { return s }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 3), func(b []byte) any { return b }),
		rapid.Map(rapid.Int64(), func(i int64) any { return i }),
		rapid.Map(rapid.IntRange(0, 3), func(i int) any { return i }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Just[any](nil),
		rapid.Map(rapid.SliceOfN(rapid.StringN(0, 2, 4), 0, 3), func(s []string) any { return s }),
	)
	if flag.Lookup("rapid.seed").Value.String() == "0" { // another one each time
		flag.Set("rapid.seed", "1")
		defer flag.Set("rapid.seed", "0")
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(value, 0, 4).Draw(t, "a"), rapid.SliceOfN(value, 0, 4).Draw(t, "b")
		ka, _ := appendArgs(nil, list(a...))
		kb, _ := appendArgs(nil, list(b...))
		if (string(ka) == string(kb)) != reflect.DeepEqual(list(a...), list(b...)) {
			t.Fatalf("%#v and %#v: equal keys %v", a, b, string(ka) == string(kb))
		}
	})
}

// TestClock: texts that a database would read as the current time.
func TestClock(t *testing.T) {
	now, name := "now", "Anna"
	yes := []any{"now", " NOW ", []byte("now"), text("Now"), []string{"a", "now"}, &now, sql.NullString{String: "now", Valid: true}, [][]string{{"now"}}}
	no := []any{nil, 1, "2026-11-22", "Snowman", []byte{0}, &name, sql.NullString{}, []string{"a"}, 1.5, true}
	for d, more := range map[analyze.Dialect][]any{
		analyze.Postgres: {"today 10:00", "{now}", []byte("yesterday"), text("Tomorrow")},
		analyze.SQLite:   {"localtime", "subsec", "UTC"},
	} {
		clock := clockOf(d)
		for _, v := range append(yes, more...) {
			if !clock.anyOf(list(1, v)) {
				t.Errorf("%s: %#v is taken for no clock", d, v)
			}
		}
		for _, v := range no {
			if clock.anyOf(list(v)) {
				t.Errorf("%s: %#v is taken for a clock", d, v)
			}
		}
	}
	if clockOf(analyze.MySQL).anyOf(list("now")) {
		t.Error("MySQL has no such texts")
	}
}

// BenchmarkKey builds the key of a usual list.
func BenchmarkKey(b *testing.B) {
	args := list(int64(42), "name", 7, true)
	var key []byte
	b.ReportAllocs()
	for b.Loop() {
		key, _ = appendArgs(key[:0], args)
	}
}
