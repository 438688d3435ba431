package larder

import "testing"

// TestManyToMany: what ORMs read over a join table is removed by what is linked and unlinked, and by what
// changes in a row that is shown.
func TestManyToMany(t *testing.T) {
	const (
		linksOf  = "SELECT * FROM stuff_tags WHERE stuff_tags.stuff_id IN (?, ?) ORDER BY stuff_id, tag_id"
		tagsByID = "SELECT * FROM tags WHERE tags.id IN (?, ?) ORDER BY id"
		tagsOf   = "SELECT tags.* FROM tags JOIN stuff_tags ON stuff_tags.tag_id = tags.id WHERE stuff_tags.stuff_id = ? ORDER BY tags.id"
		countOf  = "SELECT count(*) FROM tags JOIN stuff_tags ON stuff_tags.tag_id = tags.id AND stuff_tags.stuff_id = ?"
		stuffOf  = "SELECT stuff_tags.stuff_id FROM stuff_tags INNER JOIN tags ON tags.id = stuff_tags.tag_id WHERE tags.id = ? ORDER BY 1"
		linked   = "SELECT 1 FROM stuff_tags WHERE stuff_id = ? AND tag_id = ? LIMIT 1"
	)
	reads := []namedRead{
		{"links of 1 and 2", linksOf, []any{1, 2}},
		{"links of 3 and 4", linksOf, []any{3, 4}},
		{"tags 1 and 2", tagsByID, []any{1, 2}},
		{"tags 3 and 4", tagsByID, []any{3, 4}},
		{"tags of 2", tagsOf, []any{2}},
		{"tags of 3", tagsOf, []any{3}},
		{"count of 3", countOf, []any{3}},
		{"stuff of tag 1", stuffOf, []any{1}},
		{"stuff of tag 2", stuffOf, []any{2}},
		{"2 has tag 1", linked, []any{2, 1}},
		{"3 has tag 2", linked, []any{3, 2}},
	}
	settle := []string{"UPDATE stuff_tags SET tag_id = tag_id + 1 WHERE stuff_id = 90 AND tag_id < 98", "UPDATE tags SET label = 'later' WHERE id = 90"}
	removals := []removal{
		{"INSERT INTO stuff_tags (stuff_id, tag_id) VALUES (?, ?)", []any{2, 1},
			[]string{"links of 1 and 2", "tags of 2", "stuff of tag 1", "2 has tag 1"}, nil},
		{"DELETE FROM stuff_tags WHERE stuff_id = ? AND tag_id = ?", []any{2, 1},
			[]string{"links of 1 and 2", "tags of 2", "stuff of tag 1", "2 has tag 1"}, nil},
		{"INSERT INTO stuff_tags (stuff_id, tag_id) VALUES (?, ?)", []any{91, 92}, nil, nil},
		{"DELETE FROM stuff_tags WHERE stuff_id = ?", []any{91}, nil, nil},
		{"UPDATE tags SET label = ? WHERE id = ?", []any{"white as snow", 2}, []string{"tags 1 and 2", "tags of 3"},
			[]string{"tags of 2", "count of 3", "stuff of tag 2"}},
		{"DELETE FROM stuff_tags WHERE stuff_id = ? AND tag_id IN (?, ?)", []any{3, 1, 2},
			[]string{"links of 3 and 4", "tags of 3", "count of 3", "stuff of tag 1", "stuff of tag 2", "3 has tag 2"}, nil},
	}
	eachKind(t, func(h *house) {
		h.shop()
		h.exec(h.bare, "INSERT INTO tags VALUES (90, 'other')")
		h.exec(h.bare, "INSERT INTO stuff_tags VALUES (90, 90)")
		h.wantRemovals(reads, settle, removals)
	})
}

// TestPolymorphic: rows that belong to a row of one of several relations, by its type and id.
func TestPolymorphic(t *testing.T) {
	const (
		commentsOf = "SELECT * FROM comments WHERE owner_type = ? AND owner_id = ? ORDER BY id"
		preload    = "SELECT * FROM comments WHERE owner_type = ? AND owner_id IN (?, ?) ORDER BY id"
		countOf    = "SELECT count(*) FROM comments WHERE owner_id = ? AND owner_type = 'stuff'"
	)
	reads := []namedRead{
		{"of stuff 1", commentsOf, []any{"stuff", 1}},
		{"of stuff 2", commentsOf, []any{"stuff", 2}},
		{"of user 1", commentsOf, []any{"users", 1}},
		{"of stuff 1 and 3", preload, []any{"stuff", 1, 3}},
		{"count of stuff 1", countOf, []any{1}},
		{"comment 2", "SELECT * FROM comments WHERE id = ?", []any{2}},
	}
	settle := []string{"UPDATE comments SET body = 'later' WHERE id = 90"}
	insert := "INSERT INTO comments (id, owner_type, owner_id, body) VALUES (?, ?, ?, ?)"
	removals := []removal{
		{insert, []any{10, "stuff", 1, "x"}, []string{"of stuff 1", "of stuff 1 and 3", "count of stuff 1"}, nil},
		{insert, []any{11, "users", 1, "x"}, []string{"of user 1"}, nil},
		{insert, []any{12, "users", 2, "x"}, nil, nil},
		{"UPDATE comments SET owner_type = ?, owner_id = ?, body = ? WHERE id = ?", []any{"users", 1, "moved", 10},
			[]string{"of stuff 1", "of stuff 1 and 3", "count of stuff 1", "of user 1"}, nil},
		{"UPDATE comments SET body = ? WHERE id = ?", []any{"y", 2}, []string{"of stuff 2", "comment 2"}, nil},
		{"DELETE FROM comments WHERE owner_type = ? AND owner_id = ?", []any{"users", 1}, []string{"of user 1"}, nil},
		{"DELETE FROM comments WHERE owner_type = ? AND owner_id = ?", []any{"stuff", 3}, []string{"of stuff 1 and 3"}, nil},
	}
	eachKind(t, func(h *house) {
		kind := "VARCHAR(20)"
		if h.dialect == "mysql" {
			kind = "VARCHAR(20) COLLATE utf8mb4_bin"
		}
		h.exec(h.bare, "CREATE TABLE comments (id INTEGER PRIMARY KEY, owner_type "+kind+" NOT NULL, owner_id INTEGER NOT NULL, body VARCHAR(100))")
		h.exec(h.bare, "CREATE INDEX comments_owner ON comments (owner_type, owner_id)")
		h.exec(h.bare, "INSERT INTO comments VALUES (1, 'stuff', 1, 'a'), (2, 'stuff', 2, 'b'), (3, 'users', 1, 'c'), (4, 'stuff', 3, 'd'), (90, 'other', 90, 'e')")
		h.wantRemovals(reads, settle, removals)
	})
}
