package main

import (
	"database/sql"

	"github.com/larderdb/larder"
)

// byLarder is the program without a word about caching: its handle was opened by Larder.
type byLarder struct {
	db    *sql.DB
	cache *larder.Cache // for its statistics
}

func (l *byLarder) stuffOf(user int) []string { return stuffOf(l.db, user) }

func (l *byLarder) save(s stuff) { save(l.db, s) }

func (l *byLarder) upper() { upper(l.db) }

func (l *byLarder) hits() int { return int(l.cache.Stats().Hits) }
