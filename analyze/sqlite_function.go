package analyze

import "strings"

// SQLiteDeterministic reports whether SQLite's own function of that name (in
// lower case) gives the same result for the same arguments in every process,
// whatever the state of the database. Date functions count as deterministic:
// that they ask the clock shows in their arguments. It knows nothing of a
// function that a program has registered under the same name.
func SQLiteDeterministic(name string) bool {
	return liteDeterministic[name] || liteDateFunctions[name] || litePureTableFunctions[name]
}

var liteDeterministic = wordSet(`
	abs char coalesce concat concat_ws format glob hex if ifnull iif instr
	length like likelihood likely lower ltrim max min nullif octet_length
	printf quote replace round rtrim sign soundex substr substring
	subtype trim typeof unhex unicode unistr unistr_quote unlikely upper zeroblob

	acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp
	floor ln log log10 log2 mod pi pow power radians sin sinh sqrt tan tanh trunc

	json json_array json_array_insert json_array_length json_error_position
	json_extract json_group_array json_group_object json_insert json_object
	json_patch json_pretty json_quote json_remove json_replace json_set json_type
	json_valid jsonb jsonb_array jsonb_array_insert jsonb_extract
	jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch
	jsonb_remove jsonb_replace jsonb_set -> ->>

	avg count group_concat median percentile percentile_cont percentile_disc
	string_agg sum total

	row_number rank dense_rank percent_rank cume_dist ntile lag lead
	first_value last_value nth_value

	match highlight snippet bm25 matchinfo offsets rtreedepth rtreenode
	geopoly_area geopoly_bbox geopoly_blob geopoly_ccw geopoly_contains_point
	geopoly_group_bbox geopoly_json geopoly_overlap geopoly_regular geopoly_svg
	geopoly_within geopoly_xform`)

// liteAggregates are those of them that make one value of many rows, beside min and max.
var liteAggregates = wordSet(`avg count group_concat median percentile
	percentile_cont percentile_disc string_agg sum total json_group_array json_group_object
	jsonb_group_array jsonb_group_object geopoly_group_bbox`)

// litePureTableFunctions have no rows but those made of their arguments.
var litePureTableFunctions = wordSet("json_each json_tree jsonb_each jsonb_tree generate_series")

var liteDateFunctions = wordSet("date time datetime julianday unixepoch strftime timediff")

// liteVolatile change without a write, or do something beside returning a
// value: files, extensions, indexes, the layout of pages.
var liteVolatile = wordSet(`random randomblob load_extension readfile writefile
	edit lsmode current_time current_date current_timestamp sqlite_offset sqlite_log fts3_tokenizer fts5 optimize rtreecheck
	zipfile uuid`)

// liteSessionFunctions tell of the connection or of the library in this process.
var liteSessionFunctions = wordSet(`last_insert_rowid changes total_changes
	sqlite_version sqlite_source_id sqlite_compileoption_get
	sqlite_compileoption_used fts5_source_id`)

// liteClockWord reports whether a date function takes text for the clock, or
// for the time zone of this process.
func liteClockWord(text string) bool {
	switch liteFold(strings.TrimSpace(text)) {
	case "now", "subsec", "subsecond", "localtime", "utc":
		return true
	}
	return false
}

// call adds a function that is called, and judges SQLite's own.
func (c *liteCollector) call(x *liteExpr) {
	c.s.Functions = addOnce(c.s.Functions, Name{Name: x.text})
	switch {
	case x.text == "load_extension":
		c.s.Settings = addOnce(c.s.Settings, x.text)
		c.because(Volatile, x.text+"()")
	case liteVolatile[x.text]:
		c.because(Volatile, x.text+"()")
	case liteSessionFunctions[x.text]:
		c.because(SessionFunction, x.text+"()")
	case liteDateFunctions[x.text]:
		c.date(x)
	}
}

// date judges a date function: without a time it asks the clock, and what it
// computes from literals alone may be 'now'. See finish for literals.
func (c *liteCollector) date(x *liteExpr) {
	c.dates = x.text
	times := x.args
	if x.text == "strftime" && len(times) > 0 {
		times = times[1:]
	}
	volatile := len(times) == 0
	for _, arg := range times {
		volatile = volatile || arg.op == liteOperate && liteConstant(arg)
		volatile = volatile || arg.op == liteCall && !liteDateFunctions[arg.text] && liteConstant(arg)
	}
	if volatile {
		c.because(Volatile, x.text+"()")
	}
}

// liteConstant reports whether x is computed from literals alone.
func liteConstant(x *liteExpr) bool {
	if x.op == liteColumn || x.op == liteBind || x.op == liteSubquery || x.sub != nil || x.source != nil {
		return false
	}
	for _, arg := range x.args {
		if !liteConstant(arg) {
			return false
		}
	}
	return true
}
