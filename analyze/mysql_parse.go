package analyze

import (
	"errors"
	"fmt"
	"sync"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // the values of literals; the lightest driver there is
)

// mysqlParsers holds parsers between uses: each has large tables of its own and
// serves one goroutine at a time.
var mysqlParsers = sync.Pool{New: func() any { return parser.New() }}

// mysqlMaxTokens and mysqlMaxNesting bound what is parsed: trees are as deep as
// their expressions, and are walked by recursion.
const (
	mysqlMaxTokens  = 1 << 20
	mysqlMaxNesting = 1 << 12
)

// mysqlParse parses one statement. The parser's panics are errors.
func mysqlParse(tokens []mysqlToken) (node ast.StmtNode, err error) {
	if mysqlTooDeep(tokens) {
		return nil, errors.New("parse: too long or too deep")
	}
	p := mysqlParsers.Get().(*parser.Parser)
	defer func() {
		if r := recover(); r != nil {
			node, err = nil, fmt.Errorf("parse: %v", r)
			return
		}
		mysqlParsers.Put(p) // a parser that has panicked is left to the collector
	}()
	nodes, _, err := p.ParseSQL(mysqlRender(tokens))
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	if len(nodes) != 1 {
		return nil, errors.New("parse: not one statement")
	}
	return nodes[0], nil
}

// A mysqlParsed is a parsed statement with what was taken out of its text
// before, because the parser doesn't know it.
type mysqlParsed struct {
	node      ast.StmtNode
	selects   int          // SELECT keywords that the parser has seen
	returning ast.StmtNode // the list of RETURNING, as a SELECT
	removed   mysqlRemoved
	closedUp  bool         // spaces before parentheses are taken out: what is called may be the user's
	tokens    []mysqlToken // what node is parsed from
}

// mysqlRemoved is what rewriting has taken out of a text.
type mysqlRemoved struct {
	jsonTable bool // JSON_TABLE stands as a derived table
	intoVars  bool // SELECT … INTO @x
	intoFile  bool // SELECT … INTO DUMPFILE

	conditions bool // what decides about rows: COLLATE, FETCH, FOR SYSTEM_TIME
}

// mysqlParseAny parses tokens as they are; if that fails, with the forms
// rewritten that the parser doesn't know.
func mysqlParseAny(tokens []mysqlToken) (mysqlParsed, error) {
	node, err := mysqlParse(tokens)
	if err == nil {
		return mysqlParsed{node: node, selects: mysqlCountSelects(tokens), tokens: tokens}, nil
	}
	tokens, removed := mysqlRewrite(tokens)
	for i, try := range [][]mysqlToken{tokens, mysqlCloseUp(tokens)} {
		if node, err := mysqlParse(try); err == nil {
			return mysqlParsed{node: node, selects: mysqlCountSelects(try), removed: removed, closedUp: i > 0, tokens: try}, nil
		}
		if p, ok := mysqlParseReturning(try); ok {
			p.removed, p.closedUp = removed, i > 0
			return p, nil
		}
	}
	return mysqlParsed{}, err
}

// mysqlParseReturning parses MariaDB's INSERT, REPLACE and DELETE … RETURNING as
// the statement without it and a SELECT of its list.
func mysqlParseReturning(tokens []mysqlToken) (mysqlParsed, bool) {
	at := mysqlFind(tokens, "RETURNING")
	if at < 0 || !tokens[0].is("INSERT", "REPLACE", "DELETE") {
		return mysqlParsed{}, false
	}
	list := append([]mysqlToken{mysqlKeyword("SELECT")}, tokens[at+1:]...)
	node, err := mysqlParse(tokens[:at])
	if err != nil {
		return mysqlParsed{}, false
	}
	returning, err := mysqlParse(list)
	if s, ok := returning.(*ast.SelectStmt); err != nil || !ok || s.From != nil {
		return mysqlParsed{}, false
	}
	return mysqlParsed{
		node: node, returning: returning, tokens: tokens[:at],
		selects: mysqlCountSelects(tokens[:at]) + mysqlCountSelects(list),
	}, true
}

func mysqlKeyword(word string) mysqlToken {
	return mysqlToken{kind: mysqlWord, text: word, upper: word, gap: true}
}

// mysqlCountSelects counts the SELECTs of tokens. Each must turn up in the tree.
func mysqlCountSelects(tokens []mysqlToken) int {
	n := 0
	for i, t := range tokens {
		if t.is("SELECT") && !mysqlAfterDot(tokens, i) {
			n++
		}
	}
	return n
}

// mysqlTooDeep reports whether the tree of tokens may be too deep: by its
// parentheses, or by operators in a row, which commas interrupt.
func mysqlTooDeep(tokens []mysqlToken) bool {
	depth, row := 0, 0
	for _, t := range tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case t.is(","):
			row = 0
		}
		if row++; depth > mysqlMaxNesting || row > 1<<16 {
			return true
		}
	}
	return len(tokens) > mysqlMaxTokens
}
