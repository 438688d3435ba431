package memcached

import (
	"context"
	"strconv"

	"github.com/larderdb/larder/store"
)

// Stripes are where a server's holds are noted a second time: each tag belongs to
// one of a few. A stripe is a log like a tag's, of marks alone. They are there
// for the tags that are not: if a tag is missing because memcached has dropped it
// while it was held, its stripe still has the mark.
//
// A stripe that is missing is made with a mark of nobody's, which lapses by
// the store's lease: holds that were in it have lapsed, or were renewed, by then.
type stripe struct {
	srv *server
	n   int
}

// Holds of each standing tag have a stripe of their own. In another one a tag that was found missing would never be
// clear, as the stripe is never free: if it were one of all results ("*"), nothing would ever be kept. And
// who waits for the holders of one standing tag must not wait for those of another, which is another database's.
const (
	commonStripes = 64
	stripeTTL     = maxTTL
)

func (s *Store) stripeOf(tag string) stripe {
	if store.Tag(tag).Standing() {
		return stripe{s.home(tag), commonStripes + int(mix(spread(tag)+1)>>34)}
	}
	return stripe{s.home(tag), int(mix(spread(tag)+1) % commonStripes)}
}

// nobody is the id of the mark that a stripe is made with.
const nobody = 0

func (st stripe) name() string { return strconv.Itoa(st.n) }

func (st stripe) key() string { return string(stripeKey) + st.name() }

// inStripe is the id that a hold of a tag has in the tag's stripe.
func inStripe(id uint64, tag string) uint64 { return mix(id ^ spread(tag)) }

// A stripeView is a stripe as far as it was seen.
type stripeView struct {
	stripe
	seen  place
	there bool
	state state
}

// askStripe asks for the stripe of a tag, once in a step.
func (s *Store) askStripe(bs batches, stripes map[stripe]*stripeView, tag string) {
	of := s.stripeOf(tag)
	if stripes[of] == nil {
		v := &stripeView{stripe: of}
		v.ask(bs.home(tag))
		stripes[of] = v
	}
}

func (v *stripeView) ask(b *batch) {
	v.seen = place{b, b.add(command{verb: 'g', key: v.key(), ttl: stripeTTL})}
}

func (v *stripeView) see(s *Store) {
	rep := v.seen.reply()
	v.there, v.state = false, state{}
	if !rep.found {
		return
	}
	if v.state, v.there = parseState(rep.value, v.name(), false); !v.there {
		s.tidy.drop(s, v.seen, v.key())
		return
	}
	s.watch.see(v.seen.b, v.key(), &v.state)
	s.tidy.look(s, v.log(), rep, &v.state)
}

func (st stripe) log() log { return log{st.srv, st.key(), st.name(), false} }

// lookAtStripes runs the step, of which the stripes are a part. Those that are
// missing are made, and marks that have lapsed go.
func (s *Store) lookAtStripes(ctx context.Context, bs batches, stripes map[stripe]*stripeView) error {
	if err := bs.run(ctx); err != nil {
		return err
	}
	bare := make(map[*server]bool)
	for _, v := range stripes {
		v.see(s)
		bare[v.srv] = bare[v.srv] || !v.there
	}
	for srv, is := range bare {
		if is {
			if err := s.makeStripes(ctx, srv, ownStripes(srv, stripes), stripes); err != nil {
				return err
			}
		}
	}
	return s.lapseStripes(ctx, stripes)
}

func (s *Store) lapseStripes(ctx context.Context, stripes map[stripe]*stripeView) error {
	again, due := s.batches(), []*stripeView(nil)
	for _, v := range stripes {
		if s.watch.due(v.seen.b, v.key(), &v.state) {
			b := again.on(v.srv)
			s.watch.lapse(b, v.key(), &v.state)
			v.ask(b)
			due = append(due, v)
		}
	}
	if len(due) == 0 {
		return nil
	}
	if err := again.run(ctx); err != nil {
		return err
	}
	for _, v := range due {
		v.see(s)
	}
	return nil
}

// ownStripes are those of standing tags among the stripes of a server.
func ownStripes(srv *server, stripes map[stripe]*stripeView) (own []int) {
	for st := range stripes {
		if st.srv == srv && st.n >= commonStripes {
			own = append(own, st.n)
		}
	}
	return own
}

// makeStripes makes the missing stripes of a server, those that are common and the given ones of standing tags, all at once, so that their
// marks lapse at once, and looks at those that are wanted.
func (s *Store) makeStripes(ctx context.Context, srv *server, own []int, stripes map[stripe]*stripeView) error {
	b := &batch{srv: srv}
	all := make([]stripeView, commonStripes+len(own))
	for n := range all {
		if all[n].stripe = (stripe{srv, n}); n >= commonStripes {
			all[n].n = own[n-commonStripes]
		}
		made := command{verb: 's', mode: 'E', key: all[n].key(), ttl: stripeTTL, head: appendHead(nil, all[n].name(), false)}
		if !s.o.TrustEmpty {
			made.log = []record{{what: recHold, of: [3]uint64{nobody, 0, uint64(s.o.Lease.Microseconds())}}}
		}
		b.add(made)
		all[n].ask(b)
	}
	if err := s.run(ctx, []*batch{b}); err != nil {
		return err
	}
	for n := range all {
		all[n].see(s)
		if v := stripes[all[n].stripe]; v != nil {
			*v = all[n]
		}
	}
	return nil
}
