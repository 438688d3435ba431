package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
)

// TestChannel: each of two stores hears what both publish, in the order of each sender, whatever bytes that is; one with another prefix hears nothing.
func TestChannel(t *testing.T) {
	t.Run("one server", func(t *testing.T) { channels(t, Options{Addresses: []string{dbtest.Redis(t).Addr()}}) })
	t.Run("cluster", func(t *testing.T) { channels(t, Options{Addresses: addresses(newCluster(t)), Cluster: true}) })
}

func channels(t *testing.T, o Options) {
	o.Prefix = newPrefix()
	strange := o
	strange.Prefix = newPrefix()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stores := []*Store{open(t, o), open(t, o), open(t, strange)}
	heard := make([]chan string, len(stores))
	for i, s := range stores {
		heard[i] = make(chan string, 100)
		began, ended := make(chan struct{}), make(chan error, 1)
		within, end := context.WithCancel(ctx)
		go func() {
			ended <- s.Subscribe(within, func(m []byte) { heard[i] <- string(m) }, func() { close(began) })
		}()
		defer func() {
			end()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("a subscription that was to end: %v", err)
			}
		}()
		<-began
	}
	var want []string
	for i := range 20 {
		for n, s := range stores {
			text := fmt.Sprintf("%d\x00\xff%d\r\n", i, n)
			if err := s.Publish(ctx, []byte(text)); err != nil {
				t.Fatal(err)
			}
			if n < 2 {
				want = append(want, text)
			}
		}
	}
	for n := range 2 {
		var got []string
		for range want {
			select {
			case m := <-heard[n]:
				got = append(got, m)
			case <-ctx.Done():
				t.Fatalf("heard %q", got)
			}
		}
		for sender := range 2 {
			other := func(m string) bool { return m[len(m)-3] != byte('0'+sender) }
			if one := slices.DeleteFunc(slices.Clone(got), other); !slices.Equal(one, slices.DeleteFunc(slices.Clone(want), other)) {
				t.Errorf("store %d heard of sender %d %q", n, sender, one)
			}
		}
		if slices.Sort(got); !slices.Equal(got, sorted(want)) {
			t.Errorf("store %d heard %q", n, got)
		}
	}
	for range 20 {
		if m := <-heard[2]; m[len(m)-3] != '2' {
			t.Errorf("the strange one heard %q", m)
		}
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// TestChannelOfClosedStore: a subscription ends with its store.
func TestChannelOfClosedStore(t *testing.T) {
	s := open(t, Options{Addresses: []string{"127.0.0.1:1"}, Prefix: newPrefix()})
	ended := make(chan error)
	go func() { ended <- s.Subscribe(context.Background(), func([]byte) {}, func() {}) }()
	s.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a closed store is listened to")
	}
	if err := s.Publish(context.Background(), nil); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
}
