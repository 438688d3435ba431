package analyze

// liteObjectPragmas take an argument that names what they tell of, or how much
// upkeep to do: with or without it they change no setting and no result.
var liteObjectPragmas = wordSet(`table_info table_xinfo table_list index_list
	index_info index_xinfo foreign_key_list foreign_key_check integrity_check
	quick_check wal_checkpoint incremental_vacuum optimize collation_list
	compile_options database_list function_list module_list pragma_list stats
	freelist_count page_count data_version shrink_memory`)

// liteSchemaPragmas change the schema, or how its table is read.
var liteSchemaPragmas = wordSet("schema_version writable_schema")

// pragma reads PRAGMA [schema.]name [= value | (value)]. With an argument it is
// taken to change the setting of its name unless it is known not to; SQLite
// ignores names that it doesn't know, but extensions need not.
func (p *liteParser) pragma(s *Statement) {
	p.expect("pragma")
	s.Kind, s.Reason, s.ReturnsRows = Session, Explain, true
	name := p.qualified().Name
	s.Detail = "pragma " + name
	if !p.pragmaValue() || liteObjectPragmas[name] {
		return
	}
	s.Settings = []string{name}
	if liteSchemaPragmas[name] {
		s.Kind = Schema
	}
}

// pragmaValue reads the argument of a pragma, if there is one.
func (p *liteParser) pragmaValue() bool {
	closed := p.acceptOp("(")
	if !closed && !p.acceptOp("=") {
		return false
	}
	_ = p.acceptOp("-") || p.acceptOp("+")
	switch t := p.next(); t.kind {
	case liteWord, liteQuoted, liteString, liteNumber:
	default:
		p.at--
		p.fail()
	}
	if closed {
		p.expectOp(")")
	}
	return true
}
