package analyze

import (
	"reflect"
	"sync"
	"unicode/utf8"

	"github.com/multigres/multigres/go/common/parser/ast"
)

var (
	pgNodeType   = reflect.TypeFor[ast.Node]()
	pgFieldCache sync.Map // reflect.Type of a node struct -> []int, its fields that may hold nodes
)

// pgChildren calls visit for each node directly below n, in the order of the
// fields, which is nearly that of the text. It goes by the fields themselves
// because the parser's own walker is a stub and its rewriter may change trees.
func pgChildren(n ast.Node, visit func(ast.Node)) {
	v := reflect.ValueOf(n)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return
	}
	v = v.Elem()
	for _, i := range pgNodeFields(v.Type()) {
		pgVisitValue(v.Field(i), visit)
	}
}

func pgVisitValue(v reflect.Value, visit func(ast.Node)) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return
		}
		if n, ok := v.Interface().(ast.Node); ok && !pgIsNil(n) {
			visit(n)
		}
	case reflect.Slice:
		for i := range v.Len() {
			pgVisitValue(v.Index(i), visit)
		}
	}
}

// pgNodeFields are the indexes of the fields of a node type that may hold nodes.
func pgNodeFields(t reflect.Type) []int {
	if known, ok := pgFieldCache.Load(t); ok {
		return known.([]int)
	}
	var fields []int
	for i := range t.NumField() {
		f := t.Field(i)
		if f.IsExported() && !f.Anonymous && pgHoldsNodes(f.Type) {
			fields = append(fields, i)
		}
	}
	pgFieldCache.Store(t, fields)
	return fields
}

func pgHoldsNodes(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice:
		return pgHoldsNodes(t.Elem())
	case reflect.Interface:
		return true
	}
	return t.Implements(pgNodeType)
}

// pgIsNil reports whether n is nil or a nil pointer in an interface.
func pgIsNil(n ast.Node) bool {
	if n == nil {
		return true
	}
	v := reflect.ValueOf(n)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// pgItems are the items of a list that may be nil.
func pgItems(list *ast.NodeList) []ast.Node {
	if list == nil {
		return nil
	}
	return list.Items
}

// pgStrings are the strings of a list of names, as in a.b.c.
func pgStrings(list *ast.NodeList) []string {
	var names []string
	for _, item := range pgItems(list) {
		if s, ok := item.(*ast.String); ok {
			names = append(names, pgCut(s.SVal))
		}
	}
	return names
}

// pgQualified makes a Name of the parts of a dotted name; a database's name in
// front is dropped, because PostgreSQL accepts only that of the connection.
func pgQualified(parts []string) Name {
	switch len(parts) {
	case 0:
		return Name{}
	case 1:
		return Name{Name: parts[0]}
	}
	return Name{Schema: parts[len(parts)-2], Name: parts[len(parts)-1]}
}

func pgRangeName(r *ast.RangeVar) Name {
	return Name{Schema: pgCut(r.SchemaName), Name: pgCut(r.RelName)}
}

// pgMaxIdentifier is NAMEDATALEN - 1.
const pgMaxIdentifier = 63

// pgCut cuts an identifier as the server does: to 63 bytes of whole characters.
func pgCut(identifier string) string {
	if len(identifier) < pgMaxIdentifier {
		return identifier
	}
	end := min(len(identifier), pgMaxIdentifier)
	for start := max(0, end-utf8.UTFMax); start < end; start++ {
		if utf8.RuneStart(identifier[start]) && !utf8.FullRuneInString(identifier[start:end]) {
			end = start
		}
	}
	return identifier[:end]
}
