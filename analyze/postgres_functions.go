package analyze

import (
	"strings"
	"sync"
)

// A pgClass says what a built-in function does to a read that calls it.
type pgClass uint8

const (
	pgUserDefined     pgClass = iota // not a built-in function: for the catalog
	pgDeterministic                  // depends on data and on settings that are part of the key
	pgVolatile                       // changes without any write
	pgVolatileWriter                 // the same, and may write to relations that the text doesn't tell
	pgSessionFunction                // depends on the session
	pgSessionSetting                 // reads or changes a setting
	pgAdvisory                       // takes or asks for an advisory lock
	pgCatalogFunction                // reads system catalogs
)

// pgReasons are the reasons of the classes.
var pgReasons = [...]Reason{
	pgVolatile: Volatile, pgVolatileWriter: Volatile, pgSessionFunction: SessionFunction,
	pgSessionSetting: SessionVariable, pgAdvisory: AdvisoryLock, pgCatalogFunction: SystemCatalog,
}

// pgStableFunctions are the stable functions that were found, one by one, to
// depend only on their arguments and on session settings that are part of the
// key: DateStyle, TimeZone, IntervalStyle, extra_float_digits, bytea_output, lc_*,
// default_text_search_config. Not among them: those that read the clock or the
// catalogs, those that parse text as a date at run time (json_populate_record,
// timestamp_in), those that make a time with time zone, whose offset is that of
// today (timetz, jsonb_path_query_tz), and age and ts_rewrite, which pgClassOf tells by their arguments.
const pgStableFunctions = `
array_to_json array_to_string concat concat_ws convert convert_from convert_to date date_part date_trunc enum_first
enum_last enum_range extract format generate_series in_range json_agg json_build_array json_build_object
json_object_agg json_to_record json_to_recordset json_to_tsvector jsonb_agg jsonb_build_array jsonb_build_object
jsonb_object_agg jsonb_to_record jsonb_to_recordset jsonb_to_tsvector length make_timestamptz overlaps
phraseto_tsquery plainto_tsquery quote_literal quote_nullable row_to_json time timestamp timestamptz timezone
to_char to_date to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector ts_headline websearch_to_tsquery
`

// pgWriterFunctions run SQL that their arguments hold, name relations in their
// arguments, or reach other databases. They may call functions that write. The
// functions of large objects aren't among them: what they write is in catalogs.
const pgWriterFunctions = `
cursor_to_xml cursor_to_xmlschema database_to_xml database_to_xml_and_xmlschema database_to_xmlschema dblink
dblink_close dblink_exec dblink_fetch dblink_get_result dblink_open dblink_send_query query_to_xml
query_to_xml_and_xmlschema query_to_xmlschema schema_to_xml schema_to_xml_and_xmlschema schema_to_xmlschema
table_to_xml table_to_xml_and_xmlschema table_to_xmlschema ts_stat tsvector_update_trigger
tsvector_update_trigger_column
`

const pgSessionFunctions = `
currval current_catalog current_database current_query current_role current_schema current_schemas current_user
getpgusername has_any_column_privilege has_column_privilege has_database_privilege
has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege has_parameter_privilege
has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege
has_type_privilege inet_client_addr inet_client_port inet_server_addr inet_server_port lastval pg_backend_pid
pg_client_encoding pg_cursor pg_has_role pg_is_other_temp_schema pg_listening_channels pg_my_temp_schema
pg_prepared_statement pg_trigger_depth row_security_active session_user system_user user version
`

const pgSettingFunctions = `current_setting pg_settings_get_flags pg_show_all_settings set_config`

const pgCatalogFunctions = `
col_description format_type obj_description shobj_description oidvectortypes pg_column_is_updatable
pg_describe_object pg_get_catalog_foreign_keys pg_get_constraintdef pg_get_expr pg_get_function_arg_default
pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result pg_get_function_sqlbody
pg_get_functiondef pg_get_indexdef pg_get_keywords pg_get_object_address pg_get_partition_constraintdef
pg_get_partkeydef pg_get_publication_tables pg_get_replica_identity_index pg_get_ruledef pg_get_serial_sequence
pg_get_statisticsobjdef pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions pg_get_triggerdef
pg_get_userbyid pg_get_viewdef pg_identify_object pg_identify_object_as_address pg_relation_is_publishable
pg_relation_is_updatable pg_sequence_parameters to_regclass to_regcollation to_regnamespace to_regoper
to_regoperator to_regproc to_regprocedure to_regrole to_regtype pg_collation_is_visible pg_conversion_is_visible
pg_function_is_visible pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible
pg_statistics_obj_is_visible pg_table_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible
pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible
`

var pgFunctionClasses = sync.OnceValue(func() map[string]pgClass {
	classes := make(map[string]pgClass, 4096)
	add := func(names string, class pgClass) {
		for name := range strings.FieldsSeq(names) {
			classes[name] = class
		}
	}
	add(pgOtherFunctions, pgVolatile) // unless a list below says better
	add(pgImmutableFunctions, pgDeterministic)
	add(pgStableFunctions, pgDeterministic)
	add(pgWriterFunctions, pgVolatileWriter)
	add(pgSessionFunctions, pgSessionFunction)
	add(pgSettingFunctions, pgSessionSetting)
	add(pgCatalogFunctions, pgCatalogFunction)
	return classes
})

var (
	pgSystemRelationSet = sync.OnceValue(func() map[string]bool { return wordSet(pgSystemRelations) })
	pgStableSet         = sync.OnceValue(func() map[string]bool {
		return wordSet(pgOtherFunctions + pgStableFunctions + pgWriterFunctions + pgSessionFunctions +
			pgSettingFunctions + pgCatalogFunctions)
	})
	pgTypeSet = sync.OnceValue(func() map[string]bool { return wordSet(pgBuiltinTypes) })
)

// pgClassOf classes a call by name and number of arguments. A function of a
// schema other than pg_catalog is the user's.
func pgClassOf(name Name, args int) pgClass {
	if name.Schema != "" && name.Schema != "pg_catalog" {
		return pgUserDefined
	}
	switch {
	case strings.HasPrefix(name.Name, "pg_advisory_"), strings.HasPrefix(name.Name, "pg_try_advisory_"):
		return pgAdvisory
	case name.Name == "age" && args == 2, name.Name == "ts_rewrite" && args == 3:
		return pgDeterministic // with fewer arguments age reads the clock, and ts_rewrite runs a query
	case name.Name == "ts_rewrite":
		return pgVolatileWriter
	}
	return pgFunctionClasses()[name.Name]
}

// pgIsSystemRelation reports whether n is a relation of the server's own
// catalogs. pg_catalog comes first in every search path that doesn't name it.
func pgIsSystemRelation(n Name) bool {
	switch n.Schema {
	case "pg_catalog", "information_schema", "pg_toast":
		return true
	case "":
		return pgSystemRelationSet()[n.Name]
	}
	return strings.HasPrefix(n.Schema, "pg_toast_temp")
}

// pgIsTempSchema reports whether schema is that of a session's temporary tables.
func pgIsTempSchema(schema string) bool {
	return schema == "pg_temp" || strings.HasPrefix(schema, "pg_temp_")
}
