package catalog

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// text returns a driver value as text; NULL is empty.
func text(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case bool:
		if v {
			return "1"
		}
		return "0"
	}
	return fmt.Sprint(v)
}

// truth returns a driver value as a truth.
func truth(v driver.Value) bool {
	switch text(v) {
	case "1", "t", "true", "TRUE", "on", "ON", "YES", "yes":
		return true
	}
	return false
}

// number returns a driver value as a number; what is none is 0.
func number(v driver.Value) int64 {
	n, _ := strconv.ParseInt(text(v), 10, 64)
	return n
}

// one returns the only row of rows, which must have at least the given columns.
func one(rows [][]driver.Value, columns int) ([]driver.Value, error) {
	if len(rows) != 1 || len(rows[0]) < columns {
		return nil, errors.New("unexpected answer")
	}
	return rows[0], nil
}

// decode reads a driver value that holds JSON. NULL leaves into as it is.
func decode(v driver.Value, into any) error {
	s := text(v)
	if s == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(s), into); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}
