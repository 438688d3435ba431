package catalog

import (
	"context"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// identifyMySQL takes all that the server says of itself and that stays the same
// while it runs.
func identifyMySQL(ctx context.Context, q Querier) (Identity, error) {
	variables, err := mysqlVariables(ctx, q, `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid',
'hostname', 'port', 'datadir', 'socket', 'server_id', 'version', 'read_only', 'innodb_read_only', 'super_read_only', 'wsrep_on',
'group_replication_group_name')`)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Version: variables["version"]}
	if mysqlElsewhere(variables) {
		id.Reason = analyze.Replica
		return id, nil
	}
	status, err := mysqlVariables(ctx, q, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Slave_running', 'Slaves_running')")
	if err != nil {
		return Identity{}, err
	}
	if truth(status["slave_running"]) || number(status["slaves_running"]) > 0 {
		id.Reason = analyze.Replica
		return id, nil
	}
	if mysqlReplicates(ctx, q, id.Version) {
		id.Reason = analyze.Replica
		return id, nil
	}
	id.Database = mysqlName(variables)
	if id.Database == "" {
		id.Reason = analyze.NoIdentity
	}
	return id, nil
}

func mysqlVariables(ctx context.Context, q Querier, query string) (map[string]string, error) {
	rows, err := q.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	variables := map[string]string{}
	for _, row := range rows {
		variables[strings.ToLower(text(row[0]))] = text(row[1])
	}
	return variables, nil
}

// mysqlElsewhere reports whether writes arrive at the server that were made at another:
// it takes none itself, or is one of a cluster.
func mysqlElsewhere(variables map[string]string) bool {
	for _, name := range []string{"read_only", "innodb_read_only", "super_read_only", "wsrep_on"} {
		switch strings.ToUpper(variables[name]) {
		case "", "0", "OFF":
		default:
			return true
		}
	}
	return variables["group_replication_group_name"] != ""
}

// mysqlReplicates reports whether a MySQL server says that it replicates from another. A
// user without the right to ask isn't told.
func mysqlReplicates(ctx context.Context, q Querier, version string) bool {
	if strings.Contains(version, "MariaDB") {
		return false
	}
	rows, err := q.Query(ctx, "SELECT COUNT(*) FROM performance_schema.replication_connection_status WHERE SERVICE_STATE <> 'OFF'")
	return err == nil && len(rows) == 1 && number(rows[0][0]) > 0
}

// mysqlName is what the server says of itself. Two servers without an identifier of
// their own (MariaDB before 10.6.19 and 10.11.9) that are set up alike on hosts
// of one name can't be told apart.
func mysqlName(variables map[string]string) string {
	if variables["server_uuid"] == "" && variables["server_uid"] == "" && variables["hostname"] == "" {
		return ""
	}
	name := "mysql"
	for _, part := range []string{"server_uuid", "server_uid", "hostname", "port", "datadir", "socket", "server_id"} {
		name += ":" + variables[part]
	}
	return name
}
