package catalog

import (
	"fmt"
	"testing"
)

// BenchmarkLoad reads the facts of 5,000 tables.
func BenchmarkLoad(b *testing.B) {
	for name, open := range map[string]func(testing.TB, ...string) *conn{
		"postgres": openPostgres, "mariadb": openMariaDB, "sqlite": openSQLite,
	} {
		b.Run(name, func(b *testing.B) {
			c := open(b)
			if name == "mariadb" {
				c.exec("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
			} else {
				c.exec("BEGIN")
			}
			for i := range 5000 {
				c.exec(fmt.Sprintf(`CREATE TABLE t%d (id INT PRIMARY KEY, user_id INT NOT NULL, name VARCHAR(100) DEFAULT 'x',
					email VARCHAR(100) UNIQUE, n INT DEFAULT 5, created_at TIMESTAMP NULL, note TEXT, amount DECIMAL(10, 2))`, i))
			}
			if name != "mariadb" {
				c.exec("COMMIT")
			}
			b.ReportAllocs()
			for b.Loop() {
				c.load()
			}
		})
	}
}
