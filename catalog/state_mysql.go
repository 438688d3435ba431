package catalog

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// harmlessMySQL are the variables that change neither rows nor names. Switching checks
// of foreign keys off makes writes narrower than they are taken for.
var harmlessMySQL = wordSet(`wait_timeout interactive_timeout net_read_timeout net_write_timeout net_retry_count
	net_buffer_length max_allowed_packet lock_wait_timeout innodb_lock_wait_timeout max_execution_time
	max_statement_time idle_transaction_timeout idle_readonly_transaction_timeout idle_write_transaction_timeout
	long_query_time min_examined_row_limit log_slow_rate_limit log_slow_verbosity log_slow_filter slow_query_log
	sql_log_off sql_notes sql_warnings sql_safe_updates foreign_key_checks unique_checks sort_buffer_size
	join_buffer_size read_buffer_size read_rnd_buffer_size tmp_table_size max_heap_table_size bulk_insert_buffer_size
	query_cache_type preload_buffer_size profiling profiling_history_size
	tx_read_only transaction_read_only session_track_gtids session_track_schema session_track_state_change
	session_track_system_variables session_track_transaction_info lc_messages query_alloc_block_size
	query_prealloc_size transaction_alloc_block_size transaction_prealloc_size thread_pool_priority
	max_error_count resource_group innodb_table_locks innodb_strict_mode`)

// keyedMySQL are the variables that change what a statement returns, and that all
// servers have.
var keyedMySQL = []string{
	"sql_mode", "time_zone", "character_set_client", "character_set_connection", "character_set_results",
	"collation_connection", "collation_database", "lc_time_names", "group_concat_max_len", "sql_select_limit",
	"div_precision_increment", "default_week_format", "max_join_size", "sql_big_selects", "sql_auto_is_null",
	"max_sort_length",
}

// stateOnlyMySQL are variables that show in other parts of the state, or matter to
// transactions only.
var stateOnlyMySQL = wordSet(`database role autocommit completion_type transaction_isolation tx_isolation
	` + strings.Join(keyedMySQL, " "))

// Comments that only MySQL or only MariaDB executes, because variables have other
// names there, or aren't there.
const (
	mysqlIsolation = "/*!50720 @@session.transaction_isolation */ /*M! @@session.tx_isolation */"
	mysqlNewer     = " /*!50720 , @@block_encryption_mode */ /*M!110200 , @@block_encryption_mode */"
)

// mysqlNoLimit is sql_select_limit's default.
const mysqlNoLimit = "18446744073709551615"

func readMySQLState(ctx context.Context, q Querier, settings []string) (*State, error) {
	s := &State{}
	names := append([]string(nil), keyedMySQL...)
	for _, name := range settings {
		name = strings.ToLower(name)
		switch {
		case harmlessMySQL[name] || stateOnlyMySQL[name]:
		case !settingName(name): // "*" as well
			s.Reason = analyze.Setting
		default:
			names = append(names, name)
		}
	}
	rows, err := q.Query(ctx, "SELECT "+mysqlIsolation+
		", DATABASE(), @@session.sql_mode, @@session.character_set_client, @@session.autocommit, @@session.completion_type, CURRENT_USER(), CURRENT_ROLE(), @@system_time_zone, @@"+
		strings.Join(names, ", @@")+mysqlNewer)
	if err != nil {
		return nil, err
	}
	row, err := one(rows, 9+len(names))
	if err != nil {
		return nil, err
	}
	s.Isolation = strings.ToLower(strings.ReplaceAll(text(row[0]), "-", " "))
	if s.Isolation == "read uncommitted" {
		s.Reason = analyze.Isolation
	}
	if autoIsNull := 9 + slices.Index(names, "sql_auto_is_null"); truth(row[autoIsNull]) {
		s.Reason = analyze.Setting // id IS NULL finds the last row that the session has inserted
	}
	if database := text(row[1]); database != "" {
		s.Path = []string{database}
	}
	s.lexing = mysqlLexing(text(row[2]), text(row[3]))
	s.judgeMode(text(row[2]))
	if text(row[3]) != "utf8mb4" || text(row[9+slices.Index(names, "character_set_connection")]) != "utf8mb4" {
		s.unlike = true
	}
	if limit := text(row[9+slices.Index(names, "sql_select_limit")]); limit != mysqlNoLimit {
		s.unlike = true // a LIMIT that no text tells of
	}
	s.Manual = !truth(row[4]) || !strings.HasPrefix(text(row[5]), "NO_CHAIN")
	s.Key = strconv.Quote(text(row[1]))
	for _, v := range row[6:] {
		s.Key += strconv.Quote(text(v))
	}
	return s, nil
}

// judgeMode tells whether values and conditions are what they are in other sessions, and
// are stored as they are given.
func (s *State) judgeMode(mode string) {
	s.lenient = true
	for _, m := range strings.Split(strings.ToUpper(mode), ",") {
		switch m {
		case "STRICT_TRANS_TABLES", "STRICT_ALL_TABLES":
			s.lenient = false
		case "PIPES_AS_CONCAT", "HIGH_NOT_PRECEDENCE", "EMPTY_STRING_IS_NULL", "SIMULTANEOUS_ASSIGNMENT", "ORACLE", "MSSQL":
			s.unlike = true
		}
	}
}

// mysqlLexing says which texts a session reads in another way than package analyze.
func mysqlLexing(mode, charset string) lexing {
	var l lexing
	for _, m := range strings.Split(strings.ToUpper(mode), ",") {
		switch m {
		case "ANSI_QUOTES":
			l.marks += `"`
		case "NO_BACKSLASH_ESCAPES":
			l.marks += `\`
		case "MSSQL", "ORACLE":
			l.marks += `"[`
		}
	}
	if l.marks != "" {
		l.setting = "sql_mode"
	}
	if multibyteTrap[strings.ToLower(charset)] {
		l.setting, l.high = "character_set_client", true
	}
	return l
}
