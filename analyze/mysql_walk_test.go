package analyze

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// TestMySQLWalkSeesTheTree holds that the parser's own visitor, on which we
// rely, misses no node that matters: the same nodes are found by reflection.
func TestMySQLWalkSeesTheTree(t *testing.T) {
	checked := 0
	mysqlGoldenTexts(t, func(text string) {
		lexers, ok := mysqlLexAll(text)
		if !ok {
			return
		}
		for _, l := range lexers {
			parts, _ := mysqlSplit(l.tokens)
			for _, tokens := range parts {
				p, err := mysqlParseAny(tokens)
				if err != nil || (&mysqlWalk{s: &Statement{}}).statement(p.node) != nil {
					continue // not parsed, or not told by its tree
				}
				checked++
				seen := mysqlSeenNodes{}
				p.node.Accept(seen)
				for node := range mysqlReachable(p.node) {
					if !seen[node] {
						t.Errorf("%s:\nthe visitor doesn't see a %T", text, node)
					}
				}
			}
		}
	})
	if checked < 300 {
		t.Errorf("only %d trees were checked", checked)
	}
}

// mysqlGoldenTexts calls f with the text of every golden case.
func mysqlGoldenTexts(t testing.TB, f func(text string)) {
	files, err := filepath.Glob("testdata/mysql/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		for _, c := range readGolden(t, file) {
			f(c.text)
		}
	}
}

type mysqlSeenNodes map[ast.Node]bool

func (s mysqlSeenNodes) Enter(n ast.Node) (ast.Node, bool) { s[n] = true; return n, false }
func (s mysqlSeenNodes) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// mysqlReachable are the nodes that matter below root, found by reflection.
func mysqlReachable(root ast.Node) map[ast.Node]bool {
	found, visited := map[ast.Node]bool{}, map[uintptr]bool{}
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Interface:
			visit(v.Elem())
		case reflect.Pointer:
			if v.IsNil() || visited[v.Pointer()] {
				return
			}
			visited[v.Pointer()] = true
			if v.CanInterface() {
				switch n := v.Interface().(type) {
				case *ast.TableName, *ast.FuncCallExpr, *ast.AggregateFuncExpr, *ast.WindowFuncExpr, *ast.VariableExpr,
					*ast.SelectStmt, *ast.SetOprStmt, *ast.FuncCastExpr, *ast.DefaultExpr:
					found[n.(ast.Node)] = true
				}
			}
			visit(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() || v.Type().Field(i).Anonymous {
					visit(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i))
			}
		}
	}
	visit(reflect.ValueOf(root))
	return found
}
