// Package larder_test holds the tests of the house as a whole.
package larder_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/larderdb/larder"

// mayImport says which houses of ours a house may import, tests aside. A house is the first element of a package's
// path, "." the root; within a house everything may import everything. A house may import nothing that is not listed
// here; one that is not listed itself has yet to find its place.
var mayImport = map[string][]string{
	"analyze":   {},
	"store":     {},
	"coherence": {"store"},
	"confine":   {"analyze"},
	"catalog":   {"analyze", "confine"},
	"session":   {"analyze", "confine", "catalog", "coherence"},
	"feed":      {"coherence"},
	"page":      {"coherence"},
	".":         {"analyze", "store", "coherence", "catalog", "session", "feed", "page"},
	"dash":      {"."},
	"metrics":   {"."},
	"sim":       {"coherence", "store"},
	"dbtest":    {},
	"fleet":     {".", "coherence", "page", "store"},
}

// mayImportAll are the houses that nobody imports but themselves.
var mayImportAll = []string{"cmd", "fleet"}

// withoutDrivers are the houses in which a database driver has no place: they work with any.
var withoutDrivers = []string{".", "analyze", "catalog", "session", "coherence", "store"}

// drivers are the module paths of database drivers.
var drivers = []string{
	"github.com/jackc/pgx", "github.com/lib/pq", "github.com/jackc/pglogrepl",
	"github.com/go-sql-driver/mysql", "github.com/go-mysql-org/go-mysql",
	"modernc.org/sqlite", "github.com/mattn/go-sqlite3", "github.com/ncruces/go-sqlite3",
}

// vagueNames say nothing about what a package provides.
var vagueNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "types"}

// maxLines is the length from which a file is hard to hold in the head.
const maxLines = 600

// source is a Go file that is not a test.
type source struct {
	path    string // relative to the root, with slashes
	lines   int
	syntax  *ast.File
	imports []string
}

// dir returns the directory of the file, as an import path within the module; "." for the root.
func (s source) dir() string { return path.Dir(s.path) }

// house returns the first element of a directory.
func house(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// sources reads every Go file of the module that is not a test, whatever its build tags.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return foreign(name, d)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		s, err := read(name)
		list = append(list, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("there are no Go files here")
	}
	return list
}

// foreign skips directories that the go command ignores, and those of other modules.
func foreign(name string, d fs.DirEntry) error {
	if name == "." {
		return nil
	}
	if strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// read parses the head of a file.
func read(name string) (source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	syntax, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	s := source{path: filepath.ToSlash(name), lines: bytes.Count(text, []byte("\n")), syntax: syntax}
	for _, spec := range syntax.Imports {
		s.imports = append(s.imports, strings.Trim(spec.Path.Value, "\"`"))
	}
	return s, nil
}

// breach says why a package in directory from may not import a path; "" if it may.
func breach(from, imported string) string {
	h := house(from)
	if slices.Contains(withoutDrivers, h) && slices.ContainsFunc(drivers, within(imported)) {
		return "works with any database driver and imports one"
	}
	if imported != module && !strings.HasPrefix(imported, module+"/") {
		return ""
	}
	to := house(strings.TrimPrefix(strings.TrimPrefix(imported, module), "/"))
	if to == "" {
		to = "."
	}
	allowed, listed := mayImport[h]
	if to == h || !listed || slices.Contains(allowed, to) {
		return ""
	}
	if len(allowed) == 0 {
		return "may import nothing of ours"
	}
	return "may import of ours only " + strings.Join(allowed, ", ")
}

// within tells of module paths whether a package is in them.
func within(imported string) func(string) bool {
	return func(module string) bool { return imported == module || strings.HasPrefix(imported, module+"/") }
}

func TestWhoMayImportWhom(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			if why := breach(s.dir(), imported); why != "" {
				t.Errorf("%s imports %s: %s %s", s.path, imported, s.dir(), why)
			}
		}
		for _, private := range mayImportAll {
			for _, imported := range s.imports {
				if house(s.dir()) != private && within(imported)(module+"/"+private) {
					t.Errorf("%s imports %s, which is a program's own", s.path, imported)
				}
			}
		}
	}
}

// The rule itself, on imports that do not exist.
func TestBreach(t *testing.T) {
	for _, c := range []struct {
		from, imported string
		forbidden      bool
	}{
		{"analyze", "strings", false},
		{"analyze", "github.com/rqlite/sql", false},
		{"analyze", module + "/analyze/deep", false},
		{"analyze", module + "/store", true},
		{"analyze", module, true},
		{"store/memory", module + "/store", false},
		{"store/memory", module + "/coherence", true},
		{"coherence", module + "/store", false},
		{"coherence", module + "/session", true},
		{"session", module + "/store", true},
		{"session", module + "/novelty", true},
		{"novelty", module + "/session", false},
		{".", module + "/session", false},
		{".", module + "/dash", true},
		{".", module + "/dbtest", true},
		{"dash", module, false},
		{"dash", module + "/session", true},
		{"cmd/larder", module + "/dash", false},
		{"dbtest", module, true},
		{".", "github.com/jackc/pgx/v5/stdlib", true},
		{"catalog", "modernc.org/sqlite", true},
		{"store/redis", "github.com/lib/pq", true},
		{"catalog", "modernc.org/sqlitefoo", false},
		{"feed/postgres", "github.com/jackc/pgx/v5", false},
		{"cmd/larder", "modernc.org/sqlite", false},
	} {
		if got := breach(c.from, c.imported); (got != "") != c.forbidden {
			t.Errorf("%s imports %s: %q, forbidden should be %t", c.from, c.imported, got, c.forbidden)
		}
	}
}

func TestEveryPackageIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		documented[s.dir()] = documented[s.dir()] || described(s.syntax)
	}
	for _, dir := range slices.Sorted(maps.Keys(documented)) {
		if !documented[dir] {
			t.Errorf("package %s has no comment that begins with what it is", dir)
		}
	}
}

// described tells whether a file's package comment begins as the go command would have it.
func described(file *ast.File) bool {
	text, name := file.Doc.Text(), file.Name.Name
	if name == "main" {
		return strings.TrimSpace(text) != ""
	}
	return strings.HasPrefix(text, "Package "+name+" ")
}

func TestNoVagueNames(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range append(strings.Split(s.dir(), "/"), s.syntax.Name.Name) {
			if slices.Contains(vagueNames, name) {
				t.Errorf("%s: a package named %s doesn't say what it provides", s.path, name)
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > maxLines && !ast.IsGenerated(s.syntax) {
			t.Errorf("%s has %d lines, more than %d: divide it by its nouns", s.path, s.lines, maxLines)
		}
	}
}
