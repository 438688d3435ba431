package analyze

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/multigres/multigres/go/common/parser"
	"github.com/multigres/multigres/go/common/parser/ast"
)

// pgSystemColumns change with every lock or write of a row.
var pgSystemColumns = wordSet("ctid xmin xmax cmin cmax tableoid")

// pgRepeatable are the operators that ask nothing but their operands.
var pgRepeatable = wordSet("= <> < > <= >= + - * / % || ~~ !~~ ~~* !~~*")

// pgRepeats reports whether an expression has the same value for a row whenever it is asked
// in a transaction: it calls nothing, has no subquery and no system column.
func pgRepeats(n ast.Node) bool {
	if pgIsNil(n) {
		return true
	}
	switch n := n.(type) {
	case *ast.A_Const, *ast.ParamRef:
		return true
	case *ast.ColumnRef:
		return pgColumn(n).Kind == Column && !pgSystemColumns[pgColumn(n).Text]
	case *ast.A_Expr:
		return pgRepeatableExpr(n) && pgRepeats(n.Lexpr) && pgRepeats(n.Rexpr)
	case *ast.TypeCast:
		return pgRepeatableCast(n)
	case *ast.ParenExpr, *ast.BoolExpr, *ast.NullTest, *ast.BooleanTest, *ast.RowExpr, *ast.ArrayExpr, *ast.NodeList:
		repeats := true
		pgChildren(n, func(child ast.Node) { repeats = repeats && pgRepeats(child) })
		return repeats
	}
	return false
}

func pgRepeatableExpr(e *ast.A_Expr) bool {
	switch e.Kind {
	case ast.AEXPR_BETWEEN, ast.AEXPR_NOT_BETWEEN, ast.AEXPR_BETWEEN_SYM, ast.AEXPR_NOT_BETWEEN_SYM:
		return true
	case ast.AEXPR_OP, ast.AEXPR_OP_ANY, ast.AEXPR_OP_ALL, ast.AEXPR_DISTINCT, ast.AEXPR_NOT_DISTINCT, ast.AEXPR_IN,
		ast.AEXPR_LIKE, ast.AEXPR_ILIKE:
		parts := pgStrings(e.Name)
		return len(parts) > 0 && pgRepeatable[parts[len(parts)-1]] && (len(parts) == 1 || parts[0] == "pg_catalog")
	}
	return false
}

// pgRepeatableCast allows for values whose type is the server's own: other casts may call
// functions of the user.
func pgRepeatableCast(n *ast.TypeCast) bool {
	if class := pgClassOfType(n.TypeName); class == pgUnknownType || class == pgCatalogType {
		return false
	}
	switch arg := pgBare(n.Arg).(type) {
	case *ast.A_Const, *ast.ParamRef:
		return true
	case *ast.ArrayExpr:
		return pgRepeats(arg)
	}
	return false
}

// A pgSpan is a run of tokens.
type pgSpan []*parser.Token

// text is the text of a span, with what stands between its tokens, but no comments after them.
func (s pgSpan) text(text string) string {
	if len(s) == 0 {
		return ""
	}
	return text[s[0].Position:pgTokenEnd(s[len(s)-1])]
}

func pgTokenEnd(token *parser.Token) int { return token.Position + len(token.Text) }

// renumbered is the text of a span whose parameters are numbered from 1, and these
// parameters.
func (s pgSpan) renumbered(text string) (string, []Term) {
	var out strings.Builder
	var args []Term
	numbers := map[int]int{}
	end := 0
	for i, token := range s {
		if i > 0 {
			out.WriteString(text[end:token.Position])
		}
		end = pgTokenEnd(token)
		if token.Type != parser.PARAM {
			out.WriteString(text[token.Position:end])
			continue
		}
		number := token.Value.Ival
		if numbers[number] == 0 {
			args = append(args, Term{Kind: Param, Param: number})
			numbers[number] = len(args)
		}
		out.WriteString("$" + strconv.Itoa(numbers[number]))
	}
	return out.String(), args
}

// spans finds the target and the condition of an UPDATE or DELETE among its tokens. Where a word
// is taken for another, sameRows sees it.
func (b *pgBlocks) spans(op Op) (from, condition pgSpan, ok bool) {
	start, next := 1, "set" // UPDATE from SET …
	if op == Delete {
		start, next = 2, "where" // DELETE FROM from WHERE …
	}
	stop := min(b.find(start+1, "returning"), b.find(start+1, ";"))
	end := min(b.find(start+1, next), stop)
	where := b.find(end, "where")
	if start >= end {
		return nil, nil, false
	}
	if where < stop {
		condition = b.tokens[where+1 : stop]
	}
	return b.tokens[start:end], condition, true
}

// find is the index of the first token from start on that is a word outside of brackets,
// or that of the end.
func (b *pgBlocks) find(start int, word string) int {
	depth := 0
	for i := start; i < len(b.tokens); i++ {
		switch w := pgWord(b.tokens[i]); {
		case w == "(" || w == "[":
			depth++
		case w == ")" || w == "]":
			depth--
		case w == word && depth == 0:
			return i
		}
	}
	return len(b.tokens)
}

// sameRows reports whether a SELECT of the spans has the target and the condition of the
// statement that they are of.
func (b *pgBlocks) sameRows(from, condition pgSpan, r *ast.RangeVar, where ast.Node) bool {
	text := "SELECT 1 FROM " + from.text(b.text)
	if len(condition) > 0 {
		text += " WHERE " + condition.text(b.text)
	}
	stmts, err := pgParse(text)
	if err != nil || len(stmts) != 1 {
		return false
	}
	q, ok := stmts[0].(*ast.SelectStmt)
	if !ok || len(pgItems(q.FromClause)) != 1 || pgIsNil(q.WhereClause) != pgIsNil(where) {
		return false
	}
	alike := *ast.NewSelectStmt()
	alike.TargetList, alike.FromClause, alike.WhereClause = q.TargetList, ast.NewNodeList(r), where
	return reflect.DeepEqual(q, &alike)
}

// end is where the last word of the text ends, without a semicolon and comments after it; 0 if it
// can't be told.
func (b *pgBlocks) end() int {
	last := len(b.tokens)
	for last > 0 && pgWord(b.tokens[last-1]) == ";" {
		last--
	}
	if last == 0 {
		return 0
	}
	end := pgTokenEnd(b.tokens[last-1])
	before, ok := pgTokens(b.text[:end])
	after, ok2 := pgTokens(b.text[end:])
	if !ok || !ok2 || len(before) != last || len(after) != len(b.tokens)-last {
		return 0
	}
	return end
}
