package session

import (
	"crypto/sha256"
	"encoding/binary"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Where the times of drivers are:
//
//	pgx              timestamptz in time.Local, timestamp and date in UTC; or ScanLocation
//	lib/pq           the session's TimeZone by time.LoadLocation, if that has the text's offset, else a fixed zone without a name;
//	                 time and timetz as time.Parse has them
//	go-sql-driver    the data source name's loc, by default UTC
//	SQLite's         as time.Parse has them, or in the zone of the data source name
//
// time.Parse gives time.Local if that has the offset of the text at that time, else a fixed
// zone. So a time can be read elsewhere only where time.Local is the same, by name and all of
// its rules, and where a zone that is loaded by name has the same rules: the data of time
// zones have versions.

// A zone is what can be told elsewhere of a time.Location.
type zone struct {
	kind   byte
	name   string
	offset int    // of a fixed zone, in seconds
	print  uint64 // of a named one
}

const (
	zoneUTC = iota
	zoneLocal
	zoneFixed
	zoneNamed
	zoneOther // of a zoneAt: any but UTC
	zoneUntold
)

// A zoneAt is a zone that a set has had already. loc is that of its times, or nil for
// UTC and time.Local when it is read.
type zoneAt struct {
	kind byte
	loc  *time.Location
}

const (
	maxZoneName = 255
	maxLocation = 1024 // that are remembered
)

// zones are the zones of Locations that drivers have made or that were asked for.
// lib/pq makes one for each connection.
var zones = struct {
	sync.RWMutex
	of  map[*time.Location]zone // guarded by it, as the next; of kind zoneUntold if it can't be told
	loc map[zone]*time.Location // as a driver has made it, if one has
}{of: make(map[*time.Location]zone), loc: make(map[zone]*time.Location)}

// zoneOf returns the zone of a time. It reports false if that can't be told elsewhere.
//
// A Time has no Location at all if it is in UTC; only time.Unix gives it time.UTC, if that is
// time.Local.
func zoneOf(t time.Time) (zone, bool) {
	loc := t.Location()
	switch {
	case t == t.UTC():
		return zone{kind: zoneUTC}, true
	case loc == time.Local:
		return zone{kind: zoneLocal}, true
	case loc == time.UTC:
		return zone{}, false
	}
	zones.RLock()
	z, ok := zones.of[loc]
	zones.RUnlock()
	if !ok {
		z = judge(t, loc)
		zones.Lock()
		defer zones.Unlock()
		if len(zones.of) >= maxLocation {
			clear(zones.of)
		}
		zones.of[loc] = z
		if z.kind != zoneUntold {
			keepLocationLocked(z, loc)
		}
	}
	return z, z.kind != zoneUntold
}

func keepLocationLocked(z zone, loc *time.Location) {
	if len(zones.loc) >= maxLocation {
		clear(zones.loc)
	}
	z.name = strings.Clone(z.name)
	zones.loc[z] = loc
}

// judge tells the zone of a Location, in which t is.
func judge(t time.Time, loc *time.Location) zone {
	name, offset := t.Zone()
	switch {
	case len(name) > maxZoneName || len(loc.String()) > maxZoneName || int(int32(offset)) != offset:
		return zone{kind: zoneUntold}
	case reflect.DeepEqual(loc, time.FixedZone(name, offset)):
		return zone{kind: zoneFixed, name: name, offset: offset}
	}
	named := zone{kind: zoneNamed, name: loc.String(), print: printOf(loc)}
	if _, ok := load(named); !ok {
		return zone{kind: zoneUntold}
	}
	return named
}

// location returns the Location of a zone that was told elsewhere. It reports false if there is none here.
func (z zone) location() (*time.Location, bool) {
	zones.RLock()
	loc, ok := zones.loc[z]
	zones.RUnlock()
	if ok {
		return loc, true
	}
	switch {
	case len(z.name) > maxZoneName:
		return nil, false
	case z.kind == zoneFixed:
		loc = time.FixedZone(strings.Clone(z.name), z.offset)
	default:
		if loc, ok = load(z); !ok {
			return nil, false
		}
	}
	zones.Lock()
	defer zones.Unlock()
	keepLocationLocked(z, loc)
	return loc, true
}

// load loads a zone by its name, if it has the same rules here.
func load(z zone) (*time.Location, bool) {
	switch z.name {
	case "", "UTC", "Local": // these are no names of zones
		return nil, false
	}
	loc, err := time.LoadLocation(strings.Clone(z.name))
	return loc, err == nil && printOf(loc) == z.print
}

// lastYear is until when zones are compared. Rules without an end begin well before, and
// what they say of a year depends on its first day of the week and its length alone: after
// 28 years all such years have been.
const lastYear = 2099

// printOf returns a digest of a Location's name and of all its offsets and abbreviations.
// The bounds of a zone by a rule without an end may be near it only, so the walk goes on by a month
// where they don't lead on.
func printOf(loc *time.Location) uint64 {
	h := sha256.New()
	h.Write(appendString(nil, loc.String()))
	var b []byte
	for t := time.Unix(-1<<55, 0).In(loc); ; {
		name, offset := t.Zone()
		start, end := t.ZoneBounds()
		b = binary.AppendVarint(appendString(b[:0], name), int64(offset))
		b = binary.AppendVarint(binary.AppendVarint(b, start.Unix()), end.Unix())
		h.Write(append(b, boolByte(t.IsDST())))
		if end.IsZero() || t.Year() > lastYear {
			return binary.LittleEndian.Uint64(h.Sum(nil))
		}
		if !end.After(t) {
			end = t.AddDate(0, 1, 0)
		}
		t = end
	}
}

// lastLocal is the print of time.Local, which programs may set.
var lastLocal atomic.Pointer[struct {
	loc   *time.Location
	print uint64
}]

func localPrint() uint64 {
	last := lastLocal.Load()
	if last == nil || last.loc != time.Local {
		last = &struct {
			loc   *time.Location
			print uint64
		}{time.Local, printOf(time.Local)}
		lastLocal.Store(last)
	}
	return last.print
}
