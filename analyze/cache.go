package analyze

import (
	"math"
	"strings"
	"unsafe"

	"github.com/maypok86/otter/v2"
)

// DefaultCacheBytes bounds a Cache that is given no bound.
const DefaultCacheBytes = 8 << 20

// A Cache keeps the statements of texts that were analysed before. It may be
// used by several goroutines.
type Cache struct {
	statements *otter.Cache[cacheKey, *Statement]
}

type cacheKey struct {
	dialect Dialect
	text    string
}

// NewCache returns a cache that holds statements of about maxBytes in all, the
// texts included; 0 means DefaultCacheBytes.
func NewCache(maxBytes int) *Cache {
	if maxBytes <= 0 {
		maxBytes = DefaultCacheBytes
	}
	return &Cache{statements: otter.Must(&otter.Options[cacheKey, *Statement]{
		MaximumWeight: uint64(maxBytes),
		Weigher: func(_ cacheKey, s *Statement) uint32 {
			return uint32(min(s.size()+cacheEntrySize, math.MaxUint32))
		},
	})}
}

// Analyze returns what the function Analyze returns, the same Statement each
// time while the cache holds it. Finding it allocates nothing.
func (c *Cache) Analyze(d Dialect, text string) *Statement {
	if s, ok := c.statements.GetIfPresent(cacheKey{d, text}); ok {
		return s
	}
	text = strings.Clone(text) // which may be part of something larger
	s, _ := c.statements.SetIfAbsent(cacheKey{d, text}, Analyze(d, text))
	return s
}

const (
	cacheEntrySize = 128 // what the cache itself needs for an entry, about
	nameSize       = int(unsafe.Sizeof(Name{}))
	stringSize     = int(unsafe.Sizeof(""))
)

// rowsPerByte is how many bytes Rows, Mentions and Change take for each of the text.
const rowsPerByte = 20

// size is about the number of bytes that s occupies.
func (s *Statement) size() int {
	size := int(unsafe.Sizeof(*s)) + len(s.Text) + len(s.Detail)
	for _, names := range [][]Name{s.Reads, s.Functions, s.TempTables} {
		for _, name := range names {
			size += nameSize + len(name.Schema) + len(name.Name)
		}
	}
	for _, w := range s.Writes {
		size += int(unsafe.Sizeof(w)) + len(w.Relation.Schema) + len(w.Relation.Name)
	}
	for _, texts := range [][]string{s.Operators, s.TimeCasts, s.Settings} {
		for _, text := range texts {
			size += stringSize + len(text)
		}
	}
	if s.Rows != nil || s.Change != nil {
		size += rowsPerByte * len(s.Text) // there's a part for about every word
	}
	for _, part := range s.Parts {
		size += part.size()
	}
	if s.Prepared != nil {
		size += s.Prepared.size()
	}
	return size
}
