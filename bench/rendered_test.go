package bench

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// rendered is a result as text, with its columns and Go types, or its error. Rows that
// come in no prescribed order are sorted: the database may change its plan.
func rendered(ordered bool, rows *sql.Rows, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "error: " + err.Error()
	}
	var texts []string
	values, pointers := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		pointers[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			return "error: " + err.Error()
		}
		texts = append(texts, fmt.Sprintf("%#v", values))
	}
	if err := rows.Err(); err != nil {
		return "error: " + err.Error()
	}
	if !ordered {
		slices.Sort(texts)
	}
	return strings.Join(columns, ",") + "\n" + strings.Join(texts, "\n")
}

// keyOf is a statement with its arguments.
func keyOf(text string, args []any) string { return fmt.Sprintf("%q %#v", text, args) }
