package larder

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// A BucketCodec writes values for the store, and reads them. It must be safe for concurrent use, and processes that share values
// must have the same one.
type BucketCodec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// jsonCodec is the default: every language reads it, it is told apart from what was written by an older type by names and not by order, and
// it needs no description of the type beside each value, as gob does.
type jsonCodec struct{}

func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// A notation is how values of a type are written.
type notation uint8

const (
	byCodec  notation = iota
	asInt             // in decimal, as stores count
	asUint            // in decimal
	asString          // as it is
	asBytes           // as they are
)

// notationOf returns the notation of a type. One that says how it is written is left to the codec, and with a codec of
// the caller's everything but whole numbers is.
func notationOf(t reflect.Type, codec bool) notation {
	for _, own := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.BinaryMarshaler]()} {
		if t.Implements(own) || reflect.PointerTo(t).Implements(own) {
			return byCodec
		}
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return asInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return asUint
	case reflect.String:
		if !codec {
			return asString
		}
	case reflect.Slice:
		if !codec && t.Elem().Kind() == reflect.Uint8 {
			return asBytes
		}
	}
	return byCodec
}

func (b *Bucket[T]) encode(value T) ([]byte, error) {
	switch v := reflect.ValueOf(&value).Elem(); b.notation {
	case asInt:
		return strconv.AppendInt(nil, v.Int(), 10), nil
	case asUint:
		return strconv.AppendUint(nil, v.Uint(), 10), nil
	case asString:
		return []byte(v.String()), nil
	case asBytes:
		return append([]byte{}, v.Bytes()...), nil // the value is its owner's, who may change it
	}
	data, err := b.codec.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("write a %v: %w", reflect.TypeFor[T](), err)
	}
	return data, nil
}

func (b *Bucket[T]) decode(data []byte) (value T, err error) {
	v := reflect.ValueOf(&value).Elem()
	switch b.notation {
	case asInt:
		var n int64
		if n, err = strconv.ParseInt(string(data), 10, v.Type().Bits()); err == nil {
			v.SetInt(n)
		}
	case asUint:
		var n uint64
		if n, err = strconv.ParseUint(string(data), 10, v.Type().Bits()); err == nil {
			v.SetUint(n)
		}
	case asString:
		v.SetString(string(data))
	case asBytes:
		v.SetBytes(append([]byte{}, data...))
	default:
		err = b.codec.Unmarshal(data, &value)
	}
	if err != nil {
		var zero T
		return zero, fmt.Errorf("read a %v: %w", reflect.TypeFor[T](), err)
	}
	return value, nil
}
