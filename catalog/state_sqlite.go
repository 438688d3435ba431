package catalog

import (
	"context"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// harmlessSQLite are the pragmas that change neither rows nor names. Those that may do
// harm to the file (writable_schema) or drop temporary tables (temp_store) are not among them.
var harmlessSQLite = wordSet(`analysis_limit application_id auto_vacuum automatic_index
	busy_timeout cache_size cache_spill cell_size_check checkpoint_fullfsync default_cache_size
	defer_foreign_keys fullfsync hard_heap_limit ignore_check_constraints journal_mode
	journal_size_limit legacy_alter_table legacy_file_format locking_mode max_page_count mmap_size
	page_size query_only secure_delete soft_heap_limit synchronous threads user_version
	wal_autocheckpoint`)

// keyedSQLite are the pragmas that change what a statement returns, and can be read.
var keyedSQLite = []string{
	"count_changes", "empty_result_callbacks", "encoding", "foreign_keys", "full_column_names",
	"read_uncommitted", "recursive_triggers", "reverse_unordered_selects", "short_column_names", "trusted_schema",
}

// seenSQLite are those that show in other parts of the state.
var seenSQLite = wordSet("attach case_sensitive_like temp_store temp_store_directory " + strings.Join(keyedSQLite, " "))

// readSQLiteState reads pragmas one by one: one that the library doesn't know has no row.
func readSQLiteState(ctx context.Context, q Querier, settings []string) (*State, error) {
	s := &State{Isolation: "serializable", Temp: map[string]bool{}, plainTemp: map[string]bool{}}
	if err := s.readSQLitePath(ctx, q); err != nil {
		return nil, err
	}
	if err := s.readSQLiteTemp(ctx, q); err != nil {
		return nil, err
	}
	key, err := s.readPragmas(ctx, q)
	if err != nil {
		return nil, err
	}
	s.Key = key
	s.keyTemp()
	for _, name := range settings {
		if !harmlessSQLite[name] && !seenSQLite[name] {
			s.Reason = analyze.Setting
		}
	}
	return s, nil
}

// readSQLitePath reads which databases there are, in the order in which names are looked up.
func (s *State) readSQLitePath(ctx context.Context, q Querier) error {
	rows, err := q.Query(ctx, "PRAGMA database_list")
	if err != nil {
		return err
	}
	s.Path = []string{"temp", "main"}
	for _, row := range rows {
		if name := lowerASCII(text(row[1])); name != "temp" && name != "main" {
			s.Path = append(s.Path, name)
			s.attached = true
		}
	}
	return nil
}

func (s *State) readSQLiteTemp(ctx context.Context, q Querier) error {
	rows, err := q.Query(ctx, "SELECT type, name, sql FROM sqlite_temp_master")
	if err != nil {
		return err
	}
	for _, row := range rows {
		name, code := lowerASCII(text(row[1])), lowerASCII(text(row[2]))
		switch text(row[0]) {
		case "table":
			s.Temp[name] = true
			s.plainTemp[name] = !strings.Contains(code, "virtual")
		case "view":
			s.Temp[name] = true
		case "trigger":
			s.tempTriggers = true
		}
	}
	return nil
}

// readPragmas returns the key: what the pragmas say, and whether LIKE minds case.
func (s *State) readPragmas(ctx context.Context, q Querier) (string, error) {
	var key strings.Builder
	for _, name := range keyedSQLite {
		rows, err := q.Query(ctx, "PRAGMA "+name)
		if err != nil {
			return "", err
		}
		value := ""
		if len(rows) > 0 && len(rows[0]) > 0 {
			value = text(rows[0][0])
		}
		if name == "read_uncommitted" && truth(value) {
			s.Isolation, s.Reason = "read uncommitted", analyze.Isolation
		}
		if name == "encoding" && value != "UTF-8" { // what isn't well-formed is replaced
			s.unlike = true
		}
		key.WriteString(strconv.Quote(value))
	}
	rows, err := q.Query(ctx, "SELECT 'a' LIKE 'A'")
	if err != nil {
		return "", err
	}
	row, err := one(rows, 1)
	if err != nil {
		return "", err
	}
	key.WriteString(strconv.Quote(text(row[0])))
	for _, schema := range s.Path {
		key.WriteString(strconv.Quote(schema))
	}
	return key.String(), nil
}
