package analyze

import (
	"strings"
)

// mysqlImpure are the built-in functions whose result changes without a write,
// or depends on the session.
var mysqlImpure = mysqlReasons(map[Reason]string{
	Volatile: `now curdate current_date curtime current_time current_timestamp localtime localtimestamp
		sysdate systimestamp utc_date utc_time utc_timestamp unix_timestamp
		rand uuid uuid_short uuid_v4 uuid_v7 sys_guid random_bytes sleep benchmark load_file encrypt des_encrypt des_decrypt
		master_pos_wait source_pos_wait master_gtid_wait wait_for_executed_gtid_set wait_until_sql_thread_after_gtids
		binlog_gtid_pos wsrep_last_seen_gtid wsrep_last_written_gtid wsrep_sync_wait_upto_gtid gtid_wait
		nextval lastval setval asynchronous_connection_failover_add_source asynchronous_connection_failover_delete_source
		group_replication_set_as_primary group_replication_switch_to_single_primary_mode
		group_replication_switch_to_multi_primary_mode group_replication_set_write_concurrency
		validate_password_strength query_attributes mysql_query_attribute_string
		can_access_column can_access_database can_access_table can_access_view get_dd_column_privileges
		internal_table_rows internal_avg_row_length internal_data_length internal_auto_increment`,
	SessionFunction: `found_rows row_count last_insert_id connection_id user current_user session_user system_user
		database schema version current_role icu_version roles_graphml ps_current_thread_id ps_thread_id
		current_resource_group`,
	AdvisoryLock: `get_lock release_lock release_all_locks is_free_lock is_used_lock
		service_get_read_locks service_get_write_locks service_release_locks`,
})

func mysqlReasons(lists map[Reason]string) map[string]Reason {
	reasons := map[string]Reason{}
	for reason, names := range lists {
		for _, name := range strings.Fields(names) {
			reasons[name] = reason
		}
	}
	return reasons
}

// mysqlPure are the functions that are built into MySQL or MariaDB and whose result only their
// arguments, the rows and the session's settings decide. Any other function that a statement
// calls is the catalog's to judge: one that users have defined, a loadable one, or one of a
// version not known here. A stored function of the same name is called instead only where a
// space stands before the parenthesis or the name has a schema.
var mysqlPure = mysqlSet(`
	abs acos add_months adddate addtime aes_decrypt aes_encrypt any_value ascii asin atan atan2 avg
	bin bin_to_uuid bit_and bit_count bit_length bit_or bit_xor
	cast ceil ceiling char char_length character_length charset chr coalesce coercibility collation
	column_add column_check column_create column_delete column_exists column_get column_json column_list
	compress concat concat_operator_oracle concat_ws conv convert convert_tz cos cot count crc32 crc32c cume_dist
	date date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear decode decode_histogram decode_oracle
	degrees dense_rank elt encode exp export_set extract extractvalue
	field find_in_set first_value floor format format_bytes format_pico_time from_base64 from_days from_unixtime
	get_format greatest group_concat grouping gtid_subset gtid_subtract hex hour
	if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4 is_ipv4_compat is_ipv4_mapped
	is_ipv6 is_uuid isnull
	json_array json_array_append json_array_insert json_array_intersect json_arrayagg json_compact json_contains
	json_contains_path json_depth json_detailed json_equals json_exists json_extract json_insert json_key_value json_keys
	json_length json_loose json_memberof json_merge json_merge_patch json_merge_preserve json_normalize json_object
	json_object_filter_keys json_object_to_array json_objectagg json_overlaps json_pretty json_query json_quote
	json_remove json_replace json_schema_valid json_schema_validation_report json_search json_set json_storage_free
	json_storage_size json_table json_type json_unquote json_valid json_value
	kdf lag last_day last_value lcase lead least left length lengthb ln locate log log10 log2 lower lpad lpad_oracle
	ltrim ltrim_oracle
	make_set makedate maketime max md5 median microsecond mid min minute mod month monthname
	name_const natural_sort_key nth_value ntile nullif nvl nvl2 oct octet_length old_password ord
	password percent_rank percentile_cont percentile_disc period_add period_diff pi position pow power quarter quote
	radians rank regexp_instr regexp_like regexp_replace regexp_substr repeat replace replace_oracle reverse right round
	row_number rpad rpad_oracle rtrim rtrim_oracle
	sec_to_time second sformat sha sha1 sha2 sign sin soundex space sqrt
	statement_digest statement_digest_text std stddev stddev_pop stddev_samp
	str_to_date strcmp subdate substr substr_oracle substring substring_index substring_oracle subtime sum
	tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64 to_char to_days
	to_seconds trim trim_oracle truncate ucase uncompress uncompressed_length unhex unix_timestamp updatexml upper
	uuid_to_bin uuid_timestamp uuid_version values var_pop var_samp variance week weekday weekofyear weight_string
	year yearweek
	vec_distance vec_distance_cosine vec_distance_euclidean vec_fromtext vec_totext from_vector to_vector
	string_to_vector vector_dim vector_distance vector_to_string
	area asbinary astext aswkb aswkt boundary buffer centroid contains convexhull crosses dimension disjoint distance
	endpoint envelope equals exteriorring geomcollfromtext geomcollfromwkb geometrycollection
	geometrycollectionfromtext geometrycollectionfromwkb geometryfromtext geometryfromwkb geometryn geometrytype
	geomfromtext geomfromwkb glength interiorringn intersects isclosed isempty isring issimple linefromtext
	linefromwkb linestring linestringfromtext linestringfromwkb mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequal
	mbrequals mbrintersects mbroverlaps mbrtouches mbrwithin mlinefromtext mlinefromwkb mpointfromtext mpointfromwkb
	mpolyfromtext mpolyfromwkb multilinestring multilinestringfromtext multilinestringfromwkb multipoint
	multipointfromtext multipointfromwkb multipolygon multipolygonfromtext multipolygonfromwkb numgeometries
	numinteriorrings numpoints overlaps point pointfromtext pointfromwkb pointn pointonsurface polyfromtext polyfromwkb
	polygon polygonfromtext polygonfromwkb srid st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt
	st_boundary st_buffer st_buffer_strategy st_centroid st_collect st_contains st_convexhull st_crosses st_difference
	st_dimension st_disjoint st_distance st_distance_sphere st_endpoint st_envelope st_equals st_exteriorring
	st_frechetdistance st_geohash st_geomcollfromtext st_geomcollfromtxt st_geomcollfromwkb
	st_geometrycollectionfromtext st_geometrycollectionfromwkb st_geometryfromtext st_geometryfromwkb st_geometryn
	st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb st_hausdorffdistance st_interiorringn
	st_intersection st_intersects st_isclosed st_isempty st_isring st_issimple st_isvalid st_latfromgeohash st_latitude
	st_length st_linefromtext st_linefromwkb st_lineinterpolatepoint st_lineinterpolatepoints st_linestringfromtext
	st_linestringfromwkb st_longfromgeohash st_longitude st_makeenvelope st_mlinefromtext st_mlinefromwkb
	st_mpointfromtext st_mpointfromwkb st_mpolyfromtext st_mpolyfromwkb st_multilinestringfromtext
	st_multilinestringfromwkb st_multipointfromtext st_multipointfromwkb st_multipolygonfromtext
	st_multipolygonfromwkb st_numgeometries st_numinteriorring st_numinteriorrings st_numpoints st_overlaps
	st_pointatdistance st_pointfromgeohash st_pointfromtext st_pointfromwkb st_pointn st_pointonsurface
	st_polyfromtext st_polyfromwkb st_polygonfromtext st_polygonfromwkb st_relate st_simplify st_srid st_startpoint
	st_swapxy st_symdifference st_touches st_transform st_union st_validate st_within st_x st_y startpoint touches
	within x y`)

func mysqlSet(names string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(names) {
		set[name] = true
	}
	return set
}

// mysqlDates are the functions that take a date, and today's where they get a
// time of day.
var mysqlDates = mysqlSet(`convert_tz date date_format datediff day dayname dayofmonth dayofweek dayofyear last_day month
	monthname quarter timestamp timestampadd timestampdiff to_days to_seconds unix_timestamp week weekday weekofyear year
	yearweek date_add date_sub adddate subdate from_unixtime extract`)
