package larder

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ugorji/go/codec"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/session"
)

// A Codec writes values for stores that processes share. It is safe for concurrent use.
type Codec interface {
	// Name tells what it writes from what others do, and from what earlier versions of it did: a value that was written under
	// another name isn't read.
	Name() string

	// Append appends the value that from points to, a *T where Remember is of T, to dst. If it fails the value isn't kept.
	Append(dst []byte, from any) ([]byte, error)

	// Decode reads what Append has written into the value that into, a *T, points to. If it fails there is no value. It must not keep data.
	Decode(data []byte, into any) error
}

// exact is the Codec that is used if no other is given. It keeps only what it gives back as it was: it reads what it has written
// and compares.
type exact struct{}

// simple is its form: fields by their names, whatever their tags say of JSON; times with their offset.
var simple = func() *codec.SimpleHandle {
	h := &codec.SimpleHandle{}
	h.TypeInfos = codec.NewTypeInfos([]string{"larder"})
	h.CheckCircularRef = true
	h.MapType = reflect.TypeFor[map[string]any]()
	h.SignedInteger = true
	return h
}()

func (exact) Name() string { return "exact/1" }

func (exact) Append(dst []byte, from any) (_ []byte, err error) {
	defer recovered(&err)
	var form []byte
	if err := codec.NewEncoderBytes(&form, simple).Encode(from); err != nil {
		return dst, err
	}
	value := reflect.ValueOf(from).Elem()
	read := reflect.New(value.Type())
	if err := codec.NewDecoderBytes(form, simple).Decode(read.Interface()); err != nil {
		return dst, err
	}
	if at, same := sameValue(value, read.Elem()); !same {
		return dst, fmt.Errorf("%v%s would not come back as it is; give ValueOptions a Codec that keeps it", value.Type(), at)
	}
	return append(dst, form...), nil
}

func (exact) Decode(data []byte, into any) (err error) {
	defer recovered(&err)
	return codec.NewDecoderBytes(data, simple).Decode(into)
}

// recovered makes an error of the panic of a value's own method.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}

// The form of a value in a shared store:
//
//	head     4 bytes: "LV", the version of the form, 1 if there is no value
//	mark     8 bytes that tell the codec and the type
//	expires  8 bytes: milliseconds since 1970, 0 for never
//	renew    8 bytes: the same
//	value    what the codec has written
const (
	formHead = "LV\x01"
	formSize = len(formHead) + 1 + 8 + 8 + 8
)

// write writes the form of a value.
func (b *box[T]) write(c Codec) (err error) {
	if c == nil {
		c = exact{}
	}
	form := append(make([]byte, 0, 256), formHead...)
	form = append(form, 0)
	if b.absent {
		form[len(formHead)] = 1
	}
	mark := markOf(reflect.TypeFor[T](), c)
	form = append(form, mark[:]...)
	form = binary.BigEndian.AppendUint64(form, uint64(milliseconds(b.expires)))
	form = binary.BigEndian.AppendUint64(form, uint64(b.renew.Load()/int64(time.Millisecond)))
	if !b.absent {
		if form, err = c.Append(form, &b.value); err != nil {
			return fmt.Errorf("it can't be written: %w", err)
		}
	}
	b.form = form
	return nil
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// A wired value has come from a shared store. It is decoded for the first who asks, and then the same Go value for all.
type wired struct {
	form    []byte
	decoded atomic.Pointer[any] // a box
}

// AppendBinary makes it a value that can be filled again.
func (w *wired) AppendBinary(dst []byte) ([]byte, error) { return append(dst, w.form...), nil }

// decodeEntry makes a result or a value of what a shared store has kept.
func decodeEntry(b coherence.Bytes) (value any, size int, ok bool) {
	if bytes.HasPrefix(b, []byte(formHead)) && len(b) >= formSize {
		return &wired{form: b}, 3 * len(b), true
	}
	return session.Decode(b)
}

// unboxed returns the value that an entry has, or why it is of no use.
func unboxed[T any](kept any, c Codec) (b *box[T], why string) {
	const other = "the key is used with values of another type, too"
	switch kept := kept.(type) {
	case *box[T]:
		return kept, ""
	case coherence.Bytes:
		return readBox[T](kept, c)
	case *wired:
		if before := kept.decoded.Load(); before != nil {
			if b, ok := (*before).(*box[T]); ok {
				return b, ""
			}
			return nil, other
		}
		if b, why = readBox[T](kept.form, c); b == nil {
			return nil, why
		}
		now := any(b)
		if !kept.decoded.CompareAndSwap(nil, &now) {
			if first, ok := (*kept.decoded.Load()).(*box[T]); ok {
				b = first
			}
		}
		return b, ""
	}
	return nil, other
}

// readBox reads the form of a value.
func readBox[T any](form []byte, c Codec) (*box[T], string) {
	if c == nil {
		c = exact{}
	}
	if len(form) < formSize || string(form[:len(formHead)]) != formHead {
		return nil, "the store has a value in a form of another version"
	}
	rest := form[len(formHead)+1:]
	if mark := markOf(reflect.TypeFor[T](), c); !bytes.Equal(rest[:8], mark[:]) {
		return nil, "the store has a value of another type, or of another codec"
	}
	b := &box[T]{absent: form[len(formHead)] == 1, size: len(form)}
	if ms := int64(binary.BigEndian.Uint64(rest[8:])); ms != 0 {
		b.expires = time.UnixMilli(ms)
	}
	b.renew.Store(int64(binary.BigEndian.Uint64(rest[16:])) * int64(time.Millisecond))
	if b.absent {
		return b, ""
	}
	if err := c.Decode(rest[24:], &b.value); err != nil {
		return nil, fmt.Sprintf("the value in the store can't be read: %v", err)
	}
	return b, ""
}

// marks are those of types under codecs, by markKey.
var marks sync.Map

type markKey struct {
	of    reflect.Type
	codec string
}

// markOf tells a type, as it is written by a codec, from others, and from itself with other fields.
func markOf(t reflect.Type, c Codec) (mark [8]byte) {
	key := markKey{t, c.Name()}
	if m, ok := marks.Load(key); ok {
		return m.([8]byte)
	}
	var text strings.Builder
	text.WriteString(key.codec + "\x00")
	describe(&text, t, make(map[reflect.Type]bool))
	sum := sha256.Sum256([]byte(text.String()))
	copy(mark[:], sum[:])
	marks.Store(key, mark)
	return mark
}

// describe writes what a type is made of.
func describe(w *strings.Builder, t reflect.Type, seen map[reflect.Type]bool) {
	fmt.Fprintf(w, "%s.%s %v ", t.PkgPath(), t.Name(), t)
	if seen[t] {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Map:
		describe(w, t.Key(), seen)
		describe(w, t.Elem(), seen)
	case reflect.Array, reflect.Slice, reflect.Pointer:
		describe(w, t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprintf(w, "%s %q {", f.Name, f.Tag)
			describe(w, f.Type, seen)
			w.WriteString("}")
		}
	}
}
