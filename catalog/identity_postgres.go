package catalog

import (
	"context"

	"github.com/larderdb/larder/analyze"
)

// identifyPostgres takes the cluster's system identifier, its timeline (which a copy
// that was promoted doesn't share) and the database's number.
func identifyPostgres(ctx context.Context, q Querier) (Identity, error) {
	rows, err := q.Query(ctx, `SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery()::pg_catalog.text,
pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')::pg_catalog.text,
(SELECT oid::pg_catalog.text FROM pg_catalog.pg_database
  WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database())`)
	if err != nil {
		return Identity{}, err
	}
	row, err := one(rows, 4)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Version: text(row[0])}
	switch {
	case truth(row[1]):
		id.Reason = analyze.Replica
		return id, nil
	case !truth(row[2]):
		id.Reason = analyze.NoIdentity
		return id, nil
	}
	rows, err = q.Query(ctx, `SELECT system_identifier::pg_catalog.text,
pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) FROM pg_catalog.pg_control_system()`)
	if err != nil {
		return Identity{}, err
	}
	cluster, err := one(rows, 2)
	if err != nil {
		return Identity{}, err
	}
	id.Database = "postgres:" + text(cluster[0]) + ":" + text(cluster[1]) + ":" + text(row[3])
	return id, nil
}
