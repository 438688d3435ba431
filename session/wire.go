package session

import (
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
)

// The form in which a result lies in a store outside of this process:
//
//	head      "R", the version of the form
//	names     how many, plus 1 (0: nil), then each
//	columns   a column for each name
//	changes   how many, then of each: rows since the one before, a list of columns
//	rows      how many
//	values    if there are rows, column by column: a kind, then the values; each has its kind before it if that is mixed
//
// Numbers are varints, texts have their length before them. A column, a list of columns and
// the zone of a time are numbers of what came before; the number that comes next is
// followed by what is new. The first zone comes after the print of time.Local, since what
// drivers make of a text may depend on that.
//
// Each value takes at least a byte, so that what is read takes no more than some
// multiple of the bytes that it is read from.
//
// A change of any of this, or of the numbers below, is another version.
const (
	wireHead = "R\x01"

	maxZones = 16 // of one set
)

// The kinds of values. Those from kindInt on are rare.
const (
	kindMixed = iota
	kindNil
	kindNilBytes
	kindBool
	kindInt64
	kindFloat64
	kindString
	kindBytes
	kindTime
	kindInt
	kindInt8
	kindInt16
	kindInt32
	kindUint
	kindUint8
	kindUint16
	kindUint32
	kindUint64
	kindFloat32
)

// The flags of a column.
const (
	flagLength = 1 << iota
	flagNullable
	flagHasNullable
	flagDecimal
	flagLengthFollows
	flagDecimalFollows
	flagsAll = 1<<iota - 1
)

// scanTypes are the types that drivers name for columns, by their number in the form.
// New ones come at the end, and are no other version: who doesn't know one reads nothing.
var scanTypes = []reflect.Type{
	nil,
	reflect.TypeFor[any](),
	reflect.TypeFor[*any](),
	reflect.TypeFor[bool](),
	reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[sql.RawBytes](),
	reflect.TypeFor[time.Time](),
	reflect.TypeFor[sql.NullBool](), reflect.TypeFor[sql.NullByte](),
	reflect.TypeFor[sql.NullInt16](), reflect.TypeFor[sql.NullInt32](), reflect.TypeFor[sql.NullInt64](), reflect.TypeFor[sql.Null[uint64]](),
	reflect.TypeFor[sql.NullFloat64](), reflect.TypeFor[sql.NullString](), reflect.TypeFor[sql.NullTime](),
}

// wireKey is the part of a key by which processes that can't read each other's results
// keep them apart.
func wireKey() string {
	return string(binary.LittleEndian.AppendUint64([]byte(wireHead), localPrint()))
}

// errNotWritable is of a result that can't be read elsewhere as it is here.
var errNotWritable = errors.New("session: the result can't be written")

// AppendBinary appends the form of a whole result. It fails if what a reader would get
// of it could be told from what its own driver would have given.
func (s *rowSet) AppendBinary(dst []byte) ([]byte, error) {
	var few [8]column
	w := wireWriter{b: append(dst, wireHead...), columns: few[:0]}
	w.names(s.names)
	w.list(s.columns)
	w.uint(len(s.typeChanges))
	before := 0
	for _, change := range s.typeChanges {
		w.uint(change.row - before)
		before = change.row
		w.knownList(s, change.columns)
	}
	w.uint(s.rows)
	if n := len(s.names); s.rows > 0 {
		for i := range n {
			w.values(s.values[i:], n)
		}
	}
	if w.err != nil {
		return dst, fmt.Errorf("%w: %w", errNotWritable, w.err)
	}
	return w.b, nil
}

// A wireWriter writes one set.
type wireWriter struct {
	b       []byte
	columns []column
	lists   [][]column // those of changes; number 0 is the set's own
	zones   []zoneAt
	err     error // the first
}

func (w *wireWriter) uint(n int) { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *wireWriter) int(n int64) {
	w.b = binary.AppendVarint(w.b, n)
}

func (w *wireWriter) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *wireWriter) names(names []string) {
	if names == nil {
		w.uint(0)
		return
	}
	w.uint(len(names) + 1)
	for _, name := range names {
		w.b = appendString(w.b, name)
	}
}

func (w *wireWriter) list(columns []column) {
	for i := range columns {
		w.column(&columns[i])
	}
}

// knownList writes the number of a list of columns, and the list if it is new.
func (w *wireWriter) knownList(s *rowSet, columns []column) {
	if slices.Equal(columns, s.columns) {
		w.uint(0)
		return
	}
	for i := range w.lists {
		if slices.Equal(columns, w.lists[i]) {
			w.uint(i + 1)
			return
		}
	}
	w.lists = append(w.lists, columns)
	w.uint(len(w.lists))
	w.list(columns)
}

// lookBack is among how many columns an equal one is looked for.
const lookBack = 32

func (w *wireWriter) column(c *column) {
	for i := len(w.columns) - 1; i >= max(0, len(w.columns)-lookBack); i-- {
		if w.columns[i] == *c {
			w.uint(i)
			return
		}
	}
	w.uint(len(w.columns))
	w.columns = append(w.columns, *c)
	scanType := slices.Index(scanTypes, c.scanType)
	if scanType < 0 {
		w.fail("a column of type %v", c.scanType)
		return
	}
	w.b = append(w.b, c.flags(), byte(scanType))
	w.b = appendString(w.b, c.databaseType)
	if c.length != 0 {
		w.int(c.length)
	}
	if c.precision != 0 || c.scale != 0 {
		w.int(c.precision)
		w.int(c.scale)
	}
}

func (c *column) flags() (flags byte) {
	for i, is := range [...]bool{c.hasLength, c.nullable, c.hasNullable, c.hasDecimal, c.length != 0, c.precision != 0 || c.scale != 0} {
		if is {
			flags |= 1 << i
		}
	}
	return flags
}

// values writes a column: the first value of some, and each nth after it.
func (w *wireWriter) values(values []driver.Value, n int) {
	kind := byte(kindMixed)
	for i := 0; i < len(values); i += n {
		k := kindOf(values[i])
		if i > 0 && k != kind || k == kindNil || k == kindNilBytes {
			kind = kindMixed
			break
		}
		kind = k
	}
	w.b = append(w.b, kind)
	for i := 0; i < len(values); i += n {
		if kind == kindMixed {
			w.b = append(w.b, kindOf(values[i]))
		}
		w.value(values[i])
	}
}

func (w *wireWriter) value(value driver.Value) {
	switch v := value.(type) {
	case nil:
	case bool:
		w.b = append(w.b, boolByte(v))
	case int64:
		w.int(v)
	case float64:
		w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v))
	case string:
		w.b = appendString(w.b, v)
	case []byte:
		if v != nil {
			w.uint(len(v))
			w.b = append(w.b, v...)
		}
	case time.Time:
		w.time(v)
	default:
		w.rare(value)
	}
}

func (w *wireWriter) rare(value driver.Value) {
	switch v := value.(type) {
	case int:
		w.int(int64(v))
	case int8:
		w.int(int64(v))
	case int16:
		w.int(int64(v))
	case int32:
		w.int(int64(v))
	case uint:
		w.b = binary.AppendUvarint(w.b, uint64(v))
	case uint8:
		w.b = binary.AppendUvarint(w.b, uint64(v))
	case uint16:
		w.b = binary.AppendUvarint(w.b, uint64(v))
	case uint32:
		w.b = binary.AppendUvarint(w.b, uint64(v))
	case uint64:
		w.b = binary.AppendUvarint(w.b, v)
	case float32:
		w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(v))
	default:
		w.fail("a value of type %T", value)
	}
}

// kindOf returns the kind of a value; kindMixed, which is none, of a type that isn't kept.
func kindOf(value driver.Value) byte {
	switch v := value.(type) {
	case nil:
		return kindNil
	case bool:
		return kindBool
	case int64:
		return kindInt64
	case float64:
		return kindFloat64
	case string:
		return kindString
	case []byte:
		if v == nil {
			return kindNilBytes
		}
		return kindBytes
	case time.Time:
		return kindTime
	case int:
		return kindInt
	case int8:
		return kindInt8
	case int16:
		return kindInt16
	case int32:
		return kindInt32
	case uint:
		return kindUint
	case uint8:
		return kindUint8
	case uint16:
		return kindUint16
	case uint32:
		return kindUint32
	case uint64:
		return kindUint64
	case float32:
		return kindFloat32
	}
	return kindMixed
}

// time writes seconds, nanoseconds and zone.
func (w *wireWriter) time(t time.Time) {
	if t != t.Round(0) {
		w.fail("a time with a monotonic clock")
		return
	}
	w.int(t.Unix())
	w.uint(t.Nanosecond())
	at := zoneAt{zoneOther, t.Location()}
	if t == t.UTC() {
		at.kind = zoneUTC
	}
	if i := slices.Index(w.zones, at); i >= 0 {
		w.uint(i)
		return
	}
	z, ok := zoneOf(t)
	if !ok || len(w.zones) == maxZones {
		w.fail("a time in the zone %q", t.Location().String())
		return
	}
	w.uint(len(w.zones))
	if len(w.zones) == 0 {
		w.b = binary.LittleEndian.AppendUint64(w.b, localPrint())
	}
	w.zones = append(w.zones, at)
	w.zone(z)
}

func (w *wireWriter) zone(z zone) {
	w.b = append(w.b, z.kind)
	switch z.kind {
	case zoneFixed:
		w.b = appendString(w.b, z.name)
		w.int(int64(z.offset))
	case zoneNamed:
		w.b = appendString(w.b, z.name)
		w.b = binary.LittleEndian.AppendUint64(w.b, z.print)
	}
}
