package redis

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/larderdb/larder/store"
)

var _ store.Plain = (*Store)(nil)

// A plain value lies under a key of its own behind the era in which it was kept: what a server brings back from an older
// state is missing. Each op is a script, which is sent once; where all ops are reads an MGET and an INFO
// after it do, as for entries (quick.go).

// Plain is as store.Plain has it.
func (s *Store) Plain(ctx context.Context, ops []store.PlainOp) {
	if len(ops) == 0 {
		return
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		store.FailPlain(ops, err)
		return
	}
	if !s.names.cluster && onlyGets(ops) {
		if enough, err := s.quickPlain(ctx, c, ops); enough || err != nil {
			if err != nil {
				store.FailPlain(ops, fmt.Errorf("redis: plain: %w", err))
			}
			return
		}
	}
	calls, of := make([]call, 0, len(ops)), make([]*store.PlainOp, 0, len(ops))
	for i := range ops {
		if ops[i].Verb != store.PlainGet && len(ops[i].Value) > longString-eraSize {
			s.refusePlain(ctx, c, &ops[i])
			continue
		}
		calls, of = append(calls, s.plainCall(&ops[i])), append(of, &ops[i])
	}
	for i, r := range s.doAll(ctx, c, calls) {
		if err := plainResult(of[i], r); err != nil {
			of[i].Done, of[i].Err = false, fmt.Errorf("redis: plain: %w", err)
		}
	}
}

func onlyGets(ops []store.PlainOp) bool {
	for i := range ops {
		if ops[i].Verb != store.PlainGet {
			return false
		}
	}
	return true
}

// refusePlain is for a value that is too large for the connection. Set leaves nothing in its place.
func (s *Store) refusePlain(ctx context.Context, c rueidis.Client, op *store.PlainOp) {
	op.Err = fmt.Errorf("redis: plain: %w", store.ErrNotKept)
	if op.Verb != store.PlainSet {
		return
	}
	if err := c.Do(ctx, c.B().Del().Key(s.names.plain(op.Key)).Build()).Error(); err != nil {
		op.Err = fmt.Errorf("redis: plain: %w", err)
	}
}

// quickPlain reads without a script. It reports false of a server that doesn't say that it is a master.
func (s *Store) quickPlain(ctx context.Context, c rueidis.Client, ops []store.PlainOp) (bool, error) {
	keys := make([]string, len(ops))
	for i := range ops {
		keys[i] = s.names.plain(ops[i].Key)
	}
	answers := c.DoMulti(ctx, c.B().Mget().Key(keys...).Build(), c.B().Info().Section("replication").Build())
	values, err := answers[0].ToArray()
	if err != nil {
		return false, err
	}
	info, err := answers[1].ToString()
	if err != nil {
		return false, err
	}
	if len(values) != len(keys) {
		return false, errAnswer
	}
	era := s.era(info)
	if era == "" {
		return false, nil
	}
	for i := range ops {
		if !values[i].IsString() {
			continue
		}
		v, err := values[i].AsBytes()
		if err == nil && len(v) >= eraSize && string(v[:eraSize]) == era {
			ops[i].Done, ops[i].Found = true, v[eraSize:]
		}
	}
	return true, nil
}

var plainVerbs = map[store.PlainVerb]string{
	store.PlainGet: "get", store.PlainSet: "set", store.PlainAdd: "add", store.PlainSwap: "swap",
	store.PlainCount: "count", store.PlainDelete: "delete", store.PlainTouch: "touch",
}

func (s *Store) plainCall(op *store.PlainOp) call {
	key := s.names.plain(op.Key)
	c := call{script: s.steps.plain, keys: []string{key, s.names.scratch(key)}}
	c.args = []string{plainVerbs[op.Verb], lifeText(op.TTL), "", string(op.Old)}
	if op.Verb == store.PlainCount {
		c.args[2] = strconv.FormatInt(op.Delta, 10)
	} else {
		c.args[2] = rueidis.BinaryString(op.Value)
	}
	return c
}

// lifeText is a ttl in milliseconds, rounded up; none for no expiry.
func lifeText(ttl time.Duration) string {
	if ttl > longest {
		return ""
	}
	return strconv.FormatInt(max(int64((ttl+time.Millisecond-1)/time.Millisecond), 1), 10)
}

func plainResult(op *store.PlainOp, r rueidis.RedisResult) error {
	list, err := r.ToArray()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errAnswer
	}
	became, err := list[0].ToString()
	if err != nil {
		return err
	}
	switch became {
	case "none":
		return nil
	case "full":
		return store.ErrNotKept
	case "word":
		return store.ErrNotNumber
	case "overflow":
		return store.ErrOverflow
	case "done":
		op.Done = true
	default:
		return errAnswer
	}
	return plainValue(op, list[1:])
}

// plainValue reads what a get or a count has found.
func plainValue(op *store.PlainOp, list []rueidis.RedisMessage) (err error) {
	if op.Verb != store.PlainGet && op.Verb != store.PlainCount {
		return nil
	}
	if len(list) != 1 {
		return errAnswer
	}
	found, err := list[0].AsBytes()
	if err != nil {
		return err
	}
	if op.Verb == store.PlainCount {
		op.Sum, err = strconv.ParseInt(string(found), 10, 64)
		return err
	}
	if op.Found = found; found == nil {
		op.Found = []byte{}
	}
	return nil
}

// plain is the key of a plain value. A key that is hashed can't be taken for one that isn't.
func (n names) plain(key string) string {
	if len(key) > longKey || strings.HasPrefix(key, "#") {
		sum := sha256.Sum256([]byte(key))
		key = "#" + string(sum[:])
	}
	if !n.cluster {
		return n.prefix + "p:" + key
	}
	return n.in(n.bucket(key)) + "p:" + key
}

// scratch is a key in the slot of another.
func (n names) scratch(key string) string {
	if !n.cluster {
		return n.prefix + "s"
	}
	return key[:strings.IndexByte(key, '}')+1] + ":s"
}
