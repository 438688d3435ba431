package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"testing"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/wire"
)

func form(t testing.TB, key string, e *store.Entry) []byte {
	t.Helper()
	data, ok, err := wire.Append(nil, key, e)
	if !ok || err != nil {
		t.Fatalf("append: %v %v", ok, err)
	}
	return data
}

var entries = []*store.Entry{
	{Value: store.Bytes("rows"), Size: 4, Tags: []store.Tag{"a", "2:db:stuff{user_id=42}"}, Tokens: []store.Token{1, 1<<64 - 1}},
	{Value: store.Bytes{}, Tags: []store.Tag{}, Tokens: []store.Token{}},
	{Value: store.Bytes("\x00\xff"), Size: 2, Tags: []store.Tag{""}, Tokens: []store.Token{0}},
}

func TestThereAndBack(t *testing.T) {
	for _, e := range entries {
		if got := wire.Parse("key", form(t, "key", e)); !reflect.DeepEqual(got, e) {
			t.Errorf("%+v, want %+v", got, e)
		}
	}
}

// TestAppendsToWhatIsThere: the sum is of the entry alone.
func TestAppendsToWhatIsThere(t *testing.T) {
	data, _, err := wire.Append([]byte("before"), "key", entries[0])
	if err != nil || !bytes.Equal(data, append([]byte("before"), form(t, "key", entries[0])...)) {
		t.Errorf("%q %v", data, err)
	}
}

// TestDamage changes each bit, cuts at each byte, and adds one.
func TestDamage(t *testing.T) {
	data := form(t, "key", entries[0])
	for i := range data {
		if wire.Parse("key", data[:i]) != nil {
			t.Errorf("cut at %d it is an entry", i)
		}
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			if wire.Parse("key", bad) != nil {
				t.Errorf("with bit %d of byte %d changed it is an entry", bit, i)
			}
		}
	}
	if wire.Parse("key", append(bytes.Clone(data), 0)) != nil {
		t.Error("with a byte more it is an entry")
	}
}

func TestAnotherKey(t *testing.T) {
	if wire.Parse("yek", form(t, "key", entries[0])) != nil {
		t.Error("the entry of one key is found under another")
	}
}

// TestOtherVersion has sums that are right: by them alone it would be an entry.
func TestOtherVersion(t *testing.T) {
	data := form(t, "key", entries[0])
	for i := range 4 {
		bad := bytes.Clone(data[:len(data)-4])
		bad[i]++
		sum := crc32.Checksum(append([]byte("key"), bad...), crc32.MakeTable(crc32.Castagnoli))
		if wire.Parse("key", binary.BigEndian.AppendUint32(bad, sum)) != nil {
			t.Errorf("with another byte %d of the head it is an entry", i)
		}
	}
}

type broken struct{}

func (broken) AppendBinary([]byte) ([]byte, error) { return nil, errBroken }

var errBroken = errors.New("broken")

func TestWhatCantBeWritten(t *testing.T) {
	if data, ok, err := wire.Append([]byte("x"), "k", &store.Entry{Value: 1}); ok || err != nil || string(data) != "x" {
		t.Errorf("an int: %q %v %v", data, ok, err)
	}
	if data, ok, err := wire.Append([]byte("x"), "k", &store.Entry{Value: broken{}}); ok || !errors.Is(err, errBroken) || string(data) != "x" {
		t.Errorf("a value that fails: %q %v %v", data, ok, err)
	}
	if _, ok, _ := wire.Append(nil, "k", &store.Entry{Value: store.Bytes{}, Tags: []store.Tag{"a"}}); ok {
		t.Error("a tag without a token")
	}
}

func FuzzParse(f *testing.F) {
	for _, e := range entries {
		f.Add("key", form(f, "key", e))
	}
	f.Add("", []byte("LE\x01\x00\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		e := wire.Parse(key, data)
		if e == nil {
			return
		}
		if again := form(t, key, e); !bytes.Equal(again, data) {
			t.Fatalf("%q came back as %q", data, again)
		}
	})
}
