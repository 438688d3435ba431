package confine

import (
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/larderdb/larder/analyze"
)

type (
	named    int
	speaking int
	valued   string
	broken   struct{}
)

func (speaking) String() string               { return "x" }
func (v valued) Value() (driver.Value, error) { return "v" + string(v), nil }
func (broken) Value() (driver.Value, error)   { panic(errors.New("no value")) }

var (
	integerClass = Class{Kind: Integer}
	textClass    = Class{Kind: Text, Name: "text"}
	paddedClass  = Class{Kind: Text, Fold: Padded}
	caseless     = Class{Kind: Text, Fold: CaseLess | Padded}
	dynamic      = Class{Kind: Dynamic}
	dynamicText  = Class{Kind: DynamicText}
	nocase       = Class{Kind: DynamicText, Fold: ASCIICase}
	uuidClass    = Class{Kind: UUID}
	five         = 5
	nobody       *int
)

// "" stands for no form.
func TestValue(t *testing.T) {
	const pg, my, lite = analyze.Postgres, analyze.MySQL, analyze.SQLite
	for _, c := range []struct {
		d     analyze.Dialect
		class Class
		v     any
		want  string
	}{
		{pg, integerClass, int64(42), "i42"},
		{pg, integerClass, named(42), "i42"},
		{pg, integerClass, speaking(42), ""},
		{pg, integerClass, uint64(1<<64 - 1), "i18446744073709551615"},
		{pg, integerClass, &five, "i5"},
		{pg, integerClass, nobody, "n"},
		{pg, integerClass, nil, "n"},
		{pg, integerClass, 42.0, "i42"},
		{pg, integerClass, 42.5, ""},
		{pg, integerClass, float64(1 << 53), ""},
		{pg, integerClass, "+042", "i42"},
		{pg, integerClass, "-0", "i0"},
		{pg, integerClass, " 42", ""},
		{pg, integerClass, "4e1", ""},
		{pg, integerClass, "9999999999999999999", ""},
		{my, integerClass, "9007199254740993", ""},
		{my, integerClass, []byte("42"), "i42"},
		{pg, integerClass, []byte("42"), ""},
		{my, integerClass, true, "i1"},
		{pg, integerClass, time.Unix(0, 0), ""},
		{pg, textClass, "a ", "ta "},
		{pg, textClass, []byte("a"), ""},
		{pg, textClass, []byte(nil), ""},
		{pg, textClass, 5, ""},
		{pg, textClass, valued("a"), "tva"},
		{pg, textClass, broken{}, ""},
		{my, textClass, 5, ""},
		{my, textClass, []byte("a"), "ta"},
		{my, textClass, "é", ""},
		{pg, textClass, "é", "té"},
		{pg, paddedClass, "a ", "ta"},
		{my, caseless, "aB  ", "tab"},
		{my, caseless, "a\tb", ""},
		{pg, caseless, "é", ""},
		{pg, Class{Kind: Bytes}, []byte("a\x00"), "ba\x00"},
		{my, Class{Kind: Bytes}, []byte("a\x00"), "ba"},
		{my, Class{Kind: Bytes}, "a", "ba"},
		{pg, Class{Kind: Bytes}, `\x61`, ""},
		{pg, Class{Kind: Boolean}, true, "1"},
		{pg, Class{Kind: Boolean}, "f", "0"},
		{pg, Class{Kind: Boolean}, "yes", ""},
		{pg, uuidClass, "{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}", "ua0eebc999c0b4ef8bb6d6bb9bd380a11"},
		{pg, uuidClass, [16]byte{0xa0}, "ua0000000000000000000000000000000"},
		{pg, uuidClass, "a0", ""},
		{pg, uuidClass, []byte("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), ""},
		{pg, Class{}, 5, ""},
		{lite, dynamic, "42", "i42"},
		{lite, dynamic, "042", "i42"},
		{lite, dynamic, "4.2e1", ""},
		{lite, dynamic, " 42", ""},
		{lite, dynamic, "42x", "t42x"},
		{lite, dynamic, "a\x00", ""},
		{lite, dynamic, 42.0, "i42"},
		{lite, dynamic, true, "i1"},
		{lite, dynamic, []byte("42"), "i42"},
		{lite, dynamicText, 42, "t42"},
		{lite, dynamicText, "042", "t042"},
		{lite, dynamicText, 42.0, ""},
		{lite, nocase, "AÉ", "taÉ"},
		{lite, Class{Kind: DynamicBlob}, "42", "t42"},
		{lite, Class{Kind: DynamicBlob}, 42, "i42"},
	} {
		got, ok := c.class.Value(c.d, c.v)
		if !ok {
			got = ""
		}
		if got != c.want {
			t.Errorf("%s %+v: Value(%T %v) = %q, want %q", c.d, c.class, c.v, c.v, got, c.want)
		}
	}
}

func TestTerm(t *testing.T) {
	const pg, my, lite = analyze.Postgres, analyze.MySQL, analyze.SQLite
	number := func(text string) analyze.Term { return analyze.Term{Kind: analyze.Number, Text: text} }
	text := func(text, cast string) analyze.Term {
		return analyze.Term{Kind: analyze.Text, Text: text, Cast: cast}
	}
	for _, c := range []struct {
		d     analyze.Dialect
		class Class
		term  analyze.Term
		want  string
	}{
		{pg, integerClass, number("42"), "i42"},
		{pg, integerClass, number("42.0"), "i42"},
		{pg, integerClass, number("42.5"), "x"},
		{pg, integerClass, number("42.00000000000000000000001"), ""},
		{pg, integerClass, number("1e2"), ""},
		{pg, integerClass, analyze.Term{Kind: analyze.Number, Text: "42.5", Cast: "int4"}, ""},
		{pg, integerClass, text("42", "bigint"), "i42"},
		{pg, integerClass, text("42", "numeric"), ""},
		{my, integerClass, text("42", "signed"), ""},
		{pg, textClass, text("a", "text"), "ta"},
		{pg, textClass, text("a", "bpchar"), ""},
		{pg, paddedClass, text("a ", "bpchar"), "ta"},
		{pg, textClass, text("a", "varchar(1)"), ""},
		{my, textClass, number("5"), ""},
		{my, integerClass, analyze.Term{Kind: analyze.Blob, Text: "5"}, ""},
		{lite, dynamicText, number("042"), "t42"},
		{lite, dynamic, number("42.0"), "i42"},
		{lite, dynamic, number("42.5"), ""},
		{lite, dynamic, analyze.Term{Kind: analyze.Null}, "n"},
		{pg, integerClass, analyze.Term{Kind: analyze.Boolean, Text: "true"}, ""},
		{my, integerClass, analyze.Term{Kind: analyze.Boolean, Text: "true"}, "i1"},
		{lite, dynamic, analyze.Term{Kind: analyze.Untold}, ""},
	} {
		got, ok := c.class.Term(c.d, c.term)
		if !ok {
			got = ""
		}
		if got != c.want {
			t.Errorf("%s %+v: Term(%+v) = %q, want %q", c.d, c.class, c.term, got, c.want)
		}
	}
}

// SQLite's drivers read positive numbers in a BOOLEAN column as true.
func TestStored(t *testing.T) {
	if form, ok := dynamic.Stored(analyze.SQLite, true); ok {
		t.Errorf("true has the form %q", form)
	}
	if form, ok := uuidClass.Stored(analyze.Postgres, []byte("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")); !ok || form != "ua0eebc999c0b4ef8bb6d6bb9bd380a11" {
		t.Errorf("a UUID as text has the form %q, %v", form, ok)
	}
	if form, ok := integerClass.Stored(analyze.MySQL, []byte("042")); !ok || form != "i42" {
		t.Errorf("a number as text has the form %q, %v", form, ok)
	}
}

func TestJoin(t *testing.T) {
	seen := map[string][]string{}
	for _, forms := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"1:a"}, {"a1:b"}, {"a", "b"}, {"ab"}} {
		joined := Join(forms)
		if other, ok := seen[joined]; ok {
			t.Errorf("%q and %q are both %q", forms, other, joined)
		}
		seen[joined] = forms
	}
}

type array string

func (a array) Value() (driver.Value, error) { return string(a), nil }

func TestElements(t *testing.T) {
	for _, c := range []struct {
		class Class
		v     any
		want  string // "" for none
	}{
		{integerClass, []int64{1, 2}, "2:i12:i2"},
		{integerClass, []any{1, "2"}, "2:i12:i2"},
		{integerClass, "{1,2}", "2:i12:i2"},
		{integerClass, array("{1,2}"), "2:i12:i2"},
		{integerClass, "{1, 2}", ""},
		{integerClass, "{{1},{2}}", ""},
		{integerClass, "{1,NULL}", ""},
		{integerClass, []int(nil), ""},
		{integerClass, make([]int, maxSlices+1), ""},
		{integerClass, []byte("{1}"), ""},
		{textClass, []string{"a,b", "c"}, "4:ta,b2:tc"},
		{textClass, `{"a","b c"}`, "2:ta4:tb c"},
		{textClass, `{"a\"b"}`, ""},
		{textClass, `{"a,b"}`, ""},
		{textClass, `{null}`, ""},
		{textClass, `{"null"}`, "5:tnull"},
		{integerClass, 5, ""},
		{integerClass, nil, ""},
	} {
		forms, ok := c.class.Elements(analyze.Postgres, c.v)
		if got := Join(forms); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("Elements(%T %v) = %q, %v, want %q", c.v, c.v, got, ok, c.want)
		}
	}
}
