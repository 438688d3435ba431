package analyze

import (
	"strings"
	"testing"
)

func TestSeveral(t *testing.T) {
	a, b := Name{Name: "a"}, Name{Schema: "s", Name: "b"}
	s := several(Postgres, "x; y /* larder:bypass */", []*Statement{
		{
			Kind: Read, Reads: []Name{a, b}, Functions: []Name{{Name: "f"}}, Operators: []string{"="},
			TimeCasts: []string{"a.c"}, ReturnsRows: true,
		},
		{
			Kind: Modify, Reads: []Name{b}, Writes: []Write{{Relation: a, Op: Insert}}, Functions: []Name{{Name: "f"}},
			Operators: []string{"=", "+"}, Settings: []string{"role"}, TempTables: []Name{b},
		},
		{Kind: Modify, Writes: []Write{{Relation: a, Op: Truncate, Cascade: true}}, WritesAll: true, ImplicitCommit: true},
	})
	want := `kind: several
reads: a, s.b
writes: a (insert|truncate cascade)
writes all
functions: f
operators: =, +
time casts: a.c
returns rows
implicit commit
settings: role
temporary: s.b
hint: {Bypass:true Refresh:false TTL:0s}
reason: several statements
`
	got, _, _ := strings.Cut(s.Facts(), "part 1\n")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if len(s.Parts) != 3 {
		t.Errorf("%d parts, want 3", len(s.Parts))
	}
}
