package session

import (
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"time"
)

// A rowSet is a result, or the beginning of one, read from a driver. Once it is
// kept it is shared between goroutines and never changed; byte slices are copied
// on their way in, because drivers reuse their buffers, and on their way out,
// because Scanners may write to what they are given.
type rowSet struct {
	*shape
	typeChanges []typeChange
	values      []driver.Value // row by row
	rows        int
	bytes       int    // the sum of the lengths of all []byte values
	size        int    // bytes of memory that all this takes, as near as can be told
	yield       *yield // of its text; nil if that isn't judged
}

// A shape is how a driver describes a result before its first row. It never changes, so that
// results that are alike share one.
type shape struct {
	names   []string
	columns []column
}

// shapeOf asks the driver for the shape of a result. It is asked each time, for nothing else
// tells whether a statement means what it meant before, and that of before is returned if it is that. What types are called,
// for which pgx takes longer than for all the rest, may be assumed.
func shapeOf(rows driver.Rows, before likeness) (s *shape, assumed bool) {
	var few [8]column
	names, d := rows.Columns(), describerOf(rows)
	same := before.shape != nil && slices.Equal(names, before.shape.names)
	if same && before.named && d.likeButName(before.shape.columns) {
		return before.shape, true
	}
	columns := d.columns(few[:0], len(names))
	if same && slices.Equal(columns, before.shape.columns) {
		return before.shape, false
	}
	return &shape{slices.Clone(names), slices.Clone(columns)}, false
}

// What a value, a column and an empty rowSet take in memory, in bytes.
const (
	valueSize  = 16
	columnSize = 96
	rowSetSize = 160
)

func (s *rowSet) row(i int) []driver.Value {
	n := len(s.names)
	return s.values[i*n : (i+1)*n]
}

// A readAhead tells how far a driver's result has been read into a rowSet.
type readAhead struct {
	set *rowSet

	// err is what Next answered after the last row of set: io.EOF at the end
	// of the result, nil if there may be more rows (too many bytes, or a value
	// that can't be kept).
	err error

	assumed    bool // what the types of set's columns are called wasn't asked
	tooLarge   bool // there was more than the limit
	unkeepable bool // a value has a Go type that can't be copied
}

// complete reports whether the set is the whole result.
func (r *readAhead) complete() bool { return errors.Is(r.err, io.EOF) && !r.unkeepable }

// read reads rows until their end, an error, or more than limit bytes. typedByRow
// says that the driver's column types follow the values of each row; before is what an
// earlier result of the same text was like.
func read(rows driver.Rows, limit int, typedByRow bool, before likeness) readAhead {
	shape, assumed := shapeOf(rows, before)
	set := &rowSet{shape: shape}
	n := len(set.names)
	set.size = rowSetSize + n*columnSize
	for _, name := range set.names {
		set.size += valueSize + len(name)
	}
	r := readAhead{set: set, assumed: assumed}
	v := openValues(n, before.rows)
	var arena byteArena
	var types typeNotes
	for {
		row := v.row()
		if err := rows.Next(row); err != nil {
			v.drop(row)
			r.err = err
			break
		}
		set.rows++
		r.keep(row, &arena)
		if typedByRow {
			types.note(set, rows, row)
		}
		if r.unkeepable {
			break
		}
		if set.size > limit {
			r.tooLarge = true
			break
		}
	}
	set.values = v.close()
	return r
}

// countRest counts the rows that come after those that were read. An error is why they ended too soon.
func (r *readAhead) countRest(rows driver.Rows) (n int, err error) {
	if err = r.err; err == nil {
		row := make([]driver.Value, len(r.set.names))
		for err = rows.Next(row); err == nil; err = rows.Next(row) {
			n++
		}
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// keep makes the values of a row its own and counts them.
func (r *readAhead) keep(row []driver.Value, arena *byteArena) {
	size := len(row) * valueSize
	for i, value := range row {
		switch v := value.(type) {
		case nil, bool:
		case int64, float64, int, int8, int16, int32, uint, uint8, uint16, uint32, uint64, float32:
			size += 8
		case string:
			size += 16 + len(v)
		case []byte:
			size += 24 + len(v)
			r.set.bytes += len(v)
			row[i] = arena.copy(v)
		case time.Time:
			size += 24
		default:
			r.unkeepable = true
		}
	}
	r.set.size += size
}

// A byteArena copies byte slices into few large pieces of memory. Each copy has
// no room to grow, so that appending to one can't reach another.
type byteArena struct{ free []byte }

func (a *byteArena) copy(b []byte) []byte {
	switch {
	case b == nil:
		return nil
	case len(b) == 0:
		return []byte{} // not nil, as a piece of nothing would be
	}
	if len(b) > cap(a.free) {
		a.free = make([]byte, 0, max(len(b), 512))
	}
	start := len(a.free)
	if cap(a.free)-start < len(b) {
		a.free, start = make([]byte, 0, max(len(b), 2*cap(a.free))), 0
	}
	a.free = append(a.free, b...)
	return a.free[start:len(a.free):len(a.free)]
}
