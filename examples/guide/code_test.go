package guide

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// imports are the packages that fragments may name without an import of their own, by the name they have there.
var imports = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "log": "log", "slog": "log/slog", "http": "net/http", "os": "os", "strings": "strings",
	"sql": "database/sql", "driver": "database/sql/driver", "time": "time",
	"larder": "github.com/larderdb/larder", "page": "github.com/larderdb/larder/page", "dash": "github.com/larderdb/larder/dash", "io": "io", "template": "html/template", "memcached": "github.com/larderdb/larder/store/memcached", "redis": "github.com/larderdb/larder/store/redis",
	"stdlib": "github.com/jackc/pgx/v5/stdlib", "pgx": "github.com/jackc/pgx/v5", "pgxpool": "github.com/jackc/pgx/v5/pgxpool",
	"sqlx": "github.com/jmoiron/sqlx", "gorm": "gorm.io/gorm", "sqlite": "gorm.io/driver/sqlite", "postgres": "gorm.io/driver/postgres",
	"bun": "github.com/uptrace/bun", "sqlitedialect": "github.com/uptrace/bun/dialect/sqlitedialect", "pgdialect": "github.com/uptrace/bun/dialect/pgdialect",
	"xorm": "xorm.io/xorm", "core": "xorm.io/xorm/core", "dialects": "xorm.io/xorm/dialects",
	"dialect": "entgo.io/ent/dialect", "entsql": "entgo.io/ent/dialect/sql", "ent": "github.com/larderdb/larder/examples/ent/ent",
	"query": "github.com/larderdb/larder/examples/sqlc/query",
}

// given are the variables that fragments may use without declaring them, and their types.
var given = map[string]string{
	"ctx": "context.Context", "db": "*sql.DB", "cache": "*larder.Cache", "connector": "driver.Connector",
	"dsn": "string", "path": "string", "query": "string", "storeURL": "string", "args": "[]any", "user": "int64", "id": "int64",
	"mux": "*http.ServeMux", "list": "http.Handler", "topTen": "func(context.Context, *sql.DB) ([]string, error)",
}

// documents are the pages whose Go code is checked.
func documents(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/guide/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("there is no guide", err)
	}
	return append(pages, "../../README.md")
}

// A block is a piece of Go code in a document.
type block struct {
	place string // the page
	line  int    // of its first line
	text  string
}

// blocks returns the code of a page that stands under a fence's "go" alone: "go ignore" is not meant to compile.
func blocks(t *testing.T, page string) (list []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case open == nil && line == "```go":
			open = &block{place: filepath.Base(page), line: i + 2}
		case open != nil && line == "```":
			list, open = append(list, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the code has no end", open.place, open.line)
	}
	return list
}

// A checker compiles blocks as far as their types go, against what the go command has built of the packages they import.
type checker struct {
	files    *token.FileSet
	packages types.Importer
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	list := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, slices.Sorted(maps.Values(imports))...)...)
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	built := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		built[p.ImportPath] = p.Export
	}
	files := token.NewFileSet()
	return &checker{files, importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		if built[path] == "" {
			return nil, fmt.Errorf("%s is not among the packages that the guide's code may import", path)
		}
		return os.Open(built[path])
	})}
}

// check returns what is wrong with a block. That a fragment doesn't use what it declares is not.
func (c *checker) check(b block) (wrong []error) {
	file, err := c.parse(b)
	if err != nil {
		return []error{err}
	}
	config := types.Config{Importer: c.packages, Error: func(err error) {
		if e := new(types.Error); errors.As(err, e) && e.Soft {
			return
		}
		wrong = append(wrong, err)
	}}
	config.Check("fragment", c.files, []*ast.File{file}, nil)
	return wrong
}

// parse makes a file of a block: as it is, as declarations, or as the body of a function.
func (c *checker) parse(b block) (*ast.File, error) {
	if strings.HasPrefix(b.text, "package ") {
		return parser.ParseFile(c.files, b.place, b.text, 0)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", "package fragment\n"+b.text, 0)
	body := b.text
	if err != nil {
		body = "func _() { " + b.text + "}\n"
		file, err = parser.ParseFile(token.NewFileSet(), "", "package fragment\n"+body, 0)
	}
	if err != nil {
		return nil, err
	}
	imported, declared := header(file)
	text := fmt.Sprintf("package fragment\n%s//line %s:%d\n%s%s", imported, b.place, b.line, body, declared)
	return parser.ParseFile(c.files, "", text, 0)
}

// header imports what a fragment names, and declares what it is given.
func header(file *ast.File) (imported, declared string) {
	named := map[string]bool{"context": true, "sql": true, "driver": true, "http": true, "larder": true}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && imports[x.Name] != "" {
				named[x.Name] = true
			}
		}
		return true
	})
	for _, spec := range file.Imports { // of the fragment itself
		delete(named, filepath.Base(strings.Trim(spec.Path.Value, `"`)))
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		imported += fmt.Sprintf("import %s %q\n", name, imports[name])
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !named[name] {
			declared += fmt.Sprintf("var %s %s\n", name, given[name])
		}
	}
	return imported, declared
}

func TestCodeCompiles(t *testing.T) {
	c := newChecker(t)
	t.Run("what is wrong is seen", c.sees)
	checked := 0
	for _, page := range documents(t) {
		for _, b := range blocks(t, page) {
			for _, err := range c.check(b) {
				t.Error(err)
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("only %d pieces of code were found", checked)
	}
}

// sees is what the check of the code is for, and what it lets pass.
func (c *checker) sees(t *testing.T) {
	for text, ok := range map[string]bool{
		"db, err := larder.Open(\"pgx\", dsn, nil)\n":               true,
		"db, err := larder.Opem(\"pgx\", dsn, nil)\n":               false,
		"larder.Open(\"pgx\", dsn)\n":                               false,
		"o := larder.Options{MaxBites: 1}\n":                        false,
		"ctx = larder.Bypass(ctx)\nnonsense\n":                      false,
		"func f(db *sql.DB) error { return db.Ping() }\n":           true,
		"func f(db *sql.DB) error { return db.Pong() }\n":           false,
		"package main\nimport \"os\"\nfunc main() { os.Exit(1) }\n": true,
	} {
		if wrong := c.check(block{"here", 1, text}); (len(wrong) == 0) != ok {
			t.Errorf("%q: %v", text, wrong)
		}
	}
}
