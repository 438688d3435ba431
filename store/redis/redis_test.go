package redis

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store/storetest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// patient is a timeout for tests on a loaded machine.
const patient = 10 * time.Second

var prefixes atomic.Int64

// newPrefix lets tests share a server.
func newPrefix() string { return fmt.Sprintf("test%d:", prefixes.Add(1)) }

// open opens a store that keeps things at once, unless o says otherwise.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = patient
	}
	if o.Settle == 0 {
		o.Settle = -1
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func contract(t *testing.T, addr string) {
	storetest.Run(t, subject(Options{Addresses: []string{addr}}))
}

func subject(o Options) func(*testing.T) storetest.Subject {
	return func(t *testing.T) storetest.Subject {
		with := o
		with.Prefix = newPrefix()
		return storetest.Subject{Store: storetest.Outside(open(t, with)), Sleep: time.Sleep, Lease: 200 * time.Millisecond}
	}
}

func TestPlainContract(t *testing.T) {
	storetest.RunPlain(t, subject(Options{Addresses: []string{dbtest.Redis(t).Addr()}}))
}

func TestContractOverTCP(t *testing.T)    { contract(t, dbtest.Redis(t).Addr()) }
func TestContractOverSocket(t *testing.T) { contract(t, dbtest.Redis(t).Socket()) }
