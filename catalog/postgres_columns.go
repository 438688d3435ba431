package catalog

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// A pgType is an enumeration or a domain.
type pgType struct {
	name     string // with its schema
	kind     string // e or d
	base     int64  // of a domain
	sized    bool   // of a domain: it limits the length of its base
	defaults bool   // of a domain: it has a default
}

// A pgColumn is a row of pg_attribute. Marks are letters: see pgRelations.
type pgColumn struct {
	name, marks, value string
	number, typ        int64
}

func (c *pgColumn) UnmarshalJSON(row []byte) error {
	return fields(row, &c.name, &c.number, &c.typ, &c.marks, &c.value)
}

func (c *pgColumn) marked(letter string) bool { return strings.Contains(c.marks, letter) }

func (l *pgLoader) path(row json.RawMessage) error { return json.Unmarshal(row, &l.snapshot.path) }

func (l *pgLoader) typ(row json.RawMessage) error {
	var oid int64
	var t pgType
	if err := fields(row, &oid, &t.name, &t.kind, &t.base, &t.sized, &t.defaults); err != nil {
		return err
	}
	l.types[oid] = t
	return nil
}

// addColumns makes the columns of a relation known.
func (l *pgLoader) addColumns(r *relation, columns []pgColumn) {
	if len(columns) == 0 {
		return
	}
	slices.SortFunc(columns, func(a, b pgColumn) int { return int(a.number - b.number) })
	r.columns = make(map[string]bool, len(columns))
	r.table.Columns = make([]confine.Column, len(columns))
	numbers := make([]int64, len(columns))
	for i := range columns {
		c := &columns[i]
		name := l.texts.share(c.name)
		r.columns[name] = c.marked("t")
		numbers[i] = c.number
		class, defaults := l.class(c.typ, c.marked("l"), 0)
		if c.marked("c") {
			class = confine.Class{}
		}
		r.table.Columns[i] = confine.Column{
			Name: name, Class: class, NotNull: c.marked("n"), Generated: c.marked("g"),
			Serial:  c.marked("i") || strings.HasPrefix(c.value, "nextval("),
			Default: l.constant(c, class, defaults),
		}
	}
	l.numbers[r] = numbers
}

// The numbers of the server's own types.
const (
	pgBool    = 16
	pgBytea   = 17
	pgInt8    = 20
	pgInt2    = 21
	pgInt4    = 23
	pgText    = 25
	pgBpchar  = 1042
	pgVarchar = 1043
	pgUUID    = 2950
)

// class returns how values of a type are compared, and whether the type has a default of its own. A
// length cuts off spaces at the end without a word, so text that has one is taken as padded.
func (l *pgLoader) class(typ int64, sized bool, depth int) (c confine.Class, defaults bool) {
	switch typ {
	case pgInt2, pgInt4, pgInt8:
		return confine.Class{Kind: confine.Integer}, false
	case pgBool:
		return confine.Class{Kind: confine.Boolean}, false
	case pgUUID:
		return confine.Class{Kind: confine.UUID}, false
	case pgBytea:
		return confine.Class{Kind: confine.Bytes}, false
	case pgBpchar:
		return confine.Class{Kind: confine.Text, Fold: confine.Padded, Name: "bpchar"}, false
	case pgText, pgVarchar:
		c = confine.Class{Kind: confine.Text, Name: "text"}
		if sized {
			c.Fold = confine.Padded
		}
		return c, false
	}
	t := l.types[typ]
	switch {
	case t.kind == "e":
		return confine.Class{Kind: confine.Text, Name: t.name}, false
	case t.kind == "d" && depth < 10:
		c, defaults = l.class(t.base, sized || t.sized, depth+1)
		return c, defaults || t.defaults
	}
	return confine.Class{}, t.defaults
}

var (
	pgNumber = regexp.MustCompile(`^(?:([0-9]+)|\((-[0-9]+)\)|'(-?[0-9]+)'::(?:smallint|integer|bigint))$`)
	pgString = regexp.MustCompile(`^'([^'\\]*)'::([^()']+)$`)
	pgNull   = regexp.MustCompile(`^NULL::[^()']+$`)
)

// constant reads the default of a column, as pg_get_expr writes it. Casts that are implied
// don't show in it, so only values of the column's own type are taken.
func (l *pgLoader) constant(c *pgColumn, class confine.Class, typed bool) analyze.Term {
	switch {
	case typed && c.value == "", c.marked("g"), c.marked("i"):
		return analyze.Term{}
	case c.value == "":
		return analyze.Term{Kind: analyze.Null}
	case !l.plainPath():
		return analyze.Term{}
	case pgNull.MatchString(c.value):
		return analyze.Term{Kind: analyze.Null}
	}
	switch class.Kind {
	case confine.Boolean:
		if c.value == "true" || c.value == "false" {
			return analyze.Term{Kind: analyze.Boolean, Text: l.texts.share(c.value)}
		}
	case confine.Integer:
		if m := pgNumber.FindStringSubmatch(c.value); m != nil {
			return analyze.Term{Kind: analyze.Number, Text: l.texts.share(m[1] + m[2] + m[3])}
		}
	case confine.Text, confine.UUID:
		if m := pgString.FindStringSubmatch(c.value); m != nil && l.sameType(c.typ, m[2]) {
			return analyze.Term{Kind: analyze.Text, Text: l.texts.share(m[1])}
		}
	}
	return analyze.Term{}
}

// plainPath reports whether the names of the server's types mean these.
func (l *pgLoader) plainPath() bool {
	for _, schema := range l.snapshot.path {
		if !l.snapshot.isTemp(schema) {
			return schema == "pg_catalog"
		}
	}
	return false
}

// sameType reports whether a cast is one to the type of a column that has no type of its own.
func (l *pgLoader) sameType(typ int64, cast string) bool {
	switch typ {
	case pgText, pgVarchar:
		return cast == "text" || cast == "character varying"
	case pgBpchar:
		return cast == "bpchar"
	case pgUUID:
		return cast == "uuid"
	}
	t := l.types[typ]
	return t.kind == "e" && (t.name == cast || strings.HasSuffix(t.name, "."+cast))
}

// index adds what an index says of the columns of its relation.
func (l *pgLoader) index(row json.RawMessage) error {
	var relid int64
	var primary, unique bool
	var count int
	var key []int64
	if err := fields(row, &relid, &primary, &unique, &count, &key); err != nil {
		return err
	}
	r := l.relations[relid]
	if r == nil || count > len(key) {
		return nil
	}
	l.selective(r, key[:min(1, count)])
	if !unique {
		return nil
	}
	names := make([]string, count)
	for i, number := range key[:count] {
		c := l.column(r, number)
		if c == nil {
			return nil
		}
		names[i] = c.Name
	}
	addKey(r.table, names, primary)
	return nil
}

// column returns a column of a relation by its number, or nil.
func (l *pgLoader) column(r *relation, number int64) *confine.Column {
	at, ok := slices.BinarySearch(l.numbers[r], number)
	if !ok {
		return nil
	}
	return &r.table.Columns[at]
}

func (l *pgLoader) selective(r *relation, numbers []int64) {
	for _, number := range numbers {
		if c := l.column(r, number); c != nil {
			c.Selective = true
		}
	}
}

// The further bits of a trigger's type.
const (
	pgForEachRow = 1
	pgBefore     = 2
	pgInstead    = 64
)

// alter notes that a trigger may change the rows that are written, or fires if there are none.
func alter(r *relation, kind int64) {
	if kind&pgForEachRow == 0 {
		r.fired(pgTriggerOp(kind))
	}
	if kind&pgForEachRow != 0 && kind&(pgBefore|pgInstead) != 0 || kind&pgInstead != 0 {
		r.altered(pgTriggerOp(kind))
	}
}

// pgTriggerOp says at which ways of writing a trigger fires.
func pgTriggerOp(kind int64) (op analyze.Op) {
	for _, event := range []struct {
		bit int64
		op  analyze.Op
	}{
		{pgOnInsert, analyze.Insert}, {pgOnDelete, analyze.Delete}, {pgOnUpdate, analyze.Update}, {pgOnTruncate, analyze.Truncate},
	} {
		if kind&event.bit != 0 {
			op |= event.op
		}
	}
	return op
}

// equality notes that users have defined what = means for a type which is not their own alone.
func (l *pgLoader) equality(name string, left, right int64) {
	if name != "=" {
		return
	}
	for _, typ := range []int64{left, right} {
		if typ < 16384 || l.types[typ].kind != "" {
			l.snapshot.ownEquality = true
		}
	}
}
