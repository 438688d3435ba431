package predict

import (
	"math/rand/v2"
	"strings"

	"github.com/larderdb/larder/confine"
)

// maxRows bounds the rows that are remembered, and the slices of a shape.
const maxRows = 2_000_000

// rows are what the log has told of rows, by relation and unique key.
type rows map[string]confine.Image

// keyOfRow is the key of a row; "" if the row doesn't tell it.
func keyOfRow(p *planned, row confine.Image) string {
	columns := p.change.Key(row)
	if columns == nil {
		return ""
	}
	form, _ := row.Form(columns)
	return p.target + "\x00" + strings.Join(columns, ",") + "\x00" + form
}

// note remembers a row.
func (r rows) note(p *planned, row confine.Image) {
	key := keyOfRow(p, row)
	if key == "" || len(r) >= maxRows {
		return
	}
	r[key] = row
}

func (r rows) forget(p *planned, row confine.Image) { delete(r, keyOfRow(p, row)) }

// complete adds what is remembered of a row to what is told of it.
func (r rows) complete(p *planned, row confine.Image) confine.Image {
	known := r[keyOfRow(p, row)]
	if known == nil {
		return row
	}
	return known.With(row)
}

// slicesSeen are the slices of a shape by which something was read.
type slicesSeen struct {
	seen map[string]bool
	list []string
}

// see notes that a slice was read.
func (w *world) see(relation string, s confine.Slice) {
	name := relation + "\x00" + s.Shape
	of := w.slices[name]
	if of == nil {
		of = &slicesSeen{seen: map[string]bool{}}
		w.slices[name] = of
	}
	if !of.seen[s.Form] && len(of.list) < maxRows {
		of.seen[s.Form] = true
		of.list = append(of.list, s.Form)
	}
}

// draw returns one of the slices that were read; ok is false if there is none.
func (w *world) draw(r *rand.Rand, relation, shape string) (form string, ok bool) {
	of := w.slices[relation+"\x00"+shape]
	if of == nil {
		return "", false
	}
	return of.list[r.IntN(len(of.list))], true
}
