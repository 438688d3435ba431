package larder

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/larderdb/larder/analyze"
)

// A columnType is a type of a column and what is in it, as literals.
type columnType struct {
	decl   string
	values []string
}

// makesTypes makes what columnTypes refer to.
var makesTypes = map[string][]string{
	"postgres": {
		"CREATE EXTENSION hstore", "CREATE TYPE mood AS ENUM ('sad', 'happy')", "CREATE TYPE pair AS (a int, b text)",
		"CREATE DOMAIN positive AS int CHECK (VALUE > 0)", "CREATE DOMAIN day AS date",
	},
}

// columnTypes are the types of each database, with the values at their edges.
var columnTypes = map[string][]columnType{
	"postgres": {
		{"bool", []string{"true", "false"}}, {"int2", []string{"-32768", "32767"}}, {"int4", []string{"-2147483648", "2147483647"}}, {"int8", []string{"-9223372036854775808", "9223372036854775807"}},
		{"float4", []string{"0.1", "'NaN'", "'Infinity'", "'-0'", "3.4028235e38"}}, {"float8", []string{"0.1", "'NaN'", "'-Infinity'", "'-0'", "5e-324", "1.7976931348623157e308"}},
		{"numeric", []string{"123456789012345678901234567890.000000000000000000000000000001", "'NaN'", "'Infinity'", "1.10", "1e-100"}}, {"numeric(10,2)", []string{"1.5", "-0.01"}}, {"money", []string{"1234567.89", "-1"}},
		{"text", []string{"''", "'NULL'", "'null'", "' '", "E'a\\nb\\tc'", "'Żółć 漢字 🥖'"}}, {"varchar(10)", []string{"'short'", "''"}}, {"char(5)", []string{"'a'", "''"}}, {`"char"`, []string{"'a'"}}, {"name", []string{"'name'"}},
		{"bytea", []string{`'\x'`, `'\x0001ff'`, "'text'"}}, {"date", []string{"'2024-02-29'", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'9999-12-31'", "'0001-01-01'"}}, {"time", []string{"'00:00'", "'23:59:59.999999'", "'24:00'"}},
		{"timetz", []string{"'12:00+05:30'", "'12:00-03:30'"}}, {"timestamp", []string{"'2024-02-29 12:13:14.567891'", "'infinity'", "'-infinity'", "'0044-03-15 BC'"}},
		{"timestamptz", []string{"'2024-07-01 12:00:00 America/St_Johns'", "'2024-01-01 12:00:00+14'", "'infinity'", "'-infinity'", "'1883-11-18 12:00:00'"}}, {"interval", []string{"'1 year 2 mons 3 days 04:05:06.789'", "'-1 month'", "'0'"}},
		{"uuid", []string{"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"}}, {"inet", []string{"'10.0.0.1'", "'10.0.0.1/8'", "'::1'", "'fe80::1/64'"}}, {"cidr", []string{"'10.0.0.0/8'", "'::/0'"}}, {"macaddr", []string{"'08:00:2b:01:02:03'"}},
		{"macaddr8", []string{"'08:00:2b:01:02:03:04:05'"}}, {"json", []string{`'{"b": 1,  "a": [1.0, null]}'`, "'null'", `'"text"'`}}, {"jsonb", []string{`'{"b": 1,  "a": [1.0, null]}'`, "'null'", "'12345678901234567890.5'"}},
		{"int[]", []string{"'{1,NULL,3}'", "'{}'", "'{{1,2},{3,4}}'", "'[0:1]={1,2}'"}}, {"text[]", []string{`'{a,"b c",NULL,"NULL",""}'`}}, {"timestamptz[]", []string{"'{2024-01-01 00:00:00+00,infinity}'"}}, {"bytea[]", []string{`'{"\\x00ff"}'`}},
		{"hstore", []string{`'a=>1, b=>NULL, "c d"=>"NULL"'`, "''"}}, {"int4range", []string{"'[1,5)'", "'empty'", "'(,)'"}}, {"numrange", []string{"'[1.5,2.5]'"}}, {"daterange", []string{"'[2024-01-01,infinity)'"}},
		{"tstzrange", []string{"'[2024-01-01 00:00:00+00,2024-07-01 00:00:00+00)'"}}, {"int4multirange", []string{"'{[1,2),[5,9)}'"}}, {"bit(3)", []string{"B'101'"}}, {"varbit", []string{"B''", "B'1011'"}}, {"xml", []string{"'<a b=\"c\">d</a>'"}},
		{"point", []string{"'(1.5,-2)'"}}, {"box", []string{"'(1,1),(0,0)'"}}, {"polygon", []string{"'((0,0),(1,1),(1,0))'"}}, {"circle", []string{"'<(0,0),1>'"}}, {"tsvector", []string{"'a:1 b:2'"}}, {"tsquery", []string{"'a & b'"}},
		{"oid", []string{"4294967295"}}, {"pg_lsn", []string{"'16/B374D848'"}}, {"jsonpath", []string{"'$.a'"}}, {"mood", []string{"'happy'", "'sad'"}}, {"mood[]", []string{"'{happy,NULL}'"}}, {"positive", []string{"7"}}, {"day", []string{"'2024-02-29'", "'infinity'"}},
		{"pair", []string{"'(1,\"b c\")'", "'(,)'"}}, {"pair[]", []string{`'{"(1,a)"}'`}},
	},
	"mysql": {
		{"tinyint", []string{"-128", "127"}}, {"bool", []string{"true", "false"}}, {"smallint", []string{"-32768"}}, {"mediumint", []string{"8388607"}}, {"int", []string{"-2147483648", "2147483647"}}, {"int unsigned", []string{"4294967295"}},
		{"bigint", []string{"-9223372036854775808", "9223372036854775807"}}, {"bigint unsigned", []string{"18446744073709551615"}}, {"float", []string{"0.1", "3.4e38", "-0.0"}}, {"double", []string{"0.1", "1.7976931348623157e308", "5e-324"}},
		{"decimal(10,2)", []string{"1.5", "-0.01"}}, {"decimal(65,30)", []string{"12345678901234567890123456789012345.000000000000000000000000000001"}}, {"char(5)", []string{"'a'", "''"}}, {"varchar(20)", []string{"''", "'NULL'", "'漢字 🥖'"}},
		{"text", []string{"'a\\nb'", "''"}}, {"varchar(5) charset latin1", []string{"'é'"}}, {"binary(3)", []string{"'a'", "x'000102'"}}, {"varbinary(5)", []string{"''", "x'00ff'"}}, {"blob", []string{"''", "x'0001ff'", "'text'"}}, {"bit(10)", []string{"b'1000000001'", "b'0'"}},
		{"date", []string{"'2024-02-29'", "'0000-00-00'", "'9999-12-31'"}}, {"datetime(6)", []string{"'2024-02-29 12:13:14.567891'", "'0000-00-00 00:00:00'"}}, {"timestamp NULL", []string{"'2024-07-01 12:00:00'", "'0000-00-00 00:00:00'"}},
		{"time(3)", []string{"'-838:59:59'", "'12:13:14.5'", "'00:00:00'"}}, {"year", []string{"2024", "0"}}, {"enum('a','b')", []string{"'a'", "'b'"}}, {"set('x','y')", []string{"'x,y'", "''"}}, {"json", []string{`'{"a": [1, null]}'`}},
		{"uuid", []string{"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"}}, {"inet6", []string{"'::1'"}}, {"point", []string{"POINT(1, 2)"}},
	},
	"sqlite": {
		{"INTEGER", []string{"-9223372036854775808", "9223372036854775807", "'text'", "1.5", "x'00ff'", "''"}}, {"REAL", []string{"0.1", "1", "9e999", "-9e999", "'text'"}}, {"TEXT", []string{"''", "'NULL'", "5", "1.5", "x'00ff'", "'漢字 🥖'"}},
		{"BLOB", []string{"x''", "x'0001ff'", "'text'", "5"}}, {"NUMERIC", []string{"1.5", "10", "'12.50'", "'text'", "1e300"}}, {"DECIMAL(10,2)", []string{"1.5", "'1.50'"}}, {"BOOLEAN", []string{"true", "false", "2", "'yes'", "'true'", "0.5"}},
		{"DATE", []string{"'2024-02-29'", "'no date'", "20240229", "0"}}, {"DATETIME", []string{"'2024-02-29 12:13:14.567'", "'2024-02-29T12:13:14-02:30'", "1700000000", "2460000.5"}}, {"TIMESTAMP", []string{"'2024-02-29T12:13:14Z'", "'2024-02-29 12:13'", "1700000000123", "'x'"}},
		{"", []string{"1", "1.5", "'text'", "x'00'", "true"}}, {"VARCHAR(3)", []string{"'longer than that'"}}, {"JSON", []string{`'{"a": 1}'`, "json('[1, 2]')"}}, {"UUID", []string{"x'a0eebc999c0b4ef8bb6d6bb9bd380a11'"}},
	},
}

// typed names the table of a type.
func typed(i int) string { return fmt.Sprintf("typed%d", i) }

// makeTyped makes a table of each type, with a row for each value and one of NULL.
func (h *house) makeTyped() {
	h.Helper()
	statements := makesTypes[h.dialect]
	for i, c := range columnTypes[h.dialect] {
		statements = append(statements, fmt.Sprintf("CREATE TABLE %s (id INTEGER, v %s)", typed(i), c.decl))
		var rows []string
		for id, value := range append(c.values, "NULL") {
			rows = append(rows, fmt.Sprintf("(%d, %s)", id, value))
		}
		insert := fmt.Sprintf("INSERT INTO %s VALUES %s", typed(i), strings.Join(rows, ", "))
		if h.dialect == "mysql" {
			insert = "SET STATEMENT sql_mode = '' FOR " + insert // takes 0000-00-00
		}
		statements = append(statements, insert)
	}
	for _, statement := range statements {
		h.exec(h.bare, statement)
	}
}

// with returns the kind with parameters added to its DSN.
func (k kind) with(params string) kind {
	plain := k.open
	k.open = func(t testing.TB) string { return joined(plain(t), params) }
	return k
}

// joined adds parameters to a DSN.
func joined(dsn, params string) string {
	switch {
	case params == "":
		return dsn
	case strings.Contains(dsn, "?"):
		return dsn + "&" + params
	}
	return dsn + "?" + params
}

// typeSettings are settings of drivers that give other Go types or take other ways to the server.
var typeSettings = map[string][]string{
	"modernc": {"", "_texttotime=1&_inttotime=1"},
	"mattn":   {"", "_loc=America/St_Johns"},
	"ncruces": {"", "_timefmt=unixepoch"},
	"pgx": {
		"", "default_query_exec_mode=cache_describe", "default_query_exec_mode=describe_exec", "default_query_exec_mode=exec", "default_query_exec_mode=simple_protocol", "timezone=America/St_Johns",
	},
	"pq":    {"", "binary_parameters=yes", "timezone=America/St_Johns"},
	"mysql": {"", "parseTime=true", "interpolateParams=true&parseTime=true&loc=America%2FSt_Johns", "compress=true"},
}

// TestTypes: values of every type, at their edges, come out of the cache as the same Go
// values with the same column types, asked directly, with an argument, and prepared.
func TestTypes(t *testing.T) {
	for _, k := range kinds {
		for _, params := range typeSettings[k.name] {
			t.Run(k.name+" "+params, func(t *testing.T) {
				h := newHouse(t, k.with(params), nil)
				h.makeTyped()
				for i, c := range columnTypes[h.dialect] {
					h.wantTyped(c, fmt.Sprintf("SELECT v FROM %s", typed(i)))
				}
			})
		}
	}
}

func (h *house) wantTyped(c columnType, read string) {
	h.Helper()
	if got := h.query(h.bare, read+" ORDER BY id"); strings.Contains(got, "error: ") || strings.Count(got, "\n") < len(c.values)+2 {
		h.Errorf("%s: the bare handle doesn't read it: %s", c.decl, got)
	}
	if c.decl == "timetz" { // pgx and lib/pq show it with today's offset of a zone
		h.wantBypass(h.db, analyze.Volatile, read+" ORDER BY id")
		return
	}
	h.wantCached(h.db, read+" ORDER BY id")
	h.wantCached(h.db, read+" WHERE id >= ? ORDER BY id", 1)
	h.wantCachedPrepared(read+" WHERE id <> ? ORDER BY id", 0)
}

// wantCachedPrepared is wantCached of a prepared statement, compared with one of the bare handle.
func (h *house) wantCachedPrepared(query string, args ...any) {
	h.Helper()
	want := h.queryPrepared(h.bare, query, args...)
	for _, outcome := range []Outcome{OutcomeMiss, OutcomeHit} {
		h.take()
		got := h.queryPrepared(h.db, query, args...)
		if got != want {
			h.Errorf("%s: cached\n%s\nbare\n%s", query, got, want)
		}
		if events := h.take(); len(events) != 1 || events[0].Outcome != outcome {
			h.Errorf("%s: %+v, want outcome %v", query, events, outcome)
		}
	}
}

// A parameter is a query of one parameter and values that are all different ones to it.
type parameter struct {
	query string
	args  []any
}

var parameters = map[string][]parameter{
	"postgres": {
		{"SELECT id, v FROM vals WHERE v IS NOT DISTINCT FROM ?::text ORDER BY id", []any{nil, "", "NULL", "null", " ", "''", "0", "漢字"}},
		{"SELECT id, ?::bytea FROM vals ORDER BY id", []any{[]byte{}, []byte{0}, []byte("a"), []byte("a\x00"), []byte(nil)}},
		{"SELECT id FROM vals WHERE n = ?::numeric ORDER BY id", []any{1, "1.50", "1.5", 1.5, "NaN", "12345678901234567890.5"}},
		{"SELECT ?::int8 FROM vals WHERE id = 1", []any{int64(-1 << 63), int64(1<<63 - 1), 0, nil}},
		{"SELECT ?::float8 FROM vals WHERE id = 1", []any{0.1, 5e-324, 1.7976931348623157e308, nil}},
		{"SELECT ?::timestamptz FROM vals WHERE id = 1", []any{"2024-07-01 12:00:00-02:30", "2024-07-01 12:00:00 America/St_Johns", "infinity", nil}},
		{"SELECT ?::jsonb -> 'a' FROM vals WHERE id = 1", []any{`{"a": 1}`, `{"a":1}`, `{"a": null}`, "[]", nil}},
		{"SELECT ?::uuid FROM vals WHERE id = 1", []any{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC999C0B4EF8BB6D6BB9BD380A12", nil}},
		{"SELECT ?::inet <<= '10.0.0.0/8', 1 FROM vals WHERE id = 1", []any{"10.1.2.3", "::1", nil}},
		{"SELECT id FROM vals WHERE id = ANY (?::int[]) ORDER BY id", []any{"{1,2}", "{2,3}", "{}", "{NULL}", nil}},
		{"SELECT ?::int4range @> id FROM vals ORDER BY id", []any{"[1,2]", "(1,2]", "empty", nil}},
		{"SELECT id FROM vals WHERE (id = 1) = ?::bool ORDER BY id", []any{true, false, nil}},
		{"SELECT ?::interval FROM vals WHERE id = 1", []any{"1 day", "24 hours", nil}},
	},
	"mysql": {
		{"SELECT id, v FROM vals WHERE v <=> ? ORDER BY id", []any{nil, "", "NULL", "null?", "''", "漢字", []byte("NULL?"), []byte{}}},
		{"SELECT id, HEX(?) FROM vals ORDER BY id", []any{[]byte{}, []byte{0}, []byte("a\x00"), "a", []byte{0xff}, nil}},
		{"SELECT id FROM vals WHERE n = ? ORDER BY id", []any{1, "1.50", 1.5, nil, "12345678901234567890.5"}},
		{"SELECT CAST(? AS SIGNED) FROM vals WHERE id = 1", []any{int64(-1 << 63), int64(1<<63 - 1), 0, true, false, "7", nil}},
		{"SELECT CAST(? AS DATETIME(6)) FROM vals WHERE id = 1", []any{"2024-07-01 12:00:00.5", "2024-07-01", nil}},
	},
	"sqlite": {
		{"SELECT id, v, typeof(v) FROM vals WHERE v IS ? ORDER BY id", []any{nil, "", "NULL", "null", 0, "0", 0.5, []byte("NULL"), []byte{}, true}},
		{"SELECT typeof(?1), ?1, id FROM vals ORDER BY id", []any{int64(-1 << 63), 1, 1.0, "1", []byte("1"), false, nil}},
		{"SELECT id FROM vals WHERE n = ? ORDER BY id", []any{1, 1.5, "1.5", "1.50", nil}},
	},
}

// TestParameterTypes: arguments that differ in value or in type never share an entry.
func TestParameterTypes(t *testing.T) {
	for _, k := range kinds {
		for _, params := range typeSettings[k.name] {
			t.Run(k.name+" "+params, func(t *testing.T) {
				h := newHouse(t, k.with(params), nil)
				h.prepare([]string{
					"CREATE TABLE vals (id INTEGER PRIMARY KEY, v VARCHAR(20), n NUMERIC(30, 5))",
					"INSERT INTO vals VALUES (1, NULL, NULL), (2, '', 1), (3, 'NULL', 1.5), (4, 'null?', 2), (5, '''''', 12345678901234567890.5), (6, '0', 0), (7, '漢字', 7), (8, ' x', 8)",
				})
				for _, p := range parameters[h.dialect] {
					for _, arg := range p.args {
						h.wantRead(h.db, OutcomeMiss, p.query, arg)
					}
					for _, arg := range p.args {
						h.wantRead(h.db, OutcomeHit, p.query, arg)
					}
				}
			})
		}
	}
}

// pairsOfClients are settings of two clients that see one table differently.
var pairsOfClients = []struct{ kind, one, two, read string }{
	{"pgx", "timezone=UTC", "timezone=America/St_Johns", "SELECT at::text, at FROM clock ORDER BY id"},
	{"pgx", "datestyle=ISO", "datestyle=German", "SELECT d::text FROM clock ORDER BY id"},
	{"pgx", "extra_float_digits=1", "extra_float_digits=-15", "SELECT f::text FROM clock ORDER BY id"},
	{"pq", "timezone=UTC", "timezone=America/St_Johns", "SELECT at FROM clock ORDER BY id"},
	{"pq", "bytea_output=hex", "bytea_output=escape", "SELECT b::text FROM clock ORDER BY id"},
	{"pq", "intervalstyle=postgres", "intervalstyle=iso_8601", "SELECT i FROM clock ORDER BY id"},
	{"mysql", "parseTime=false", "parseTime=true", "SELECT at FROM clock ORDER BY id"},
	{"mysql", "parseTime=true&loc=UTC", "parseTime=true&loc=America%2FSt_Johns", "SELECT at FROM clock ORDER BY id"},
	{"mysql", "time_zone='%2B00:00'", "time_zone='-03:30'", "SELECT at FROM clock ORDER BY id"},
	{"mysql", "interpolateParams=false", "interpolateParams=true", "SELECT f FROM clock WHERE id > ?"},
	{"mattn", "_loc=UTC", "_loc=America/St_Johns", "SELECT at FROM clock ORDER BY id"},
	{"modernc", "_inttotime=0", "_inttotime=1", "SELECT at FROM clock ORDER BY id"},
}

var clocks = map[string][]string{
	"postgres": {"CREATE TABLE clock (id int, at timestamptz, d date, f float8, b bytea, i interval)", `INSERT INTO clock VALUES (1, '2024-07-01 12:00:00+00', '2024-02-29', 0.123456789, '\x0001ff', '1 day 2:03')`},
	"mysql":    {"CREATE TABLE clock (id int, at timestamp NULL, f float)", "INSERT INTO clock VALUES (1, '2024-07-01 12:00:00', 16777216)"},
	"sqlite":   {"CREATE TABLE clock (id int, at TIMESTAMP)", "INSERT INTO clock VALUES (1, 1700000000)"},
}

// TestClientsThatDiffer: clients of one cache whose settings give other values for the
// same statement each get their own, and see each other's writes.
func TestClientsThatDiffer(t *testing.T) {
	for _, p := range pairsOfClients {
		for _, k := range kinds {
			if k.name != p.kind {
				continue
			}
			t.Run(p.kind+" "+p.two, func(t *testing.T) {
				h := newHouse(t, k, nil)
				h.prepare(clocks[h.dialect])
				one, two := h.client(p.one), h.client(p.two)
				var args []any
				if strings.Contains(p.read, "?") {
					args = []any{0}
				}
				one.wantCached(one.db, p.read, args...)
				two.wantCached(two.db, p.read, args...)
				if a, b := one.query(one.db, p.read, args...), two.query(two.db, p.read, args...); a == b {
					t.Errorf("both see\n%s: the settings make no difference", a)
				}
				one.exec(one.db, "UPDATE clock SET at = NULL")
				two.wantCached(two.db, p.read, args...)
				two.exec(two.db, "INSERT INTO clock SELECT * FROM clock")
				one.wantCached(one.db, p.read, args...)
			})
		}
	}
}

// client is another program of the house, with settings of its own.
func (h *house) client(params string) *house {
	h.Helper()
	c := &house{TB: h.TB, kind: h.kind, dsn: joined(h.dsn, params)}
	o := h.cache.options
	o.Store, o.MaxBytes = h.cache.store, 0
	o.Observe = func(_ context.Context, e Event) { c.events = append(c.events, e) }
	var err error
	c.cache, err = New(&o)
	h.ok(err)
	c.bare = c.opened(sql.Open(c.driver, c.dsn))
	c.db = c.opened(c.cache.Open(c.driver, c.dsn))
	return c
}

// TestProtocols: MySQL rounds a FLOAT for a text asked directly and not when it is
// prepared: the two don't meet.
func TestProtocols(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(clocks["mysql"])
		const read = "SELECT id, f, at FROM clock"
		h.wantCached(h.db, read)
		h.wantCachedPrepared(read)
		h.wantRead(h.db, OutcomeHit, read)
		direct := h.query(h.bare, read)
		prepared := h.queryPrepared(h.bare, read)
		if direct == prepared {
			h.Errorf("both ways give\n%s: nothing is shown", direct)
		}
	}, "mysql")
}

// TestProtocolOfCall: pgx takes the way to the server as an argument of the call.
func TestProtocolOfCall(t *testing.T) {
	for _, k := range kinds {
		if k.name != "pgx" {
			continue
		}
		h := newHouse(t, k, nil)
		h.prepare(clocks["postgres"])
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
			for range 2 {
				got, want := h.query(h.db, "SELECT at, f, b FROM clock WHERE id = ?", mode, 1), h.query(h.bare, "SELECT at, f, b FROM clock WHERE id = ?", mode, 1)
				if got != want || strings.Contains(got, "error: ") {
					t.Errorf("%v: cached\n%s\nbare\n%s", mode, got, want)
				}
			}
		}
	}
}
