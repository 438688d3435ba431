package analyze

import "github.com/multigres/multigres/go/common/parser"

// A parameter of PostgreSQL has one type in all of a statement, which any of the places may set at which it
// stands: WHERE name = $1 compares as numbers do, or without case, if a cast or a comparison elsewhere makes a number or
// a citext of $1. So a parameter is told only if all of these places are.

// A pgParam is where a parameter is told.
type pgParam struct {
	places int
	cast   string
	casts  bool // in several ways
}

// A pgParams is the places at which the parameters of a statement are told.
type pgParams struct {
	params map[int]*pgParam
	seen   map[*Block]bool
	visit  func(*Term)
}

// settle makes Untold what is told of parameters that stand in other places, too.
func (b *pgBlocks) settle(rows *Block, c *Change) {
	p := &pgParams{params: map[int]*pgParam{}}
	p.visit = p.count
	p.walk(rows, c)
	written := map[int]int{}
	for _, token := range b.tokens {
		if token.Type == parser.PARAM {
			written[token.Value.Ival]++
		}
	}
	p.visit = func(t *Term) {
		if known := p.params[t.Param]; known.casts || known.places != written[t.Param] {
			*t = Term{}
		}
	}
	p.walk(rows, c)
}

func (p *pgParams) count(t *Term) {
	known := p.params[t.Param]
	if known == nil {
		known = &pgParam{cast: t.Cast}
		p.params[t.Param] = known
	}
	known.places++
	known.casts = known.casts || known.cast != t.Cast
}

func (p *pgParams) walk(rows *Block, c *Change) {
	p.seen = map[*Block]bool{}
	p.block(rows)
	if c == nil {
		return
	}
	for _, row := range c.Rows {
		p.terms(row)
	}
	for i := range c.Set {
		p.term(&c.Set[i].Value)
	}
	p.cond(c.Where)
}

// block visits the conditions of a block, whose outputs tell nothing of types.
func (p *pgParams) block(b *Block) {
	if b == nil || p.seen[b] {
		return
	}
	p.seen[b] = true
	for _, cte := range b.With {
		p.block(cte.Block)
	}
	for _, arm := range b.Arms {
		p.block(arm)
	}
	p.sources(b.From)
	p.cond(b.Where)
	for _, sub := range b.Subs {
		p.block(sub)
	}
}

func (p *pgParams) sources(list []Source) {
	for _, s := range list {
		p.block(s.Sub)
		p.sources(s.Nested)
		p.cond(s.On)
	}
}

func (p *pgParams) cond(c *Cond) {
	if c == nil {
		return
	}
	for _, arg := range c.Args {
		p.cond(arg)
	}
	p.term(&c.Left)
	p.terms(c.List)
}

func (p *pgParams) terms(list []Term) {
	for i := range list {
		p.term(&list[i])
	}
}

func (p *pgParams) term(t *Term) {
	if t.Kind == Param {
		p.visit(t)
	}
}
