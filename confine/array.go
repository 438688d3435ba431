package confine

import (
	"database/sql/driver"
	"reflect"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// maxSlices bounds the slices of a reference and the images of a change.
const maxSlices = 128

// Elements returns the forms of the elements of an array with which a column is compared: a slice, or
// what stands for an array in PostgreSQL as text.
func (c Class) Elements(d analyze.Dialect, v any) (forms []string, ok bool) {
	if d != analyze.Postgres || c.Kind == Opaque {
		return nil, false
	}
	if valuer, is := v.(driver.Valuer); is {
		if v, ok = valueOf(valuer); !ok {
			return nil, false
		}
	}
	if s, is := v.(string); is {
		return c.list(d, s)
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice || r.Type().NumMethod() > 0 || r.Type().Elem().Kind() == reflect.Uint8 || r.Len() > maxSlices {
		return nil, false
	}
	for i := range r.Len() {
		form, ok := c.Value(d, r.Index(i).Interface())
		if !ok {
			return nil, false
		}
		forms = append(forms, form)
	}
	return forms, !r.IsNil()
}

// list reads an array that is written as text, if nothing in it is escaped or absent.
func (c Class) list(d analyze.Dialect, s string) (forms []string, ok bool) {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' || strings.ContainsRune(s, '\\') || strings.Count(s, ",") >= maxSlices {
		return nil, false
	}
	if s = s[1 : len(s)-1]; s == "" {
		return nil, true
	}
	if c.Kind == Bytes {
		return nil, false
	}
	for item := range strings.SplitSeq(s, ",") {
		if len(item) >= 2 && item[0] == '"' && item[len(item)-1] == '"' {
			item = item[1 : len(item)-1]
		} else if item == "" || strings.EqualFold(item, "null") || strings.ContainsAny(item, " \t\n\v\f\r") {
			return nil, false
		}
		if strings.ContainsAny(item, `"{}`) {
			return nil, false
		}
		form, ok := c.text(d, item, argument)
		if !ok {
			return nil, false
		}
		forms = append(forms, form)
	}
	return forms, true
}
