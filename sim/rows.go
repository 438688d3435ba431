package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/larderdb/larder/coherence"
)

// One relation, stuff, has rows of an id and a user, of which reads and writes
// are in some runs. Rows have shapes by id, by user and by both.

const (
	rowIDs = 3 // ids are 0 to 2
	users  = 2 // users are 1 and 2
)

// A row is of a user, 0 if there is none, and has the version of its last write.
type row struct{ user, version int }

type table [rowIDs]row

// Images are the sides of the changed rows that a writer announces. All but the
// zero value are mutants of the session.
type Images uint8

// The sides.
const (
	BothImages Images = iota
	OldImageOnly
	NewImageOnly
)

// String returns the name as it is in Go.
func (i Images) String() string {
	return [...]string{"BothImages", "OldImageOnly", "NewImageOnly"}[i]
}

// slice is the slice of a shape that a row with an id is in.
func (r row) slice(shape string, id int) string {
	switch shape {
	case "id":
		return strconv.Itoa(id)
	case "user":
		return strconv.Itoa(r.user)
	}
	return fmt.Sprint(id, ",", r.user)
}

// rowsWhere asks for rows: all, or those in slices of a shape.
type rowsWhere struct {
	shape  string
	slices []string
}

func (q rowsWhere) String() string {
	if q.shape == "" {
		return "rows"
	}
	return "rows{" + q.shape + "=" + strings.Join(q.slices, ";") + "}"
}

func (q rowsWhere) of(s state) state {
	var only state
	for id, r := range s.rows {
		if r.user != 0 && (q.shape == "" || slices.Contains(q.slices, r.slice(q.shape, id))) {
			only.rows[id] = r
		}
	}
	return only
}

// lookup asks the cache, in half of the cases for the entry alone first, and as often along the route that a read by the shape has found before.
func (q rowsWhere) lookup(ctx context.Context, c *client, join bool) coherence.Read {
	d := c.proc.domain
	if c.rng.IntN(2) == 0 {
		if r := d.Lookup(ctx, q.String(), nil, false); r.Outcome == coherence.Hit {
			return r
		}
	}
	if to := c.proc.routes[q.shape]; to != nil && len(q.slices) == 1 && c.rng.IntN(2) == 0 {
		if r, taken := d.LookupAlong(ctx, q.String(), to, q.slices[0], join); taken {
			return r
		}
		delete(c.proc.routes, q.shape)
	}
	rows := []coherence.Rows{{Relation: "stuff", Shape: q.shape, Slices: q.slices}}
	r := d.LookupRows(ctx, q.String(), []coherence.Tag{d.Tag("*")}, func() []coherence.Rows { return rows }, join)
	if to := d.RouteOf(&r, rows); to != nil {
		c.proc.routes[q.shape] = to
	}
	return r
}

// someRows are a few questions, one of them sometimes of all rows.
func someRows(rng *rand.Rand) []rowsWhere {
	qs := make([]rowsWhere, 1+rng.IntN(4))
	for i := range qs {
		id, r := rng.IntN(rowIDs), row{user: 1 + rng.IntN(users)}
		switch rng.IntN(8) {
		case 0:
			qs[i] = rowsWhere{}
		case 1:
			qs[i] = rowsWhere{"id,user", []string{r.slice("id,user", id)}}
		case 2, 3:
			qs[i] = rowsWhere{"id", []string{r.slice("id", id)}}
		case 4:
			qs[i] = rowsWhere{"id", []string{r.slice("id", id), r.slice("id", (id+1)%rowIDs)}}
		default:
			qs[i] = rowsWhere{"user", []string{r.slice("user", id)}}
		}
	}
	return qs
}

// A put is what a write makes of one row; user 0 deletes it.
type put struct{ id, user int }

type putRows []put

func (ps putRows) String() string { return fmt.Sprint("rows ", []put(ps)) }

func (ps putRows) apply(s state, version int) state {
	for _, p := range ps {
		if s.rows[p.id] = (row{p.user, version}); p.user == 0 {
			s.rows[p.id] = row{}
		}
	}
	return s
}

// lock locks the rows of a write as FOR UPDATE does, if nobody has.
func (db *database) lock(ps putRows, c *client) bool {
	for _, p := range ps {
		if db.locked[p.id] != nil {
			return false
		}
	}
	for _, p := range ps {
		db.locked[p.id] = c
	}
	return true
}

func (db *database) unlock(ch change) {
	ps, _ := ch.(putRows)
	for _, p := range ps {
		db.locked[p.id] = nil
	}
}

// unlockAll takes the locks of a dead process away; not those of what it has sent.
func (db *database) unlockAll(p *process) {
	sent := func(id int) bool {
		return slices.ContainsFunc(db.late, func(l lateCommit) bool {
			ps, _ := l.write().(putRows)
			return slices.ContainsFunc(ps, func(p put) bool { return p.id == id })
		})
	}
	for id, c := range db.locked {
		if c != nil && c.proc == p && !sent(id) {
			db.locked[id] = nil
		}
	}
}

// writeRows puts one row or two. What is known of them is by the seed: which
// slices they are and were in, by the shapes that were in use when the images
// were asked for; their ids, as the text tells; or nothing.
func (c *client) writeRows(way int) {
	ps := putRows{{c.rng.IntN(rowIDs), c.rng.IntN(users + 1)}}
	if c.rng.IntN(4) == 0 {
		ps = append(ps, put{(ps[0].id + 1) % rowIDs, c.rng.IntN(users + 1)})
	}
	told := c.rng.IntN(8)
	var shapes []string
	if told >= 2 {
		shapes = c.proc.domain.Shapes(c.ctx, "stuff")
	}
	began := c.w.judge.begin(c)
	if !c.w.db.lock(ps, c) {
		return // another has, and this one doesn't wait
	}
	ch := coherence.Change{Relation: "stuff"}
	switch {
	case told == 0:
	case told == 1:
		ch.Slices = func(shape string) ([]string, bool) { return ps.ids(), shape == "id" }
	default:
		ch.Slices = ps.slices(c.w.db.now(), c.w.Images, shapes)
	}
	c.stop(beforeHold, "has the rows of %v", ps)
	c.w.forget()
	d := c.proc.domain
	h, err := d.HoldChanges(c.ctx, nil, []coherence.Change{ch})
	c.finish(h, err, way, func() change { return ps }, began)
}

func (ps putRows) ids() []string {
	ids := make([]string, len(ps))
	for i, p := range ps {
		ids[i] = strconv.Itoa(p.id)
	}
	return ids
}

// slices tells the slices of the rows before and after, by the shapes that are known.
func (ps putRows) slices(before state, sides Images, shapes []string) func(string) ([]string, bool) {
	return func(shape string) ([]string, bool) {
		var in []string
		for _, p := range ps {
			if r := before.rows[p.id]; r.user != 0 && sides != NewImageOnly {
				in = append(in, r.slice(shape, p.id))
			}
			if p.user != 0 && sides != OldImageOnly {
				in = append(in, row{user: p.user}.slice(shape, p.id))
			}
		}
		return in, slices.Contains(shapes, shape)
	}
}
