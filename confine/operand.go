package confine

import (
	"database/sql/driver"
	"reflect"
)

// plain returns an argument as one of nil, int64, uint64, float64, bool, string, []byte and
// [16]byte, if it is surely that what a driver sends. Types with methods of their own are left
// out, unless they say their value: drivers may prefer one of these methods.
func plain(v any) (value any, ok bool) {
	for range 4 {
		switch v := v.(type) {
		case nil, int64, float64, bool, string, uint64, [16]byte:
			return v, true
		case []byte:
			// For some drivers this is NULL, for others it is empty.
			return v, v != nil
		}
		if valuer, is := v.(driver.Valuer); is {
			if v, ok = valueOf(valuer); !ok {
				return nil, false
			}
			continue
		}
		r := reflect.ValueOf(v)
		if r.Kind() != reflect.Pointer {
			return byKind(r)
		}
		if r.IsNil() {
			return nil, r.Type().NumMethod() == 0
		}
		v = r.Elem().Interface()
	}
	return nil, false
}

// valueOf asks for the value of an argument. One that panics, as those without a value may, has none.
func valueOf(v driver.Valuer) (value any, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	value, err := v.Value()
	return value, err == nil
}

func byKind(r reflect.Value) (value any, ok bool) {
	if r.Type().NumMethod() > 0 || reflect.PointerTo(r.Type()).NumMethod() > 0 {
		return nil, false
	}
	switch r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return r.Uint(), true
	case reflect.Float64:
		return r.Float(), true
	case reflect.Bool:
		return r.Bool(), true
	case reflect.String:
		return r.String(), true
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 && !r.IsNil() {
			return r.Bytes(), true
		}
	case reflect.Array:
		if r.Type().ConvertibleTo(reflect.TypeFor[[16]byte]()) {
			return r.Convert(reflect.TypeFor[[16]byte]()).Interface(), true
		}
	}
	return nil, false
}
