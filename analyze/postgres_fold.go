package analyze

import (
	"sync"

	"github.com/multigres/multigres/go/common/parser/ast"
)

// pgAggregates and pgSetFunctions are the built-in functions that aren't sure to make one value of
// the values of one row. TestPostgresFolding compares them with a live server.
const (
	pgAggregates = `
array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp cume_dist dense_rank every
json_agg json_object_agg jsonb_agg jsonb_object_agg max min mode percent_rank percentile_cont percentile_disc
range_agg range_intersect_agg rank regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx
regr_sxy regr_syy stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg`

	pgSetFunctions = `
aclexplode generate_series generate_subscripts json_array_elements json_array_elements_text json_each json_each_text
json_object_keys json_populate_recordset json_to_recordset jsonb_array_elements jsonb_array_elements_text jsonb_each
jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_path_query_tz jsonb_populate_recordset jsonb_to_recordset
pg_available_extension_versions pg_available_extensions pg_config pg_cursor pg_event_trigger_ddl_commands
pg_event_trigger_dropped_objects pg_extension_update_paths pg_get_backend_memory_contexts
pg_get_catalog_foreign_keys pg_get_keywords pg_get_multixact_members pg_get_publication_tables
pg_get_replication_slots pg_get_shmem_allocations pg_get_wal_resource_managers pg_hba_file_rules
pg_ident_file_mappings pg_listening_channels pg_lock_status pg_logical_slot_get_binary_changes
pg_logical_slot_get_changes pg_logical_slot_peek_binary_changes pg_logical_slot_peek_changes pg_ls_archive_statusdir
pg_ls_dir pg_ls_logdir pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_tmpdir pg_ls_waldir
pg_mcv_list_items pg_options_to_table pg_partition_ancestors pg_partition_tree pg_prepared_statement
pg_prepared_xact pg_show_all_file_settings pg_show_all_settings pg_show_replication_origin_status pg_snapshot_xip
pg_stat_get_activity pg_stat_get_backend_idset pg_stat_get_progress_info pg_stat_get_recovery_prefetch
pg_stat_get_slru pg_stat_get_subscription pg_stat_get_wal_senders pg_tablespace_databases pg_timezone_abbrevs
pg_timezone_names regexp_matches regexp_split_to_table string_to_table ts_debug ts_parse ts_stat ts_token_type
txid_snapshot_xip unnest`
)

var (
	pgAggregateSet   = sync.OnceValue(func() map[string]bool { return wordSet(pgAggregates) })
	pgSetFunctionSet = sync.OnceValue(func() map[string]bool { return wordSet(pgSetFunctions) })
)

// subs gathers the subqueries in an expression.
func (b *pgBlocks) subs(out *Block, n ast.Node) {
	b.look(out, n, func(ast.Node) {})
}

// fold gathers the subqueries in an expression and the calls that join rows or
// multiply them.
func (b *pgBlocks) fold(out *Block, n ast.Node) {
	b.look(out, n, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.FuncCall:
			grouped, folds := pgFolding(n)
			out.Grouped = out.Grouped || grouped
			out.Folds = out.Folds || folds
		case *ast.GroupingFunc:
			out.Grouped = true
		case *ast.JsonObjectAgg, *ast.JsonArrayAgg:
			out.Grouped, out.Folds = true, true // it may have OVER
		}
	})
}

// look visits an expression without its subqueries, which it adds to the block's.
func (b *pgBlocks) look(out *Block, n ast.Node, visit func(ast.Node)) {
	if pgIsNil(n) {
		return
	}
	if q, ok := n.(*ast.SelectStmt); ok {
		out.Subs = append(out.Subs, b.block(q))
		return
	}
	visit(n)
	pgChildren(n, func(child ast.Node) { b.look(out, child, visit) })
}

// pgFolding says whether a call is an aggregate's, and whether it is that of a window function
// or of one that returns a set. A function that isn't known may be all of these.
func pgFolding(f *ast.FuncCall) (grouped, folds bool) {
	if f.Over != nil {
		return false, true
	}
	name := pgCallName(f)
	switch {
	case pgClassOf(name, len(pgItems(f.Args))) == pgUserDefined:
		return true, true
	case f.AggStar, f.AggDistinct, f.AggWithinGroup, f.AggOrder != nil, !pgIsNil(f.AggFilter), pgAggregateSet()[name.Name]:
		return true, false
	}
	return false, pgSetFunctionSet()[name.Name]
}
