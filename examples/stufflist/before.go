package main

import (
	"database/sql"
	"fmt"
)

// byHand caches as most programs do: a key for each list, got and set where it is read, deleted where it is saved.
type byHand struct {
	db    *sql.DB
	cache map[string][]string
	found int
}

func key(user int) string { return fmt.Sprintf("stuff-list-for-user-%d", user) }

func (b *byHand) stuffOf(user int) []string {
	if list, ok := b.cache[key(user)]; ok {
		b.found++
		return list
	}
	list := stuffOf(b.db, user)
	b.cache[key(user)] = list // if somebody has saved meanwhile, it is stale from the start
	return list
}

func (b *byHand) save(s stuff) {
	save(b.db, s)
	delete(b.cache, key(s.user)) // and whose was it before?
}

// upper was written by somebody who didn't know of the cache.
func (b *byHand) upper() { upper(b.db) }

func (b *byHand) hits() int { return b.found }
