package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
	"slices"

	"github.com/larderdb/larder/coherence"
)

// Rows is a result as database/sql reads it: first what was read ahead, then
// what the driver still has. It offers every optional interface of driver.Rows;
// what the driver doesn't offer it answers as database/sql does.
type Rows struct {
	ctx   context.Context // of the query
	set   *rowSet         // what was read ahead, nil if nothing was
	next  int             // the next row of set
	names []string        // the caller's own copy of the column names: callers change them
	room  []byte          // for the byte slices handed out

	*driven // nil if set is all there is
}

// driven is what a result has that comes from the driver.
type driven struct {
	ahead  readAhead
	live   liveRows          // its rows are nil once closed
	finish func(error) error // called once at the end with what closing said; nil if there is nothing to do
	closed error             // what closing the driver's rows early said
	broken error             // what reading the driver's rows said, if not their end
}

// replay returns the rows of a complete set.
func replay(ctx context.Context, set *rowSet) *Rows { return &Rows{ctx: ctx, set: set} }

// driverRows returns the rows of the driver.
func driverRows(ctx context.Context, live liveRows) *Rows {
	r := &struct {
		Rows
		driven
	}{Rows{ctx: ctx}, driven{live: live}}
	r.Rows.driven = &r.driven
	return &r.Rows
}

// readAhead has the rows begin with what was read ahead.
func (r *Rows) readAhead(ahead readAhead) { r.ahead, r.set = ahead, ahead.set }

var (
	_ driver.RowsNextResultSet              = (*Rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*Rows)(nil)
	_ driver.RowsColumnTypeLength           = (*Rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*Rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*Rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*Rows)(nil)
)

// Columns implements driver.Rows.
func (r *Rows) Columns() []string {
	if r.set == nil && r.live.rows == nil {
		return nil
	}
	if r.set == nil {
		return r.live.rows.Columns()
	}
	if r.names == nil {
		r.names = slices.Clone(r.set.names)
	}
	return r.names
}

// Next implements driver.Rows. What was read ahead ends with the query's context, as what
// the driver still has does.
func (r *Rows) Next(dest []driver.Value) error {
	set := r.set
	if set == nil {
		return r.nextLive(dest)
	}
	if r.next < set.rows {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		copy(dest, set.row(r.next))
		r.next++
		if set.bytes > 0 {
			r.copyBytes(dest)
		}
		return nil
	}
	if r.driven == nil {
		return io.EOF
	}
	if r.ahead.err != nil {
		return r.ahead.err
	}
	return r.nextLive(dest)
}

func (r *Rows) nextLive(dest []driver.Value) error {
	if r.live.rows == nil {
		return errConnectionClosed
	}
	err := r.live.rows.Next(dest)
	if err != nil && !errors.Is(err, io.EOF) {
		r.broken = err
	}
	return err
}

// copyBytes gives the caller byte slices of its own. They stay valid and lie
// in one allocation for all rows.
func (r *Rows) copyBytes(dest []driver.Value) {
	if r.room == nil {
		r.room = make([]byte, 0, r.set.bytes)
	}
	for i, value := range dest {
		b, ok := value.([]byte)
		if !ok || b == nil {
			continue
		}
		start := len(r.room)
		r.room = append(r.room, b...)
		dest[i] = r.room[start:len(r.room):len(r.room)]
	}
}

// Close implements driver.Rows. It ends the write that the rows belong to, if
// they do.
func (r *Rows) Close() error {
	if r.driven == nil {
		return nil
	}
	err := r.closed
	r.closed = nil
	if r.live.rows != nil {
		err = r.live.close()
		r.live = liveRows{}
	}
	if r.finish != nil {
		err = r.finish(err)
		r.finish = nil
	}
	return err
}

// errConnectionClosed is how a result ends whose connection was closed before it.
var errConnectionClosed = errors.New("session: the connection was closed before its rows")

// endsToo takes a writer over, to end with what the driver still has: until then the statement may call what it calls. If that is nothing the
// writer stays the caller's.
func (r *Rows) endsToo(caller *coherence.Writer) {
	if r.finish == nil || !caller.Begun() {
		return
	}
	own, finish := *caller, r.finish
	*caller = coherence.Writer{}
	r.finish = func(err error) error { own.End(); return finish(err) }
}

// lose ends what the rows belong to, because their connection is gone.
func (r *Rows) lose() {
	r.live = liveRows{}
	r.broken = errors.Join(r.broken, errConnectionClosed)
	if r.finish != nil {
		_ = r.finish(nil)
		r.finish = nil
	}
}

// closeLive ends the driver's rows before the caller has read what was read ahead.
func (r *Rows) closeLive() {
	r.closed = r.live.close()
	r.live = liveRows{}
}

// HasNextResultSet implements driver.RowsNextResultSet.
func (r *Rows) HasNextResultSet() bool {
	return r.driven != nil && r.live.hasNextResultSet()
}

// NextResultSet implements driver.RowsNextResultSet. Rows of the current set
// that were not read are passed over.
func (r *Rows) NextResultSet() error {
	if r.driven == nil {
		return io.EOF
	}
	next, ok := r.live.rows.(driver.RowsNextResultSet)
	if !ok {
		return io.EOF
	}
	err := next.NextResultSet()
	if err != nil && !errors.Is(err, io.EOF) {
		r.broken = err
	}
	r.readAhead(readAhead{})
	return err
}

func (r *Rows) column(i int) column {
	if r.driven != nil && r.live.rows != nil && (r.set == nil || r.ahead.err == nil && r.next == r.set.rows) {
		return describeColumn(r.live.rows, i)
	}
	if r.set == nil {
		return column{scanType: anyType}
	}
	return r.set.columnsAfter(r.next)[i]
}

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName.
func (r *Rows) ColumnTypeDatabaseTypeName(i int) string { return r.column(i).databaseType }

// ColumnTypeScanType implements driver.RowsColumnTypeScanType.
func (r *Rows) ColumnTypeScanType(i int) reflect.Type { return r.column(i).scanType }

// ColumnTypeLength implements driver.RowsColumnTypeLength.
func (r *Rows) ColumnTypeLength(i int) (length int64, ok bool) {
	c := r.column(i)
	return c.length, c.hasLength
}

// ColumnTypeNullable implements driver.RowsColumnTypeNullable.
func (r *Rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	c := r.column(i)
	return c.nullable, c.hasNullable
}

// ColumnTypePrecisionScale implements driver.RowsColumnTypePrecisionScale.
func (r *Rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	c := r.column(i)
	return c.precision, c.scale, c.hasDecimal
}
