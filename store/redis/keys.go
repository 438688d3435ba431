package redis

import (
	"crypto/sha256"
	"hash/fnv"
	"strconv"

	"github.com/larderdb/larder/store"
)

// The keys of a store begin with its prefix:
//
//	larder:r          the register
//	larder:t:TAG      a tag
//	larder:e:KEY      an entry
//	larder:c:KEY      a claim
//	larder:p:KEY      a plain value
//	larder:s          where numbers are counted, by a script that leaves nothing there
//
// In a cluster there are 64 buckets; what must be in one slot has the bucket's
// number in braces: larder:{17}:r, larder:{17}:t:TAG, larder:{17}:e:KEY.

const (
	buckets = 64
	longKey = 200 // bytes; the key of an entry that is longer is hashed
)

// names are the names of keys.
type names struct {
	prefix  string
	cluster bool
}

// A group is those tags of a list that are in one bucket.
type group struct {
	at   []int    // where in the list
	keys []string // that of the register, then those of the tags
}

func (n names) bucket(name string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return strconv.FormatUint(h.Sum64()%buckets, 10)
}

// in begins the keys of a bucket.
func (n names) in(bucket string) string {
	if !n.cluster {
		return n.prefix
	}
	return n.prefix + "{" + bucket + "}:"
}

// tagPrefix begins the keys of all tags where there are no buckets.
func (n names) tagPrefix() string { return n.prefix + "t:" }

func (n names) entry(key string) string { return n.keyed("e:", key) }

func (n names) claim(key string) string { return n.keyed("c:", key) }

func (n names) keyed(kind, key string) string {
	if len(key) > longKey {
		sum := sha256.Sum256([]byte(key))
		key = "#" + string(sum[:])
	}
	if !n.cluster {
		return n.prefix + kind + key
	}
	return n.in(n.bucket(key)) + kind + key
}

// bucketOf is the group of all tags where there are no buckets.
func (n names) bucketOf(tags []store.Tag) group {
	g := group{at: make([]int, len(tags)), keys: make([]string, 1, len(tags)+2)}
	g.keys[0] = n.prefix + "r"
	for i, tag := range tags {
		g.at[i] = i
		g.keys = append(g.keys, n.tagPrefix()+string(tag))
	}
	return g
}

// group divides tags by bucket.
func (n names) group(tags []store.Tag) []group {
	if !n.cluster {
		return []group{n.bucketOf(tags)}
	}
	var groups []group
	index := make(map[string]int)
	for i, tag := range tags {
		bucket := n.bucket(tag.Group())
		g, ok := index[bucket]
		if !ok {
			g = len(groups)
			index[bucket] = g
			groups = append(groups, group{keys: []string{n.in(bucket) + "r"}})
		}
		groups[g].at = append(groups[g].at, i)
		groups[g].keys = append(groups[g].keys, n.in(bucket)+"t:"+string(tag))
	}
	return groups
}
