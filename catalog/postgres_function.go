package catalog

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// A pgFunction is what the catalog says of a function that users have defined.
type pgFunction struct {
	oid, support    int64
	volatility      string // i, s or v
	language, kind  string
	source, sqlBody string
	definer         bool
	config          []string
	extension       string
	function        *function
	words           map[string]bool // of an opaque body
}

// quietExtensions are those whose functions in C are known to write nothing and to
// set nothing, whatever their volatility.
var quietExtensions = wordSet(`uuid-ossp pgcrypto citext hstore hstore_plperl pg_trgm unaccent ltree intarray
	intagg cube earthdistance btree_gin btree_gist fuzzystrmatch isn seg vector bloom dict_int dict_xsyn
	insert_username moddatetime autoinc tcn tsm_system_rows tsm_system_time pg_stat_statements`)

// loudFunctions are the exceptions: they change settings.
var loudFunctions = wordSet("set_limit")

func (l *pgLoader) function(row json.RawMessage) error {
	src := &pgFunction{}
	var schema, name string
	var attribute bool
	err := fields(row, &src.oid, &schema, &name, &src.volatility, &src.language, &src.kind, &src.source, &src.sqlBody,
		&src.definer, &src.config, &src.extension, &src.support, &attribute)
	if err != nil {
		return err
	}
	f := &function{schema: schema, name: name, volatile: src.volatility == "v"}
	src.function = f
	src.judge(name)
	l.functions[src.oid], l.sources[src.oid] = f, src
	if attribute && (f.behaviour != pure || src.kind == "a") {
		if l.snapshot.attributes == nil {
			l.snapshot.attributes = map[string][]*function{}
		}
		l.snapshot.attributes[strings.ToLower(name)] = append(l.snapshot.attributes[strings.ToLower(name)], f)
	}
	key := strings.ToLower(name)
	l.snapshot.functions[key] = append(l.snapshot.functions[key], f)
	return nil
}

// judge settles what calling the function may do.
func (src *pgFunction) judge(name string) {
	f := src.function
	f.behaviour = src.label()
	f.reach = anyReach
	switch {
	case src.kind == "a":
		f.behaviour, f.volatile = pure, false // see aggregate
	case src.language == "c" || src.language == "internal":
		src.judgeNative(name)
	case src.language == "sql":
		src.judgeBody(src.readSQL())
	case src.language == "plpgsql":
		src.judgeBody(takeApart(analyze.Postgres, src.source))
		src.listWords()
	}
}

// label is the behaviour that the function's author promises.
func (src *pgFunction) label() behaviour {
	if src.volatility == "v" {
		return anything
	}
	return reading
}

func (src *pgFunction) judgeNative(name string) {
	f := src.function
	switch quiet := quietExtensions[src.extension] && !loudFunctions[name]; {
	case src.volatility == "i":
		f.behaviour = pure
	case src.volatility == "v" && quiet:
		f.behaviour = changing
	}
}

// judgeBody makes f follow the statements of its body, if they could be read.
func (src *pgFunction) judgeBody(statements []*analyze.Statement, ok bool) {
	d := &definition{name: src.function.name, statements: statements, bound: src.sqlBody != ""}
	if !ok || !src.readPath(d) {
		return
	}
	src.function.behaviour, src.function.body = following, d
}

// readSQL returns the statements of a body in SQL.
func (src *pgFunction) readSQL() ([]*analyze.Statement, bool) {
	var statements []*analyze.Statement
	for _, code := range src.sqlTexts() {
		st := analyze.Analyze(analyze.Postgres, code)
		if st.Kind == analyze.Unknown || st.Reason == analyze.Unparsable {
			return nil, false
		}
		statements = append(statements, st)
	}
	return statements, len(statements) > 0
}

// sqlTexts returns the texts of a body in SQL: a string of statements, RETURN
// expression, or BEGIN ATOMIC statements END.
func (src *pgFunction) sqlTexts() []string {
	if src.sqlBody == "" {
		return []string{src.source}
	}
	tokens, ok := scan(analyze.Postgres, src.sqlBody)
	if !ok || len(tokens) < 2 {
		return nil
	}
	if tokens[0].is("return") {
		return []string{"SELECT " + textOf(src.sqlBody, tokens[1:])}
	}
	if len(tokens) < 3 || !tokens[0].is("begin") || !tokens[len(tokens)-1].is("end") {
		return nil
	}
	var texts []string
	for _, part := range splitStatements(tokens[2 : len(tokens)-1]) {
		texts = append(texts, textOf(src.sqlBody, part))
	}
	return texts
}

// readPath settles where the body looks names up. It reports false if that
// depends on more than the caller's path.
func (src *pgFunction) readPath(d *definition) bool {
	for _, setting := range src.config {
		name, value, _ := strings.Cut(setting, "=")
		switch strings.ToLower(name) {
		case "search_path":
			path, ok := parsePath(value)
			if !ok {
				return false
			}
			d.ownPath, d.path = true, path
		case "role", "session_authorization", "row_security", "standard_conforming_strings":
			return false
		}
	}
	return !src.definer || d.ownPath || d.bound || allQualified(d.statements)
}

// allQualified reports whether no name in statements depends on a path.
func allQualified(statements []*analyze.Statement) bool {
	for _, st := range statements {
		for _, n := range st.Reads {
			if n.Schema == "" {
				return false
			}
		}
		for _, w := range st.Writes {
			if w.Relation.Schema == "" {
				return false
			}
		}
		for _, n := range st.Functions {
			if n.Schema == "" && !analyze.Builtin(analyze.Postgres, n.Name) {
				return false
			}
		}
	}
	return true
}

// parsePath reads the value of search_path. It reports false if it depends on
// the role.
func parsePath(value string) ([]string, bool) {
	path := splitPath(value)
	if slices.Contains(path, "$user") {
		return nil, false
	}
	if !slices.Contains(path, "pg_catalog") {
		path = append([]string{"pg_catalog"}, path...)
	}
	return path, true
}

// splitPath returns the names in a list of schemas. The server folds those that aren't
// quoted.
func splitPath(value string) []string {
	var path []string
	for value = strings.TrimSpace(value); value != ""; value = strings.TrimSpace(value) {
		var name string
		if quoted, ok := strings.CutPrefix(value, `"`); ok {
			end := closingQuote(quoted)
			name, value = strings.ReplaceAll(quoted[:end], `""`, `"`), quoted[min(end+1, len(quoted)):]
			_, value, _ = strings.Cut(value, ",")
		} else {
			name, value, _ = strings.Cut(value, ",")
			name = strings.ToLower(strings.TrimSpace(name))
		}
		if name != "" {
			path = append(path, name)
		}
	}
	return path
}

// closingQuote returns where the quote stands that isn't doubled.
func closingQuote(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			if i+1 == len(s) || s[i+1] != '"' {
				return i
			}
			i++
		}
	}
	return len(s)
}

// triggerBody is what runs when the function is called by a trigger.
func (src *pgFunction) triggerBody() *definition {
	switch f := src.function; {
	case f.behaviour == following:
		return f.body
	case f.behaviour == changing, f.behaviour == pure:
		return &definition{name: f.name}
	default:
		return f.trigger()
	}
}

// trigger is the code of a trigger that can't be followed.
func (f *function) trigger() *definition {
	if f.body == nil {
		f.body = &definition{name: f.name, opaque: true, reach: f.reach}
	}
	return f.body
}

// aggregate adds the functions that an aggregate is made of.
func (l *pgLoader) aggregate(row json.RawMessage) error {
	var oid int64
	var parts []int64
	if err := fields(row, &oid, &parts); err != nil {
		return err
	}
	f := l.functions[oid]
	for _, part := range parts {
		if g := l.functions[part]; f != nil && g != nil {
			f.parts = append(f.parts, g)
		}
	}
	return nil
}

// Words by which code in PL/pgSQL changes more than rows.
var (
	ddlWords = wordSet(`create alter drop execute grant revoke refresh import comment security reassign rename
		do call reindex cluster load`)
	settingsWords = wordSet("set reset discard set_config execute do call load")
)

// listWords finds the words in a body that can't be followed, to tell from them what
// it reaches.
func (src *pgFunction) listWords() {
	tokens, ok := scan(analyze.Postgres, src.source)
	if !ok {
		return
	}
	src.words = map[string]bool{}
	src.function.reach = 0
	for _, t := range tokens {
		switch t.kind {
		case quoted:
			src.words[strings.Trim(textOf(src.source, []token{t}), `"`)] = true
		case word:
			src.words[t.word] = true
			if ddlWords[t.word] {
				src.function.reach |= ddl
			}
			if settingsWords[t.word] {
				src.function.reach |= settings
			}
		}
	}
}

// spread gives functions the reach of those whose names stand in their bodies.
func (l *pgLoader) spread() {
	for changed := true; changed; {
		changed = false
		for _, src := range l.sources {
			if src.words != nil && l.widenReach(src) {
				changed = true
			}
		}
	}
	var triggers reach // code may write to any table, and so run any trigger
	for _, t := range l.triggers {
		if f := l.functions[t.function]; f != nil {
			triggers |= f.reach
		}
	}
	for _, src := range l.sources {
		src.function.reach |= triggers
		if f := src.function; f.body != nil && f.body.opaque {
			f.body.reach = f.reach
		}
	}
}

func (l *pgLoader) widenReach(src *pgFunction) bool {
	before := src.function.reach
	for w := range src.words {
		for _, g := range l.snapshot.functions[w] {
			if g.behaviour == anything || g.behaviour == following {
				src.function.reach |= g.reach
			}
		}
	}
	return src.function.reach != before
}
