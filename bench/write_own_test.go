package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
)

// writeInside is PostgreSQL, but for updateNowhere, which is answered here.
type writeInside struct{ driver.Connector }

func (c writeInside) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return writeInsideConn{conn.(*stdlib.Conn)}, nil
}

type writeInsideConn struct{ *stdlib.Conn }

const updateNowhere = "UPDATE stuff SET price = price + 1 WHERE id = $1"

func (c writeInsideConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if query == updateNowhere {
		return driver.RowsAffected(1), nil
	}
	return c.Conn.ExecContext(ctx, query, args)
}

// BenchmarkWriteOwn compares a write with one that a driver answers at once.
func BenchmarkWriteOwn(b *testing.B) {
	dsn := dbtest.Postgres(b).Database(b).DSN()
	connector, err := stdlib.GetDefaultDriver().(driver.DriverContext).OpenConnector(dsn)
	if err != nil {
		b.Fatal(err)
	}
	cache, err := larder.New(&larder.Options{Dialect: "postgres", MaxBytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	replaced := writeInside{connector}
	bare, cached := sql.OpenDB(replaced), sql.OpenDB(cache.Connector(replaced))
	b.Cleanup(func() { bare.Close(); cached.Close() })
	fill(b, cached, 20, "$1, $2, $3, $4, $5", "timestamptz")
	durable{kept: byKey}.warm(b, bare, cached)
	first, second := connOf(b, bare), connOf(b, cached)
	b.ReportAllocs()
	pair(b, first, second, 50, func(conn *sql.Conn, i int) {
		if _, err := conn.ExecContext(b.Context(), updateNowhere, 1001); err != nil {
			b.Fatal(err)
		}
	})
}
