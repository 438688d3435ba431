package session

import (
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/larderdb/larder/analyze"
)

// The kinds of arguments in a key; each is followed by a value of known length,
// so that two lists of arguments have one key only if they are the same list.
const (
	argNil = iota
	argBool
	argInt
	argFloat
	argString
	argBytes
	argTime
	argTyped // a type's name, then its parts
	argName
)

// maxDepth bounds how deep an argument is looked into.
const maxDepth = 16

// appendArgs appends args to a key. Arguments are taken as the caller gave them,
// before any driver converts them: what is equal with its type is converted to
// equal values. It reports false if one of them can't be compared that way (maps,
// channels, functions, output parameters). An argument with a Value method is asked for
// its value too, because that may change while the argument doesn't.
func appendArgs(key []byte, args []driver.NamedValue) ([]byte, bool) {
	ok := true
	for i := range args {
		arg := &args[i]
		if arg.Name != "" {
			key = appendString(append(key, argName), arg.Name)
		}
		if key, ok = appendArg(key, arg.Value); !ok {
			return key, false
		}
	}
	return key, true
}

func appendArg(key []byte, value any) ([]byte, bool) {
	switch v := value.(type) {
	case nil:
		return append(key, argNil), true
	case string:
		return appendString(append(key, argString), v), true
	case int64:
		return binary.LittleEndian.AppendUint64(append(key, argInt, 64), uint64(v)), true
	case int:
		return binary.LittleEndian.AppendUint64(append(key, argInt, 0), uint64(v)), true
	case bool:
		return append(key, argBool, boolByte(v)), true
	case float64:
		return binary.LittleEndian.AppendUint64(append(key, argFloat, 64), math.Float64bits(v)), true
	case []byte:
		if v == nil {
			return append(key, argBytes, 0), true
		}
		return appendString(append(key, argBytes, 1), string(v)), true
	case time.Time:
		return appendTime(key, v), true
	case sql.Out:
		return key, false
	}
	return appendTyped(key, value)
}

// appendTime appends all that a driver may write of a time: the zone's name and
// offset, and the monotonic clock that String shows.
func appendTime(key []byte, t time.Time) []byte {
	key = appendString(append(key, argTime), t.String())
	return appendString(key, t.Location().String())
}

// appendTyped appends a value of any other type: the type's name, what Value says, and
// all that it consists of.
func appendTyped(key []byte, value any) ([]byte, bool) {
	rv := reflect.ValueOf(value)
	if rewritesQuery(rv.Type()) {
		return key, false
	}
	key = appendType(key, rv.Type())
	if valuer, ok := value.(driver.Valuer); ok && !(rv.Kind() == reflect.Pointer && rv.IsNil()) {
		said, err := safeValue(valuer)
		if err != nil || !driver.IsValue(said) {
			return key, false
		}
		if key, ok = appendArg(key, said); !ok {
			return key, false
		}
	}
	return appendParts(key, rv, 0)
}

// rewritesQuery reports whether the driver would take the argument for an
// instruction to change the text (pgx.QueryRewriter).
func rewritesQuery(t reflect.Type) bool {
	_, ok := t.MethodByName("RewriteQuery")
	return ok
}

// rewritten takes a call for one of which nothing is known if an argument may put
// another text in the place of its own. Those of pgx itself only name parameters.
func (c *call) rewritten() {
	for i := range c.args {
		switch c.args[i].Value.(type) {
		case nil, int64, int, string, []byte, bool, float64, time.Time:
			continue
		}
		t := reflect.TypeOf(c.args[i].Value)
		if rewritesQuery(t) && !strings.HasPrefix(t.PkgPath(), "github.com/jackc/pgx/") {
			c.query = &query{text: c.text, st: &analyze.Statement{Text: c.text, Dialect: c.st.Dialect,
				Kind: analyze.Unknown, Control: analyze.OtherControl, WritesAll: true, Reason: analyze.Argument}}
			return
		}
	}
}

func safeValue(v driver.Valuer) (value driver.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("session: Value of %T panicked: %v", v, r)
		}
	}()
	return v.Value()
}

func appendType(key []byte, t reflect.Type) []byte {
	key = appendString(append(key, argTyped), t.PkgPath())
	return appendString(key, t.String())
}

var timeType = reflect.TypeFor[time.Time]()

func appendParts(key []byte, v reflect.Value, depth int) ([]byte, bool) {
	if depth > maxDepth {
		return key, false
	}
	switch v.Kind() {
	case reflect.Bool:
		return append(key, argBool, boolByte(v.Bool())), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.LittleEndian.AppendUint64(append(key, argInt), uint64(v.Int())), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return binary.LittleEndian.AppendUint64(append(key, argInt), v.Uint()), true
	case reflect.Float32, reflect.Float64:
		return binary.LittleEndian.AppendUint64(append(key, argFloat), math.Float64bits(v.Float())), true
	case reflect.Complex64, reflect.Complex128:
		key = binary.LittleEndian.AppendUint64(append(key, argFloat), math.Float64bits(real(v.Complex())))
		return binary.LittleEndian.AppendUint64(key, math.Float64bits(imag(v.Complex()))), true
	case reflect.String:
		return appendString(append(key, argString), v.String()), true
	case reflect.Slice:
		if v.IsNil() {
			return append(key, argNil), true
		}
		return appendElements(key, v, depth)
	case reflect.Array:
		return appendElements(key, v, depth)
	case reflect.Struct:
		return appendFields(key, v, depth)
	case reflect.Pointer:
		if v.IsNil() {
			return append(key, argNil), true
		}
		return appendParts(append(key, argTyped), v.Elem(), depth+1)
	case reflect.Interface:
		if v.IsNil() {
			return append(key, argNil), true
		}
		return appendParts(appendType(key, v.Elem().Type()), v.Elem(), depth+1)
	}
	return key, false // maps, channels, functions, unsafe pointers
}

func appendElements(key []byte, v reflect.Value, depth int) ([]byte, bool) {
	key = binary.AppendUvarint(append(key, argTyped), uint64(v.Len()))
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return append(key, v.Bytes()...), true
	}
	ok := true
	for i := range v.Len() {
		if key, ok = appendParts(key, v.Index(i), depth+1); !ok {
			return key, false
		}
	}
	return key, true
}

func appendFields(key []byte, v reflect.Value, depth int) ([]byte, bool) {
	if v.Type() == timeType {
		if !v.CanInterface() {
			return key, false
		}
		return appendTime(key, v.Interface().(time.Time)), true
	}
	ok := true
	for i := range v.NumField() {
		if key, ok = appendParts(key, v.Field(i), depth+1); !ok {
			return key, false
		}
	}
	return key, true
}

func appendString(key []byte, s string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(s))), s...)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
