package catalog

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// harmlessPostgres are settings that change neither rows nor names.
var harmlessPostgres = wordSet(`application_name statement_timeout lock_timeout transaction_timeout
	idle_in_transaction_session_timeout idle_session_timeout deadlock_timeout client_min_messages
	log_min_messages log_min_error_statement log_min_duration_statement log_min_duration_sample log_statement
	log_duration log_error_verbosity log_lock_waits log_parser_stats log_planner_stats log_executor_stats
	log_statement_stats log_temp_files log_parameter_max_length log_parameter_max_length_on_error
	log_statement_sample_rate work_mem hash_mem_multiplier maintenance_work_mem logical_decoding_work_mem
	temp_buffers temp_file_limit temp_tablespaces default_tablespace default_table_access_method
	default_toast_compression synchronous_commit commit_delay commit_siblings effective_cache_size
	effective_io_concurrency maintenance_io_concurrency random_page_cost seq_page_cost cpu_tuple_cost
	cpu_index_tuple_cost cpu_operator_cost parallel_setup_cost parallel_tuple_cost
	max_parallel_workers max_parallel_workers_per_gather max_parallel_maintenance_workers
	min_parallel_table_scan_size min_parallel_index_scan_size track_activities track_counts track_functions
	track_io_timing track_wal_io_timing compute_query_id debug_print_parse debug_print_plan debug_print_rewritten
	debug_pretty_print vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty vacuum_cost_page_hit
	vacuum_cost_page_miss vacuum_freeze_min_age vacuum_freeze_table_age vacuum_multixact_freeze_min_age
	vacuum_multixact_freeze_table_age vacuum_failsafe_age vacuum_multixact_failsafe_age lc_messages
	password_encryption tcp_keepalives_idle tcp_keepalives_interval tcp_keepalives_count tcp_user_timeout
	client_connection_check_interval check_function_bodies event_triggers local_preload_libraries wal_compression
	gin_pending_list_limit  stats_fetch_consistency`)

// keyedPostgres are the settings that change what a statement returns.
var keyedPostgres = []string{
	"role", "search_path", "TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output",
	"client_encoding", "lc_monetary", "lc_numeric", "lc_time", "default_text_search_config",
	"standard_conforming_strings", "backslash_quote", "array_nulls", "transform_null_equals", "xmlbinary", "xmloption",
	"quote_all_identifiers", "row_security", "session_replication_role", "timezone_abbreviations",
	"gin_fuzzy_search_limit", "default_with_oids",
}

// stateOnlyPostgres are settings that show in other parts of the state, or matter
// to transactions only.
var stateOnlyPostgres = wordSet(`role session_authorization default_transaction_isolation
	default_transaction_read_only default_transaction_deferrable transaction_isolation transaction_read_only
	transaction_deferrable`)

// A session that has made temporary relations is asked for them in a second query, and
// for temporary types of other kinds, which may hide those that others see.
// "Plain" is a table without triggers, rules, and defaults or constraints that call
// functions of users. A temporary child of a permanent table adds rows to it that only
// this session sees.
const pgTempRelations = `SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.relname,
  c.relkind OPERATOR(pg_catalog.=) 'r' AND NOT c.relhasrules AND NOT c.relhastriggers
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef a WHERE a.adrelid OPERATOR(pg_catalog.=) c.oid
    AND a.adbin::pg_catalog.text OPERATOR(pg_catalog.~) 'funcid [1-9][0-9]{4}')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid OPERATOR(pg_catalog.=) c.oid
    AND k.conbin::pg_catalog.text OPERATOR(pg_catalog.~) 'funcid [1-9][0-9]{4}'),
  EXISTS (SELECT FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class p ON p.oid OPERATOR(pg_catalog.=) h.inhparent
    WHERE h.inhrelid OPERATOR(pg_catalog.=) c.oid AND p.relnamespace OPERATOR(pg_catalog.<>) c.relnamespace)))::pg_catalog.text,
  EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()
    AND t.typtype OPERATOR(pg_catalog.<>) 'b' AND NOT EXISTS (SELECT FROM pg_catalog.pg_class r
      WHERE r.oid OPERATOR(pg_catalog.=) t.typrelid AND r.relkind OPERATOR(pg_catalog.<>) 'c'))
FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()
  AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r','p','v','m','S','f']::pg_catalog."char"[])`

func readPostgresState(ctx context.Context, q Querier, settings []string) (*State, error) {
	s := &State{Temp: map[string]bool{}, plainTemp: map[string]bool{}}
	names := append([]string(nil), keyedPostgres...)
	for _, name := range settings {
		switch name = strings.ToLower(name); {
		case !settingName(name): // "*" as well
			s.Reason = analyze.Setting
		case !harmlessPostgres[name] && !stateOnlyPostgres[name]:
			names = append(names, name)
		}
	}
	rows, err := q.Query(ctx, postgresStateQuery(names))
	if err != nil {
		return nil, err
	}
	row, err := one(rows, 9)
	if err != nil {
		return nil, err
	}
	s.Key, s.Isolation = text(row[0]), text(row[2])
	if err := decode(row[1], &s.Path); err != nil {
		return nil, err
	}
	for _, schema := range s.Path {
		if strings.HasPrefix(schema, "pg_temp_") { // has another number in every session
			schema = "pg_temp"
		}
		s.Key += strconv.Quote(schema)
	}
	s.absent = s.notInPath(text(row[6]), text(row[7]))
	s.judgePostgres(text(row[4]), text(row[5]))
	s.unlike = !strings.EqualFold(text(row[5]), "UTF8") || truth(row[8])
	if number(row[3]) != 0 {
		err = s.readPostgresTemp(ctx, q)
	}
	return s, err
}

func postgresStateQuery(names []string) string {
	var b strings.Builder
	b.WriteString("SELECT pg_catalog.json_build_array(current_user, session_user")
	for _, name := range names {
		b.WriteString(", pg_catalog.current_setting('" + name + "', true)")
	}
	b.WriteString(`)::pg_catalog.text, pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text,
pg_catalog.current_setting('default_transaction_isolation'), pg_catalog.pg_my_temp_schema()::pg_catalog.int8,
pg_catalog.current_setting('standard_conforming_strings'), pg_catalog.current_setting('client_encoding'),
current_user::pg_catalog.text, pg_catalog.current_setting('search_path'),
pg_catalog.current_setting('transform_null_equals')`)
	return b.String()
}

// notInPath returns the schemas that search_path names and that the server leaves out:
// they don't exist, or the role may not use them.
func (s *State) notInPath(role, setting string) []string {
	var absent []string
	for _, name := range splitPath(setting) {
		if name == "$user" {
			name = role
		}
		if name != "pg_temp" && !slices.Contains(s.Path, name) {
			absent = append(absent, name)
		}
	}
	return absent
}

// readPostgresTemp reads the list of the session's temporary relations.
func (s *State) readPostgresTemp(ctx context.Context, q Querier) error {
	rows, err := q.Query(ctx, pgTempRelations)
	if err != nil {
		return err
	}
	row, err := one(rows, 2)
	if err != nil {
		return err
	}
	if truth(row[1]) {
		s.Reason = analyze.Temporary
	}
	var temp [][3]any
	if err := decode(row[0], &temp); err != nil {
		return err
	}
	for _, t := range temp {
		name, _ := t[0].(string)
		plain, _ := t[1].(bool)
		s.Temp[name], s.plainTemp[name] = true, plain
		if t[2] != false {
			s.Reason = analyze.Temporary
		}
	}
	s.keyTemp()
	return nil
}

func (s *State) judgePostgres(conforming, encoding string) {
	if conforming == "off" {
		s.lexing = lexing{setting: "standard_conforming_strings", marks: `\`}
	}
	if multibyteTrap[strings.ToLower(encoding)] {
		s.lexing.setting, s.lexing.high = "client_encoding", true
	}
	if s.Isolation == "read uncommitted" { // which is read committed here
		s.Isolation = "read committed"
	}
}

// multibyteTrap are the encodings in which a byte of a letter may look like a quote
// or a backslash.
var multibyteTrap = wordSet(`sjis shift_jis_2004 big5 gbk uhc gb18030 johab cp932 gb2312 ucs2 utf16 utf16le utf32`)
