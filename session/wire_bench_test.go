package session

import (
	"database/sql/driver"
	"fmt"
	"testing"
	"time"
)

// benchSet is a result of rows with 5 columns: id, name, mail, since, score.
func benchSet(rows int, nulls bool) *rowSet {
	sheet := &sheet{sets: []sheetSet{{names: []string{"id", "name", "mail", "since", "score"}}}}
	set := &sheet.sets[0]
	for i := range rows {
		row := []driver.Value{int64(1000 + i), fmt.Sprintf("user number %d", i), fmt.Sprintf("user%d@example.org", i),
			time.Unix(1700000000+int64(i)*3600, 123456000).UTC(), float64(i) / 3}
		if nulls && i%4 == 0 {
			row[2] = nil
		}
		set.rows = append(set.rows, row)
	}
	closed := 0
	return read(typedRows{&sheetRows{sheet: sheet, closed: &closed}}, 1<<30, false, likeness{}).set
}

func BenchmarkWire(b *testing.B) {
	for _, set := range []struct {
		name string
		*rowSet
	}{{"1x5", benchSet(1, false)}, {"20x5", benchSet(20, false)}, {"20x5-nulls", benchSet(20, true)}, {"1000x5", benchSet(1000, false)}} {
		data, err := set.AppendBinary(nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("append/"+set.name, func(b *testing.B) {
			b.ReportAllocs()
			b.ReportMetric(float64(len(data)), "bytes")
			room := make([]byte, 0, 2*len(data))
			for b.Loop() {
				if _, err := set.AppendBinary(room); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode/"+set.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeRowSet(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
