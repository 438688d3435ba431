package analyze

import (
	"strconv"
	"strings"

	"github.com/multigres/multigres/go/common/parser/ast"
)

// term is an expression that is no more than a column, a parameter or a literal; else Untold.
func (b *pgBlocks) term(n ast.Node) Term {
	if pgIsNil(n) {
		return Term{}
	}
	switch n := pgBare(n).(type) {
	case *ast.ColumnRef:
		return pgColumn(n)
	case *ast.ParamRef:
		if n.Number > 0 {
			return Term{Kind: Param, Param: n.Number}
		}
	case *ast.A_Const:
		return b.literal(n)
	case *ast.A_Expr:
		return b.signed(n)
	case *ast.TypeCast:
		if name, ok := pgCastName(n.TypeName); ok {
			return pgCastTerm(b.term(n.Arg), name)
		}
	}
	return Term{}
}

// pgColumn is column, table.column or schema.table.column.
func pgColumn(c *ast.ColumnRef) Term {
	parts := pgStrings(c.Fields)
	n := len(parts)
	if n == 0 || n > 3 || n != len(pgItems(c.Fields)) {
		return Term{}
	}
	return Term{Kind: Column, Table: pgQualified(parts[:n-1]), Text: parts[n-1]}
}

func (b *pgBlocks) literal(c *ast.A_Const) Term {
	if c.Isnull {
		return Term{Kind: Null}
	}
	switch v := c.Val.(type) {
	case *ast.Integer:
		return Term{Kind: Number, Text: strconv.Itoa(v.IVal)}
	case *ast.Float:
		if pgIsDecimal(v.FVal) {
			return Term{Kind: Number, Text: v.FVal}
		}
	case *ast.String:
		if !b.national {
			return Term{Kind: Text, Text: v.SVal}
		}
	case *ast.Boolean:
		return Term{Kind: Boolean, Text: strconv.FormatBool(v.BoolVal)}
	}
	return Term{}
}

// pgIsDecimal reports whether a number is written with digits and at most one point.
func pgIsDecimal(text string) bool {
	whole, fraction, _ := strings.Cut(text, ".")
	digits := whole + fraction
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// signed is a number with a sign before it.
func (b *pgBlocks) signed(e *ast.A_Expr) Term {
	constant, ok := e.Rexpr.(*ast.A_Const)
	name := pgStrings(e.Name)
	if !ok || e.Kind != ast.AEXPR_OP || !pgIsNil(e.Lexpr) || len(name) != 1 {
		return Term{}
	}
	t := b.literal(constant)
	switch {
	case t.Kind != Number || strings.HasPrefix(t.Text, "-"):
		return Term{}
	case name[0] == "-" && t.Text != "0":
		t.Text = "-" + t.Text
		return t
	case name[0] == "-", name[0] == "+":
		return t
	}
	return Term{}
}

// pgNumberCasts are the types that show a whole number as it is, all digits of it or an error.
var pgNumberCasts = wordSet("int2 int4 int8 numeric text varchar")

// pgCastTerm is a value with a cast, Untold if the cast may change it in a way that its
// kind doesn't tell.
func pgCastTerm(t Term, cast string) Term {
	told := t.Kind == Param || t.Kind == Text || t.Kind == Null ||
		t.Kind == Boolean && cast == "bool" || t.Kind == Number && pgNumberCasts[cast] && !strings.Contains(t.Text, ".")
	if !told || t.Cast != "" {
		return Term{}
	}
	t.Cast = cast
	return t
}

// pgCastName is the name of a type that a value is cast to, if the name is all that
// there is to know: no length, no schema of the user's.
func pgCastName(t *ast.TypeName) (string, bool) {
	if name, ok := pgElementType(t); ok {
		return name + "[]", true
	}
	if t == nil || len(pgItems(t.ArrayBounds)) > 0 {
		return "", false
	}
	return pgPlainTypeName(t)
}

// pgElementType is the type of the elements of an array type.
func pgElementType(t *ast.TypeName) (string, bool) {
	if t == nil || len(pgItems(t.ArrayBounds)) == 0 {
		return "", false
	}
	return pgPlainTypeName(t)
}

// pgCuttingTypes cut values off without being given a length: to 1 bit, 1 byte and 63 bytes.
var pgCuttingTypes = wordSet("bit char name")

// pgPlainTypeName is the name of a type without array bounds. _int4 is int4[].
func pgPlainTypeName(t *ast.TypeName) (string, bool) {
	name := pgTypeName(t)
	plain := !t.Setof && !t.PctType && len(pgItems(t.Typmods)) == 0 && (name.Schema == "" || name.Schema == "pg_catalog")
	return name.Name, plain && !pgCuttingTypes[name.Name] && !strings.HasPrefix(name.Name, "_") && name.Name == strings.ToLower(name.Name)
}
