// Package wire is the form in which entries lie in stores outside of this process.
//
//	head    4 bytes: "LE", the version of the form, 0
//	tags    a count, then of each tag its length, its name and its token
//	value   what the entry's Value writes of itself
//	sum     4 bytes: CRC-32C of the key and of all before
//
// Counts and lengths have 4 bytes, tokens 8, the most significant first, so that
// a store's own scripts can read the tags too. The sum covers the key: a value
// that lies under another's key isn't taken for that other.
package wire

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"unsafe"

	"github.com/larderdb/larder/store"
)

const (
	head    = "LE\x01\x00"
	sumSize = 4
	tagSize = 4 + 8 // of a tag without a name
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends the form of an entry under key. It reports false if the entry
// can't be written: its Value is no encoding.BinaryAppender.
func Append(dst []byte, key string, e *store.Entry) ([]byte, bool, error) {
	value, ok := e.Value.(encoding.BinaryAppender)
	if !ok || len(e.Tags) != len(e.Tokens) {
		return dst, false, nil
	}
	from := len(dst)
	dst = append(dst, head...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(e.Tags)))
	for i, tag := range e.Tags {
		if uint64(len(tag)) > math.MaxUint32 {
			return dst[:from], false, nil
		}
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(tag)))
		dst = append(dst, tag...)
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.Tokens[i]))
	}
	written, err := value.AppendBinary(dst)
	if err != nil {
		return dst[:from], false, fmt.Errorf("wire: write the value: %w", err)
	}
	return binary.BigEndian.AppendUint32(written, sum(key, written[from:])), true, nil
}

// Parse returns the entry that has this form under key, or nil if data is anything
// else: of another version, of another program, of another key, or damaged. The
// entry's Value is of type store.Bytes and, like its tags, lies in data, which must
// not change any more.
func Parse(key string, data []byte) *store.Entry {
	if len(data) < len(head)+4+sumSize || string(data[:len(head)]) != head {
		return nil
	}
	body, end := data[:len(data)-sumSize], data[len(data)-sumSize:]
	if binary.BigEndian.Uint32(end) != sum(key, body) {
		return nil
	}
	n, rest := binary.BigEndian.Uint32(body[len(head):]), body[len(head)+4:]
	if uint64(n)*tagSize > uint64(len(rest)) {
		return nil
	}
	e := &store.Entry{Tags: make([]store.Tag, n), Tokens: make([]store.Token, n)}
	for i := range e.Tags {
		if rest = parseTag(rest, &e.Tags[i], &e.Tokens[i]); rest == nil {
			return nil
		}
	}
	e.Value, e.Size = store.Bytes(rest), len(rest)
	return e
}

// parseTag reads one tag and returns what follows it; nil if there is no whole tag.
func parseTag(data []byte, tag *store.Tag, token *store.Token) []byte {
	if len(data) < tagSize {
		return nil
	}
	n, rest := uint64(binary.BigEndian.Uint32(data)), data[4:]
	if uint64(len(rest)) < n+8 {
		return nil
	}
	*tag = store.Tag(unsafe.String(unsafe.SliceData(rest), int(n)))
	*token = store.Token(binary.BigEndian.Uint64(rest[n:]))
	return rest[n+8:]
}

func sum(key string, body []byte) uint32 {
	keyed := crc32.Update(0, castagnoli, unsafe.Slice(unsafe.StringData(key), len(key)))
	return crc32.Update(keyed, castagnoli, body)
}
