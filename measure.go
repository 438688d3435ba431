package larder

import (
	"math"
	"reflect"
	"time"
)

// sizeOf is what the value that v points to takes in memory, as near as can be told, or something above limit. What
// lies behind pointers, maps and interfaces in fields that aren't exported isn't counted: others may be changing it.
func sizeOf(v any, limit int) int {
	s := sizing{limit: limit, seen: make(map[seenAt]bool)}
	of := reflect.ValueOf(v).Elem()
	s.size = int(of.Type().Size())
	s.walk(of, false)
	return s.size
}

type sizing struct {
	size  int
	limit int
	seen  map[seenAt]bool
}

// seenAt is told with its type, for a struct begins where its first field does.
type seenAt struct {
	at uintptr
	of reflect.Type
}

const mapEntrySize = 16 // beside key and value

// walk adds what is behind v; v itself has been counted. hidden says that it lies in a field that isn't exported.
func (s *sizing) walk(v reflect.Value, hidden bool) {
	if s.size > s.limit || !pointing(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		s.size += v.Len()
	case reflect.Slice:
		s.size += v.Cap() * int(v.Type().Elem().Size())
		s.walkAll(v, hidden)
	case reflect.Array:
		s.walkAll(v, hidden)
	case reflect.Struct:
		for i := range v.NumField() {
			s.walk(v.Field(i), hidden || !v.Type().Field(i).IsExported())
		}
	case reflect.Pointer:
		if at := (seenAt{v.Pointer(), v.Type()}); !hidden && !v.IsNil() && !s.seen[at] {
			s.seen[at] = true
			s.size += int(v.Type().Elem().Size())
			s.walk(v.Elem(), false)
		}
	case reflect.Interface:
		if !hidden && !v.IsNil() {
			s.size += int(v.Elem().Type().Size())
			s.walk(v.Elem(), false)
		}
	case reflect.Map:
		s.walkMap(v, hidden)
	}
}

func (s *sizing) walkAll(v reflect.Value, hidden bool) {
	if !pointing(v.Type().Elem()) {
		return
	}
	for i := range v.Len() {
		if s.size > s.limit {
			return
		}
		s.walk(v.Index(i), hidden)
	}
}

func (s *sizing) walkMap(v reflect.Value, hidden bool) {
	if hidden || v.IsNil() || s.seen[seenAt{v.Pointer(), v.Type()}] {
		return
	}
	s.seen[seenAt{v.Pointer(), v.Type()}] = true
	t := v.Type()
	s.size += v.Len() * (int(t.Key().Size()+t.Elem().Size()) + mapEntrySize)
	for each := v.MapRange(); each.Next() && s.size <= s.limit; {
		s.walk(each.Key(), false)
		s.walk(each.Value(), false)
	}
}

// pointing reports whether values of a type have something behind them that counts.
func pointing(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Slice, reflect.Pointer, reflect.Interface, reflect.Map:
		return true
	case reflect.Array:
		return t.Len() > 0 && pointing(t.Elem())
	case reflect.Struct:
		if t == timeType { // its location is shared
			return false
		}
		for i := range t.NumField() {
			if pointing(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

var timeType = reflect.TypeFor[time.Time]()

// sameValue reports whether b is what a is: equal in depth, with nil told from empty. NaN is NaN; a time is
// the same with the same offset in a location of the same name, without what only this process's clock knows. If not, at
// says where in a.
func sameValue(a, b reflect.Value) (at string, same bool) {
	if a.Kind() != b.Kind() {
		return "", false
	}
	switch a.Kind() {
	case reflect.Struct:
		return sameStruct(a, b)
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return "", a.IsNil() == b.IsNil()
		}
		if a.Kind() == reflect.Interface && a.Elem().Type() != b.Elem().Type() {
			return "", false
		}
		return sameValue(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return "", false
		}
		return sameAll(a, b)
	case reflect.Array:
		return sameAll(a, b)
	case reflect.Map:
		return sameMap(a, b)
	case reflect.Float32, reflect.Float64:
		return "", math.Float64bits(a.Float()) == math.Float64bits(b.Float()) || a.Float() != a.Float() && b.Float() != b.Float()
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return "", a.IsNil() && b.IsNil()
	}
	return "", a.Equal(b)
}

func sameStruct(a, b reflect.Value) (at string, same bool) {
	if a.Type() == timeType && a.CanInterface() && b.CanInterface() {
		return "", sameTime(a.Interface().(time.Time), b.Interface().(time.Time))
	}
	for i := range a.NumField() {
		if at, same := sameValue(a.Field(i), b.Field(i)); !same {
			return "." + a.Type().Field(i).Name + at, false
		}
	}
	return "", true
}

func sameTime(a, b time.Time) bool {
	_, east := a.Zone()
	_, eastToo := b.Zone()
	return a.Equal(b) && east == eastToo && a.Location().String() == b.Location().String()
}

func sameAll(a, b reflect.Value) (at string, same bool) {
	for i := range a.Len() {
		if at, same := sameValue(a.Index(i), b.Index(i)); !same {
			return "[…]" + at, false
		}
	}
	return "", true
}

func sameMap(a, b reflect.Value) (at string, same bool) {
	if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
		return "", false
	}
	for each := a.MapRange(); each.Next(); {
		other := b.MapIndex(each.Key())
		if !other.IsValid() {
			return "[…]", false
		}
		if at, same := sameValue(each.Value(), other); !same {
			return "[…]" + at, false
		}
	}
	return "", true
}
