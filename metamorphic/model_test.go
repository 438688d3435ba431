package metamorphic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A lang is a dialect of SQL.
type lang string

const (
	lite  lang = "sqlite"
	pg    lang = "postgres"
	maria lang = "mariadb"
)

// A model is what the generator believes of the schema. It may be wrong after a rollback: then statements
// fail, and must fail alike. Everything that can be read has columns id, a, b (integers) and c (text).
type model struct {
	tables []*table
	views  []string // and materialized ones
	nextID int

	typed, typedViews []*typedTable // they stay as they are
}

// A table is a base table.
type table struct {
	name  string
	extra []string // further columns, of the pool below
	keyed bool     // id is its primary key
}

// The pool of further columns, with their types.
var pool = map[string]map[lang]string{
	"d": {lite: "NUMERIC", pg: "numeric(8,2)", maria: "DECIMAL(8,2)"},
	"e": {lite: "TIMESTAMP", pg: "timestamptz", maria: "TIMESTAMP NULL"},
	"f": {lite: "BLOB", pg: "bytea", maria: "VARBINARY(20)"},
	"g": {lite: "REAL", pg: "double precision", maria: "DOUBLE"},
	"h": {lite: "BOOLEAN", pg: "boolean", maria: "BOOLEAN"},
	"u": {lite: "INTEGER AS (a + 1)", pg: "int GENERATED ALWAYS AS (a + 1) STORED", maria: "INT AS (a + 1) PERSISTENT"},
	"p": {lite: "INTEGER", pg: "int", maria: "INT"}, // refers to a table
}

// columnPool is the pool in a fixed order.
var columnPool = []string{"d", "e", "f", "g", "h", "u"}

func (t *table) has(column string) bool { return slices.Contains(t.extra, column) }

// create is the text that makes t; parents are tables that it may refer to.
func (t *table) create(r *rand.Rand, d lang, parents []*table) string {
	integer, text := "INTEGER", "TEXT"
	if d == maria {
		text = "VARCHAR(40)"
	}
	columns := []string{"id " + integer, "a " + integer, "b " + integer, "c " + text}
	if r.IntN(3) == 0 {
		columns[1] += " DEFAULT 5"
	}
	if t.keyed {
		columns[0] += " PRIMARY KEY"
	}
	for _, name := range t.extra {
		columns = append(columns, name+" "+pool[name][d])
	}
	if t.has("p") {
		columns = append(columns, reference(r, "p", parents))
	}
	return "CREATE TABLE " + t.name + " (" + strings.Join(columns, ", ") + ")" + t.suffix(r, d)
}

func (t *table) suffix(r *rand.Rand, d lang) string {
	if d == lite && t.keyed && r.IntN(3) == 0 {
		return " WITHOUT ROWID"
	}
	return ""
}

// reference is a foreign key to one of the parents.
func reference(r *rand.Rand, column string, parents []*table) string {
	onDelete := []string{"CASCADE", "CASCADE", "SET NULL", "NO ACTION"}
	onUpdate := []string{"CASCADE", "SET NULL", "NO ACTION"}
	return fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (id) ON DELETE %s ON UPDATE %s", column,
		parents[r.IntN(len(parents))].name, pick(r, onDelete), pick(r, onUpdate))
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// chance is true in percent of all cases.
func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

func (m *model) clone() *model {
	n := &model{views: slices.Clone(m.views), nextID: m.nextID, typed: m.typed, typedViews: m.typedViews}
	for _, t := range m.tables {
		c := *t
		c.extra = slices.Clone(t.extra)
		n.tables = append(n.tables, &c)
	}
	return n
}

// newTable is a table with some columns of the pool.
func newTable(r *rand.Rand, name string, keyed bool) *table {
	t := &table{name: name, keyed: keyed}
	for _, column := range columnPool {
		if chance(r, 30) {
			t.extra = append(t.extra, column)
		}
	}
	return t
}
