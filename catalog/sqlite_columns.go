package catalog

import (
	"database/sql/driver"
	"regexp"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// The columns and indexes of all tables but virtual ones, whose modules may be missing.
const (
	sqliteColumns = `SELECT m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk, c.hidden
FROM main.sqlite_master AS m, pragma_table_xinfo(m.name, 'main') AS c WHERE m.type = 'table' AND m.rootpage > 0 ORDER BY m.name, c.cid`

	sqliteIndexes = `SELECT m.name, i.name, i."unique", i.origin, i.partial, c.seqno, c.name, c.coll
FROM main.sqlite_master AS m, pragma_index_list(m.name, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS c
WHERE m.type = 'table' AND m.rootpage > 0 AND c.key ORDER BY m.name, i.seq, c.seqno`
)

// A sqliteTable is what is known of a table while it is loaded.
type sqliteTable struct {
	*relation
	collations []string // of its columns, in lower case; "" is binary, "?" unknown
	strict     bool
	primary    []int // columns of the primary key
	integer    bool  // the only one of them is INTEGER
	indexed    bool  // the primary key has an index: it isn't the rowid
}

// addSQLiteColumns adds columns, indexes and keys of all tables.
func (s *Snapshot) addSQLiteColumns(columns, indexes, references [][]driver.Value, code map[string]string) {
	texts, tables := sharing{}, map[string]*sqliteTable{}
	for _, row := range columns {
		name := lowerASCII(text(row[0]))
		t := tables[name]
		if t == nil {
			t = s.sqliteTable(name, code[name])
			tables[name] = t
		}
		if t.relation != nil {
			t.addColumn(row, texts)
		}
	}
	s.addSQLiteIndexes(indexes, tables)
	for _, row := range references {
		if t := tables[lowerASCII(text(row[0]))]; t != nil && t.relation != nil {
			if c := t.column(lowerASCII(text(row[4]))); c != nil {
				c.Selective = true
			}
		}
	}
	for _, t := range tables {
		t.settle()
	}
}

func (s *Snapshot) sqliteTable(name, code string) *sqliteTable {
	t := &sqliteTable{relation: s.schemas["main"][name]}
	tokens, ok := scan(analyze.SQLite, code)
	t.collations = []string{}
	if !ok {
		t.collations = nil
		return t
	}
	end := len(tokens) - 1
	for end >= 0 && !tokens[end].is(")") {
		t.strict = t.strict || tokens[end].is("strict")
		end--
	}
	if strings.Contains(strings.ToLower(code), "collate") {
		t.collations = sqliteCollations(tokens, code)
	}
	return t
}

// sqliteCollations returns the collation of each column of CREATE TABLE name (columns, constraints),
// or nil if it can't be told.
func sqliteCollations(tokens []token, code string) []string {
	list, ok := inParentheses(tokens)
	if !ok {
		return nil
	}
	var collations []string
	for _, part := range splitCommas(list) {
		if len(part) == 0 || part[0].kind == mark {
			return nil
		}
		switch part[0].word {
		case "constraint", "primary", "unique", "check", "foreign":
			continue
		}
		collations = append(collations, columnCollation(part, code))
	}
	return collations
}

// columnCollation returns the collation that the definition of a column names.
func columnCollation(part []token, code string) string {
	at := topLevel(part, 1, "collate")
	switch {
	case at < 0:
		return ""
	case at+1 >= len(part) || topLevel(part, at+2, "collate") >= 0:
		return "?"
	}
	return lowerASCII(unquote(textOf(code, part[at+1:at+2])))
}

// inParentheses returns the tokens between the first parenthesis and its partner.
func inParentheses(tokens []token) ([]token, bool) {
	first := slices.IndexFunc(tokens, func(t token) bool { return t.is("(") })
	if first < 0 {
		return nil, false
	}
	depth := 0
	for i := first; i < len(tokens); i++ {
		switch {
		case tokens[i].is("("):
			depth++
		case tokens[i].is(")"):
			depth--
		}
		if depth == 0 {
			return tokens[first+1 : i], true
		}
	}
	return nil, false
}

// splitCommas cuts tokens at commas outside of parentheses.
func splitCommas(tokens []token) [][]token {
	var parts [][]token
	depth, start := 0, 0
	for i, t := range tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth == 0 && t.is(","):
			parts = append(parts, tokens[start:i])
			start = i + 1
		}
	}
	return append(parts, tokens[start:])
}

// unquote returns the name that a token stands for.
func unquote(name string) string {
	if len(name) < 2 {
		return name
	}
	switch q := name[:1]; q {
	case `"`, "`", "'":
		return strings.ReplaceAll(name[1:len(name)-1], q+q, q)
	case "[":
		return name[1 : len(name)-1]
	}
	return name
}

// What table_xinfo says of a column's being hidden.
const (
	sqliteVisible = 0
	sqliteHidden  = 1 // others are generated
)

func (t *sqliteTable) addColumn(row []driver.Value, texts sharing) {
	typ, hidden := text(row[2]), number(row[6])
	at := len(t.table.Columns)
	if hidden == sqliteHidden {
		t.table.Unsliced = true
	}
	c := confine.Column{
		Name:      texts.share(lowerASCII(text(row[1]))),
		Class:     t.class(typ, at),
		NotNull:   truth(row[3]),
		Generated: hidden > sqliteHidden,
	}
	if hidden == sqliteVisible {
		c.Default = sqliteDefault(row[4], texts)
	}
	if number(row[5]) > 0 {
		t.primary = append(t.primary, at)
		t.integer = strings.EqualFold(typ, "integer")
	}
	t.table.Columns = append(t.table.Columns, c)
}

// class returns how a column compares: by the affinity of its type, and text by its collation.
func (t *sqliteTable) class(typ string, at int) confine.Class {
	fold, ok := t.fold(at)
	kind := sqliteAffinity(typ)
	if t.strict && strings.EqualFold(typ, "any") {
		kind = confine.DynamicBlob
	}
	if !ok || kind != confine.DynamicText && fold != confine.Exact {
		return confine.Class{}
	}
	return confine.Class{Kind: kind, Fold: fold}
}

func (t *sqliteTable) fold(at int) (confine.Fold, bool) {
	switch {
	case t.collations == nil:
		return 0, false
	case at >= len(t.collations): // none is named anywhere, or settle finds that their number differs
		return confine.Exact, true
	}
	switch t.collations[at] {
	case "", "binary":
		return confine.Exact, true
	case "nocase":
		return confine.ASCIICase, true
	case "rtrim":
		return confine.Padded, true
	}
	return 0, false
}

// sqliteAffinity follows the rules for declared types: https://sqlite.org/datatype3.html#determination_of_column_affinity.
func sqliteAffinity(typ string) confine.ClassKind {
	typ = lowerASCII(typ)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(typ, part) {
				return true
			}
		}
		return false
	}
	switch {
	case has("int"):
		return confine.Dynamic
	case has("char", "clob", "text"):
		return confine.DynamicText
	case typ == "" || has("blob"):
		return confine.DynamicBlob
	}
	return confine.Dynamic
}

var plainQuoted = regexp.MustCompile(`^'([^']*)'$`)

// sqliteDefault reads the default of a column, which is SQL.
func sqliteDefault(v driver.Value, texts sharing) analyze.Term {
	value := text(v)
	switch {
	case v == nil || strings.EqualFold(value, "null"):
		return analyze.Term{Kind: analyze.Null}
	case plainNumber.MatchString(value):
		return analyze.Term{Kind: analyze.Number, Text: texts.share(value)}
	}
	if m := plainQuoted.FindStringSubmatch(value); m != nil {
		return analyze.Term{Kind: analyze.Text, Text: texts.share(m[1])}
	}
	return analyze.Term{}
}

// addSQLiteIndexes adds what indexes say of the columns of their tables. A unique index with a collation
// of its own may hold rows apart that the columns take for equal.
func (s *Snapshot) addSQLiteIndexes(rows [][]driver.Value, tables map[string]*sqliteTable) {
	for start := 0; start < len(rows); {
		end := start + 1
		for end < len(rows) && text(rows[end][0]) == text(rows[start][0]) && text(rows[end][1]) == text(rows[start][1]) {
			end++
		}
		if t := tables[lowerASCII(text(rows[start][0]))]; t != nil && t.relation != nil {
			t.addIndex(rows[start:end])
		}
		start = end
	}
}

// addIndex adds an index of the given key columns.
func (t *sqliteTable) addIndex(rows [][]driver.Value) {
	primary := text(rows[0][3]) == "pk"
	t.indexed = t.indexed || primary
	plain := truth(rows[0][2]) && !truth(rows[0][4])
	var names []string
	for i, row := range rows {
		c := t.column(lowerASCII(text(row[6])))
		if c == nil || row[6] == nil {
			plain = false
			continue
		}
		c.Selective = c.Selective || i == 0
		plain = plain && sameCollation(c.Class, lowerASCII(text(row[7])))
		names = append(names, c.Name)
	}
	if plain {
		addKey(t.table, names, primary)
	}
}

// sameCollation reports whether an index compares text as a column of a class does.
func sameCollation(c confine.Class, collation string) bool {
	switch collation {
	case "binary":
		return c.Kind != confine.Opaque && c.Fold == confine.Exact
	case "nocase":
		return c.Kind != confine.Opaque && c.Fold == confine.ASCIICase
	}
	return false
}

// settle judges what takes all columns and indexes: their number, and which of them is the rowid.
func (t *sqliteTable) settle() {
	if t.relation == nil {
		return
	}
	columns := t.table.Columns
	if len(t.collations) > 0 && len(t.collations) != len(columns) {
		for i := range columns {
			columns[i].Class = confine.Class{}
		}
		t.table.Keys = nil
	}
	if len(t.primary) == 1 && t.integer && !t.indexed {
		c := &columns[t.primary[0]]
		c.Serial, c.NotNull, c.Selective, c.Default = true, true, true, analyze.Term{}
		addKey(t.table, []string{c.Name}, true)
	}
}
