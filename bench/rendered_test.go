package bench

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// An answer is a result as text, row by row, with its columns and Go types, or its error.
type answer struct {
	head string
	rows []string
}

// rendered reads a result to its end.
func rendered(rows *sql.Rows, err error) (a answer) {
	if err != nil {
		return answer{head: "error: " + err.Error()}
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return answer{head: "error: " + err.Error()}
	}
	a.head = strings.Join(columns, ",")
	values, pointers := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		pointers[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			return answer{head: "error: " + err.Error()}
		}
		a.rows = append(a.rows, fmt.Sprintf("%#v", values))
	}
	if err := rows.Err(); err != nil {
		return answer{head: "error: " + err.Error()}
	}
	return a
}

// sorted is the answer as far as it doesn't depend on an order of rows.
func (a answer) sorted() answer { return answer{a.head, slices.Sorted(slices.Values(a.rows))} }

func (a answer) equal(b answer) bool { return a.head == b.head && slices.Equal(a.rows, b.rows) }

func (a answer) String() string { return a.head + "\n" + strings.Join(a.rows, "\n") }

// keyOf is a statement with its arguments.
func keyOf(text string, args []any) string { return fmt.Sprintf("%q %#v", text, args) }
