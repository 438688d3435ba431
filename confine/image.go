package confine

import "slices"

// An Image is what is known of a row: the canonical forms of some columns, each once and in no order. Of columns
// that it lacks nothing is known.
type Image []Cell

// A Cell is a column, by name, and its canonical form.
type Cell struct{ Column, Form string }

// Get returns the form of a column. ok is false if nothing is known of it.
func (i Image) Get(column string) (form string, ok bool) {
	for k := range i {
		if i[k].Column == column {
			return i[k].Form, true
		}
	}
	return "", false
}

// Form returns the form of a shape's columns. ok is false if not all of them are known.
func (i Image) Form(columns []string) (form string, ok bool) {
	var few [4]string
	forms := few[:0]
	for _, name := range columns {
		form, ok := i.Get(name)
		if !ok {
			return "", false
		}
		forms = append(forms, form)
	}
	return Join(forms), true
}

// With returns a copy of the image in which other is known, too.
func (i Image) With(other Image) Image {
	next := slices.Grow(slices.Clone(i), len(other))
	for _, c := range other {
		next = next.set(c.Column, c.Form)
	}
	return next
}

// set makes the form of a column known. The image that it returns takes the place of i.
func (i Image) set(column, form string) Image {
	for k := range i {
		if i[k].Column == column {
			i[k].Form = form
			return i
		}
	}
	return append(i, Cell{column, form})
}

// without is set for a column of which nothing is known any more.
func (i Image) without(column string) Image {
	return slices.DeleteFunc(i, func(c Cell) bool { return c.Column == column })
}

// equal reports whether the same is known of two rows.
func (i Image) equal(other Image) bool {
	return len(i) == len(other) && !slices.ContainsFunc(i, func(c Cell) bool {
		form, ok := other.Get(c.Column)
		return !ok || form != c.Form
	})
}
