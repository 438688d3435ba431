package analyze

import "fmt"

// A liteParser reads the tokens of one statement by recursive descent, after
// SQLite's own grammar (parse.y). Its methods panic with a liteSyntax where
// the grammar is left; liteParse turns that into an error.
type liteParser struct {
	text   string // of which tokens are
	tokens []liteToken
	at     int
	depth  int
}

// liteMaxDepth bounds nesting; SQLite refuses expressions deeper than 1,000.
const liteMaxDepth = 2000

type liteSyntax string

func (e liteSyntax) Error() string { return string(e) }

// liteParse runs read on all of tokens.
func liteParse(tokens []liteToken, read func(*liteParser)) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case liteSyntax:
			err = r
		default:
			err = fmt.Errorf("internal: %v", r)
		}
	}()
	p := &liteParser{tokens: tokens}
	read(p)
	if p.at < len(tokens) {
		p.fail()
	}
	return nil
}

func (p *liteParser) fail() {
	if p.at >= len(p.tokens) {
		panic(liteSyntax("incomplete input"))
	}
	near := p.tokens[p.at].text
	panic(liteSyntax(fmt.Sprintf("near %q", near[:min(len(near), 40)])))
}

// enter counts one level of nesting; the result leaves it.
func (p *liteParser) enter() func() {
	p.depth++
	if p.depth > liteMaxDepth {
		panic(liteSyntax("nested too deeply"))
	}
	return func() { p.depth-- }
}

// peek is the token n places ahead.
func (p *liteParser) peek(n int) liteToken {
	if p.at+n < len(p.tokens) {
		return p.tokens[p.at+n]
	}
	return liteToken{}
}

// span is the text of the tokens from the one of index from to the last one that was read.
func (p *liteParser) span(from int) string {
	return p.text[p.tokens[from].at:p.tokens[p.at-1].end]
}

func (p *liteParser) next() liteToken {
	t := p.peek(0)
	if t.kind == liteEnd {
		p.fail()
	}
	p.at++
	return t
}

// accept takes the keywords, if all of them stand here.
func (p *liteParser) accept(words ...string) bool {
	for i, word := range words {
		if !p.peek(i).is(word) {
			return false
		}
	}
	p.at += len(words)
	return true
}

func (p *liteParser) expect(words ...string) {
	for _, word := range words {
		if !p.accept(word) {
			p.fail()
		}
	}
}

func (p *liteParser) acceptOp(op string) bool {
	if p.peek(0).isOp(op) {
		p.at++
		return true
	}
	return false
}

func (p *liteParser) expectOp(op string) {
	if !p.acceptOp(op) {
		p.fail()
	}
}

// name reads a name where nothing else can stand; 'text' is one there.
func (p *liteParser) name() string {
	if !p.peek(0).isName() {
		p.fail()
	}
	return liteFold(p.next().text)
}

// qualified reads a name that may have a schema.
func (p *liteParser) qualified() Name {
	n := Name{Name: p.name()}
	if p.acceptOp(".") {
		n.Schema, n.Name = n.Name, p.name()
	}
	return n
}

// alias reads [AS] name, if it stands here.
func (p *liteParser) alias() string {
	if p.accept("as") {
		return p.name()
	}
	if p.peek(0).isAlias() && !p.atWindow() {
		return p.name()
	}
	return ""
}

// atWindow reports whether WINDOW is the keyword here: before a name and AS.
func (p *liteParser) atWindow() bool {
	return p.peek(0).is("window") && p.peek(1).isName() && p.peek(2).is("as")
}

// names reads (name, …); the caller has seen the parenthesis.
func (p *liteParser) names() []string {
	p.expectOp("(")
	var names []string
	for {
		names = append(names, p.name())
		if !p.acceptOp(",") {
			break
		}
	}
	p.expectOp(")")
	return names
}

// explain takes EXPLAIN or EXPLAIN QUERY PLAN, if it stands here.
func (p *liteParser) explain() bool {
	if !p.accept("explain") {
		return false
	}
	p.accept("query", "plan")
	return true
}
