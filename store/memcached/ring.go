package memcached

import (
	"hash/fnv"
	"slices"
	"strconv"
)

// A ring tells which server a name lives on: each server has many points on a
// circle of numbers, and a name belongs to the first point from its own on. So a
// server more or less moves only its share of the names.
type ring struct {
	points []point
}

type point struct {
	at     uint64
	server int
}

const pointsOfServer = 160

func newRing(addrs []string) ring {
	var r ring
	for i, addr := range addrs {
		for n := range pointsOfServer {
			r.points = append(r.points, point{spread(addr + "-" + strconv.Itoa(n)), i})
		}
	}
	slices.SortFunc(r.points, func(a, b point) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return a.server - b.server
	})
	return r
}

// server returns the server of a name.
func (r ring) server(name string) int {
	at := spread(name)
	lo, hi := 0, len(r.points)
	for lo < hi {
		if mid := (lo + hi) / 2; r.points[mid].at < at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(r.points) {
		lo = 0
	}
	return r.points[lo].server
}

// fingerprint is the same for the same servers in any order.
func fingerprint(namespace string, addrs []string) uint64 {
	sorted := slices.Sorted(slices.Values(addrs))
	h := fnv.New64a()
	for _, s := range append([]string{namespace}, sorted...) {
		h.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	return mix(h.Sum64())
}

// spread is FNV-1a, mixed so that names that differ in their last byte lie far apart.
// It is part of the protocol: all processes must place a name alike.
func spread(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return mix(h)
}

func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
