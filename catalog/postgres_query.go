package catalog

import "strings"

// The facts of a PostgreSQL database are read in one query, so that they are of one
// moment. Each row has a tag and a JSON array. Everything is qualified, because
// the session's search_path may hold functions and operators of the same names.
const (
	// The marks of a column: t it is a date, number or boolean, and no time of day; n it is never NULL; g it
	// is generated; i it is an identity; c its collation takes different texts for equal; l its type has a length.
	pgRelations = `
SELECT 'relation', pg_catalog.json_build_array(c.oid::pg_catalog.int8, n.nspname, c.relname, c.relkind::pg_catalog.text,
  c.relpersistence::pg_catalog.text, c.relrowsecurity,
  CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'v' AND c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
    THEN pg_catalog.pg_get_viewdef(c.oid) END,
  CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r','p','v','m','f','c']::pg_catalog."char"[]) THEN x.columns END,
  COALESCE(x.zoned, false))::pg_catalog.text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
LEFT JOIN (
  SELECT a.attrelid, pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, a.attnum, a.atttypid::pg_catalog.int8,
      pg_catalog.concat(
        CASE WHEN t.typcategory OPERATOR(pg_catalog.=) ANY (ARRAY['D','T','N','B']::pg_catalog."char"[])
          AND COALESCE(b.typnamespace, t.typnamespace) OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid
          AND COALESCE(b.oid, t.oid) OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog.time', 'pg_catalog.timetz']::pg_catalog.regtype[]::pg_catalog.oid[])
          THEN 't' END,
        CASE WHEN a.attnotnull THEN 'n' END, CASE WHEN a.attgenerated OPERATOR(pg_catalog.<>) '' THEN 'g' END,
        CASE WHEN a.attidentity OPERATOR(pg_catalog.<>) '' THEN 'i' END, CASE WHEN NOT k.collisdeterministic THEN 'c' END,
        CASE WHEN a.atttypmod OPERATOR(pg_catalog.>=) 0 THEN 'l' END),
      pg_catalog.pg_get_expr(e.adbin, e.adrelid))) AS columns,
    pg_catalog.bool_or(
      COALESCE(b.oid, t.oid) OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.timetz', 'pg_catalog.timetz[]']::pg_catalog.regtype[]::pg_catalog.oid[])
      OR t.typcategory OPERATOR(pg_catalog.=) 'D' AND b.typtype OPERATOR(pg_catalog.=) 'd') AS zoned
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
  LEFT JOIN pg_catalog.pg_type b ON b.oid OPERATOR(pg_catalog.=) t.typbasetype
  LEFT JOIN pg_catalog.pg_collation k ON k.oid OPERATOR(pg_catalog.=) a.attcollation
  LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid OPERATOR(pg_catalog.=) a.attrelid AND e.adnum OPERATOR(pg_catalog.=) a.attnum
  WHERE a.attrelid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
  GROUP BY a.attrelid) x ON x.attrelid OPERATOR(pg_catalog.=) c.oid
WHERE c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r','p','v','m','S','f','c']::pg_catalog."char"[])`

	pgInherits = `
SELECT 'child', pg_catalog.json_build_array(inhparent::pg_catalog.int8, inhrelid::pg_catalog.int8)::pg_catalog.text
FROM pg_catalog.pg_inherits`

	pgForeignKeys = `
SELECT 'reference', pg_catalog.json_build_array(conrelid::pg_catalog.int8, confrelid::pg_catalog.int8,
  confdeltype::pg_catalog.text, confupdtype::pg_catalog.text, pg_catalog.array_to_json(conkey))::pg_catalog.text
FROM pg_catalog.pg_constraint WHERE contype OPERATOR(pg_catalog.=) 'f'`

	// Before PostgreSQL 15 the triggers that partitions have from their parent count as internal, as
	// those of foreign keys do, but they call functions of users.
	pgTriggers = `
SELECT 'trigger', pg_catalog.json_build_array(oid::pg_catalog.int8, tgrelid::pg_catalog.int8, tgtype,
  tgfoid::pg_catalog.int8)::pg_catalog.text
FROM pg_catalog.pg_trigger WHERE tgenabled OPERATOR(pg_catalog.<>) 'D'
  AND (NOT tgisinternal OR tgfoid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid)`

	pgRules = `
SELECT 'rule', pg_catalog.json_build_array(oid::pg_catalog.int8, ev_class::pg_catalog.int8, ev_type::pg_catalog.text,
  rulename)::pg_catalog.text
FROM pg_catalog.pg_rewrite WHERE oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
  AND ev_enabled OPERATOR(pg_catalog.<>) 'D'`

	// What depends on relations, functions and operators: views, rules, SQL bodies,
	// defaults, constraints, indexes, triggers' conditions and policies.
	pgDependencies = `
SELECT 'depend', pg_catalog.json_build_array(
  (SELECT relname FROM pg_catalog.pg_class WHERE oid OPERATOR(pg_catalog.=) d.classid), d.objid::pg_catalog.int8,
  (SELECT relname FROM pg_catalog.pg_class WHERE oid OPERATOR(pg_catalog.=) d.refclassid), d.refobjid::pg_catalog.int8,
  CASE d.classid WHEN 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid THEN
      COALESCE((SELECT i.indrelid FROM pg_catalog.pg_index i WHERE i.indexrelid OPERATOR(pg_catalog.=) d.objid), d.objid)
    WHEN 'pg_catalog.pg_attrdef'::pg_catalog.regclass::pg_catalog.oid THEN
      (SELECT a.adrelid FROM pg_catalog.pg_attrdef a WHERE a.oid OPERATOR(pg_catalog.=) d.objid)
    WHEN 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid THEN
      (SELECT k.conrelid FROM pg_catalog.pg_constraint k WHERE k.oid OPERATOR(pg_catalog.=) d.objid)
    WHEN 'pg_catalog.pg_policy'::pg_catalog.regclass::pg_catalog.oid THEN
      (SELECT o.polrelid FROM pg_catalog.pg_policy o WHERE o.oid OPERATOR(pg_catalog.=) d.objid)
  END::pg_catalog.int8)::pg_catalog.text
FROM pg_catalog.pg_depend d
WHERE (d.classid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_class', 'pg_catalog.pg_attrdef', 'pg_catalog.pg_constraint',
    'pg_catalog.pg_policy', 'pg_catalog.pg_trigger', 'pg_catalog.pg_rewrite', 'pg_catalog.pg_proc',
    'pg_catalog.pg_type']::pg_catalog.regclass[]::pg_catalog.oid[])
  AND d.refclassid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_proc', 'pg_catalog.pg_operator']::pg_catalog.regclass[]::pg_catalog.oid[]))
  OR (d.classid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_rewrite', 'pg_catalog.pg_proc']::pg_catalog.regclass[]::pg_catalog.oid[])
  AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid)`

	pgFunctions = `
SELECT 'function', pg_catalog.json_build_array(p.oid::pg_catalog.int8, n.nspname, p.proname, p.provolatile::pg_catalog.text,
  l.lanname, p.prokind::pg_catalog.text, p.prosrc, SQLBODY, p.prosecdef, pg_catalog.array_to_json(p.proconfig),
  (SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
    WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
    AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
    AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid LIMIT 1),
  p.prosupport::pg_catalog.oid::pg_catalog.int8,
  p.pronargs OPERATOR(pg_catalog.>=) 1 AND p.pronargs OPERATOR(pg_catalog.-) p.pronargdefaults OPERATOR(pg_catalog.<=) 1)::pg_catalog.text
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
WHERE p.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid`

	pgAggregates = `
SELECT 'aggregate', pg_catalog.json_build_array(aggfnoid::pg_catalog.oid::pg_catalog.int8, pg_catalog.json_build_array(
  aggtransfn::pg_catalog.oid::pg_catalog.int8, aggfinalfn::pg_catalog.oid::pg_catalog.int8,
  aggcombinefn::pg_catalog.oid::pg_catalog.int8, aggserialfn::pg_catalog.oid::pg_catalog.int8,
  aggdeserialfn::pg_catalog.oid::pg_catalog.int8, aggmtransfn::pg_catalog.oid::pg_catalog.int8,
  aggminvtransfn::pg_catalog.oid::pg_catalog.int8, aggmfinalfn::pg_catalog.oid::pg_catalog.int8))::pg_catalog.text
FROM pg_catalog.pg_aggregate WHERE aggfnoid::pg_catalog.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid`

	pgBuiltins = `
SELECT 'builtins', pg_catalog.json_object_agg(f.name, f.volatility)::pg_catalog.text
FROM (SELECT proname::pg_catalog.text AS name, pg_catalog.max(provolatile::pg_catalog.text) AS volatility
  FROM pg_catalog.pg_proc WHERE oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid GROUP BY 1) f`

	pgOperators = `
SELECT 'operator', pg_catalog.json_build_array(oid::pg_catalog.int8, oprname, oprcode::pg_catalog.oid::pg_catalog.int8,
  oprleft::pg_catalog.int8, oprright::pg_catalog.int8)::pg_catalog.text
FROM pg_catalog.pg_operator WHERE oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid`

	// Functions that sorting, grouping and comparing values of a type call without being named.
	pgClasses = `
SELECT 'class', pg_catalog.json_build_array(f)::pg_catalog.text FROM (
  SELECT amproc::pg_catalog.oid::pg_catalog.int8 AS f FROM pg_catalog.pg_amproc
  UNION SELECT o.oprcode::pg_catalog.oid::pg_catalog.int8 FROM pg_catalog.pg_amop a
    JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
    WHERE a.amopopr OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid) c
WHERE f OPERATOR(pg_catalog.>=) 16384`

	// Schemas with types that are called like the server's own.
	pgShadows = `
SELECT 'shadow', pg_catalog.json_build_array(n.nspname)::pg_catalog.text
FROM pg_catalog.pg_type b JOIN pg_catalog.pg_type t ON t.typname OPERATOR(pg_catalog.=) b.typname
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
WHERE b.oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid AND b.typrelid OPERATOR(pg_catalog.=) 0::pg_catalog.oid
  AND b.typcategory OPERATOR(pg_catalog.<>) 'A' AND t.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
GROUP BY n.nspname`

	pgEventTriggers = `
SELECT 'event', pg_catalog.json_build_array(oid::pg_catalog.int8)::pg_catalog.text
FROM pg_catalog.pg_event_trigger WHERE evtenabled OPERATOR(pg_catalog.<>) 'D'`

	pgCasts = `
SELECT 'cast', pg_catalog.json_build_array(castfunc::pg_catalog.int8)::pg_catalog.text
FROM pg_catalog.pg_cast WHERE castfunc OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid`

	pgPath = `
SELECT 'path', pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text`

	pgTypes = `
SELECT 'type', pg_catalog.json_build_array(t.oid::pg_catalog.int8, pg_catalog.concat(n.nspname, '.', t.typname), t.typtype::pg_catalog.text,
  t.typbasetype::pg_catalog.int8, t.typtypmod OPERATOR(pg_catalog.>=) 0, t.typdefault IS NOT NULL)::pg_catalog.text
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
WHERE t.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
  AND t.typtype OPERATOR(pg_catalog.=) ANY (ARRAY['e','d']::pg_catalog."char"[])`

	// A key is unique if nothing but equality of its columns, as the server itself defines it, decides, and at once.
	pgIndexes = `
SELECT 'index', pg_catalog.json_build_array(i.indrelid::pg_catalog.int8, i.indisprimary,
  i.indisunique AND i.indisvalid AND i.indimmediate AND NOT i.indisexclusion AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT 16384::pg_catalog.oid OPERATOR(pg_catalog.<=) ANY (i.indclass::pg_catalog.oid[]),
  i.indnkeyatts, pg_catalog.array_to_json(i.indkey::pg_catalog.int2[]))::pg_catalog.text
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indrelid
WHERE i.indrelid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND c.relkind OPERATOR(pg_catalog.<>) 't'`
)

// postgresQuery is the whole query for a server of the given version.
func postgresQuery(version int64) string {
	body := "NULL"
	if version >= 140000 {
		body = "CASE WHEN p.prosqlbody IS NOT NULL THEN pg_catalog.pg_get_function_sqlbody(p.oid) END"
	}
	return strings.Join([]string{
		pgRelations, pgInherits, pgForeignKeys, pgTriggers, pgRules, pgDependencies,
		strings.Replace(pgFunctions, "SQLBODY", body, 1), pgAggregates, pgBuiltins, pgOperators, pgClasses,
		pgShadows, pgEventTriggers, pgCasts, pgPath, pgTypes, pgIndexes,
	}, "\nUNION ALL")
}

// pgImpatient gives the query up where a lock is in its way: pg_get_viewdef waits for
// whoever locks a relation of a view, and that may be who waits for us. It holds for
// this statement alone, and is evaluated before all else.
const pgImpatient = ` WHERE (SELECT pg_catalog.set_config('lock_timeout', '300ms', true)) IS NOT NULL`
