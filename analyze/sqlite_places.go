package analyze

// litePlaces are the relations that b reads, once for each place, without those that WITH
// binds. They are gathered anew from the finished Block and their number compared with what the
// collector found in the tree: a Block that has lost or added one is not used.
func litePlaces(b *Block) []Name {
	p := litePlaceCounter{bound: map[string]int{}}
	p.block(b)
	return p.places
}

type litePlaceCounter struct {
	bound  map[string]int // by how many WITH clauses that are seen here
	places []Name
}

func (p *litePlaceCounter) block(b *Block) {
	for _, c := range b.With {
		if c.Recursive {
			p.bound[c.Name]++
		}
	}
	for _, c := range b.With {
		p.block(c.Block)
		if !c.Recursive {
			p.bound[c.Name]++
		}
	}
	for _, arm := range b.Arms {
		p.block(arm)
	}
	p.sources(b.From)
	for _, sub := range b.Subs {
		p.block(sub)
	}
	for _, c := range b.With {
		p.bound[c.Name]--
	}
}

func (p *litePlaceCounter) sources(list []Source) {
	for _, s := range list {
		switch {
		case s.Sub != nil:
			p.block(s.Sub)
		case s.Nested != nil:
			p.sources(s.Nested)
		case s.Relation != Name{}:
			if s.Relation.Schema != "" || p.bound[s.Relation.Name] == 0 {
				p.places = append(p.places, s.Relation)
			}
		}
	}
}
