package session

import (
	"database/sql/driver"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// Who writes a row has most often read it before. So what a write must know of a row that its text doesn't tell, whose it
// is say, is likely to be shown by a result that is kept: it is remembered where. Only of relations for whose rows a write has had to ask,
// and as long as the result itself is there. A result may be old; what it shows is a guess as others are (guess.go).

// sightings are where rows of a database were seen, by unique keys. Two rows may have one place; then the first is forgotten.
type sightings struct {
	seed   maphash.Seed
	shards [sightShards]sightShard
}

type sightShard struct {
	mu    sync.Mutex
	slots [sightSlots]sighting // guarded by mu
}

// A sighting is a row of a result.
type sighting struct {
	hash uint64
	in   *shownRows
	row  int
}

// shownRows are the rows of one relation that a result shows.
type shownRows struct {
	set    weak.Pointer[rowSet]
	at     map[string]int          // where columns stand
	pinned map[string]driver.Value // what columns are by the statement's condition
}

const (
	sightShards = 64
	sightSlots  = 256
	maxSighted  = 256 // rows of one result
)

// An askedKey is a unique key by which writes have asked for rows, and what for.
type askedKey struct {
	names  string // as part of what is hashed
	key    []*confine.Column
	wanted []string
}

// An asking is for which rows of which relations writes have asked, in a database.
type asking struct {
	rows atomic.Pointer[sightings]             // nil until one has
	mu   sync.Mutex                            // of those who add keys
	keys atomic.Pointer[map[string][]askedKey] // by relation; never changed
}

const maxAskedKeys = 256 // relations, and unique keys of each

// ask notes that a write asks for columns of rows of a relation by a unique key, and returns where such rows are remembered.
func (a *asking) ask(relation string, key, columns []*confine.Column) *sightings {
	asked := askedKey{names: keyNames(relation, key), key: key}
	for _, column := range columns {
		asked.wanted = append(asked.wanted, column.Name)
	}
	if a.knows(relation, asked) {
		return a.rows.Load()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rows.Load() == nil {
		a.rows.Store(&sightings{seed: maphash.MakeSeed()})
	}
	keys := map[string][]askedKey{}
	if known := a.keys.Load(); known != nil && len(*known) < maxAskedKeys {
		keys = maps.Clone(*known)
	}
	list := slices.DeleteFunc(slices.Clone(keys[relation]), func(other askedKey) bool { return other.names == asked.names })
	if len(list) < maxAskedKeys {
		list = append(list, asked)
	}
	keys[relation] = list
	a.keys.Store(&keys)
	return a.rows.Load()
}

// knows reports whether rows are remembered that tell what is asked now.
func (a *asking) knows(relation string, asked askedKey) bool {
	keys := a.keys.Load()
	return keys != nil && slices.ContainsFunc((*keys)[relation], func(known askedKey) bool {
		return known.names == asked.names && slices.Equal(known.wanted, asked.wanted)
	})
}

func keyNames(relation string, key []*confine.Column) string {
	names := relation
	for _, column := range key {
		names += "\x00" + column.Name
	}
	return names
}

// sight remembers where the rows stand that a result shows which is kept, if writes have asked for such rows.
func (p *planned) sight(set *rowSet, args []driver.NamedValue) {
	keys := p.db.asked.keys.Load()
	if keys == nil {
		return
	}
	for i := range p.plan.References {
		r := &p.plan.References[i]
		if r.Shown == nil || len(r.Table.Relations) != 1 {
			continue
		}
		if asked := (*keys)[r.Table.Relations[0]]; len(asked) > 0 {
			in := &shownRows{at: r.Shown, pinned: r.Pinned(args)}
			for k := range asked {
				in.remember(p.db.asked.rows.Load(), &asked[k], p.text.Dialect, set)
			}
		}
	}
}

// remember remembers the rows by a key, if they tell all that is asked by it.
func (in *shownRows) remember(to *sightings, asked *askedKey, d analyze.Dialect, set *rowSet) {
	hidden := func(column *confine.Column) bool { _, is := in.at[column.Name]; return !is }
	untold := func(column string) bool {
		_, shown := in.at[column]
		_, pinned := in.pinned[column]
		return !shown && !pinned
	}
	if slices.ContainsFunc(asked.key, hidden) || slices.ContainsFunc(asked.wanted, untold) {
		return
	}
	if in.set == (weak.Pointer[rowSet]{}) {
		in.set = weak.Make(set)
	}
	for row := range min(set.rows, maxSighted) {
		if form, ok := asked.formOf(d, set.row(row), in.at); ok {
			to.put(to.hash(asked.names, form), sighting{in: in, row: row})
		}
	}
}

// formOf is the key of a row that a result shows; ok is false if it has none.
func (k *askedKey) formOf(d analyze.Dialect, values []driver.Value, at map[string]int) (form string, ok bool) {
	var few [4]string
	forms := few[:0]
	for _, column := range k.key {
		value := values[at[column.Name]]
		form, ok := column.Class.Stored(d, value)
		if !ok || value == nil {
			return "", false
		}
		forms = append(forms, form)
	}
	return confine.Join(forms), true
}

func (s *sightings) hash(names, form string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.WriteString(names)
	h.WriteByte(0)
	h.WriteString(form)
	return h.Sum64()
}

func (s *sightings) put(hash uint64, seen sighting) {
	seen.hash = hash
	shard := &s.shards[hash%sightShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	shard.slots[hash/sightShards%sightSlots] = seen
}

func (s *sightings) get(hash uint64) (seen sighting, ok bool) {
	shard := &s.shards[hash%sightShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	seen = shard.slots[hash/sightShards%sightSlots]
	return seen, seen.hash == hash && seen.in != nil
}

// place returns the unique key by which a row is found, and where one that has it is remembered; ok is false if the row tells none.
func (p *planned) place(row confine.Image) (key []*confine.Column, names, form string, ok bool) {
	own := p.change.Key(row)
	key = p.change.Columns(own)
	if own == nil || len(key) != len(own) {
		return nil, "", "", false
	}
	inOrder := make([]string, len(key)) // of the table, which needn't be the key's
	for i, column := range key {
		inOrder[i] = column.Name
	}
	form, ok = row.Form(inOrder)
	return key, keyNames(string(p.plan.Target), key), form, ok
}

// sighted are values of columns of a row, as arguments, by a result that shows it; nil if none is known to. It notes that they are asked for.
func (p *planned) sighted(row confine.Image, columns []*confine.Column) []driver.Value {
	key, names, form, ok := p.place(row)
	if !ok || p.misled() {
		return nil
	}
	rows := p.db.asked.ask(string(p.plan.Target), key, columns)
	seen, ok := rows.get(rows.hash(names, form))
	if !ok {
		return nil
	}
	set := seen.in.set.Value()
	if set == nil {
		return nil
	}
	values, shown := make([]driver.Value, len(columns)), set.row(seen.row)
	for i, column := range columns {
		if at, is := seen.in.at[column.Name]; is {
			values[i] = shown[at]
		} else if values[i], is = seen.in.pinned[column.Name]; !is {
			return nil
		}
	}
	return asArguments(columns, values)
}

// unsight forgets where a row was seen that isn't as it was, or isn't any more.
func (p *planned) unsight(row confine.Image) {
	rows := p.db.asked.rows.Load()
	if rows == nil {
		return
	}
	if _, names, form, ok := p.place(row); ok {
		rows.put(rows.hash(names, form), sighting{})
	}
}

// misled reports whether what results show was wrong so often that it isn't worth a try: they may show what isn't in the row.
func (p *planned) misled() bool {
	wrong := p.sightedWrong.Load()
	return wrong > 8 && wrong > p.sightedRight.Load()/4
}
