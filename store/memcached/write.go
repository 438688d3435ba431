package memcached

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
)

// A write is one step of appends to logs, those to one log in one command, in the
// order in which the logs came first. It can be run again: each record may come twice, with another number.
type write struct {
	s    *Store
	logs []*appended
	at   map[log]*appended
	look []tagView // tags to be looked at after that
}

type appended struct {
	log
	records []record
	isTag   bool
	done    place
	sized   bool
	size    place // if sized: of a tag, to tell one that isn't there from one without room; of a stripe now and then
}

func (s *Store) write() *write { return &write{s: s, at: make(map[log]*appended)} }

func (w *write) tag(name string, records ...record) {
	key, hashed := keyOf(tagKey, name)
	w.add(log{w.s.home(name), key, name, hashed}, records...).isTag = true
}

func (w *write) stripe(tag string, records ...record) {
	w.add(w.s.stripeOf(tag).log(), records...)
}

func (w *write) add(l log, records ...record) *appended {
	a := w.at[l]
	if a == nil {
		a = &appended{log: l}
		w.at[l] = a
		w.logs = append(w.logs, a)
	}
	a.records = append(a.records, records...)
	return a
}

// run appends, until each log has its records, or isn't there. Stripes are made
// if they must be there.
func (w *write) run(ctx context.Context, needStripes bool) error {
	for range 8 { // what is dropped and made all the time takes more than one
		bs := w.s.batches()
		for _, a := range w.logs {
			b := bs.on(a.srv)
			a.done = place{b, b.add(command{verb: 's', mode: 'A', key: a.key, log: a.records})}
			if a.sized = a.isTag || rand.IntN(8) == 0; a.sized {
				a.size = place{b, b.add(command{verb: 'g', key: a.key, size: true})}
			}
		}
		for i := range w.look {
			w.look[i].ask(bs)
		}
		if err := bs.run(ctx); err != nil {
			return err
		}
		again, err := w.check(ctx, needStripes)
		if !again || err != nil {
			return err
		}
	}
	return errFull
}

// check reports whether the step must be run again.
func (w *write) check(ctx context.Context, needStripes bool) (again bool, err error) {
	made := make(map[*server]bool)
	for _, a := range w.logs {
		done, there := a.done.reply().found, a.sized && a.size.reply().found
		switch {
		case done && there:
			w.s.tidy.grown(w.s, a.log, a.size.reply().size)
		case done, a.isTag && !there, !a.isTag && !needStripes:
		case a.isTag || made[a.srv]: // it has no room, or was made just now
			again = true
			err = w.s.shorten(ctx, a.log, 4)
		default: // a stripe that isn't there, or has no room
			again, made[a.srv] = true, true
			if err = w.s.makeStripes(ctx, a.srv, w.ownStripes(a.srv), nil); err == nil {
				err = w.s.shorten(ctx, a.log, 4)
			}
		}
		if err != nil && !errors.Is(err, errBusy) { // which has room, as others write to it
			return false, err
		}
	}
	return again, nil
}

// ownStripes are those of standing tags on a server.
func (w *write) ownStripes(srv *server) (own []int) {
	for _, a := range w.logs {
		if n, err := strconv.Atoi(a.name); err == nil && !a.isTag && a.srv == srv && n >= commonStripes {
			own = append(own, n)
		}
	}
	return own
}

// watch begins to watch marks that this process has made: it knows of them without a look.
func (w *write) watch(m mark) {
	for _, a := range w.logs {
		w.s.watch.see(a.done.b, a.key, &state{marks: []mark{m}})
	}
}

// A step is what tests leave out, to show that it is needed.
type step uint8

const (
	skipNothing step = iota
	skipStripes      // a tag that is missing is used at once
	skipTokens       // a suspect tag is cleared by marks that were seen when it was made another time
)
