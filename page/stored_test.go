package page

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
)

func written(t testing.TB, v interface {
	AppendBinary([]byte) ([]byte, error)
}) coherence.Bytes {
	b, err := v.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var pages = []*stored{
	{status: 204, made: time.UnixMilli(0)},
	{status: 200, flags: isPublic | isChecked, made: time.UnixMilli(1764151200123), life: time.Minute, route: "GET /{id}",
		header: []field{{"Content-Type", nil}, {"Etag", []string{`"x"`}}, {"Last-Modified", []string{"Thu, 01 Jan 2026 00:00:00 GMT"}}, {"Link", []string{"a", ""}}},
		body:   []byte("body")},
}

// TestForm: what is written is read as it was.
func TestForm(t *testing.T) {
	for _, p := range pages {
		got, _ := decode(written(t, p)).(*stored)
		p.validators()
		if got == nil || string(got.body) != string(p.body) {
			t.Fatalf("got %+v, want %+v", got, p)
		}
		got.body = p.body
		if !reflect.DeepEqual(got, p) {
			t.Errorf("got %+v, want %+v", got, p)
		}
	}
	if got := pages[1]; got.etag != `"x"` || got.modified.Year() != 2026 {
		t.Errorf("validators: %+v", got)
	}
	for _, want := range []text{{body: []byte("some <b>")}, {[]byte("for a while"), time.UnixMilli(1764151200123)}} {
		if got, _ := decode(written(t, want)).(text); string(got.body) != string(want.body) || !got.expires.Equal(want.expires) {
			t.Errorf("got %q until %v, want %q until %v", got.body, got.expires, want.body, want.expires)
		}
	}
	if got, _ := decode(written(t, vary{"accept", "cookie"})).(vary); len(got) != 2 || got[1] != "cookie" {
		t.Errorf("got %q", got)
	}
	if got := decode(pages[0]); got != any(pages[0]) {
		t.Error("a value of this process isn't itself")
	}
}

// TestOtherForms: bytes of another version, or that were cut, are nothing.
func TestOtherForms(t *testing.T) {
	whole := written(t, pages[1])
	for n := range len(whole) - len(pages[1].body) {
		if got := decode(whole[:n]); got != nil {
			t.Errorf("%d bytes are %+v", n, got)
		}
	}
	for _, head := range []string{"P\x02", "P\x00", "Q\x01", "R\x01"} {
		if got := decode(append(coherence.Bytes(head), whole[2:]...)); got != nil {
			t.Errorf("%q is %+v", head, got)
		}
	}
	if got := decode(written(t, &stored{status: 500, made: time.UnixMilli(0)})); got != nil {
		t.Errorf("a status that isn't kept: %+v", got)
	}
	if got := decode(written(t, &stored{status: 200, flags: 1 << 7, made: time.UnixMilli(0)})); got != nil {
		t.Errorf("an unknown flag: %+v", got)
	}
}

// FuzzForm: no bytes panic, and what can be read is written as something that is read the same.
func FuzzForm(f *testing.F) {
	for _, p := range pages {
		f.Add([]byte(written(f, p)))
	}
	f.Add([]byte(written(f, vary{"accept"})))
	f.Add([]byte(written(f, text{[]byte("a"), time.UnixMilli(1764151200123)})))
	f.Fuzz(func(t *testing.T, b []byte) {
		switch v := decode(coherence.Bytes(b)).(type) {
		case *stored:
			if again, _ := decode(written(t, v)).(*stored); again == nil || !reflect.DeepEqual(again.header, v.header) || string(again.body) != string(v.body) {
				t.Errorf("%+v is %+v", v, again)
			}
		case text:
			if again, _ := decode(written(t, v)).(text); string(again.body) != string(v.body) || !again.expires.Equal(v.expires) {
				t.Errorf("%+v is %+v", v, again)
			}
		case vary:
			if again, _ := decode(written(t, v)).(vary); !reflect.DeepEqual(again, v) {
				t.Errorf("%q is %q", v, again)
			}
		}
	})
}

// FuzzFields: what clients and handlers may put into fields doesn't panic.
func FuzzFields(f *testing.F) {
	f.Add(`max-age="1, no-store`, `W/"a", "b`, "gzip;q=0.5, *", `for=a;host="x;,y"`, "a=1&b")
	f.Fuzz(func(t *testing.T, control, match, encoding, forward, query string) {
		h := http.Header{"Cache-Control": {control}}
		_ = directivesOf(h)
		if matches(match, `"b"`) && match == "" {
			t.Error("nothing matches")
		}
		_ = encodings(encoding)
		_ = forwarded([]string{forward})
		once, ok := AnyQuery().normal(query)
		if again, _ := AnyQuery().normal(once); ok && again != once {
			t.Errorf("%q is %q, and that is %q", query, once, again)
		}
	})
}
