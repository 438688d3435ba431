package logs_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/larderdb/larder/cmd/larder/logs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// record writes a record as golden files show it.
func record(r logs.Record) string {
	text := fmt.Sprintf("%s session %s database %s", r.Time.Format("2006-01-02 15:04:05.000"), r.Session, r.Database)
	if r.Took > 0 {
		text += fmt.Sprintf(" took %v", r.Took)
	}
	if r.Sent > 0 {
		text += fmt.Sprintf(" sent %d", r.Sent)
	}
	if r.Ended {
		text += " ended"
	}
	text += "\n"
	if r.Text != "" {
		text += fmt.Sprintf("  %q\n", r.Text)
	}
	for _, arg := range r.Args {
		text += fmt.Sprintf("  $%d = %#v\n", arg.Ordinal, arg.Value)
	}
	return text
}

func all(t *testing.T, r *logs.Reader) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "format %s, dialect %s\n", r.Format, r.Format.Dialect())
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(record(rec))
	}
}

// The logs in testdata were written by PostgreSQL 15 and MariaDB 10.11, but for those of MySQL 8 and postgres-durations.
func TestLogs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.log")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d logs: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := logs.NewReader(bytes.NewReader(text), "")
			if err != nil {
				t.Fatal(err)
			}
			got := all(t, r)
			golden := strings.TrimSuffix(file, ".log") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("%v: got\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

// The three forms of PostgreSQL's log tell the same.
func TestFormsOfPostgresAgree(t *testing.T) {
	var texts []string
	for _, form := range []string{"postgres", "postgres-csv", "postgres-json"} {
		f, err := os.Open("testdata/" + form + ".log")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := logs.NewReader(f, logs.Format(form))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for {
			rec, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			rec.Session = ""
			b.WriteString(record(rec))
		}
		texts = append(texts, b.String())
	}
	n := min(len(texts[0]), len(texts[1]), len(texts[2]))
	if n < 1000 || texts[0][:n] != texts[1][:n] || texts[0][:n] != texts[2][:n] {
		t.Errorf("stderr:\n%s\ncsvlog:\n%s\njsonlog:\n%s", texts[0], texts[1], texts[2])
	}
}

func TestUnknownFormat(t *testing.T) {
	for _, text := range []string{"", "hello\nworld\n", "\x00\x01\x02", "{}\n", "a,b,c\n"} {
		if _, err := logs.NewReader(strings.NewReader(text), ""); !errors.Is(err, logs.ErrUnknownFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := logs.NewReader(strings.NewReader(""), "oracle"); err == nil {
		t.Error("a format that there isn't")
	}
}

// A reader that fails is an error, not the end of the log.
func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	for _, f := range logs.Formats {
		r, err := logs.NewReader(iotest.ErrReader(broken), f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func FuzzLogs(f *testing.F) {
	files, err := filepath.Glob("testdata/*.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for i := range logs.Formats {
			f.Add(uint8(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, format uint8, text []byte) {
		r, err := logs.NewReader(bytes.NewReader(text), logs.Formats[int(format)%len(logs.Formats)])
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; ; n++ {
			rec, err := r.Next()
			if err != nil {
				if err != io.EOF {
					t.Fatal(err)
				}
				return
			}
			if rec.Took < 0 || rec.Sent < 0 || rec.Text == "" && rec.Took == 0 && !rec.Ended && rec.Args != nil {
				t.Errorf("%+v", rec)
			}
			if n > len(text) {
				t.Fatal("there are more records than bytes")
			}
		}
	})
}
