package catalog

import (
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
)

// bodyTexts returns what a body is taken apart into, or "?" if it isn't understood.
func bodyTexts(d analyze.Dialect, code string) string {
	statements, ok := takeApart(d, code)
	if !ok {
		return "?"
	}
	var texts []string
	for _, st := range statements {
		if st.Text != "" {
			texts = append(texts, strings.Join(strings.Fields(st.Text), " "))
		}
	}
	return strings.Join(texts, "; ")
}

func TestPlpgsqlBodies(t *testing.T) {
	for code, want := range map[string]string{
		"BEGIN RETURN NEW; END":                                                                           "",
		"BEGIN NEW.a := now(); RETURN NEW; END;":                                                          "SELECT now()",
		"BEGIN NEW.a = b + 1; RETURN NULL; END":                                                           "SELECT b + 1",
		"<<l>> DECLARE x int := f(1); y CONSTANT text DEFAULT 'a;b'; BEGIN END l":                         "SELECT f(1)",
		"DECLARE c CURSOR (n int) FOR SELECT 1 FROM t; BEGIN END":                                         "SELECT 1 FROM t",
		"BEGIN PERFORM f() FROM t; END":                                                                   "SELECT f() FROM t",
		"BEGIN SELECT a, b INTO STRICT x.y, z FROM t WHERE c = 1; END":                                    "SELECT a, b FROM t WHERE c = 1",
		"BEGIN SELECT a FROM t INTO x; END":                                                               "SELECT a FROM t",
		"BEGIN INSERT INTO t VALUES (1) RETURNING id INTO x; END":                                         "INSERT INTO t VALUES (1) RETURNING id",
		"BEGIN IF a THEN DELETE FROM t; ELSIF g() THEN NULL; ELSE x := 1; END IF; END":                    "SELECT a; DELETE FROM t; SELECT g()",
		"BEGIN CASE a WHEN 1, f() THEN NULL; ELSE NULL; END CASE; END":                                    "SELECT a; SELECT 1, f()",
		"BEGIN CASE WHEN a > 1 THEN NULL; END CASE; END":                                                  "SELECT a > 1",
		"BEGIN LOOP EXIT WHEN f(); CONTINUE l; END LOOP; END":                                             "SELECT f()",
		"BEGIN FOR i IN REVERSE f()..10 BY 2 LOOP NULL; END LOOP; END":                                    "SELECT f()",
		"BEGIN FOR r IN SELECT a FROM t LOOP NULL; END LOOP; END":                                         "SELECT a FROM t",
		"BEGIN FOREACH x IN ARRAY f() LOOP NULL; END LOOP; END":                                           "SELECT f()",
		"BEGIN WHILE f() LOOP NULL; END LOOP; END":                                                        "SELECT f()",
		"BEGIN RETURN QUERY SELECT a FROM t; RETURN NEXT f(); END":                                        "SELECT a FROM t; SELECT f()",
		"BEGIN RAISE EXCEPTION 'no %', f(1) USING HINT = g(), ERRCODE = 'x'; END":                         "SELECT g(); SELECT 'no %', f(1)",
		"BEGIN RAISE NOTICE 'a'; RAISE; RAISE unique_violation; END":                                      "",
		"BEGIN NULL; EXCEPTION WHEN a OR SQLSTATE '22012' THEN DELETE FROM t; WHEN others THEN NULL; END": "DELETE FROM t",
		"BEGIN a[f(1)] := 2; END":                                                                         "SELECT f(1)",
		"BEGIN BEGIN x := g(); END; END":                                                                  "SELECT g()",
		"BEGIN GET DIAGNOSTICS n = ROW_COUNT; END":                                                        "",
		"/* c */ BEGIN -- IF\n NULL; END":                                                                 "",

		"BEGIN EXECUTE 'x'; END":                              "?",
		"BEGIN RETURN QUERY EXECUTE 'x'; END":                 "?",
		"BEGIN FOR r IN EXECUTE 'x' LOOP NULL; END LOOP; END": "?",
		"BEGIN OPEN c FOR EXECUTE 'x'; END":                   "?",
		"BEGIN CALL p(); END":                                 "?",
		"BEGIN COMMIT; END":                                   "?",
		"BEGIN x := 1":                                        "",
		"BEGIN 'x":                                            "?",
		"BEGIN IF a END":                                      "?",
		"BEGIN SET x = 1; END":                                "?",
		"BEGIN CREATE TABLE x (a int); END":                   "?",
		"BEGIN /* /* */ */ NULL; END":                         "?",
		"BEGIN RAISE NOTICE '%', (SELECT 1); END":             "?",
	} {
		if got := bodyTexts(analyze.Postgres, code); got != want {
			t.Errorf("%s\n got: %s\nwant: %s", code, got, want)
		}
	}
}

func TestMySQLBodies(t *testing.T) {
	for code, want := range map[string]string{
		"INSERT INTO log VALUES (NEW.id)":                        "INSERT INTO log VALUES (NEW.id)",
		"SET NEW.a = f(1), NEW.b := 2, @x = g()":                 "SELECT f(1); SELECT g()",
		"RETURN a + 1":                                           "SELECT a + 1",
		"BEGIN DECLARE a, b INT DEFAULT f(); SET b = a + 1; END": "SELECT f(); SELECT a + 1",
		"l: BEGIN LEAVE l; END l":                                "",
		"BEGIN IF(a) THEN DELETE FROM t; ELSEIF b THEN SET @x = 1; ELSE BEGIN END; END IF; END":     "SELECT (a); DELETE FROM t; SELECT b",
		"BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND, SQLSTATE VALUE '1', 1062 DELETE FROM t; END": "DELETE FROM t",
		"BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN DELETE FROM t; END; END":                 "DELETE FROM t",
		"BEGIN DECLARE e CONDITION FOR SQLSTATE '1'; SIGNAL e SET MESSAGE_TEXT = 'x'; END":          "",
		"BEGIN WHILE f() DO SET @a = 1; END WHILE; END":                                             "SELECT f()",
		"BEGIN REPEAT DO g(); UNTIL f() END REPEAT; END":                                            "SELECT g(); SELECT f()",
		"BEGIN CASE WHEN a > 1 THEN DELETE FROM t; END CASE; END":                                   "SELECT a > 1; DELETE FROM t",
		"SELECT a, b INTO @x, y FROM t":                                                             "SELECT a, b FROM t",
		"BEGIN # c ;\n -- d ;\n DELETE FROM t; END":                                                 "DELETE FROM t",

		"SET x = 1":                 "?",
		"SET SESSION sql_mode = ''": "?",
		"SET @@sql_mode = ''":       "?",
		"BEGIN DECLARE sql INT; SET sql_mode = ''; END": "?",
		"SET NAMES utf8":                       "?",
		"CALL p()":                             "?",
		"BEGIN PREPARE s FROM 'x'; END":        "?",
		"BEGIN EXECUTE s; END":                 "?",
		"SELECT a INTO OUTFILE 'x' FROM t":     "?",
		"CREATE TEMPORARY TABLE x (a INT)":     "?",
		"BEGIN /*!50000 DELETE FROM t */; END": "?",
		"BEGIN COMMIT; END":                    "?",
		"LOCK TABLES t WRITE":                  "?",
		"":                                     "",
	} {
		if got := bodyTexts(analyze.MySQL, code); got != want {
			t.Errorf("%s\n got: %s\nwant: %s", code, got, want)
		}
	}
}

func FuzzTakeApart(f *testing.F) {
	f.Add("BEGIN IF a THEN x[1] := f(); END IF; RAISE 'x', f() USING a = 1; FOR i IN 1..2 LOOP NULL; END LOOP; END")
	f.Add("BEGIN DECLARE a INT DEFAULT 1; DECLARE EXIT HANDLER FOR NOT FOUND BEGIN END; SET a = 1, NEW.b = 2; END")
	f.Add("CREATE TRIGGER t INSTEAD OF UPDATE OF a ON b BEGIN SELECT 1; END")
	f.Fuzz(func(t *testing.T, code string) {
		takeApart(analyze.Postgres, code)
		takeApart(analyze.MySQL, code)
		sqliteTrigger("t", code)
		sqliteView("v", code)
		(&pgFunction{sqlBody: code}).sqlTexts()
		mysqlReach(code)
		parseGrant(code)
	})
}
