package metamorphic

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An answer is all that a program can see of a read.
type answer struct {
	head string   // columns and their types
	rows []string // values with their Go types, and the column types at that row
	err  string
}

// readAnswer reads rows, at most limit if that isn't 0.
func readAnswer(rows *sql.Rows, err error, limit int) answer {
	if err != nil {
		return answer{err: err.Error()}
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return answer{err: err.Error()}
	}
	a := answer{head: strings.Join(columns, ",") + describe(rows)}
	values := make([]any, len(columns))
	pointers := make([]any, len(columns))
	for i := range values {
		pointers[i] = &values[i]
	}
	for (limit == 0 || len(a.rows) < limit) && rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			a.err = "scan: " + err.Error()
			return a
		}
		a.rows = append(a.rows, renderRow(values)+describe(rows))
	}
	if err := rows.Err(); err != nil {
		a.err = err.Error()
	}
	if rows.NextResultSet() {
		a.rows = append(a.rows, "a further result set"+describe(rows))
	}
	if err := rows.Close(); err != nil {
		a.err += " close: " + err.Error()
	}
	return a
}

// describe renders the column types.
func describe(rows *sql.Rows) string {
	types, err := rows.ColumnTypes()
	if err != nil {
		return " no types: " + err.Error()
	}
	var b strings.Builder
	for _, t := range types {
		length, hasLength := t.Length()
		nullable, hasNullable := t.Nullable()
		precision, scale, hasDecimal := t.DecimalSize()
		fmt.Fprintf(&b, " %s/%v", t.DatabaseTypeName(), t.ScanType())
		if hasLength {
			fmt.Fprintf(&b, "(%d)", length)
		}
		if hasNullable {
			fmt.Fprintf(&b, "?%t", nullable)
		}
		if hasDecimal {
			fmt.Fprintf(&b, "(%d.%d)", precision, scale)
		}
	}
	return b.String()
}

func renderRow(values []any) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = render(value)
	}
	return strings.Join(texts, " | ")
}

// render tells a value and its Go type.
func render(value any) string {
	switch v := value.(type) {
	case nil:
		return "nil"
	case []byte:
		if v == nil {
			return "[]byte(nil)"
		}
		return fmt.Sprintf("[]byte(%q)", v)
	case string:
		return strconv.Quote(v)
	case float64:
		return "float64(" + strconv.FormatFloat(v, 'g', -1, 64) + ")"
	case time.Time:
		return v.Format(time.RFC3339Nano) + " in " + v.Location().String()
	}
	return fmt.Sprintf("%T(%v)", value, value)
}

// equal compares two answers; rows that come in no prescribed order are compared as a multiset.
func (a answer) equal(b answer, ordered bool) bool {
	if a.err != b.err && !(abortedAfter(a.err, b.err) || abortedAfter(b.err, a.err) || denied(a.err) && denied(b.err)) {
		return false
	}
	if a.err != "" && !ordered {
		return true
	}
	if a.err == b.err && a.head != b.head {
		return false
	}
	if !ordered {
		x, y := slices.Clone(a.rows), slices.Clone(b.rows)
		slices.Sort(x)
		slices.Sort(y)
		return slices.Equal(x, y)
	}
	return a.err != b.err || slices.Equal(a.rows, b.rows)
}

// abortedAfter reports whether second is what PostgreSQL says in a transaction that first has aborted.
func abortedAfter(first, second string) bool {
	return first != "" && strings.Contains(second, "current transaction is aborted")
}

// denied reports whether PostgreSQL refused a relation. Of several it names the one that the plan has first,
// and plans change.
func denied(text string) bool { return strings.Contains(text, "permission denied for") }

// refused reports whether the database refused an answer because of what other connections hold, or of its limits, or the
// driver because its own cache of statements was outdated.
func (a answer) refused() bool {
	for _, sign := range []string{
		"55P03", "40001", "40P01", // PostgreSQL: lock not available, serialization failure, deadlock
		"canceling statement due to lock timeout", "could not serialize", "deadlock detected",
		"Error 1205", "Error 1213", // MySQL: lock wait timeout, deadlock
		"locked", "SQLITE_BUSY",
		"statement timeout", "max_statement_time", // it took too long
		"stmtcache_", "cached plan must not change result type",
		"Invalid use of group function", // MariaDB, of some prepared statements when they are executed again
	} {
		if strings.Contains(a.err, sign) {
			return true
		}
	}
	return false
}

func (a answer) String() string {
	text := a.head + "\n"
	for _, row := range a.rows {
		text += "    " + row + "\n"
	}
	if a.err != "" {
		text += "    error: " + a.err + "\n"
	}
	return text
}
