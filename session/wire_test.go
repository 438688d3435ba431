package session

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var updateWire = flag.Bool("update-wire", false, "write the golden form anew")

// written returns the form of a set.
func written(t testing.TB, set *rowSet) []byte {
	t.Helper()
	data, err := set.AppendBinary([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	return data[len("before"):]
}

func decoded(t testing.TB, data []byte) *rowSet {
	t.Helper()
	set, err := decodeRowSet(data)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// allOf is all that a program can tell of a value.
func allOf(value driver.Value) string {
	switch v := value.(type) {
	case time.Time:
		name, offset := v.Zone()
		return fmt.Sprintf("%s|%s|%s|%d|%v|%#v", v, v.Location(), name, offset, v == v.UTC(), v.Round(0) == v)
	case float64:
		return fmt.Sprintf("float64 %x", math.Float64bits(v))
	case float32:
		return fmt.Sprintf("float32 %x", math.Float32bits(v))
	}
	return fmt.Sprintf("%T %#v", value, value)
}

// sameSets fails if a program could tell one set from the other.
func sameSets(t interface{ Errorf(string, ...any) }, got, want *rowSet) {
	if !reflect.DeepEqual(got.names, want.names) || got.rows != want.rows || len(got.values) != len(want.values) {
		t.Errorf("%q, %d rows; want %q, %d", got.names, got.rows, want.names, want.rows)
		return
	}
	for i := range got.values {
		if allOf(got.values[i]) != allOf(want.values[i]) {
			t.Errorf("value %d: %s, want %s", i, allOf(got.values[i]), allOf(want.values[i]))
		}
		if g, ok := got.values[i].(time.Time); ok && !g.Equal(want.values[i].(time.Time)) {
			t.Errorf("value %d: %s, want %s", i, g, want.values[i])
		}
	}
	for row := range want.rows + 1 {
		for i, c := range want.columnsAfter(row) {
			if got.columnsAfter(row)[i] != c {
				t.Errorf("column %d after %d rows: %+v, want %+v", i, row, got.columnsAfter(row)[i], c)
			}
		}
	}
	if got.bytes != want.bytes {
		t.Errorf("%d bytes, want %d", got.bytes, want.bytes)
	}
}

func berlin(t testing.TB) *time.Location {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// locations that drivers make.
func locations(t testing.TB) []*time.Location {
	greenwich, err := time.LoadLocation("Etc/GMT+5")
	if err != nil {
		t.Fatal(err)
	}
	est, err := time.LoadLocation("EST")
	if err != nil {
		t.Fatal(err)
	}
	return []*time.Location{time.UTC, time.Local, berlin(t), greenwich, est, time.FixedZone("", 0), time.FixedZone("", 5*3600+1800),
		time.FixedZone("CET", 3600), time.FixedZone("", -1), time.FixedZone("", 3600)}
}

func randomValue(locs []*time.Location) *rapid.Generator[driver.Value] {
	return rapid.Custom(func(t *rapid.T) driver.Value {
		switch rapid.IntRange(0, 19).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "")
		case 2:
			return rapid.Int64().Draw(t, "")
		case 3:
			return math.Float64frombits(rapid.Uint64().Draw(t, ""))
		case 4:
			return rapid.String().Draw(t, "")
		case 5:
			return rapid.SliceOf(rapid.Byte()).Draw(t, "")
		case 6:
			return []byte(nil)
		case 7:
			return []byte{}
		case 8, 9:
			at := time.Unix(rapid.Int64().Draw(t, "sec"), rapid.Int64Range(0, 1e9-1).Draw(t, "nsec"))
			return at.In(rapid.SampledFrom(locs).Draw(t, "loc"))
		case 10:
			return rapid.Int().Draw(t, "")
		case 11:
			return rapid.Int8().Draw(t, "")
		case 12:
			return rapid.Int16().Draw(t, "")
		case 13:
			return rapid.Int32().Draw(t, "")
		case 14:
			return rapid.Uint().Draw(t, "")
		case 15:
			return rapid.Uint8().Draw(t, "")
		case 16:
			return rapid.Uint16().Draw(t, "")
		case 17:
			return rapid.Uint32().Draw(t, "")
		case 18:
			return rapid.Uint64().Draw(t, "")
		}
		return math.Float32frombits(rapid.Uint32().Draw(t, ""))
	})
}

var randomColumn = rapid.Custom(func(t *rapid.T) column {
	return column{
		databaseType: rapid.SampledFrom([]string{"", "INT8", "TEXT"}).Draw(t, "type"),
		scanType:     rapid.SampledFrom(scanTypes).Draw(t, "scan"),
		length:       rapid.SampledFrom([]int64{0, 7, -5, math.MaxInt64}).Draw(t, "length"),
		hasLength:    rapid.Bool().Draw(t, ""), nullable: rapid.Bool().Draw(t, ""), hasNullable: rapid.Bool().Draw(t, ""),
		precision: rapid.SampledFrom([]int64{0, 10}).Draw(t, ""), scale: rapid.SampledFrom([]int64{0, 0, 3}).Draw(t, ""),
		hasDecimal: rapid.Bool().Draw(t, ""),
	}
})

func randomSet(t *rapid.T, locs []*time.Location) *rowSet {
	n, rows := rapid.IntRange(0, 5).Draw(t, "columns"), rapid.IntRange(0, 12).Draw(t, "rows")
	columns := rapid.SliceOfN(randomColumn, n, n)
	set := &rowSet{shape: &shape{columns: columns.Draw(t, "columns")}, rows: rows}
	if n > 0 || rapid.Bool().Draw(t, "names") {
		set.names = rapid.SliceOfN(rapid.String(), n, n).Draw(t, "names")
	}
	known := [][]column{set.columns}
	for row := 1; row <= rows; row++ {
		if rapid.IntRange(0, 3).Draw(t, "change") > 0 {
			continue
		}
		if rapid.Bool().Draw(t, "new") {
			known = append(known, columns.Draw(t, "columns"))
		}
		set.typeChanges = append(set.typeChanges, typeChange{row, rapid.SampledFrom(known).Draw(t, "list")})
	}
	set.values = make([]driver.Value, n*rows)
	for i := range n {
		value := randomValue(locs)
		first := value.Draw(t, "first")
		uniform := rapid.Bool().Draw(t, "uniform")
		for j := range rows {
			v := value.Draw(t, "value")
			if uniform && reflect.TypeOf(v) != reflect.TypeOf(first) {
				v = first
			}
			set.values[j*n+i] = v
			if b, ok := v.([]byte); ok {
				set.bytes += len(b)
			}
		}
	}
	return set
}

func TestWireThereAndBack(t *testing.T) {
	locs := locations(t)
	rapid.Check(t, func(t *rapid.T) {
		set := randomSet(t, locs)
		data, err := set.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRowSet(data)
		if err != nil {
			t.Fatalf("%v: %x", err, data)
		}
		sameSets(t, got, set)
		for i := range data {
			if _, err := decodeRowSet(data[:i]); err == nil {
				t.Errorf("cut at %d of %d it is a result", i, len(data))
			}
		}
		if _, err := decodeRowSet(append(data, 0)); err == nil {
			t.Error("with a byte more it is a result")
		}
	})
}

// TestWireCount: what is decoded is counted as what was read from a driver.
func TestWireCount(t *testing.T) {
	for _, rows := range []int{0, 1, 3, 100} {
		set := benchSet(rows, true)
		got := decoded(t, written(t, set))
		sameSets(t, got, set)
		if got.size != set.size {
			t.Errorf("%d rows: counted as %d bytes, want %d", rows, got.size, set.size)
		}
	}
	everything := &sheet{sets: []sheetSet{{names: []string{"v"}}}}
	for _, v := range goldenValues(t) {
		everything.sets[0].rows = append(everything.sets[0].rows, []driver.Value{v})
	}
	closed := 0
	for _, typedByRow := range []bool{false, true} {
		set := read(typedRows{&sheetRows{sheet: everything, closed: &closed}}, 1<<30, typedByRow, likeness{}).set
		got := decoded(t, written(t, set))
		sameSets(t, got, set)
		if got.size > set.size || got.size < set.size/2 || !typedByRow && got.size != set.size {
			t.Errorf("counted as %d bytes, want %d", got.size, set.size)
		}
	}
}

func goldenValues(t testing.TB) []driver.Value {
	at := time.Unix(1700000000, 123456789)
	values := []driver.Value{
		nil, true, false, int64(math.MinInt64), int64(math.MaxInt64), int64(0), math.NaN(), math.Copysign(0, -1), math.Inf(1), 1.5,
		math.Float64frombits(0x7ff8dead00000001), "", "text", "\x00\xff", []byte(nil), []byte{}, []byte("bytes"),
		int(-1), int8(-128), int16(-3), int32(-4), uint(5), uint8(255), uint16(7), uint32(8), uint64(math.MaxUint64), float32(0.1),
		time.Time{}, at.UTC(), at.In(time.FixedZone("", 19800)), at.In(time.FixedZone("CET", 3600)), at.In(time.FixedZone("", 19800)).Add(time.Hour),
	}
	return values
}

// goldenSet has something of everything but zones whose rules may change.
func goldenSet(t testing.TB) *rowSet {
	text := column{databaseType: "TEXT", scanType: reflect.TypeFor[string](), length: math.MaxInt64, hasLength: true}
	number := column{databaseType: "NUMERIC", scanType: reflect.TypeFor[sql.NullFloat64](), precision: 10, scale: 2, hasDecimal: true, nullable: true, hasNullable: true}
	set := &rowSet{shape: &shape{names: []string{"", "number", "text"}, columns: []column{number, number, text}}}
	for i, v := range goldenValues(t) {
		set.values = append(set.values, v, int64(i-3), strings.Repeat("x", i))
		set.rows++
		if b, ok := v.([]byte); ok {
			set.bytes += len(b)
		}
	}
	other := []column{text, number, text}
	set.typeChanges = []typeChange{{1, other}, {3, set.columns}, {4, other}, {7, []column{text, text, {scanType: nil}}}}
	return set
}

// inLocal runs with another time.Local.
func inLocal(loc *time.Location, f func()) {
	before := time.Local
	time.Local = loc
	defer func() { time.Local = before }()
	f()
}

// TestWireGolden: bytes of this version are read by it as they always were. If the form
// has changed, change the version in wireHead, and then the file (-update-wire).
func TestWireGolden(t *testing.T) {
	const name = "testdata/wire-1.golden"
	inLocal(time.FixedZone("Golden", 7200), func() {
		set := goldenSet(t)
		data := written(t, set)
		if *updateWire {
			if err := os.WriteFile(name, []byte(hex.Dump(data)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.Dump(data); got != string(want) {
			t.Errorf("the form has changed, but not its version:\n%s", got)
		}
		sameSets(t, decoded(t, data), set)
	})
	if wireHead != "R\x01" {
		t.Error("another version needs a file of its own")
	}
	if len(scanTypes) < 29 || scanTypes[28] != reflect.TypeFor[sql.NullTime]() || scanTypes[16] != reflect.TypeFor[string]() {
		t.Error("the number of a scan type has changed")
	}
}

func TestWireOtherVersion(t *testing.T) {
	data := written(t, benchSet(3, false))
	for i := range wireHead {
		bad := bytes.Clone(data)
		bad[i]++
		if _, err := decodeRowSet(bad); err == nil {
			t.Errorf("with another byte %d of the head it is a result", i)
		}
	}
}

func oneValue(v driver.Value) *rowSet {
	return &rowSet{shape: &shape{names: []string{"v"}, columns: []column{{scanType: anyType}}}, values: []driver.Value{v}, rows: 1}
}

// TestWireUnfit: what would be read otherwise elsewhere isn't written.
func TestWireUnfit(t *testing.T) {
	type text string
	of := func(data []byte, name string) *time.Location {
		loc, err := time.LoadLocationFromTZData(name, data)
		if err != nil {
			t.Fatal(err)
		}
		return loc
	}
	rules, err := os.ReadFile("/usr/share/zoneinfo/Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]driver.Value{
		"a named type":              text("x"),
		"a raw message":             json.RawMessage("1"),
		"an array":                  [16]byte{},
		"a monotonic clock":         time.Now(),
		"another's rules":           time.Unix(0, 0).In(of(rules, "Europe/Berlin")),
		"a zone that nobody knows":  time.Unix(0, 0).In(of(rules, "No/Where")),
		"a zone that says UTC":      time.Unix(0, 0).In(of(rules, "UTC")),
		"a zone that says Local":    time.Unix(0, 0).In(of(rules, "Local")),
		"a zone without a name":     time.Unix(0, 0).In(of(rules, "")),
		"a zone with a long name":   time.Unix(0, 0).In(time.FixedZone(strings.Repeat("x", 300), 0)),
		"a zone out of this planet": time.Unix(0, 0).In(time.FixedZone("", 1<<40)),
	} {
		if data, err := oneValue(v).AppendBinary([]byte("x")); err == nil || string(data) != "x" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	set := oneValue(nil)
	set.columns = []column{{scanType: reflect.TypeFor[text]()}}
	if _, err := set.AppendBinary(nil); err == nil {
		t.Error("a type of column that nobody else knows is written")
	}
	many := oneValue(nil)
	many.values = nil
	for i := range maxZones + 1 {
		many.values = append(many.values, time.Unix(0, 0).In(time.FixedZone("", i*60)))
	}
	many.rows = len(many.values)
	if _, err := many.AppendBinary(nil); err == nil {
		t.Error("more zones than a reader takes are written")
	}
}

// TestWireLocal: what a driver makes of a text depends on time.Local, so a result with
// times is read only where that is the same.
func TestWireLocal(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, v := range []driver.Value{at, at.UTC(), at.In(time.FixedZone("", 3600))} {
		data := written(t, oneValue(v))
		for _, other := range []*time.Location{berlin(t), time.FixedZone("", 3600), time.FixedZone("Local", 1)} {
			inLocal(other, func() {
				if _, err := decodeRowSet(data); err == nil {
					t.Errorf("%v is read where time.Local is %v", v, other)
				}
			})
		}
	}
	inLocal(berlin(t), func() {
		data := written(t, oneValue(time.Unix(1700000000, 0)))
		inLocal(berlin(t), func() { // loaded once more, as another process would
			got := decoded(t, data).values[0].(time.Time)
			if got != time.Unix(1700000000, 0) {
				t.Errorf("%v isn't in time.Local", got)
			}
		})
	})
	inLocal(time.UTC, func() {
		for _, v := range []time.Time{time.Unix(1, 2), time.Unix(1, 2).UTC()} {
			if got := decoded(t, written(t, oneValue(v))).values[0]; got != v {
				t.Errorf("%#v, want %#v", got, v)
			}
		}
	})
	data := written(t, oneValue("no times"))
	inLocal(berlin(t), func() { decoded(t, data) })
}

// TestWireLocation: a Location that a driver made here is that of what is read here.
func TestWireLocation(t *testing.T) {
	for _, loc := range []*time.Location{berlin(t), time.FixedZone("", 5*3600+1800)} {
		v := time.Unix(1700000000, 0).In(loc)
		if got := decoded(t, written(t, oneValue(v))).values[0]; got != v {
			t.Errorf("%#v, want %#v", got, v)
		}
	}
}

// bombs announce more than they have.
func bombs() [][]byte {
	head := []byte(wireHead)
	huge := []byte("\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
	one := append(bytes.Clone(head), "\x02\x01a\x00\x00\x01\x00\x00"...) // a column a, no changes
	return [][]byte{
		append(bytes.Clone(head), huge...),
		append(append(bytes.Clone(head), 2), huge...),
		append(append(bytes.Clone(head), "\x02\x01a\x00\x00\x01"...), huge...),
		append(bytes.Clone(one[:len(one)-1]), huge...),
		append(bytes.Clone(one), huge...),
		append(append(bytes.Clone(one), "\xff\xff\x03"...), 1),
		append(append(bytes.Clone(one), 1, kindString), huge...),
		append(append(bytes.Clone(one), 1, kindBytes), huge...),
		append(append(bytes.Clone(one), 1, kindNil), 0),
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestWireBombs(t *testing.T) {
	for _, data := range bombs() {
		var err error
		if n := allocated(func() { _, err = decodeRowSet(data) }); err == nil || n > 64<<10 {
			t.Errorf("%x: %v, %d bytes allocated", data, err, n)
		}
	}
}

func FuzzDecodeRowSet(f *testing.F) {
	f.Add(written(f, goldenSet(f)))
	f.Add(written(f, benchSet(3, true)))
	f.Add(written(f, oneValue(time.Unix(0, 0).In(berlin(f)))))
	for _, data := range bombs() {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var set *rowSet
		var err error
		if n := allocated(func() { set, err = decodeRowSet(data) }); n > uint64(1<<20+48*len(data)) {
			t.Fatalf("%d bytes allocated for %d", n, len(data))
		}
		if err != nil {
			return
		}
		again, err := set.AppendBinary(nil)
		if err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		sameSets(t, decoded(t, again), set)
	})
}
