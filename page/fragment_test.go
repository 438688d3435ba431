package page_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/page"
)

// row reads a value.
func row(ctx context.Context, t testing.TB, db *sql.DB, table string) (v int) {
	t.Helper()
	if err := db.QueryRowContext(ctx, "SELECT v FROM "+table+" WHERE id = 1").Scan(&v); err != nil {
		t.Error(err)
	}
	return v
}

// TestFragment: a fragment is made once, and again after a write of what it was read from; and so is what is around it.
func TestFragment(t *testing.T) {
	cache, db := newCache(t, nil)
	inner, outer := 0, 0
	sidebar := func(ctx context.Context, w io.Writer) error {
		return page.Fragment(ctx, cache, w, "sidebar", func(ctx context.Context, w io.Writer) error {
			inner++
			_, err := fmt.Fprintf(w, "[t%d]", row(ctx, t, db, "t"))
			return err
		})
	}
	body := func(ctx context.Context, w io.Writer) error {
		return page.Fragment(ctx, cache, w, "body", func(ctx context.Context, w io.Writer) error {
			outer++
			fmt.Fprintf(w, "u%d ", row(ctx, t, db, "u"))
			return sidebar(ctx, w)
		})
	}
	pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := body(r.Context(), w); err != nil {
			t.Error(err)
		}
	}), nil)
	for _, step := range []struct {
		write        string
		want         string
		inner, outer int
		hit          bool
	}{
		{"", "u1 [t1]", 1, 1, false},
		{"", "u1 [t1]", 1, 1, true},
		{"UPDATE u SET v = 2", "u2 [t1]", 1, 2, false}, // the sidebar was found, …
		{"", "u2 [t1]", 1, 2, true},
		{"UPDATE t SET v = 2", "u2 [t2]", 2, 3, false}, // … and the page depends on it all the same
		{"", "u2 [t2]", 2, 3, true},
	} {
		if step.write != "" {
			if _, err := db.Exec(step.write); err != nil {
				t.Fatal(err)
			}
		}
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if hit := strings.HasPrefix(w.Header().Get("Cache-Status"), "larder; hit"); w.Body.String() != step.want || inner != step.inner || outer != step.outer || hit != step.hit {
			t.Errorf("after %q: %s, made %d and %d times, hit %t; want %+v", step.write, w.Body, inner, outer, hit, step)
		}
	}
}

// TestFragmentsThatFail: an error is the caller's, nothing is written or kept, nor is the page around it.
func TestFragmentsThatFail(t *testing.T) {
	cache, db := newCache(t, nil)
	failure := errors.New("no such thing")
	fails := true
	made := 0
	pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		made++
		err := page.Fragment(r.Context(), cache, w, "failing", func(ctx context.Context, w io.Writer) error {
			fmt.Fprint(w, row(ctx, t, db, "t"))
			if fails {
				return failure
			}
			return nil
		})
		if errors.Is(err, failure) != fails {
			t.Errorf("error %v", err)
		}
		fmt.Fprint(w, ".")
	}), nil)
	for i, want := range []string{".", ".", "1.", "1."} {
		fails = i < 2
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Body.String() != want {
			t.Errorf("%d: %s", i, w.Body)
		}
	}
	if made != 3 {
		t.Errorf("made %d times", made)
	}
	for range 2 {
		func() {
			defer func() { recover() }()
			page.Fragment(t.Context(), cache, io.Discard, "panics", func(context.Context, io.Writer) error { panic("x") })
		}()
	}
}

type user struct {
	ID   int
	Name string
}

// TestTemplates: {{fragment}} keeps what a template makes of a value, and escapes it as html/template does.
func TestTemplates(t *testing.T) {
	cache, db := newCache(t, nil)
	made := 0
	funcs := page.Funcs()
	funcs["count"] = func(ctx context.Context, table string) int { made++; return row(ctx, t, db, table) }
	set := template.Must(template.New("page").Funcs(funcs).Parse(
		`<p title="{{.Name}}">{{fragment "sidebar" .}} {{fragment "loaded" .ID 2}}<script>var s = {{.Name}}</script>` +
			`{{define "sidebar"}}<a href="/{{.Name}}">{{.Name}}</a> {{count context "t"}} {{fragment "inner"}}{{end}}` +
			`{{define "inner"}}({{count context "u"}}){{end}}` +
			`{{define "loaded"}}{{.}}{{end}}`))
	loads := 0
	templates, err := page.NewTemplates(cache, set, map[string]page.Loader{
		"loaded": func(ctx context.Context, args ...any) (any, error) {
			loads++
			return fmt.Sprint(args, row(ctx, t, db, "u")), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	run := func(u *user) string {
		var b strings.Builder
		if err := templates.Execute(t.Context(), &b, "page", u); err != nil {
			t.Error(err)
		}
		return b.String()
	}
	evil := &user{7, `<b>"x"`}
	want := `<p title="&lt;b&gt;&#34;x&#34;"><a href="/%3cb%3e%22x%22">&lt;b&gt;&#34;x&#34;</a> 1 (1) [7 2] 1<script>var s = "\u003cb\u003e\"x\""</script>`
	for range 2 {
		if got := run(evil); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if made != 2 || loads != 1 {
		t.Errorf("read %d times, loaded %d times", made, loads)
	}
	run(&user{8, "other"})
	if made != 3 || loads != 2 {
		t.Errorf("of another user: read %d times, loaded %d times", made, loads)
	}
	if _, err := db.Exec("UPDATE u SET v = 2"); err != nil {
		t.Fatal(err)
	}
	if got := run(evil); !strings.Contains(got, " 1 (2) [7 2] 2<") || made != 5 || loads != 3 {
		t.Errorf("after a write: %s, read %d times, loaded %d times", got, made, loads)
	}

	for text, want := range map[string]string{
		`{{fragment "nowhere" 1}}`:  `no template "nowhere"`,
		`{{fragment "sidebar" .F}}`: "can't be told apart",
		`{{fragment "inner" 1 2}}`:  "need a Loader",
	} {
		bad := template.Must(template.Must(template.New("bad").Funcs(funcs).Parse(text)).New("sidebar").Parse("{{define `inner`}}{{end}}"))
		templates, err := page.NewTemplates(cache, bad, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := templates.Execute(t.Context(), io.Discard, "bad", struct{ F func() }{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := page.NewTemplates(cache, template.Must(template.New("x").Parse("")), map[string]page.Loader{"y": nil}); err == nil {
		t.Error("a loader of no template was taken")
	}
	if err := template.Must(template.New("x").Funcs(page.Funcs()).Parse(`{{fragment "x"}}`)).Execute(io.Discard, nil); err == nil {
		t.Error("a template was executed without a cache")
	}
}

type keyed struct{ c chan int }

func (k keyed) FragmentKey() string { return fmt.Sprint(cap(k.c)) }

// TestFragmentKeys: each of these has a fragment of its own.
func TestFragmentKeys(t *testing.T) {
	cache, db := newCache(t, nil)
	set := template.Must(template.New("page").Funcs(page.Funcs()).Parse(`{{fragment "f" .}}{{define "f"}}{{end}}`))
	loads := 0
	templates, err := page.NewTemplates(cache, set, map[string]page.Loader{
		"f": func(ctx context.Context, args ...any) (any, error) { loads++; return row(ctx, t, db, "t"), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	type id int
	one := 1
	values := []any{nil, 0, 1, int64(1), uint8(1), id(1), "1", "", []byte("1"), 1.0, true, &one, []int{1}, []int{}, []int(nil), [1]int{1}, []any{1}, []any{"1"},
		[]string{"a", "b"}, []string{"ab", ""}, user{1, "a"}, &user{1, "a"}, user{1, "b"}, (*user)(nil), map[string]int{"a": 1, "b": 2}, map[string]int{"a": 2, "b": 1},
		map[string]int{}, time.Unix(1, 0).UTC(), time.Unix(1, 1).UTC(), time.Unix(1, 0).In(time.FixedZone("x", 3600)), keyed{make(chan int, 1)}, keyed{make(chan int, 2)},
		struct{ A, B string }{"a", "b"}, struct{ A, B string }{"ab", ""}}
	for round, want := range []int{len(values), len(values)} {
		for i, v := range values {
			before := loads
			if err := templates.Execute(t.Context(), io.Discard, "page", v); err != nil {
				t.Errorf("%T: %v", v, err)
			}
			if is := loads - before; is != 1-round {
				t.Errorf("value %d, a %T: loaded %d times in round %d", i, v, is, round)
			}
		}
		if loads != want {
			t.Errorf("loaded %d times, want %d", loads, want)
		}
	}
	type ring struct{ next *ring }
	loop := &ring{}
	loop.next = loop
	for _, v := range []any{loop, make(chan int), db, func() {}} {
		if err := templates.Execute(t.Context(), io.Discard, "page", v); err == nil {
			t.Errorf("a %T was taken", v)
		}
	}
}
