package memcached

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/wire"
)

const tagTTL = 24 * 3600 // seconds in which nobody looks at a tag, after which it is dropped

// batches are those of one step, by server.
type batches struct {
	s  *Store
	of []*batch // by server; nil where there is nothing to do
}

func (s *Store) batches() batches { return batches{s, make([]*batch, len(s.servers))} }

// at returns the batch for the server of a name.
func (bs batches) at(name string) *batch { return bs.on(bs.s.serverOf(name)) }

// home returns the batch for the server of a tag.
func (bs batches) home(tag string) *batch { return bs.on(bs.s.home(tag)) }

func (bs batches) on(srv *server) *batch {
	if bs.of[srv.at] == nil {
		bs.of[srv.at] = &batch{srv: srv}
	}
	return bs.of[srv.at]
}

func (s *Store) serverOf(name string) *server {
	if len(s.servers) == 1 {
		return s.servers[0]
	}
	return s.servers[s.ring.server(name)]
}

// home is the server of a tag, that of all tags of its group.
func (s *Store) home(tag string) *server { return s.serverOf(store.Tag(tag).Group()) }

func (bs batches) run(ctx context.Context) error {
	list := slices.DeleteFunc(slices.Clone(bs.of), func(b *batch) bool { return b == nil })
	if len(list) == 0 {
		return ctx.Err()
	}
	bs.s.upkeep.start(bs.s)
	return bs.s.run(ctx, list)
}

// A place is where the answer to a command is.
type place struct {
	b  *batch
	at int
}

func (p place) reply() *reply { return &p.b.replies[p.at] }

// A tagView is a tag with its state, as far as it was seen.
type tagView struct {
	name   store.Tag
	key    string
	hashed bool
	there  bool
	state  state
	seen   place
}

func newTagView(tag store.Tag) tagView {
	v := tagView{name: tag}
	v.key, v.hashed = keyOf(tagKey, string(tag))
	return v
}

// ask asks for the state.
func (v *tagView) ask(bs batches) {
	b := bs.home(string(v.name))
	v.seen = place{b, b.add(command{verb: 'g', key: v.key, ttl: tagTTL})}
}

// see takes the answer. What isn't the state of the tag counts as missing, and is removed.
func (v *tagView) see(s *Store) {
	rep := v.seen.reply()
	v.there, v.state = false, state{}
	if !rep.found {
		return
	}
	st, ok := parseState(rep.value, string(v.name), v.hashed)
	if !ok || st.token == 0 {
		s.tidy.drop(s, v.seen, v.key)
		return
	}
	v.there, v.state = true, st
	s.watch.see(v.seen.b, v.key, &v.state)
	s.tidy.look(s, log{v.seen.b.srv, v.key, string(v.name), v.hashed}, rep, &v.state)
}

// Lookup is as store.Store has it: the entry and the states of tags are asked for
// in one round trip to each server, then those of other tags of the entry. A tag
// that nobody has seen yet takes two more.
//
// Where the entry and a tag are on different servers their order isn't known. It
// needn't be: an entry that is read later than a token of it is as fresh as that.
func (s *Store) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	bs := s.batches()
	var entry place
	var hint []tagView
	entryName, hashed, at := "", false, uint64(0)
	if key != "" {
		entryName, hashed = keyOf(entryKey, key)
		b := bs.at(key)
		entry = place{b, b.add(command{verb: 'g', key: entryName})}
		at = s.hints.hash(key)
		hint = s.hints.get(at)
	}
	views := viewsOf(tags, hint)
	for i := range views {
		views[i].ask(bs)
	}
	if err := bs.run(ctx); err != nil {
		return store.View{}, err
	}
	for i := range views {
		views[i].see(s)
	}
	if key != "" && entry.reply().found {
		if e := parseEntry(key, hashed, entry.reply().value); e != nil {
			s.hints.note(at, hint, e.Tags)
			is, err := s.valid(ctx, e, views)
			switch {
			case err != nil:
				return store.View{}, err
			case is:
				return store.View{Entry: e}, nil
			}
		}
	}
	return s.view(ctx, views[:len(tags)])
}

// viewsOf returns views of tags, then those of the hint that aren't among them.
func viewsOf(tags []store.Tag, hint []tagView) []tagView {
	views := make([]tagView, len(tags), len(tags)+len(hint))
	for i, tag := range tags {
		views[i] = newTagView(tag)
	}
	for _, v := range hint {
		if !slices.Contains(tags, v.name) {
			views = append(views, v)
		}
	}
	return views
}

// view is what a reader sees of tags that must be read by.
func (s *Store) view(ctx context.Context, views []tagView) (store.View, error) {
	if err := s.settle(ctx, views); err != nil {
		return store.View{}, err
	}
	v := store.View{Tokens: make([]store.Token, len(views))}
	for i := range views {
		v.Tokens[i] = views[i].token()
		v.Held = v.Held || !views[i].there || !views[i].state.clean()
	}
	return v, nil
}

// token is that of the tag; if it has none, one that nothing will ever have.
func (v *tagView) token() store.Token {
	if !v.there {
		return store.Token(newNumber())
	}
	return store.Token(v.state.token)
}

// valid reports whether the tags of an entry have its tokens and aren't held. Those
// that weren't asked for are now.
func (s *Store) valid(ctx context.Context, e *store.Entry, seen []tagView) (bool, error) {
	var others []tagView
	var tokens []store.Token // of others
	bs := s.batches()
	for i, tag := range e.Tags {
		at := i // as it is when the caller, or the hint, is right
		if at >= len(seen) || seen[at].name != tag {
			at = slices.IndexFunc(seen, func(v tagView) bool { return v.name == tag })
		}
		if at < 0 {
			others, tokens = append(others, newTagView(tag)), append(tokens, e.Tokens[i])
		} else if !seen[at].matches(e.Tokens[i]) {
			return false, nil
		}
	}
	if len(others) == 0 {
		return true, nil
	}
	for i := range others {
		others[i].ask(bs)
	}
	if err := bs.run(ctx); err != nil {
		return false, err
	}
	for i := range others {
		if others[i].see(s); !others[i].matches(tokens[i]) {
			return false, nil
		}
	}
	return true, nil
}

func (v *tagView) matches(t store.Token) bool {
	return v.there && v.state.clean() && v.state.token == uint64(t)
}

// settle sees to it that the tags have states, as far as that can be:
//
//	missing    is made, suspect, then its stripe is looked at; if that has no hold it is cleared
//	suspect    the stripe, if none of the holds that it had then is in it, clears it
//	lapsed     a mark that was watched for its lease goes
//
// A writer marks the stripe, then the tag. If it found the tag missing, then the
// tag was made after its mark of the stripe, which whoever made it will see.
// Otherwise its mark is in the tag.
func (s *Store) settle(ctx context.Context, views []tagView) error {
	open := s.unsettled(views)
	if len(open) == 0 {
		return nil
	}
	bs := s.batches()
	stripes := make(map[stripe]*stripeView)
	for _, v := range open {
		b := bs.home(string(v.name))
		switch {
		case !v.there:
			b.add(command{verb: 's', mode: 'E', key: v.key, head: appendHead(nil, string(v.name), v.hashed), log: []record{{what: recFound}}, ttl: tagTTL})
		default:
			s.watch.lapse(b, v.key, &v.state)
		}
		v.ask(bs)
	}
	for _, v := range open {
		s.askStripe(bs, stripes, string(v.name))
	}
	if err := s.lookAtStripes(ctx, bs, stripes); err != nil {
		return err
	}
	return s.clear(ctx, open, stripes)
}

// unsettled returns the tags that are of no use yet and may be after another look.
func (s *Store) unsettled(views []tagView) []*tagView {
	var open []*tagView
	for i := range views {
		v := &views[i]
		if !v.there || v.state.suspect != 0 || s.watch.due(v.seen.b, v.key, &v.state) {
			open = append(open, v)
		}
	}
	return open
}

// clear clears those of the tags that are suspect and that nobody holds without a mark in them.
func (s *Store) clear(ctx context.Context, open []*tagView, stripes map[stripe]*stripeView) error {
	bs := s.batches()
	var asked []*tagView
	for _, v := range open {
		v.see(s)
		if !v.there || v.state.suspect == 0 || !s.cleared(v, stripes[s.stripeOf(string(v.name))]) {
			continue
		}
		b := bs.home(string(v.name))
		b.add(command{verb: 's', mode: 'A', key: v.key, log: []record{{what: recClear, of: [3]uint64{v.state.suspect}}}})
		v.ask(bs)
		asked = append(asked, v)
	}
	if len(asked) == 0 {
		return nil
	}
	if err := bs.run(ctx); err != nil {
		return err
	}
	for _, v := range asked {
		v.see(s)
	}
	return nil
}

func (s *Store) cleared(v *tagView, st *stripeView) bool {
	return s.skip == skipStripes || s.suspects.cleared(v, st, s.skip == skipTokens)
}

// Fill is as store.Store has it. It keeps nothing of what can't be written, is
// larger than the servers' items, or is to live for less than a second.
func (s *Store) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	if key == "" || ttl < time.Second {
		return fmt.Errorf("memcached: fill: %w", store.ErrNotKept)
	}
	name, hashed := keyOf(entryKey, key)
	value, ok, err := wire.Append(appendEntryHead(nil, key, hashed), key, e)
	if err != nil {
		return err
	}
	if !ok || len(value) > s.o.MaxItem-len(name)-itemOverhead {
		return fmt.Errorf("memcached: fill: %w", store.ErrNotKept)
	}
	bs := s.batches()
	bs.at(key).add(command{verb: 's', mode: 'S', key: name, value: value, ttl: seconds(ttl)})
	return bs.run(ctx)
}

const itemOverhead = 128 // what memcached adds to an item, with room to spare

// appendEntryHead writes the key, if it isn't that of the item.
func appendEntryHead(b []byte, key string, hashed bool) []byte {
	if !hashed {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(key)))
	return append(b, key...)
}

func parseEntry(key string, hashed bool, value []byte) *store.Entry {
	if hashed {
		n := 4 + len(key)
		if len(value) < n || int(binary.BigEndian.Uint32(value)) != len(key) || string(value[4:n]) != key {
			return nil
		}
		value = value[n:]
	}
	return wire.Parse(key, value)
}

// Members is as store.Store has it.
func (s *Store) Members(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	views := []tagView{newTagView(tag)}
	bs := s.batches()
	views[0].ask(bs)
	if err := bs.run(ctx); err != nil {
		return nil, 0, err
	}
	views[0].see(s)
	if !views[0].there {
		if err := s.settle(ctx, views); err != nil {
			return nil, 0, err
		}
	}
	return views[0].state.members, views[0].token(), nil
}
