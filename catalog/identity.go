package catalog

import (
	"context"
	"fmt"

	"github.com/larderdb/larder/analyze"
)

// An Identity says which database a connection is of.
type Identity struct {
	// Database is unique among all databases, and the same for every connection to
	// this one, whatever the address or driver. Two sessions see each other's
	// writes exactly if it is the same.
	Database string

	// Private says that only this connection sees the database (SQLite's
	// :memory:); Database is then unique to the connection.
	Private bool

	// Attached are the identities of further databases that statements of this
	// connection may write to (SQLite's ATTACH).
	Attached []string

	// Reason is Cacheable, or why nothing of this database can be cached
	// (Replica, NoIdentity).
	Reason analyze.Reason

	Version string // the server's, as it says it
}

// Identify asks which database the connection is of. dsn is empty where it isn't
// known.
//
// Limits: a copy of a data directory that was made while the server stood still
// can't be told from the original, nor can a replica from a server that doesn't
// say that it is one.
func Identify(ctx context.Context, q Querier, d analyze.Dialect, dsn string) (Identity, error) {
	var id Identity
	var err error
	switch d {
	case analyze.Postgres:
		id, err = identifyPostgres(ctx, q)
	case analyze.MySQL:
		id, err = identifyMySQL(ctx, q)
	case analyze.SQLite:
		id, err = identifySQLite(ctx, q, dsn)
	default:
		err = fmt.Errorf("unknown dialect %q", d)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("identify database: %w", err)
	}
	return id, nil
}
