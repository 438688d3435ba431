package catalog

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/larderdb/larder/analyze"
)

func TestSQLiteFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	first := open(t, analyze.SQLite, "sqlite", path)
	first.exec("CREATE TABLE t (a)")
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	id := first.identity()
	if id.Database == "" || id.Private || id.Reason != analyze.Cacheable || id.Version == "" {
		t.Errorf("identity is %+v", id)
	}
	for _, dsn := range []string{link, "file:" + path, "file:" + path + "?mode=ro"} {
		if got := open(t, analyze.SQLite, "sqlite", dsn).identity(); got.Database != id.Database {
			t.Errorf("%s is %s, not %s", dsn, got.Database, id.Database)
		}
	}
	other := filepath.Join(dir, "b.db")
	second := open(t, analyze.SQLite, "sqlite", other)
	second.exec("CREATE TABLE t (a)")
	if second.identity().Database == id.Database {
		t.Error("two files are one database")
	}
	first.exec("ATTACH '" + other + "' AS b")
	if got := first.identity().Attached; len(got) != 1 || got[0] != second.identity().Database {
		t.Errorf("attached are %v", got)
	}
}

// A file that takes the place of another is another database, even if it gets the
// same number.
func TestSQLiteReplacedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	seen := map[string]bool{}
	for range 5 {
		c := open(t, analyze.SQLite, "sqlite", path)
		c.exec("CREATE TABLE t (a)")
		id := c.identity().Database
		if seen[id] {
			t.Fatalf("%s is the identity of two files", id)
		}
		seen[id] = true
		c.c.Close()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQLiteMemory(t *testing.T) {
	for dsn, private := range map[string]bool{
		":memory:":                        true,
		"file::memory:":                   true,
		"file::memory:?cache=private":     true,
		"file:x?mode=memory":              true,
		"file::memory:?cache=shared":      false,
		"file::memory:?cache=%73hared":    false,
		"file:x?mode=memory&cache=shared": false,
		"file:/x?vfs=memdb":               false,
		"":                                false,
	} {
		id := Identity{}
		id.ofFile("", dsn)
		if id.Private != private || private != (id.Reason == analyze.Cacheable) || private != (id.Database != "") {
			t.Errorf("%q: %+v", dsn, id)
		}
	}
	a, b := open(t, analyze.SQLite, "sqlite", ":memory:").identity(), open(t, analyze.SQLite, "sqlite", ":memory:").identity()
	if a.Database == b.Database || !a.Private {
		t.Errorf("two databases in memory are %+v and %+v", a, b)
	}
}
