package analyze

import (
	"slices"
	"strings"
)

// Mentions are the words of a text: a column whose name isn't among them is not named in it. They are taken from the text as
// it stands, comments and strings included, so that no dialect's rules of quoting matter; what a word stands for isn't told.
type Mentions struct {
	words  string   // in ASCII lower case, a space before and after each
	whole  []string // PostgreSQL: names that may stand for whole rows …
	fields []Term   // … and those with a qualifier, which may be functions that are called with one

	// Any says that columns may be meant which are not among the words: by NATURAL, by a name in other letters.
	Any bool
	// Limits says that the result may be of some rows only, those before a LIMIT. Which they are the database may choose, if their
	// order isn't told. Chooses says that it may be free otherwise: in which order an aggregate puts rows together.
	Limits, Chooses bool
}

// Column reports whether a column may be meant.
func (m *Mentions) Column(name string) bool {
	if name = strings.ToLower(name); m == nil || m.Any || !plainWord(name) {
		return true
	}
	return strings.Contains(m.words, " "+name+" ")
}

// Row reports whether all columns of a source may be meant by its alias, or by a field of it that is none of its columns: u, u.*, u.fullname
// for fullname(u).
func (m *Mentions) Row(alias string, columns []string) bool {
	return m == nil || m.Any || slices.Contains(m.whole, alias) || slices.ContainsFunc(m.fields, func(f Term) bool {
		return f.Table.Name == alias && !slices.Contains(columns, f.Text)
	})
}

// What a text means that has one of these words isn't told by its words alone: columns that tables have in common, all columns,
// those that say in which partition a row is, older rows, and other names for a column that have nothing in common with its own.
var wordsOfAny = wordSet("natural table partition system_time rowid oid _rowid_ _rowid row_start row_end ctid xmin xmax cmin cmax tableoid")

// wordsOfChoice are those by which a result may depend on more than the values of rows: on their places, as a change of
// any column may move a row to another place, or have it found in another order. Of values that are equal and not the same (letters of
// either case, 1.0 and 1.00) GROUP BY, DISTINCT and max show one.
var (
	wordsOfLimit  = wordSet("limit fetch offset top")
	wordsOfChoice = wordSet(`distinct group having union intersect except minus min max over window any_value first_value mode
	array_agg string_agg json_agg jsonb_agg json_agg_strict jsonb_agg_strict xmlagg json_object_agg jsonb_object_agg
	json_object_agg_strict jsonb_object_agg_strict json_object_agg_unique jsonb_object_agg_unique
	json_object_agg_unique_strict jsonb_object_agg_unique_strict group_concat json_arrayagg json_objectagg
	json_group_array json_group_object jsonb_group_array jsonb_group_object listagg`)
)

// maxName is how long a word may be that databases don't cut off, in bytes.
const maxName = 63

// mentionsOf gathers the words of a text. A name may also be written in escapes: U&"\0061".
func mentionsOf(text string) *Mentions {
	m := &Mentions{Any: strings.Contains(text, `u&"`) || strings.Contains(text, `U&"`)}
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte(' ')
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < 0x80 && !nameByte(byte(r)) }) {
		if word = strings.ToLower(word); len(word) > maxName || !plainWord(word) {
			m.Any = true
			break
		}
		m.add(&b, word)
		if c := word[0]; c == '$' || '0' <= c && c <= '9' { // 1limit, 1e5limit, $1limit: where a number ends older servers begin a word
			for i := range len(word) {
				m.add(&b, word[i:])
			}
		}
	}
	m.words = b.String()
	return m
}

func (m *Mentions) add(b *strings.Builder, word string) {
	b.WriteString(word)
	b.WriteByte(' ')
	m.Any = m.Any || wordsOfAny[word]
	m.Limits = m.Limits || wordsOfLimit[word]
	m.Chooses = m.Chooses || wordsOfChoice[word]
}

func nameByte(c byte) bool {
	return c == '_' || c == '$' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// plainWord reports whether a name in lower case is one that no dialect folds into another, and that stands as one word in every text that
// names it.
func plainWord(name string) bool {
	for i := range len(name) {
		if c := name[i]; !nameByte(c) || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return name != ""
}
