package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/larderdb/larder/coherence"
)

// FragmentOptions say how a fragment is kept. Nil and the zero value are the defaults.
type FragmentOptions struct {
	// TTL is how long the fragment may live at most, and with it what it is a part of. 0 means that of the cache. What is made from things that Larder doesn't
	// see, such as another service's answer, is as old as this allows; a fragment for which nothing is read through Larder
	// is kept only if it has a TTL.
	TTL time.Duration
}

func (o FragmentOptions) check() error {
	if o.TTL < 0 {
		return errors.New("page: FragmentOptions.TTL must not be negative; 0 means that of the cache")
	}
	return nil
}

// Fragment writes to w what render writes, from the cache if what render read for it is as it was. key names it in the cache, for whoever
// it is made: two fragments that may differ must have different ones. What is read under the context that render is
// given is what the fragment depends on, and the page or fragment around it as well, whether it is made or found.
//
// Nothing is written before render has returned. Its error, and its panic, go to the caller, and nothing is kept then; nor is it
// if nothing was read through the cache, unless it has a TTL. What w says is returned as it is. At most one options may be given.
func Fragment(ctx context.Context, cache Cache, w io.Writer, key string, render func(ctx context.Context, w io.Writer) error, options ...*FragmentOptions) error {
	var o FragmentOptions
	switch {
	case len(options) > 1:
		return errors.New("page: Fragment takes at most one FragmentOptions")
	case len(options) == 1 && options[0] != nil:
		o = *options[0]
	}
	if err := o.check(); err != nil {
		return err
	}
	made, err := fragments{cache: cache, version: versionOf(cache.Values(), "")}.get(ctx, "func", key, key, o, render)
	if err != nil {
		return err
	}
	_, err = w.Write(made)
	return err
}

// fragments are kept in a cache, for one version of what makes them.
type fragments struct {
	cache   Cache
	version string
}

// get returns a fragment, which its caller must not change. name is for those who watch.
func (f fragments) get(ctx context.Context, kind, name, of string, o FragmentOptions, render func(ctx context.Context, w io.Writer) error) ([]byte, error) {
	began, d := time.Now(), f.cache.Values()
	key := f.keyOf(kind, name, of)
	r := f.look(ctx, key)
	defer r.Done()
	if r.Outcome == coherence.Hit {
		if found, ok := decode(r.Value).(text); ok {
			coherence.Expire(ctx, found.expires)
			f.saw(ctx, name, coherence.Hit, "", len(found.body), nil, began)
			return found.body, nil
		}
		d.Forget(ctx, key)
	}
	within, rec := coherence.Record(context.WithValue(ctx, fragmentKey{}, true))
	if o.TTL > 0 { // it may be kept although it reads nothing
		coherence.Expire(within, time.Now().Add(o.TTL)) // it may have waited for another's making
		d.Depend(within, nil)
	}
	if bypassed(ctx) {
		coherence.Spoil(within, coherence.WhyBypassed)
	}
	var b bytes.Buffer
	if err := render(within, &b); err != nil {
		coherence.Spoil(ctx, "a fragment failed")
		r.Done()
		f.saw(ctx, name, coherence.Bypass, "it failed", 0, err, began)
		return nil, fmt.Errorf("page: fragment %s: %w", name, err)
	}
	why := rec.Spoiled()
	if made := (text{b.Bytes(), rec.Expires()}); why == "" && !d.FillRecorded(ctx, key, rec, made, made.size(), o.TTL) {
		why = "the store didn't take it"
	}
	r.Done()
	f.saw(ctx, name, outcomeOf(why), why, b.Len(), nil, began)
	return b.Bytes(), nil
}

func (f fragments) keyOf(kind, name, of string) string {
	var room [256]byte
	k := key{room[:0]}
	k.add(f.version)
	k.add(kind)
	k.add(name)
	k.add(of)
	return k.sum(f.cache.Values().Prefix() + "fragment:")
}

// look looks for a fragment, unless the program wishes it made.
func (f fragments) look(ctx context.Context, key string) coherence.Read {
	d := f.cache.Values()
	switch wish, _ := coherence.WishOf(ctx); wish {
	case coherence.Bypassed:
		return coherence.Read{}
	case coherence.Refreshed:
		d.Forget(ctx, key)
		return coherence.Read{}
	}
	inside, _ := ctx.Value(fragmentKey{}).(bool)
	return d.Lookup(ctx, key, nil, !inside) // one within another waits for nobody: that may wait for it
}

func bypassed(ctx context.Context) bool {
	wish, _ := coherence.WishOf(ctx)
	return wish == coherence.Bypassed
}

type fragmentKey struct{}

func (f fragments) saw(ctx context.Context, name string, o coherence.Outcome, why string, size int, err error, began time.Time) {
	f.cache.Made(ctx, coherence.Made{Kind: coherence.Fragment, Name: name, Outcome: o, Why: why, Total: time.Since(began), Bytes: size, Err: err})
}
