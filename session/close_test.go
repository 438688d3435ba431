package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"
)

// TestCloseEndsResults: a session that is closed while a result is open ends what
// belongs to it; the result says so, and does not panic.
func TestCloseEndsResults(t *testing.T) {
	s := (&Source{Config: Config{Counters: new(Counters)}}).New()
	s.inner = plainConn{&picky{}}
	sheet := sheets()["long"]
	rows := driverRows(context.Background(), liveRows{rows: &sheetRows{sheet: sheet, closed: new(int)}})
	var ended error
	s.until(rows, func(err error) error { ended = err; return nil })
	if len(s.open) != 1 {
		t.Fatalf("%d results are open", len(s.open))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(s.open) != 0 || !errors.Is(ended, errConnectionClosed) {
		t.Errorf("%d results are open, ended by %v", len(s.open), ended)
	}
	if err := rows.Next(make([]driver.Value, len(rows.Columns()))); !errors.Is(err, errConnectionClosed) {
		t.Errorf("Next after that: %v", err)
	}
	rows.ColumnTypeScanType(0)
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	if s.alive(context.Background()) {
		t.Error("a session without a connection is alive")
	}
}
