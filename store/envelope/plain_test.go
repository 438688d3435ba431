package envelope_test

import (
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/envelope"
)

// plainly does one op.
func plainly(t testing.TB, s store.Plain, op store.PlainOp) store.PlainOp {
	t.Helper()
	op.TTL = time.Hour
	ops := []store.PlainOp{op}
	s.Plain(t.Context(), ops)
	ok(t, ops[0].Err)
	return ops[0]
}

// TestPlainIsHidden: a server has no key and no plain value that can be read, nor a number that was counted; without keys it has.
func TestPlainIsHidden(t *testing.T) {
	const number = 8_170_635_492_817
	for _, keys := range [][][]byte{nil, {newKey()}} {
		server := dbtest.NewRedis(t)
		s := inRedis(t, server, "x:", envelope.Options{Keys: keys})
		for _, verb := range []store.PlainVerb{store.PlainSet, store.PlainAdd, store.PlainSwap} {
			plainly(t, s, store.PlainOp{Verb: verb, Key: "key " + marker, Value: []byte("value " + marker), Old: []byte("value " + marker)})
		}
		plainly(t, s, store.PlainOp{Verb: store.PlainSet, Key: "number", Value: []byte("0")})
		if op := plainly(t, s, store.PlainOp{Verb: store.PlainCount, Key: "number", Delta: number}); op.Sum != number {
			t.Errorf("counts %d", op.Sum)
		}
		all := everything(t, client(t, server))
		for _, secret := range []string{marker, "8170635492817"} {
			if plain := strings.Contains(all, secret); plain != (keys == nil) {
				t.Errorf("with %d keys the server has %s in plain: %v", len(keys), secret, plain)
			}
		}
	}
}

// TestPlainIsMoved: a plain value that lies under another key can't be opened, nor by who has another key.
func TestPlainIsMoved(t *testing.T) {
	server := dbtest.NewRedis(t)
	c, key := client(t, server), newKey()
	s := inRedis(t, server, "x:", envelope.Options{Keys: [][]byte{key}})
	set := func(key, value string) (name string) {
		before := strings.Join(keysOf(t, server), " ")
		plainly(t, s, store.PlainOp{Verb: store.PlainSet, Key: key, Value: []byte(value)})
		for _, k := range keysOf(t, server) {
			if !strings.Contains(before, k) {
				name = k
			}
		}
		return name
	}
	one, other := set("one", "1"), set("other", "2")
	if op := plainly(t, s, store.PlainOp{Key: "other"}); string(op.Found) != "2" {
		t.Fatalf("%q", op.Found)
	}
	ok(t, c.Do(t.Context(), c.B().Copy().Source(one).Destination(other).Replace().Build()).Error())
	for verb, want := range map[store.PlainVerb]bool{store.PlainGet: false, store.PlainCount: false, store.PlainSwap: false} {
		if op := plainly(t, s, store.PlainOp{Verb: verb, Key: "other", Old: []byte("1")}); op.Done != want || op.Found != nil {
			t.Errorf("verb %d of a moved value: %q", verb, op.Found)
		}
	}
	if op := plainly(t, s, store.PlainOp{Key: "one"}); string(op.Found) != "1" {
		t.Errorf("%q", op.Found)
	}
	fresh := inRedis(t, server, "x:", envelope.Options{Keys: [][]byte{newKey(), key}})
	if op := plainly(t, fresh, store.PlainOp{Verb: store.PlainCount, Key: "one", Delta: 1}); op.Sum != 2 {
		t.Errorf("with a fresh key in front: counts %d", op.Sum)
	}
	if op := plainly(t, s, store.PlainOp{Key: "one"}); op.Done {
		t.Errorf("without the key by which it is sealed: %q", op.Found)
	}
}

func keysOf(t *testing.T, server *dbtest.Server) []string {
	c := client(t, server)
	keys, err := c.Do(t.Context(), c.B().Keys().Pattern("*").Build()).AsStrSlice()
	ok(t, err)
	return keys
}
