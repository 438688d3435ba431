package catalog

import (
	"database/sql/driver"
	"regexp"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// All columns in their order, and the first or only columns of indexes.
const (
	mysqlColumns = `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, GENERATION_EXPRESSION,
ORDINAL_POSITION, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, CHARACTER_SET_NAME, COLLATION_NAME
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')
ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`

	mysqlIndexes = `SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, NON_UNIQUE, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')
ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`
)

// addMySQLColumn adds a column: how it compares, that it is a time of day, which gets today's date where it meets
// a date, or what it is computed from.
func (s *Snapshot) addMySQLColumn(row []driver.Value, texts sharing) {
	r := s.find(text(row[0]), text(row[1]))
	if r == nil {
		return
	}
	name, extra := texts.share(strings.ToLower(text(row[2]))), strings.ToLower(text(row[8]))
	if strings.EqualFold(text(row[3]), "time") {
		if r.columns == nil {
			r.columns = map[string]bool{}
		}
		r.columns[name], r.timed = false, true
	}
	code := text(row[4])
	if code != "" && strings.Contains(extra, "virtual") {
		code := strings.ReplaceAll(code, `\'`, "'") // MySQL escapes the quotes
		r.computed = append(r.computed, analyze.Analyze(analyze.MySQL, "SELECT "+code))
	}
	if int(number(row[5])) != len(r.table.Columns)+1 || strings.Contains(extra, "invisible") || !isASCII(name) {
		r.table.Unsliced = true // some can't be seen, or don't count where all are meant, or have several names
	}
	c := confine.Column{
		Name:      name,
		Class:     s.mysqlClass(strings.ToLower(text(row[3])), texts.share(text(row[9])), texts.share(text(row[10]))),
		NotNull:   !truth(row[6]),
		Generated: code != "" || strings.Contains(extra, "on update"),
		Serial:    strings.Contains(extra, "auto_increment"),
	}
	c.Default = s.mysqlDefault(row[7], &c, extra, texts)
	r.table.Columns = append(r.table.Columns, c)
}

// mysqlClass returns how values of a type are compared. All text is taken as padded, because spaces at
// its end may be cut off without a word, and JSON of MariaDB, which is a long text, isn't told from others.
func (s *Snapshot) mysqlClass(typ, charset, collation string) confine.Class {
	switch typ {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		return confine.Class{Kind: confine.Integer}
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return confine.Class{Kind: confine.Bytes}
	case "longtext":
		if s.mariadb && collation == "utf8mb4_bin" {
			return confine.Class{}
		}
	case "char", "varchar", "tinytext", "text", "mediumtext":
	default:
		return confine.Class{}
	}
	fold, ok := mysqlFold(charset, collation)
	if !ok {
		return confine.Class{}
	}
	return confine.Class{Kind: confine.Text, Fold: fold | confine.Padded, Name: collation}
}

var (
	mysqlExact    = regexp.MustCompile(`^(utf8|utf8mb3|utf8mb4|latin1|ascii)(_0900)?(_nopad)?_bin$`)
	mysqlCaseLess = regexp.MustCompile(`^(utf8|utf8mb3|utf8mb4)_((general|unicode|unicode_520)(_nopad)?_ci|0900_(ai_ci|as_ci|as_cs)|uca1400(_nopad)?_(ai|as)_(ci|cs))$` +
		`|^latin1_(swedish|general)(_nopad)?_ci$|^ascii_general(_nopad)?_ci$`)
)

// mysqlFold returns what a collation takes for equal at most; ok is false if that isn't known.
// The name of a character set begins that of its collations.
func mysqlFold(charset, collation string) (f confine.Fold, ok bool) {
	switch {
	case charset == "" || !strings.HasPrefix(collation, charset+"_") && charset != "utf8mb3":
		return 0, false
	case mysqlExact.MatchString(collation):
		return confine.Exact, true
	case mysqlCaseLess.MatchString(collation):
		return confine.CaseLess, true
	}
	return 0, false
}

var (
	plainNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	plainString = regexp.MustCompile(`^'([^'\\]*)'$`)
)

// mysqlDefault reads the default of a column. MariaDB writes it as SQL, MySQL as the value, unless it is an
// expression. A column that must have a value and has none gets one in some modes.
func (s *Snapshot) mysqlDefault(v driver.Value, c *confine.Column, extra string, texts sharing) analyze.Term {
	value := text(v)
	switch {
	case c.Generated || c.Serial || strings.Contains(extra, "default_generated"):
		return analyze.Term{}
	case v == nil && c.NotNull:
		return analyze.Term{}
	case v == nil, s.mariadb && value == "NULL" && !c.NotNull:
		return analyze.Term{Kind: analyze.Null}
	case c.Class.Kind == confine.Integer && plainNumber.MatchString(value):
		return analyze.Term{Kind: analyze.Number, Text: texts.share(value)}
	case c.Class.Kind != confine.Text:
		return analyze.Term{}
	case !s.mariadb:
		return analyze.Term{Kind: analyze.Text, Text: texts.share(value)}
	}
	if m := plainString.FindStringSubmatch(value); m != nil {
		return analyze.Term{Kind: analyze.Text, Text: texts.share(m[1])}
	}
	return analyze.Term{}
}

// A mysqlIndex is an index of a relation.
type mysqlIndex struct {
	relation *relation
	name     string
}

// addMySQLIndexes adds what indexes say of the columns of their relations. Rows of tables whose names
// differ only in case may stand among each other.
func (s *Snapshot) addMySQLIndexes(rows [][]driver.Value) {
	var order []mysqlIndex
	columns, other := map[mysqlIndex][]string{}, map[mysqlIndex]bool{}
	for _, row := range rows {
		i := mysqlIndex{s.find(text(row[0]), text(row[1])), text(row[2])}
		if i.relation == nil {
			continue
		}
		if _, ok := columns[i]; !ok {
			order = append(order, i)
		}
		c := i.relation.column(strings.ToLower(text(row[5])))
		if c == nil {
			c = &confine.Column{}
		}
		c.Selective = c.Selective || number(row[4]) == 1
		columns[i] = append(columns[i], c.Name)
		other[i] = other[i] || c.Name == "" || row[6] != nil || number(row[3]) != 0 // an expression, a prefix, not unique
	}
	for _, i := range order {
		if !other[i] {
			addKey(i.relation.table, columns[i], i.name == "PRIMARY")
		}
	}
}

// column returns a column by its folded name, or nil.
func (r *relation) column(name string) *confine.Column {
	at := slices.IndexFunc(r.table.Columns, func(c confine.Column) bool { return c.Name == name })
	if at < 0 {
		return nil
	}
	return &r.table.Columns[at]
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0
}

// A sharing has one string for all equal ones.
type sharing map[string]string

func (s sharing) share(text string) string {
	if shared, ok := s[text]; ok {
		return shared
	}
	s[text] = text
	return text
}
