package sim

import "slices"

// Versions are the versions of relations: of all, or of those that a read is of.
type versions = [relations]int

// A database is versioned relations, one version of all for each commit. Its
// commits and reads are atomic.
type database struct {
	log     []versions // after each commit; the first is before all
	late    []lateCommit
	trigger bool // writes of relation 0 write relation 1
}

// A lateCommit has been sent, but isn't visible yet.
type lateCommit struct {
	c     *client
	rels  []int
	began int64
}

func (db *database) init() { db.log = []versions{{}} }

// at is the number of commits so far.
func (db *database) at() int { return len(db.log) - 1 }

// read returns the present versions of rels.
func (db *database) read(rels []int) versions { return of(db.log[db.at()], rels) }

// of returns v without the relations that aren't among rels.
func of(v versions, rels []int) versions {
	for rel := range v {
		if !slices.Contains(rels, rel) {
			v[rel] = 0
		}
	}
	return v
}

// triggered is what a write of rels writes, with the trigger or without.
func triggered(rels []int, trigger bool) []int {
	if trigger && slices.Contains(rels, 0) && !slices.Contains(rels, 1) {
		return append(slices.Clone(rels), 1)
	}
	return rels
}

// commit gives rels a new version. The write counts as not acknowledged.
func (db *database) commit(c *client, rels []int, began int64) *writeOp {
	v := db.log[db.at()]
	version := len(db.log)
	for _, rel := range rels {
		v[rel] = version
	}
	db.log = append(db.log, v)
	return c.w.judge.wrote(c, began, rels, version)
}

// lateCommits lets what was sent become visible.
func (db *database) lateCommits(w *world) {
	for _, l := range db.late {
		op := db.commit(l.c, l.rels, l.began)
		w.trace.add(w.steps, "late commit %d of %v", op.version, l.rels)
	}
	db.late = nil
}
