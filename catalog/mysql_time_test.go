package catalog

import (
	"testing"

	"github.com/larderdb/larder/analyze"
)

// A time of day that meets a date gets today's date.
func TestMariaDBTimesOfDay(t *testing.T) {
	c := openMariaDB(t,
		"CREATE TABLE shops (id INT PRIMARY KEY, opens TIME, closes TIME, at DATETIME, d DATE)",
		"CREATE TABLE stuff (id INT PRIMARY KEY, shop_id INT, at DATETIME)",
		"CREATE VIEW v AS SELECT id, opens AS x FROM shops",
		"CREATE VIEW dated AS SELECT id, TIMESTAMP(opens) AS x FROM shops",
		"CREATE FUNCTION dated(t TIME) RETURNS DATETIME RETURN t",
		"CREATE FUNCTION first_() RETURNS DATETIME RETURN (SELECT opens FROM shops LIMIT 1)",
		"CREATE FUNCTION plus(a DATETIME) RETURNS DATETIME RETURN a + INTERVAL 1 DAY",
	)
	timely := "reads shops; volatile"
	c.checkPlans([]want{
		{"SELECT opens, at FROM shops WHERE opens > '10:00' AND id = 5", "reads shops"},
		{"SELECT * FROM shops WHERE id = ? AND at > ? ORDER BY opens", "reads shops"},
		{"SELECT s.* FROM shops s JOIN stuff t ON t.shop_id = s.id WHERE s.at > t.at", "reads shops stuff"},
		{"SELECT year(at) FROM stuff", "reads stuff"},
		{"SELECT year(x) FROM (SELECT at AS x FROM stuff) q", "reads stuff"},
		{"SELECT year(at) FROM shops", "reads shops"},
		{"SELECT id FROM stuff UNION SELECT id FROM shops", "reads shops stuff"},
		{"SELECT * FROM stuff UNION SELECT * FROM stuff", "reads stuff"},
		{"SELECT timestamp(opens) FROM shops", timely},
		{"SELECT CAST(max(OPENS) AS DATETIME) FROM shops", timely},
		{"SELECT COALESCE(opens, at) FROM shops", timely},
		{"SELECT CASE WHEN id = 1 THEN opens ELSE at END FROM shops", timely},
		{"SELECT opens + INTERVAL 1 DAY FROM shops", timely},
		{"SELECT id FROM shops WHERE at > opens", timely},
		{"SELECT id FROM shops WHERE at BETWEEN opens AND closes", timely},
		{"SELECT id FROM shops WHERE at IN (SELECT opens FROM shops)", timely},
		{"SELECT opens FROM shops UNION SELECT at FROM stuff", "reads shops stuff; volatile"},
		{"SELECT * FROM shops UNION SELECT * FROM shops", timely},
		{"SELECT * FROM shops NATURAL JOIN stuff", "reads shops stuff; volatile"},
		{"SELECT year(x) FROM (SELECT opens AS x FROM shops) q", timely},
		{"WITH q AS (SELECT opens AS x FROM shops) SELECT year(x) FROM q", timely},
		{"SELECT opens AS x FROM shops HAVING year(x) > 1", timely},
		{"SELECT year(x) FROM v", timely},
		{"SELECT year(x) FROM (SELECT maketime(id, 0, 0) AS x FROM stuff) q", "reads stuff; volatile"},
		{"SELECT COALESCE(maketime(id, 0, 0), at) FROM stuff", "reads stuff; volatile"},
		{"SELECT id FROM dated", timely},
		{"SELECT dated('10:00') FROM stuff", "reads stuff; volatile"},
		{"SELECT first_() FROM stuff", "reads shops stuff; volatile"},
		{"SELECT plus(opens) FROM shops", timely},
		{"SELECT plus(at) FROM stuff", "reads stuff"},
	})
}

// Columns that are computed when they are read may read the clock and the session.
func TestMariaDBComputedColumns(t *testing.T) {
	c := openMariaDB(t,
		"CREATE TABLE plain (id INT, twice INT AS (id * 2) VIRTUAL, j JSON, a TEXT AS (json_unquote(json_extract(j, '$.a'))) VIRTUAL)",
		"CREATE TABLE clock (id INT, n DATETIME AS (NOW()) VIRTUAL)",
		"CREATE TABLE me (id INT, n INT AS (CONNECTION_ID()) VIRTUAL)",
		"CREATE TABLE times (id INT, opens TIME, n DATETIME AS (opens) VIRTUAL)",
		"CREATE VIEW v AS SELECT n FROM clock",
	)
	c.checkPlans([]want{
		{"SELECT * FROM plain", "reads plain"},
		{"SELECT * FROM clock", "reads clock; volatile"},
		{"SELECT * FROM v", "reads clock; volatile"},
		{"SELECT * FROM me", "reads me; session function"},
		{"SELECT * FROM times", "reads times; volatile"},
	})
}

func TestMariaDBAutoIsNull(t *testing.T) {
	c := openMariaDB(t, "SET sql_auto_is_null = 1")
	if got := c.state().Reason; got != analyze.Setting {
		t.Errorf("the reason is %v", got)
	}
}
