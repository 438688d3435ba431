package bench

import (
	"database/sql"
	"fmt"
	"strings"
)

// rendered is a result as text, with its columns and Go types, or its error.
func rendered(rows *sql.Rows, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	b.WriteString(strings.Join(columns, ","))
	values, pointers := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		pointers[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			return "error: " + err.Error()
		}
		fmt.Fprintf(&b, "\n%#v", values)
	}
	if err := rows.Err(); err != nil {
		fmt.Fprintf(&b, "\nerror: %v", err)
	}
	return b.String()
}

// keyOf is a statement with its arguments.
func keyOf(text string, args []any) string { return fmt.Sprintf("%q %#v", text, args) }
