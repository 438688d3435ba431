package sim

import (
	"fmt"
	"slices"
)

// A state is what the database holds after a commit: of all, or of what a
// question is about.
type state struct {
	versions [relations]int // of relations
	rows     table          // of one relation besides
}

// A question is what a read asks the database.
type question interface {
	fmt.Stringer
	of(state) state // the answer
}

// A change is what a write does. A write of that version has put the new versions there.
type change interface {
	fmt.Stringer
	apply(s state, version int) state
}

// A database is a log of states. Its commits and reads are atomic.
type database struct {
	log     []state // after each commit; the first is before all
	late    []lateCommit
	trigger bool            // writes of relation 0 write relation 1
	locked  [rowIDs]*client // the rows of writes in flight
}

// A lateCommit has been sent, but isn't visible yet.
type lateCommit struct {
	c     *client
	write func() change
	began int64
}

func (db *database) init() { db.log = []state{{}} }

// at is the number of commits so far.
func (db *database) at() int { return len(db.log) - 1 }

// now is the present state.
func (db *database) now() state { return db.log[db.at()] }

// commit makes a change. The write counts as not acknowledged.
func (db *database) commit(c *client, ch change, began int64) *writeOp {
	version := len(db.log)
	db.log = append(db.log, ch.apply(db.now(), version))
	return c.w.judge.wrote(c, began, ch, version)
}

// lateCommits lets what was sent become visible.
func (db *database) lateCommits(w *world) {
	for _, l := range db.late {
		ch := l.write()
		op := db.commit(l.c, ch, l.began)
		db.unlock(ch)
		w.trace.add(w.steps, "late commit %d of %v", op.version, ch)
	}
	db.late = nil
}

// inRelations asks for the versions of relations, or gives them new ones.
type inRelations []int

func (rels inRelations) String() string { return fmt.Sprint([]int(rels)) }

func (rels inRelations) of(s state) state {
	var only state
	for _, rel := range rels {
		only.versions[rel] = s.versions[rel]
	}
	return only
}

func (rels inRelations) apply(s state, version int) state {
	for _, rel := range rels {
		s.versions[rel] = version
	}
	return s
}

// triggered is what a write of rels writes, with the trigger or without.
func triggered(rels inRelations, trigger bool) inRelations {
	if trigger && slices.Contains(rels, 0) && !slices.Contains(rels, 1) {
		return append(slices.Clone(rels), 1)
	}
	return rels
}
