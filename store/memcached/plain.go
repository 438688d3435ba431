package memcached

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"github.com/larderdb/larder/store"
)

var _ store.Plain = (*Store)(nil)

var errPlainBusy = fmt.Errorf("memcached: plain: %w", store.ErrBusy)

// A plain value is an item of its own. What changes one by what it was, a swap or a count, is a compare-and-swap, which
// would give the item another ttl, in whole seconds from then; done often, it would never expire. So the item
// is given the date on which it had to expire, by the server's own clock. What that says is told by another
// item, the clock, whose date of expiry is its value: the item is looked at between two looks at the clock. memcached's own
// arithmetic is of numbers without a sign.

// Plain is as store.Plain has it.
func (s *Store) Plain(ctx context.Context, ops []store.PlainOp) {
	bs, at, clocks := s.batches(), make([]int, len(ops)), make(map[*server]int64)
	for i := range ops {
		at[i] = -1
		var c command
		if c, ops[i].Err = s.plainCommand(ctx, &ops[i], clocks); c.verb != 0 {
			b := bs.at(ops[i].Key)
			at[i], b.once = b.add(c), b.once || c.verb != 'g' // a set that is done again would bring back what another has replaced
		}
	}
	s.runPlain(ctx, bs, ops, at)
	for i := range ops {
		if at[i] < 0 && ops[i].Err == nil {
			s.changePlain(ctx, &ops[i])
		}
	}
}

// plainCommand is the one command that an op is; none for what takes more. With an error it is the command that leaves nothing
// of what can't be kept.
func (s *Store) plainCommand(ctx context.Context, op *store.PlainOp, clocks map[*server]int64) (c command, err error) {
	key, _ := keyOf(plainKey, op.Key)
	if op.Verb == store.PlainSet || op.Verb == store.PlainAdd || op.Verb == store.PlainSwap {
		if len(op.Value) > s.o.MaxItem-len(key)-itemOverhead {
			err = fmt.Errorf("memcached: plain: %w", store.ErrNotKept)
		}
	}
	switch {
	case err != nil && op.Verb == store.PlainSet, op.Verb == store.PlainDelete:
		return command{verb: 'd', key: key}, err
	case err != nil:
		return command{}, err
	}
	switch op.Verb {
	case store.PlainGet:
		c = command{verb: 'g', key: key}
	case store.PlainSet:
		c = command{verb: 's', mode: 'S', key: key, value: op.Value}
	case store.PlainAdd:
		c = command{verb: 's', mode: 'E', key: key, value: op.Value}
	case store.PlainTouch:
		c = command{verb: 'g', key: key, size: true}
	default:
		return command{}, nil
	}
	if op.Verb != store.PlainGet {
		err = s.setLife(ctx, op, &c, clocks)
	}
	if err != nil {
		return command{}, err
	}
	return c, nil
}

// setLife gives a command the ttl of its op. What is more than memcached takes for a ttl must be a date. clocks are
// those of servers that were asked already.
func (s *Store) setLife(ctx context.Context, op *store.PlainOp, c *command, clocks map[*server]int64) (err error) {
	if op.TTL == store.NoExpiry {
		c.never = c.verb == 'g'
		return nil
	}
	c.ttl = max(int64((op.TTL-1)/time.Second)+1, 1)
	if c.ttl <= maxTTL {
		return nil
	}
	srv := s.serverOf(op.Key)
	now, asked := clocks[srv]
	if !asked {
		if now, err = s.clock(ctx, srv); err != nil {
			return err
		}
		clocks[srv] = now
	}
	c.date = min(now+c.ttl, math.MaxInt32)
	return nil
}

// clock returns a server's time, in seconds since 1970.
func (s *Store) clock(ctx context.Context, srv *server) (int64, error) {
	for range lives {
		b := &batch{srv: srv}
		at := b.addClock()
		if err := s.run(ctx, []*batch{b}); err != nil {
			return 0, fmt.Errorf("memcached: plain: %w", err)
		}
		if now, ok := readClock(b.replies[at]); ok {
			return now, nil
		}
		if err := s.makeClock(ctx, srv); err != nil {
			return 0, err
		}
	}
	return 0, errPlainBusy
}

// runPlain runs what was gathered, and gives each op its result. at is where the command of an op is in its batch.
func (s *Store) runPlain(ctx context.Context, bs batches, ops []store.PlainOp, at []int) {
	err := bs.run(ctx)
	for i := range ops {
		if at[i] < 0 {
			continue
		}
		b := bs.at(ops[i].Key)
		if b.err != nil || b.replies == nil {
			ops[i].Err = cmp.Or(b.err, err)
			continue
		}
		rep := &b.replies[at[i]]
		ops[i].Done = rep.found && ops[i].Err == nil
		if rep.found && ops[i].Verb == store.PlainGet {
			ops[i].Found = rep.value
		}
		if rep.full { // the server has removed what was there
			ops[i].Err = fmt.Errorf("memcached: plain: %w", store.ErrNotKept)
		}
	}
}

// changePlain does a swap or a count. Those of one process take turns, key by key.
func (s *Store) changePlain(ctx context.Context, op *store.PlainOp) {
	turn, late := s.turns.of(op.Key), time.NewTimer(s.o.Timeout)
	defer late.Stop()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-late.C:
		op.Err = errPlainBusy
		return
	case <-ctx.Done():
		op.Err = fmt.Errorf("memcached: plain: %w", ctx.Err())
		return
	}
	for end := time.Now().Add(s.o.Timeout); time.Now().Before(end); {
		if done, err := s.tryChange(ctx, op); done || err != nil {
			op.Err = err
			return
		}
	}
	op.Err = errPlainBusy
}

// tryChange reports false if the item was changed by another meanwhile.
func (s *Store) tryChange(ctx context.Context, op *store.PlainOp) (bool, error) {
	seen, err := s.lookPlain(ctx, op.Key)
	if err != nil || !seen.rep.found {
		return true, err
	}
	value, err := changedPlain(op, seen.rep.value)
	if value == nil || err != nil {
		return true, err
	}
	rep, err := s.putPlain(ctx, op.Key, seen, value)
	switch {
	case errors.Is(err, errMoved):
		return false, nil
	case err == nil && rep.full:
		err = fmt.Errorf("memcached: plain: %w", store.ErrNotKept)
	}
	op.Done = err == nil && rep.found
	return op.Done, err
}

// changedPlain is what an op makes of a value; nil for what stays.
func changedPlain(op *store.PlainOp, value []byte) ([]byte, error) {
	if op.Verb == store.PlainSwap {
		if string(value) != string(op.Old) {
			return nil, nil
		}
		return append([]byte{}, op.Value...), nil
	}
	sum, err := store.Count(value, op.Delta)
	if err != nil {
		return nil, fmt.Errorf("memcached: plain: %w", err)
	}
	op.Sum = sum
	return strconv.AppendInt(nil, sum, 10), nil
}

// A seenPlain is an item as it was at one moment.
type seenPlain struct {
	rep  reply
	date int64  // on which it expires; 0: never
	life string // of its server
}

// lookPlain looks at an item and at the clock before and after it, until that has stood still meanwhile.
func (s *Store) lookPlain(ctx context.Context, key string) (seenPlain, error) {
	name, _ := keyOf(plainKey, key)
	for range 8 {
		b := &batch{srv: s.serverOf(key)}
		before := b.addClock()
		at := b.add(command{verb: 'g', key: name, left: true})
		after := b.addClock()
		if err := s.run(ctx, []*batch{b}); err != nil {
			return seenPlain{}, fmt.Errorf("memcached: plain: %w", err)
		}
		seen := seenPlain{rep: b.replies[at], life: *b.life}
		if !seen.rep.found || seen.rep.left < 0 {
			return seen, nil
		}
		was, ok := readClock(b.replies[before])
		is, still := readClock(b.replies[after])
		switch {
		case !ok || !still:
			if err := s.makeClock(ctx, b.srv); err != nil {
				return seenPlain{}, err
			}
		case was == is:
			seen.date = is + seen.rep.left
			return seen, nil
		}
	}
	return seenPlain{}, errPlainBusy
}

// putPlain replaces an item, if it is as it was seen.
func (s *Store) putPlain(ctx context.Context, key string, seen seenPlain, value []byte) (reply, error) {
	name, _ := keyOf(plainKey, key)
	b := &batch{srv: s.serverOf(key), pin: seen.life, once: true}
	b.add(command{verb: 's', mode: 'S', key: name, value: value, cas: seen.rep.cas, date: seen.date})
	if err := s.run(ctx, []*batch{b}); err != nil {
		return reply{}, fmt.Errorf("memcached: plain: %w", err)
	}
	return b.replies[0], nil
}

func (b *batch) addClock() int { return b.add(command{verb: 'g', key: string(clockKey), left: true}) }

// readClock returns what a clock says; false if it isn't there.
func readClock(rep reply) (now int64, ok bool) {
	if !rep.found || rep.left < 0 {
		return 0, false
	}
	expires, err := strconv.ParseInt(string(rep.value), 10, 64)
	return expires - rep.left, err == nil && expires <= math.MaxInt32
}

// clockLife is how far ahead a clock's date of expiry is set, by the clock of who sets it.
const clockLife = 5 * 365 * 24 * time.Hour

func (s *Store) makeClock(ctx context.Context, srv *server) error {
	date := min(time.Now().Add(clockLife).Unix(), math.MaxInt32)
	b := &batch{srv: srv}
	b.add(command{verb: 's', mode: 'E', key: string(clockKey), value: strconv.AppendInt(nil, date, 10), date: date})
	return s.run(ctx, []*batch{b})
}

// turns are those that changes of plain values take in this process, so that they don't undo each other's work.
type turns [64]chan struct{}

func (t *turns) init() {
	for i := range t {
		t[i] = make(chan struct{}, 1)
	}
}

func (t *turns) of(key string) chan struct{} {
	h := fnv.New64a()
	h.Write([]byte(key))
	return t[h.Sum64()%uint64(len(t))]
}
