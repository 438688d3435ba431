package confine

import "strings"

// A shape's name may end with columns at which the results don't look that are told apart by it: "user_id!last_seen,visits" for those by
// user_id. An UPDATE of these alone isn't one of the shape's. Without columns before it, it is of all rows.
const ignoring = "!"

// Ignoring returns the name of a shape whose results look at none of some columns, given sorted.
func Ignoring(shape string, columns []string) string {
	if len(columns) == 0 {
		return shape
	}
	return shape + ignoring + strings.Join(columns, ",")
}

// Shape splits the name of a shape into its columns and those that its results ignore, with commas between.
func Shape(name string) (columns, ignored string) {
	columns, ignored, _ = strings.Cut(name, ignoring)
	return columns, ignored
}

// Readable is the name of a shape for people: "user_id, without last_seen".
func Readable(name string) string {
	columns, ignored := Shape(name)
	switch {
	case ignored == "":
		return columns
	case columns == "":
		return "without " + ignored
	}
	return columns + ", without " + ignored
}

// AppendColumns adds the columns by which a shape tells rows apart to a list.
func AppendColumns(list []string, shape string) []string {
	columns, _ := Shape(shape)
	for more := columns != ""; more; {
		var column string
		column, columns, more = strings.Cut(columns, ",")
		list = append(list, column)
	}
	return list
}

// Spares reports whether a shape's results ignore all columns that a change may touch; touched is nil if these may be any.
func Spares(shape string, touched []string) bool {
	_, ignored := Shape(shape)
	if ignored == "" || touched == nil {
		return false
	}
	for _, column := range touched {
		if !listed(ignored, column) {
			return false
		}
	}
	return true
}

// listed reports whether a list with commas has an item.
func listed(list, item string) bool {
	for name := range strings.SplitSeq(list, ",") {
		if name == item {
			return true
		}
	}
	return false
}
