package page

import (
	"encoding/binary"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/larderdb/larder/coherence"
)

// A stored page is a response as its handler made it, ready to be sent: with its entity tag and all that isn't of one
// request. It is shared and doesn't change.
type stored struct {
	status int
	flags  flags
	made   time.Time     // less the age that it had then
	life   time.Duration // from made on; 0: as long as what it depends on is as it was
	route  string        // for those who watch
	header []field
	body   []byte

	etag     string // from the header
	modified time.Time
}

// A field is one of a response's header.
type field struct {
	name   string // canonical
	values []string
}

type flags uint8

const (
	isPublic   flags = 1 << iota // its handler says that all may have it
	mayShare                     // its handler says so of who has an Authorization
	byCookie                     // its key has the Cookie that it was made for
	isPersonal                   // its key has the user that it was made for
	isChecked                    // it depends on what was read: that it is found says that it is as it was
	allFlags   = 1<<iota - 1
)

func (p *stored) is(f flags) bool { return p.flags&f != 0 }

// expires is when it may not be served any more; zero for never.
func (p *stored) expires() time.Time {
	if p.life == 0 {
		return time.Time{}
	}
	return p.made.Add(p.life)
}

// validators sets what conditions of requests are compared with.
func (p *stored) validators() {
	for _, f := range p.header {
		if len(f.values) != 1 {
			continue
		}
		switch f.name {
		case "Etag":
			if validTag(f.values[0]) {
				p.etag = f.values[0]
			}
		case "Last-Modified":
			p.modified, _ = http.ParseTime(f.values[0])
		}
	}
}

// The form in which pages, fragments and what URLs vary by lie in a store outside of this process:
//
//	page      "P", version, flags, status, made in ms since 1970, life in ms, route, fields, body to the end
//	fragment  "F", version, when it expires in ms since 1970 (0: not by itself), to the end
//	vary      "V", version, names
//
// Numbers are varints; texts and lists have their length before them. A change of any of this is another
// version, which who doesn't know it takes for nothing.
const (
	pageHead     = "P\x01"
	fragmentHead = "F\x02"
	varyHead     = "V\x01"
)

// maxFields bounds what one response, or one list, may have.
const maxFields = 1024

var errForm = errors.New("page: not the form of a page")

// AppendBinary appends the form of a page.
func (p *stored) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, pageHead...)
	b = append(b, byte(p.flags))
	b = binary.AppendUvarint(b, uint64(p.status))
	b = binary.AppendUvarint(b, uint64(p.made.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(p.life.Milliseconds()))
	b = appendText(b, p.route)
	b = binary.AppendUvarint(b, uint64(len(p.header)))
	for _, f := range p.header {
		b = appendTexts(appendText(b, f.name), f.values)
	}
	return append(b, p.body...), nil
}

// size is what the page takes in memory, about.
func (p *stored) size() int {
	n := 160 + len(p.route) + len(p.body)
	for _, f := range p.header {
		n += 64 + len(f.name)
		for _, v := range f.values {
			n += 16 + len(v)
		}
	}
	return n
}

// A text is a fragment. It is shared and doesn't change.
type text struct {
	body    []byte
	expires time.Time // what it is a part of lives no longer; zero: not by itself
}

// AppendBinary appends the form of a fragment.
func (t text) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, fragmentHead...)
	if t.expires.IsZero() {
		b = binary.AppendUvarint(b, 0)
	} else {
		b = binary.AppendUvarint(b, uint64(t.expires.UnixMilli()))
	}
	return append(b, t.body...), nil
}

// size is what the fragment takes in memory, about.
func (t text) size() int { return 96 + cap(t.body) }

// A vary is what the responses of one URL vary by, where that is more than nothing: names of fields, in order.
type vary []string

// AppendBinary appends the form of a vary.
func (v vary) AppendBinary(b []byte) ([]byte, error) {
	return appendTexts(append(b, varyHead...), v), nil
}

// decode makes a *stored, a text or a vary of what a store has. What it has as bytes stays theirs. It is nil for anything else.
func decode(value any) any {
	b, ok := value.(coherence.Bytes)
	if !ok {
		return value
	}
	r := reader{b: b}
	switch head := string(r.take(len(pageHead))); head {
	case pageHead:
		if p := r.page(); r.err == nil {
			return p
		}
	case fragmentHead:
		if t := r.fragment(); r.err == nil {
			return t
		}
	case varyHead:
		if v := vary(r.texts()); r.err == nil && len(r.b) == 0 {
			return v
		}
	}
	return nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// A reader reads a form. After an error it reads nothing.
type reader struct {
	b   []byte
	err error
}

func (r *reader) page() *stored {
	p := &stored{flags: flags(r.byte()), status: r.number(999), made: time.UnixMilli(int64(r.number(math.MaxInt64)))}
	p.life = time.Duration(r.number(math.MaxInt64/int(time.Millisecond))) * time.Millisecond
	p.route = r.text()
	n := r.number(maxFields)
	for range n {
		if f := (field{r.text(), r.texts()}); r.err == nil {
			p.header = append(p.header, f)
		}
	}
	if p.body = r.b; p.flags&^allFlags != 0 || !storableStatus(p.status) {
		r.err = errForm
	}
	p.validators()
	return p
}

func (r *reader) fragment() (t text) {
	if ms := r.number(math.MaxInt64); ms != 0 {
		t.expires = time.UnixMilli(int64(ms))
	}
	t.body = r.b
	return t
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.err = nil, errForm
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// number reads one that is no larger than most.
func (r *reader) number(most int) int {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > uint64(most) {
		r.b, r.err = nil, errForm
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *reader) text() string { return string(r.take(r.number(math.MaxInt32))) }

func (r *reader) texts() []string {
	var list []string
	for range r.number(maxFields) {
		if s := r.text(); r.err == nil {
			list = append(list, s)
		}
	}
	return list
}
