package redis

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
)

// plainly does one op.
func (r rig) plainly(op store.PlainOp) store.PlainOp {
	if op.TTL == 0 {
		op.TTL = time.Hour
	}
	ops := []store.PlainOp{op}
	r.s.Plain(r.Context(), ops)
	return ops[0]
}

func (r rig) did(want bool, op store.PlainOp) store.PlainOp {
	r.Helper()
	if op = r.plainly(op); op.Err != nil || op.Done != want {
		r.Fatalf("verb %d of %q: done %v, want %v, %v", op.Verb, op.Key, op.Done, want, op.Err)
	}
	return op
}

// TestPlainOlderState has a server come back with what it had before values were removed and replaced, by a snapshot and by an
// append-only file. None of them may come back, to a read or to a write; without eras they do.
func TestPlainOlderState(t *testing.T) {
	for name, c := range map[string]struct {
		deceived bool
		args     []string
	}{
		"snapshot": {args: []string{"--appendonly", "no"}}, "append-only file": {args: []string{"--appendonly", "yes"}},
		"without eras": {deceived: true, args: []string{"--appendonly", "no"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := dbtest.NewRedis(t, c.args...)
			r := on(t, server, Options{})
			if c.deceived {
				r.deceive()
			}
			keys := []string{"read", "counted", "added", "swapped", "touched", "deleted"}
			for _, key := range keys {
				r.did(true, store.PlainOp{Verb: store.PlainSet, Key: key, Value: []byte("1"), TTL: store.NoExpiry})
			}
			r.tell("SAVE")
			if c.args[1] == "no" {
				for _, key := range keys {
					r.did(true, store.PlainOp{Verb: store.PlainDelete, Key: key})
				}
			}
			r.ok(server.Kill())
			r.ok(server.Start())
			r.recover()
			if n, err := r.tell("EXISTS", r.s.names.plain("read")).AsInt64(); n != 1 || err != nil {
				t.Fatal("the older state hasn't come back: this test tests nothing")
			}
			was := c.deceived
			r.did(was, store.PlainOp{Key: "read"})
			r.did(was, store.PlainOp{Verb: store.PlainCount, Key: "counted", Delta: 1})
			r.did(!was, store.PlainOp{Verb: store.PlainAdd, Key: "added", Value: []byte("2")})
			r.did(was, store.PlainOp{Verb: store.PlainSwap, Key: "swapped", Old: []byte("1")})
			r.did(was, store.PlainOp{Verb: store.PlainTouch, Key: "touched"})
			r.did(was, store.PlainOp{Verb: store.PlainDelete, Key: "deleted"})
			if op := r.did(true, store.PlainOp{Key: "added"}); string(op.Found) == "2" == was {
				t.Errorf("what was added is %q", op.Found)
			}
		})
	}
}

// TestPlainFull: a full server keeps no new value, and leaves none of before in its place; it counts on, touches and removes.
func TestPlainFull(t *testing.T) {
	server := dbtest.NewRedis(t, "--appendonly", "no", "--maxmemory-policy", "noeviction")
	r := on(t, server, Options{})
	for _, key := range []string{"number", "word", "gone"} {
		r.did(true, store.PlainOp{Verb: store.PlainSet, Key: key, Value: []byte("1")})
	}
	r.tell("CONFIG", "SET", "maxmemory", "1")
	for _, op := range []store.PlainOp{{Verb: store.PlainSet, Key: "gone"}, {Verb: store.PlainAdd, Key: "new"}} {
		if op = r.plainly(op); !errors.Is(op.Err, store.ErrNotKept) || op.Done {
			t.Errorf("verb %d on a full server: done %v, %v", op.Verb, op.Done, op.Err)
		}
		r.did(false, store.PlainOp{Key: op.Key})
	}
	if op := r.did(true, store.PlainOp{Verb: store.PlainCount, Key: "number", Delta: 41}); op.Sum != 42 {
		t.Errorf("counts %d", op.Sum)
	}
	r.did(true, store.PlainOp{Verb: store.PlainSwap, Key: "word", Old: []byte("1"), Value: []byte("2")})
	r.did(true, store.PlainOp{Verb: store.PlainTouch, Key: "word"})
	r.did(true, store.PlainOp{Verb: store.PlainDelete, Key: "word"})
	if n, err := r.tell("EXISTS", r.s.names.scratch("")).AsInt64(); n != 0 || err != nil {
		t.Errorf("a number is left where it was counted: %v", err)
	}
}

// TestPlainOfReplica: a replica, and what isn't a value of ours, are errors.
func TestPlainOfReplica(t *testing.T) {
	master, replica := dbtest.NewRedis(t), dbtest.NewRedis(t)
	host, port := split(master)
	command(t, replica, "REPLICAOF", host, port)
	r := on(t, replica, Options{})
	r.tell("PING")
	for verb := store.PlainGet; verb <= store.PlainTouch; verb++ {
		if op := r.plainly(store.PlainOp{Verb: verb, Key: "k"}); op.Err == nil {
			t.Errorf("verb %d of a replica: done %v", verb, op.Done)
		}
	}
	r = on(t, master, Options{})
	r.tell("LPUSH", r.s.names.plain("k"), "x")
	r.tell("SET", r.s.names.plain("short"), "x")
	if op := r.plainly(store.PlainOp{Verb: store.PlainAdd, Key: "k"}); op.Err == nil {
		t.Errorf("a list is taken for a value: done %v", op.Done)
	}
	r.did(false, store.PlainOp{Key: "short"})
	r.did(true, store.PlainOp{Verb: store.PlainAdd, Key: "short"})
}

// TestPlainAway: a server that hangs, or is gone, is an error in time; and then it is used again.
func TestPlainAway(t *testing.T) {
	server := dbtest.NewRedis(t, "--appendonly", "no")
	r := on(t, server, Options{Timeout: 300 * time.Millisecond})
	r.recover()
	r.did(true, store.PlainOp{Verb: store.PlainSet, Key: "k", Value: []byte("1")})
	r.ok(server.Pause())
	for verb := store.PlainGet; verb <= store.PlainTouch; verb++ {
		from := time.Now()
		op := r.plainly(store.PlainOp{Verb: verb, Key: "k", Value: []byte("1")})
		if d := time.Since(from); op.Err == nil || d > 3*time.Second {
			t.Errorf("verb %d of a frozen server: done %v, after %v", verb, op.Done, d)
		}
	}
	r.ok(server.Resume())
	r.recover()
	r.ok(server.Kill())
	if op := r.plainly(store.PlainOp{Key: "k"}); op.Err == nil {
		t.Error("a server that is gone has answered")
	}
	r.ok(server.Start())
	r.recover()
	r.did(false, store.PlainOp{Key: "k"})
}

// TestPlainUser: what a user must be allowed for plain values, beside what docs/design/0006-redis.md says.
func TestPlainUser(t *testing.T) {
	server := dbtest.NewRedis(t)
	acl := append([]string{"ACL", "SETUSER", "cache", "on", ">secret"}, minimalACL...)
	command(t, server, append(acl, strings.Fields(plainACL)...)...)
	r := on(t, server, Options{Username: "cache", Password: "secret", Prefix: "larder:"})
	r.did(true, store.PlainOp{Verb: store.PlainAdd, Key: "k", Value: []byte("1")})
	for verb := store.PlainGet; verb <= store.PlainTouch; verb++ {
		r.did(verb != store.PlainAdd, store.PlainOp{Verb: verb, Key: "k", Old: []byte("1"), Value: []byte("1")})
		r.did(true, store.PlainOp{Verb: store.PlainSet, Key: "k", Value: []byte("1"), TTL: store.NoExpiry})
	}
	r.did(true, store.PlainOp{Verb: store.PlainTouch, Key: "k", TTL: store.NoExpiry})
}

const plainACL = "+incrby +pexpire +persist"
