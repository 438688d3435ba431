package session

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"
)

// errForm is of bytes that aren't a result in the form that wire.go describes, as this
// process would have written it.
var errForm = errors.New("session: not a result of this form")

// decodeRowSet returns the set that AppendBinary wrote. Its texts and byte slices lie in data,
// which must not change any more. It fails if the version is another, if this process
// would have been given other times or types, or if the bytes are anything else. It takes at most
// 48 bytes of memory for each of data, and some for zones.
func decodeRowSet(data []byte) (*rowSet, error) {
	if len(data) < len(wireHead) || string(data[:len(wireHead)]) != wireHead {
		return nil, errForm
	}
	var few [8]*column
	r := wireReader{rest: data[len(wireHead):], columns: few[:0]}
	s := r.set()
	if r.err == nil && len(r.rest) > 0 {
		r.fail("%d bytes too many", len(r.rest))
	}
	if r.err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, r.err)
	}
	return s, nil
}

// A wireReader reads one set. When it has failed there is nothing left to read: all that
// is read then is zero.
type wireReader struct {
	rest    []byte
	columns []*column
	zones   []zoneAt
	err     error
}

func (r *wireReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.rest = nil
}

func (r *wireReader) cut() { r.fail("it ends too early, or has a number that is too large") }

func (r *wireReader) uint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		v := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.cut()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *wireReader) int() int64 {
	u := r.uint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads how many of something follow of which each takes at least a byte.
func (r *wireReader) count() int {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.cut()
		return 0
	}
	return int(n)
}

// number reads a number of at most limit.
func (r *wireReader) number(limit int) int {
	n := r.uint()
	if n > uint64(limit) {
		r.fail("a number of %d where %d is the last", n, limit)
		return 0
	}
	return int(n)
}

func (r *wireReader) byte() byte {
	if len(r.rest) == 0 {
		r.cut()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// bytes returns the next n bytes, without room to grow; they are not nil.
func (r *wireReader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.cut()
		return []byte{}
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *wireReader) fixed64() uint64 {
	if len(r.rest) < 8 {
		r.cut()
		return 0
	}
	v := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return v
}

func (r *wireReader) text() string {
	b := r.bytes(r.count())
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (r *wireReader) set() *rowSet {
	s := &rowSet{shape: &shape{names: r.names()}}
	n := len(s.names)
	s.size = rowSetSize + n*columnSize
	for _, name := range s.names {
		s.size += valueSize + len(name)
	}
	s.columns = r.list(n)
	r.changes(s)
	s.rows = r.rowCount(n)
	if r.err != nil {
		return nil
	}
	s.values = make([]driver.Value, n*s.rows)
	s.size += n * s.rows * valueSize
	for i := 0; i < n && s.rows > 0 && r.err == nil; i++ {
		r.values(s, i)
	}
	return s
}

func (r *wireReader) names() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	names := make([]string, n-1)
	for i := range names {
		names[i] = r.text()
	}
	return names
}

// rowCount reads how many rows of n columns follow.
func (r *wireReader) rowCount(n int) int {
	rows := r.uint()
	if n == 0 && rows > math.MaxInt32 || n > 0 && rows > uint64(len(r.rest)/n) {
		r.cut()
		return 0
	}
	return int(rows)
}

// list reads a list of n columns.
func (r *wireReader) list(n int) []column {
	if n > len(r.rest) {
		r.cut()
		return nil
	}
	columns := make([]column, n)
	for i := range columns {
		if at := r.number(len(r.columns)); at < len(r.columns) {
			columns[i] = *r.columns[at]
		} else {
			r.column(&columns[i])
			r.columns = append(r.columns, &columns[i])
		}
	}
	return columns
}

func (r *wireReader) column(c *column) {
	flags, scanType := r.byte(), int(r.byte())
	if flags > flagsAll || scanType >= len(scanTypes) {
		r.fail("a column of type %d with the flags %b", scanType, flags)
		return
	}
	c.scanType = scanTypes[scanType]
	c.databaseType = r.text()
	c.hasLength, c.nullable = flags&flagLength != 0, flags&flagNullable != 0
	c.hasNullable, c.hasDecimal = flags&flagHasNullable != 0, flags&flagDecimal != 0
	if flags&flagLengthFollows != 0 {
		c.length = r.int()
	}
	if flags&flagDecimalFollows != 0 {
		c.precision, c.scale = r.int(), r.int()
	}
}

// changes reads the changes of column types.
func (r *wireReader) changes(s *rowSet) {
	n := r.count()
	if n == 0 {
		return
	}
	lists := [][]column{s.columns}
	s.typeChanges = make([]typeChange, 0, n)
	row := uint64(0)
	for range n {
		row += r.uint()
		if row > math.MaxInt32 {
			r.cut()
		}
		at := r.number(len(lists))
		if at == len(lists) && r.err == nil {
			lists = append(lists, r.list(len(s.names)))
			s.size += len(s.names) * columnSize
		}
		if r.err != nil {
			return
		}
		s.typeChanges = append(s.typeChanges, typeChange{int(row), lists[at]})
		s.size += typeChangeSize
	}
}

// values reads column i. Of kinds that are common the values of a column lie in one
// piece of memory.
func (r *wireReader) values(s *rowSet, i int) {
	kind := r.byte()
	rows, n, values := s.rows, len(s.names), s.values[i:]
	switch kind {
	case kindInt64:
		s.size += 8 * rows
		ints := make([]int64, rows)
		for j := range ints {
			ints[j] = r.int()
			values[j*n] = boxed(anInt64, unsafe.Pointer(&ints[j]))
		}
	case kindFloat64:
		s.size += 8 * rows
		floats := make([]float64, rows)
		for j := range floats {
			floats[j] = math.Float64frombits(r.fixed64())
			values[j*n] = boxed(aFloat64, unsafe.Pointer(&floats[j]))
		}
	case kindString:
		texts := make([]string, rows)
		for j := range texts {
			texts[j] = r.text()
			values[j*n] = boxed(aText, unsafe.Pointer(&texts[j]))
			s.size += 16 + len(texts[j])
		}
	case kindBytes:
		slices := make([][]byte, rows)
		for j := range slices {
			slices[j] = r.bytes(r.count())
			values[j*n] = boxed(someBytes, unsafe.Pointer(&slices[j]))
			s.size += 24 + len(slices[j])
			s.bytes += len(slices[j])
		}
	case kindTime:
		s.size += 24 * rows
		times := make([]time.Time, rows)
		for j := range times {
			times[j] = r.time()
			values[j*n] = boxed(aTime, unsafe.Pointer(&times[j]))
		}
	case kindNil, kindNilBytes:
		r.fail("a column of values that take no bytes")
	default:
		for j := 0; j < rows && r.err == nil; j++ {
			k := kind
			if k == kindMixed {
				k = r.byte()
			}
			values[j*n] = r.value(s, k)
		}
	}
}

// value reads a value of a kind, and counts it.
func (r *wireReader) value(s *rowSet, kind byte) driver.Value {
	switch kind {
	case kindNil:
		return nil
	case kindBool:
		return r.number(1) == 1
	case kindString:
		text := r.text()
		s.size += 16 + len(text)
		return text
	case kindBytes:
		b := r.bytes(r.count())
		s.size += 24 + len(b)
		s.bytes += len(b)
		return b
	case kindNilBytes:
		s.size += 24
		return []byte(nil)
	case kindTime:
		s.size += 24
		return r.time()
	}
	s.size += 8
	return r.figure(kind)
}

// figure reads a number of a kind.
func (r *wireReader) figure(kind byte) driver.Value {
	switch kind {
	case kindInt64:
		return r.int()
	case kindFloat64:
		return math.Float64frombits(r.fixed64())
	case kindInt:
		return narrow[int](r, r.int())
	case kindInt8:
		return narrow[int8](r, r.int())
	case kindInt16:
		return narrow[int16](r, r.int())
	case kindInt32:
		return narrow[int32](r, r.int())
	case kindUint:
		return narrow[uint](r, r.uint())
	case kindUint8:
		return narrow[uint8](r, r.uint())
	case kindUint16:
		return narrow[uint16](r, r.uint())
	case kindUint32:
		return narrow[uint32](r, r.uint())
	case kindUint64:
		return r.uint()
	case kindFloat32:
		if b := r.bytes(4); len(b) == 4 {
			return math.Float32frombits(binary.LittleEndian.Uint32(b))
		}
	}
	r.fail("a value of kind %d", kind)
	return nil
}

type integer interface {
	int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64
}

// narrow gives a number its type, if it is one of it.
func narrow[T, From integer](r *wireReader, v From) driver.Value {
	if From(T(v)) != v {
		r.fail("%d is no %T", v, T(0))
	}
	return T(v)
}

func (r *wireReader) time() time.Time {
	sec, nsec, at := r.int(), r.number(1e9-1), r.number(len(r.zones))
	if at == len(r.zones) && r.err == nil {
		r.zone()
	}
	if r.err != nil {
		return time.Time{}
	}
	t := time.Unix(sec, int64(nsec))
	switch z := r.zones[at]; z.kind {
	case zoneLocal:
		return t
	case zoneUTC:
		return t.UTC()
	default:
		return t.In(z.loc)
	}
}

// zone reads a zone.
func (r *wireReader) zone() {
	if len(r.zones) == 0 && r.fixed64() != localPrint() && r.err == nil {
		r.fail("its time.Local is another")
	}
	z := zone{kind: r.byte()}
	switch z.kind {
	case zoneUTC, zoneLocal:
		r.zones = append(r.zones, zoneAt{kind: z.kind})
		return
	case zoneFixed:
		z.name = r.text()
		offset := r.int()
		z.offset = int(offset)
		if int64(int32(offset)) != offset {
			r.cut()
		}
	case zoneNamed:
		z.name, z.print = r.text(), r.fixed64()
	default:
		r.fail("a zone of kind %d", z.kind)
	}
	if r.err != nil {
		return
	}
	loc, ok := z.location()
	if !ok || len(r.zones) == maxZones {
		r.fail("the zone %q is another here", z.name)
		return
	}
	r.zones = append(r.zones, zoneAt{z.kind, loc})
}

// An interface is a type and a pointer to a value that doesn't change: these have the types.
var (
	anInt64   driver.Value = int64(0)
	aFloat64  driver.Value = float64(0)
	aText     driver.Value = ""
	someBytes driver.Value = []byte(nil)
	aTime     driver.Value = time.Time{}
)

// boxed returns what p points to, which has the type of like, without an allocation of its own.
func boxed(like driver.Value, p unsafe.Pointer) driver.Value {
	(*[2]unsafe.Pointer)(unsafe.Pointer(&like))[1] = p
	return like
}
