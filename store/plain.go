package store

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// ErrNotNumber is what a PlainOp that counts has if what is kept isn't the decimal text of an int64.
var ErrNotNumber = errors.New("store: the value is no whole number of 64 bits")

// ErrOverflow is what a PlainOp that counts has if the sum isn't an int64. The value stays as it is.
var ErrOverflow = errors.New("store: the number would overflow 64 bits")

// ErrBusy is what a PlainOp has if others change the value faster than it could. It wasn't done.
var ErrBusy = errors.New("store: others change the value faster than it can be changed")

// ErrNoPlain is what a PlainOp has if the store keeps no plain values.
var ErrNoPlain = errors.New("store: keeps no plain values")

// NoExpiry is the TTL of a plain value that stays until the store lets it go.
const NoExpiry time.Duration = 1<<63 - 1

// A Plain store also keeps plain values: bytes under a key, apart from entries and tags, with no token, no hold and no promise
// but that of the store itself: the last write wins, and what was written, or removed, may be lost by eviction, and never
// comes back. All stores of this module are Plain.
type Plain interface {
	// Plain does each op, and sets its results. It asks for all of them at once; each is done whole, or not, by itself,
	// and they are done in no order. One that fails has Err, and may have been done nevertheless, but for a count or
	// an addition at most once.
	//
	// A key is any bytes, and none as well. A ttl goes by the store's clock, in whole steps of it (of a second in
	// memcached, of a millisecond in Redis), rounded up; so a value may live less than it by up to a step.
	Plain(ctx context.Context, ops []PlainOp)
}

// A PlainVerb is what an op does.
type PlainVerb uint8

const (
	// PlainGet reads: Done is that there is a value, which is Found.
	PlainGet PlainVerb = iota
	// PlainSet keeps Value for TTL: Done. What can't be kept has ErrNotKept, and what was under the key is gone then.
	PlainSet
	// PlainAdd is PlainSet if nothing is there: Done is that nothing was.
	PlainAdd
	// PlainSwap keeps Value in the place of Old, for as long as Old had to live: Done is that Old was there.
	PlainSwap
	// PlainCount adds Delta to the number whose decimal text is kept: Done is that one was there, whose Sum
	// is kept for as long as it had to live. Else it has ErrNotNumber or ErrOverflow.
	PlainCount
	// PlainDelete removes: Done is that something was there.
	PlainDelete
	// PlainTouch gives what is there TTL from now: Done is that something is.
	PlainTouch
)

// A PlainOp is one operation on one plain value, and its result.
type PlainOp struct {
	Verb  PlainVerb
	Key   string
	Value []byte        // to be kept; the store doesn't change it, nor keep the slice
	Old   []byte        // of PlainSwap
	Delta int64         // of PlainCount
	TTL   time.Duration // above 0

	Done  bool
	Found []byte // shared: must not be changed; it isn't nil if Done
	Sum   int64
	Err   error
}

// Reset forgets the result, before the op is done again.
func (op *PlainOp) Reset() { op.Done, op.Found, op.Sum, op.Err = false, nil, 0, nil }

// FailPlain has each op fail by an error, unless it has failed already.
func FailPlain(ops []PlainOp, err error) {
	for i := range ops {
		if ops[i].Err == nil {
			ops[i].Err = err
		}
	}
}

// PlainFailure is why a store couldn't do some of the ops; nil if they failed by what they asked for, or by others, alone.
func PlainFailure(ops []PlainOp) error {
	for i := range ops {
		switch err := ops[i].Err; {
		case err == nil, errors.Is(err, ErrNotKept), errors.Is(err, ErrNotNumber), errors.Is(err, ErrOverflow), errors.Is(err, ErrBusy):
		default:
			return err
		}
	}
	return nil
}

// Count adds delta to a number as it is kept: in decimal, without a sign above it and without zeros before it.
func Count(value []byte, delta int64) (int64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != string(value) {
		return 0, ErrNotNumber
	}
	sum := n + delta
	if (sum > n) != (delta > 0) && delta != 0 {
		return 0, ErrOverflow
	}
	return sum, nil
}
