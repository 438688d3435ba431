package session

import (
	"database/sql/driver"
	"reflect"
	"strings"
	"time"

	"github.com/larderdb/larder/analyze"
)

// A clock tells the texts that a database reads as the current time where it expects a
// time: 'now'::timestamp, date('now'). The text of a statement shows its literals;
// arguments are looked at here.
type clock func(text string) bool

// clockOf returns the clock of a dialect, nil if it has no such texts.
func clockOf(d analyze.Dialect) clock {
	switch d {
	case analyze.Postgres:
		return func(text string) bool { return len(text) > longText || analyze.ClockWord(text) }
	case analyze.SQLite:
		return sqliteClock
	}
	return nil
}

// longText is the length from which on a text isn't searched but taken for a clock.
const longText = 64 << 10

// sqliteClock knows the time values and modifiers of SQLite's date functions that
// depend on the clock or on the time zone of the process.
func sqliteClock(text string) bool {
	if len(text) < 3 || len(text) > 32 {
		return false
	}
	text = strings.TrimSpace(text)
	for _, word := range [...]string{"now", "subsec", "subsecond", "localtime", "utc"} {
		if strings.EqualFold(text, word) {
			return true
		}
	}
	return false
}

// anyOf reports whether one of the arguments is, or holds, such a text. A false alarm
// costs no more than a miss.
func (c clock) anyOf(args []driver.NamedValue) bool {
	if c == nil {
		return false
	}
	for i := range args {
		if c.in(args[i].Value) {
			return true
		}
	}
	return false
}

func (c clock) in(value any) bool {
	switch v := value.(type) {
	case nil, int64, int, bool, float64, time.Time:
		return false
	case string:
		return c(v)
	case []byte:
		return c(string(v))
	}
	if c.inParts(reflect.ValueOf(value)) {
		return true
	}
	if valuer, ok := value.(driver.Valuer); ok {
		if said, err := safeValue(valuer); err == nil {
			return c.in(said)
		}
	}
	return false
}

// inParts looks into the texts that a value consists of.
func (c clock) inParts(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return c(v.String())
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && c.inParts(v.Elem())
	case reflect.Slice, reflect.Array:
		return c.inElements(v)
	}
	return false
}

func (c clock) inElements(v reflect.Value) bool {
	switch v.Type().Elem().Kind() {
	case reflect.String, reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Array:
	default:
		return false
	}
	for i := range v.Len() {
		if c.inParts(v.Index(i)) {
			return true
		}
	}
	return false
}
