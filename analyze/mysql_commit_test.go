package analyze

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMySQLImplicitCommitAgainstMariaDB runs golden statements inside of a
// transaction that has written: another session sees the write exactly if we
// say that the statement commits.
func TestMySQLImplicitCommitAgainstMariaDB(t *testing.T) {
	o := newMySQLOracle(t)
	o.rebuild()
	ran := 0
	mysqlGoldenTexts(t, func(text string) {
		s := Analyze(MySQL, text)
		if !mysqlCommitIsTold(s) {
			return
		}
		committed, ok := o.commits(text)
		if !ok {
			return
		}
		ran++
		if committed != s.ImplicitCommit {
			t.Errorf("%s\ncommits: %v, we say %v", text, committed, s.ImplicitCommit)
		}
		if s.Kind == Schema {
			o.rebuild()
		}
	})
	t.Logf("%d statements ran", ran)
	if ran < 80 {
		t.Errorf("only %d statements ran", ran)
	}
}

// mysqlCommitIsTold reports whether s can be run and says if it commits.
func mysqlCommitIsTold(s *Statement) bool {
	if s.Reason == Unparsable || slices.Contains([]string{"SHUTDOWN", "KILL", "PURGE"}, strings.Fields(s.Text + " ;")[0]) {
		return false
	}
	switch s.Kind {
	case Schema, Session, Utility:
		return s.Control == NoControl
	case Modify:
		return s.ImplicitCommit
	case Control:
		return s.Control == Begin || s.Control == Savepoint || s.Control == OtherControl && s.ImplicitCommit
	}
	return false
}

// commits runs text in a transaction that has left a mark, and tells whether
// another session sees it. It is false if the server refuses text.
func (o *mysqlOracle) commits(text string) (committed, ok bool) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, _ := o.conn(ctx, "")
	defer c.Close()
	if _, err := c.ExecContext(ctx, "DELETE FROM marks; BEGIN; INSERT INTO marks VALUES (1)"); err != nil {
		o.t.Fatal(err)
	}
	err := mysqlRun(ctx, c, text)
	var marks int
	if err := o.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+o.schema+".marks").Scan(&marks); err != nil {
		o.t.Fatal(err)
	}
	c.ExecContext(ctx, "ROLLBACK; UNLOCK TABLES; DO RELEASE_ALL_LOCKS()")
	c.Raw(func(any) error { return driver.ErrBadConn }) // closes it, with the handlers and locks it holds
	return marks > 0, err == nil
}

// mysqlSmallSchema is enough for the statements that change it.
const mysqlSmallSchema = `
	CREATE TABLE users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50), email VARCHAR(50), age INT);
	CREATE TABLE parts (id INT, y INT) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (10));
	CREATE TABLE orders (id INT, user_id INT);
	CREATE TABLE marks (id INT);
	CREATE DATABASE shop;
	CREATE TABLE shop.stock (product_id INT, amount INT);
	CREATE USER IF NOT EXISTS a;
	DROP USER IF EXISTS b;
	DROP ROLE IF EXISTS r`

// rebuild makes the database small and as it was.
func (o *mysqlOracle) rebuild() {
	o.t.Helper()
	o.SetMaxIdleConns(0) // connections to the database that goes
	o.SetMaxIdleConns(2)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, _ := o.conn(ctx, "")
	defer c.Close()
	drop := "DROP DATABASE IF EXISTS shop; DROP DATABASE " + o.schema + "; CREATE DATABASE " + o.schema + "; USE " + o.schema + ";"
	if _, err := c.ExecContext(ctx, drop+mysqlSmallSchema); err != nil {
		o.t.Fatal(err)
	}
}
