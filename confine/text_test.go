package confine

import (
	"slices"
	"testing"

	"github.com/larderdb/larder/analyze"
)

func TestTexts(t *testing.T) {
	s := house(t, analyze.Postgres)
	s["parted"] = tableOf(analyze.Postgres, "parted", "id int", "user_id int")
	s["parted"].Relations = []string{"parted", "parted_1"}
	for _, e := range []struct {
		shown, from string
		want        []string
	}{
		{"*", "stuff", []string{"stuff?"}},
		{"*", "secret WHERE user_id = 1", []string{"secret?"}},
		{"*", "stuff WHERE user_id = $1", []string{"stuff{user_id=$1}"}},
		{"*", "stuff WHERE user_id = $1 AND kind = 'a'", []string{`stuff{kind="a", user_id=$1}`}},
		{"*", "stuff WHERE id = 1 AND kind = 'a'", []string{"stuff{id=1}"}},
		{"*", "stuff WHERE user_id IN ($1, 2)", []string{"stuff{user_id in ($1, 2)}"}},
		{"*", "stuff WHERE user_id = ANY($1)", []string{"stuff{user_id=any($1)}"}},
		{"*", "stuff WHERE user_id = 1 OR id = 2", []string{"stuff{user_id=1}", "stuff{id=2}"}},
		{"1", "stuff", []string{"stuff? (no columns)"}},
		{"name", "stuff WHERE user_id = $1 ORDER BY kind", []string{"stuff{user_id=$1} (user_id, name, kind)"}},
		{"name", "secret", []string{"secret?"}},
		{"id", "parted", []string{"parted?", "parted_1?"}},
		{"*", "parted", []string{"parted?", "parted_1?"}},
		{"*", "parted WHERE user_id = 1", []string{"parted{user_id=1}", "parted_1{user_id=1}"}},
	} {
		refs, ok := Reads(analyze.Analyze(analyze.Postgres, "SELECT "+e.shown+" FROM "+e.from).Rows, s)
		if !ok || len(refs) != 1 {
			t.Errorf("%s: %v", e.from, refs)
			continue
		}
		if got := refs[0].Texts(); !slices.Equal(got, e.want) {
			t.Errorf("%s: %q, want %q", e.from, got, e.want)
		}
	}
}

func TestStringOfChange(t *testing.T) {
	s := house(t, analyze.Postgres)
	for text, want := range map[string]string{
		"INSERT INTO stuff (user_id) VALUES (1)":               "new rows",
		"DELETE FROM stuff WHERE id = $1":                      "{id=$1}",
		"DELETE FROM stuff WHERE id = $1 OR user_id IN (2, 3)": "{id=$1}, {user_id in (2, 3)}",
		"DELETE FROM stuff WHERE price > 1":                    "the rows that its condition finds",
		"UPDATE stuff SET kind = $2, done = NULL WHERE id = 1": "{id=1}, kind becomes $2, done becomes null",
		"UPDATE stuff SET kind = kind WHERE price > 1":         "the rows that its condition finds, kind becomes kind",
		"UPDATE secret SET user_id = 1":                        "any row: the database may alter what is written",
	} {
		if c, _ := changeOf(t, analyze.Postgres, s, text); c.String() != want {
			t.Errorf("%s: %q, want %q", text, c, want)
		}
	}
}
