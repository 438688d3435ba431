package sqltext_test

import (
	"slices"
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/cmd/larder/sqltext"
)

func TestShape(t *testing.T) {
	for _, c := range []struct {
		dialect analyze.Dialect
		texts   []string
		want    string
	}{
		{analyze.Postgres, []string{"SELECT * FROM stuff WHERE id = 7", "SELECT *\n\tFROM stuff -- all\nWHERE id=$1;", "SELECT * FROM stuff WHERE id = 'it''s'", "SELECT * FROM stuff /* 1 */ WHERE id = $a$;'$a$"}, "SELECT * FROM stuff WHERE id = ?"},
		{analyze.MySQL, []string{`SELECT a FROM s WHERE b IN (1, 2, 'it\'s')`, "SELECT a FROM s WHERE b IN(?) # all"}, "SELECT a FROM s WHERE b IN (?)"},
		{analyze.MySQL, []string{"INSERT INTO s(a, b) VALUES (1, NULL), (2, x'00')", "INSERT INTO s (a, b) VALUES (?, ?)"}, "INSERT INTO s (a, b) VALUES (?)"},
		{analyze.Postgres, []string{`SELECT count(*) FROM "s1" WHERE a IS NOT NULL AND b = -1.5e3`}, `SELECT count(*) FROM "s1" WHERE a IS NOT NULL AND b = - ?`},
		{analyze.Postgres, []string{`SELECT '\' , a`}, "SELECT ?, a"},
		{analyze.SQLite, []string{"UPDATE s SET a = ?1 WHERE b = 'x", "UPDATE s SET a = 1 WHERE b = 2"}, "UPDATE s SET a = ? WHERE b = ?"},
	} {
		for _, text := range c.texts {
			if got := sqltext.Shape(c.dialect, text); got != c.want {
				t.Errorf("%s: %q, want %q", text, got, c.want)
			}
		}
	}
}

func TestSplit(t *testing.T) {
	text := "SELECT ';' ; -- one; two\n\n;SELECT \"a;b\" /* ; */ FROM s;\nSELECT $$;$$\n-- the end"
	want := []string{"SELECT ';'", "SELECT \"a;b\" /* ; */ FROM s", "SELECT $$;$$\n-- the end"}
	if got := sqltext.Split(analyze.Postgres, text); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzShape(f *testing.F) {
	f.Add("SELECT 'a' FROM `b` WHERE c = $1 AND $x$d$x$ /* e */ -- f")
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range []analyze.Dialect{analyze.Postgres, analyze.MySQL, analyze.SQLite} {
			sqltext.Shape(d, text)
			sqltext.Split(d, text)
		}
	})
}
