package page

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A Keyer says by itself what tells it from others of its type, for the key of a fragment.
type Keyer interface{ FragmentKey() string }

// maxDepth bounds how deep values may lie in others; one that has itself in it is deeper.
const maxDepth = 16

var (
	timeType  = reflect.TypeFor[time.Time]()
	keyerType = reflect.TypeFor[Keyer]()
)

// exactly is a form of values that no others have: of their types, and of all that is in them.
func exactly(values []any) (string, error) {
	var k key
	for _, v := range values {
		if err := k.value(reflect.ValueOf(v), maxDepth); err != nil {
			return "", err
		}
	}
	return string(k.b), nil
}

// value adds a value with its type.
func (k *key) value(v reflect.Value, depth int) error {
	if !v.IsValid() {
		k.add("nil")
		return nil
	}
	t := v.Type()
	k.add(t.PkgPath() + " " + t.String())
	if depth == 0 {
		return fmt.Errorf("a %s lies too deep, or in itself: give its key, or let it be a page.Keyer", t)
	}
	if t.Kind() != reflect.Interface && v.CanInterface() && t.Implements(keyerType) && !(t.Kind() == reflect.Pointer && v.IsNil()) {
		k.add(v.Interface().(Keyer).FragmentKey())
		return nil
	}
	if t == timeType && v.CanInterface() {
		at := v.Interface().(time.Time)
		k.add(at.Format(time.RFC3339Nano) + " " + at.Location().String())
		return nil
	}
	switch t.Kind() {
	case reflect.Bool:
		k.add(fmt.Sprint(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		k.b = binary.AppendVarint(k.b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		k.b = binary.AppendUvarint(k.b, v.Uint())
	case reflect.Float32, reflect.Float64:
		k.b = binary.LittleEndian.AppendUint64(k.b, math.Float64bits(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		k.b = binary.LittleEndian.AppendUint64(k.b, math.Float64bits(real(v.Complex())))
		k.b = binary.LittleEndian.AppendUint64(k.b, math.Float64bits(imag(v.Complex())))
	case reflect.String:
		k.add(v.String())
	default:
		return k.composed(v, depth-1)
	}
	return nil
}

// composed adds a value that has others in it.
func (k *key) composed(v reflect.Value, depth int) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			k.add("nil")
			return nil
		}
		k.add("to")
		return k.value(v.Elem(), depth)
	case reflect.Struct:
		for i := range v.NumField() {
			if err := k.value(v.Field(i), depth); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			k.add("nil")
			return nil
		}
		k.add(fmt.Sprint(v.Len()))
		for i := range v.Len() {
			if err := k.value(v.Index(i), depth); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		return k.ofMap(v, depth)
	}
	return fmt.Errorf("values of type %s can't be told apart: give a key, or let it be a page.Keyer", v.Type())
}

// ofMap adds the pairs of a map, in an order of their forms.
func (k *key) ofMap(v reflect.Value, depth int) error {
	if v.IsNil() {
		k.add("nil")
		return nil
	}
	var pairs []string
	for iter := v.MapRange(); iter.Next(); {
		var pair key
		if err := pair.value(iter.Key(), depth); err != nil {
			return err
		}
		if err := pair.value(iter.Value(), depth); err != nil {
			return err
		}
		pairs = append(pairs, string(pair.b))
	}
	slices.SortFunc(pairs, strings.Compare)
	k.add(fmt.Sprint(len(pairs)))
	for _, pair := range pairs {
		k.add(pair)
	}
	return nil
}
