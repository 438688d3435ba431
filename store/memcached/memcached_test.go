package memcached_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/storetest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var namespaces atomic.Int64

// open opens a store that shares nothing with those of other tests, with servers
// that may be slow because the machine is.
func open(t testing.TB, o memcached.Options) *memcached.Store {
	t.Helper()
	if o.Namespace == "" {
		o.Namespace = fmt.Sprint("test", namespaces.Add(1))
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	s, err := memcached.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// contract runs the suite; what waits in it waits beside the others.
func contract(t *testing.T, addrs ...string) { storetest.Run(t, subject(addrs)) }

func subject(addrs []string) func(*testing.T) storetest.Subject {
	return func(t *testing.T) storetest.Subject {
		t.Parallel()
		s := open(t, memcached.Options{Addrs: addrs, Lease: 2 * time.Second, TrustEmpty: true})
		// A whole second of the server's clock is what an entry may live less.
		return storetest.Subject{Store: storetest.Outside(s), Sleep: time.Sleep, Lease: 2 * time.Second}
	}
}

func TestPlainContract(t *testing.T) {
	one := []string{dbtest.Memcached(t).Addr()}
	three := []string{dbtest.NewMemcached(t).Addr(), dbtest.NewMemcached(t).Addr(), dbtest.NewMemcached(t).Addr()}
	t.Run("one", func(t *testing.T) { storetest.RunPlain(t, subject(one)) })
	t.Run("three", func(t *testing.T) { storetest.RunPlain(t, subject(three)) })
}

func TestContract(t *testing.T) { contract(t, dbtest.Memcached(t).Addr()) }

func TestContractOfThree(t *testing.T) {
	var addrs []string
	for range 3 {
		addrs = append(addrs, dbtest.NewMemcached(t).Addr())
	}
	t.Run("servers", func(t *testing.T) { contract(t, addrs...) })
}

func TestContractOverSocket(t *testing.T) {
	path := dbtest.NewMemcachedSocket(t).Socket()
	t.Run("socket", func(t *testing.T) { contract(t, path) })
}
