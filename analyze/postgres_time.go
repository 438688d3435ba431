package analyze

import (
	"strings"

	"github.com/multigres/multigres/go/common/parser/ast"
)

// ClockWord reports whether PostgreSQL may read the clock when it takes value
// for a date or time: "now", "today", "tomorrow" or "yesterday" stands in it as a
// word of its own, in any case, as in 'today 10:00', '{now}' or 'NOW()'. Values
// that are no dates ("do it now") are told as well.
func ClockWord(value string) bool {
	for i := 0; i < len(value); {
		if !asciiLetter(value[i]) {
			i++
			continue
		}
		start := i
		for i < len(value) && asciiLetter(value[i]) {
			i++
		}
		if isClockWord(value[start:i]) {
			return true
		}
	}
	return false
}

func isClockWord(word string) bool {
	switch len(word) {
	case 3:
		return strings.EqualFold(word, "now")
	case 5:
		return strings.EqualFold(word, "today")
	case 8:
		return strings.EqualFold(word, "tomorrow")
	case 9:
		return strings.EqualFold(word, "yesterday")
	}
	return false
}

func asciiLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// A pgTypeClass is what matters of a type that a value is cast to.
type pgTypeClass uint8

const (
	pgPlainType     pgTypeClass = iota // numbers, json, …: its values are never taken for dates
	pgTextType                         // a text, which a second cast may take for a date
	pgTimeType                         // a date or time, also in ranges
	pgZonedTimeType                    // time with time zone, whose zone is that of today's daylight saving
	pgCatalogType                      // regclass and the like: shown by a look into the catalogs
	pgUnknownType                      // the user's: a domain over a date, or a composite with one
)

var pgTimeTypes = wordSet(`abstime date time timestamp timestamptz daterange tsrange tstzrange datemultirange
	tsmultirange tstzmultirange`)

var pgTextTypes = wordSet(`text varchar bpchar char name cstring unknown json jsonb xml bytea record`)

var pgCatalogTypes = wordSet(`regclass regcollation regnamespace regoper regoperator regproc regprocedure regrole regtype
	regconfig regdictionary aclitem`)

func pgTypeName(t *ast.TypeName) Name { return pgQualified(pgStrings(t.Names)) }

func pgClassOfType(t *ast.TypeName) pgTypeClass {
	n := pgTypeName(t)
	name := strings.TrimPrefix(n.Name, "_") // _date is the array of date
	switch {
	case n.Schema != "" && n.Schema != "pg_catalog":
		return pgUnknownType
	case pgTimeTypes[name]:
		return pgTimeType
	case name == "timetz":
		return pgZonedTimeType
	case pgCatalogTypes[name]:
		return pgCatalogType
	case pgTextTypes[name]:
		return pgTextType
	case pgTypeSet()[name]:
		return pgPlainType
	}
	return pgUnknownType
}

// pgTimeFunctions return a date, a time or a number whatever they are given.
var pgTimeFunctions = wordSet(`date_trunc date_bin to_timestamp to_date make_date make_time make_timestamp make_timestamptz
	timezone justify_days justify_hours justify_interval extract date_part now statement_timestamp clock_timestamp
	transaction_timestamp count sum avg row_number rank age isfinite length`)

// pgPassingFunctions return one of their arguments.
var pgPassingFunctions = wordSet(`min max lag lead first_value last_value nth_value unnest array_agg generate_series
	date timestamp timestamptz time lower upper`)

// castToTime notes that e, an expression in scope s, is taken for a date or time.
func (w *pgWalker) castToTime(e ast.Node, s *pgScope) {
	if !w.surelyTime(e, s) {
		w.because(Volatile, "text taken for a time")
	}
}

// surelyTime reports whether e can be taken for a date without the clock being
// read: it is no text, or a text that is known. Columns it notes for the catalog.
func (w *pgWalker) surelyTime(e ast.Node, s *pgScope) bool {
	switch e := e.(type) {
	case nil:
		return true
	case *ast.ParenExpr:
		return w.surelyTime(e.Expr, s)
	case *ast.A_Const:
		return true // literal looks at every literal of the text
	case *ast.ParamRef, *ast.SQLValueFunction:
		return true
	case *ast.ColumnRef:
		return w.timeColumn(e, s)
	case *ast.TypeCast:
		return w.surelyTimeCast(e, s)
	case *ast.A_Expr:
		return pgArithmetic(e) || e.Kind == ast.AEXPR_NULLIF && w.surelyTime(e.Lexpr, s)
	case *ast.FuncCall:
		return w.surelyTimeCall(e, s)
	case *ast.CoalesceExpr:
		return w.allSurelyTime(pgItems(e.Args), s)
	case *ast.MinMaxExpr:
		return w.allSurelyTime(pgItems(e.Args), s)
	case *ast.A_ArrayExpr:
		return w.allSurelyTime(pgItems(e.Elements), s)
	case *ast.RowExpr:
		return w.allSurelyTime(pgItems(e.Args), s)
	case *ast.CaseExpr:
		return w.surelyTimeCase(e, s)
	}
	return false
}

func (w *pgWalker) allSurelyTime(items []ast.Node, s *pgScope) bool {
	for _, item := range items {
		if !w.surelyTime(item, s) {
			return false
		}
	}
	return true
}

func (w *pgWalker) surelyTimeCase(e *ast.CaseExpr, s *pgScope) bool {
	for _, arm := range pgItems(e.Args) {
		when, ok := arm.(*ast.CaseWhen)
		if !ok || !w.surelyTime(when.Result, s) {
			return false
		}
	}
	return pgIsNil(e.Defresult) || w.surelyTime(e.Defresult, s)
}

func (w *pgWalker) surelyTimeCast(e *ast.TypeCast, s *pgScope) bool {
	switch pgClassOfType(e.TypeName) {
	case pgTimeType, pgZonedTimeType:
		return true // judged where it is cast itself
	case pgTextType:
		switch e.Arg.(type) {
		case *ast.A_Const, *ast.ParamRef:
			return true
		}
		return false
	case pgPlainType:
		return true
	}
	return false
}

func (w *pgWalker) surelyTimeCall(e *ast.FuncCall, s *pgScope) bool {
	name := pgQualified(pgStrings(e.Funcname))
	if name.Schema != "" && name.Schema != "pg_catalog" {
		return false
	}
	if pgTimeFunctions[name.Name] {
		return true
	}
	args := pgItems(e.Args)
	return pgPassingFunctions[name.Name] && len(args) > 0 && w.surelyTime(args[0], s)
}

// pgArithmetic reports whether e is a sum or difference, which no built-in
// operator makes of texts.
func pgArithmetic(e *ast.A_Expr) bool {
	name := pgStrings(e.Name)
	return e.Kind == ast.AEXPR_OP && len(name) == 1 && (name[0] == "+" || name[0] == "-")
}
