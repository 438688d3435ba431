package metamorphic

import (
	"database/sql"
	"math/rand/v2"
	"strings"
)

// A maker makes the steps of one program, one after the other, as a scheduler would: it knows which
// client is in which transaction, and prefers reads that were made before.
type maker struct {
	g     *gen
	r     *rand.Rand
	known []step // reads to be made again
	inTx  [kept + 1]txKind
	saved [kept]*model // of the beginning of the transaction
	lost  [kept]bool   // PostgreSQL: the transaction has aborted
	stuck [kept]bool   // MariaDB: other tables are locked
	stmts [kept][4]*step

	before *model // of the last change of the schema
}

// A txKind tells how a client began its transaction.
type txKind int

const (
	noTx   txKind = iota
	goTx          // by database/sql
	textTx        // by SQL
)

// next makes a step.
func (m *maker) next() step {
	m.g.marked, m.g.ctes, m.g.plain, m.g.n, m.g.depth = nil, nil, false, 0, 0
	on := m.choose()
	if on == clean && m.g.d != pg && chance(m.r, 12) {
		return m.elsewhere()
	}
	if on != clean {
		if s, ok := m.transaction(on); ok {
			return s
		}
	}
	s := m.statement(on)
	s.on = on
	return s
}

// elsewhere reads or writes the other database.
func (m *maker) elsewhere() step {
	s := step{on: elsewhere, do: query}
	switch g := m.g; m.r.IntN(5) {
	case 0:
		s.do, s.text = exec, g.pick("UPDATE t1 SET a = a + 1", "DELETE FROM t1 WHERE id = "+g.int(), g.insert(&table{name: "t1"}))
	case 1:
		s.text = "SELECT * FROM t1 WHERE id > 1"
	default:
		s.text = "SELECT count(*), sum(a), max(c) FROM t1"
	}
	s.text, s.args = m.g.settle(s.text)
	return s
}

// choose prefers clients in a transaction, so that these end soon.
func (m *maker) choose() int {
	for i, kind := range m.inTx {
		if kind != noTx && chance(m.r, 55) {
			return i
		}
	}
	return min(m.r.IntN(kept+3), clean)
}

// transaction ends or begins a transaction, from time to time.
func (m *maker) transaction(on int) (step, bool) {
	kind := m.inTx[on]
	s := step{on: on, do: exec}
	if m.stuck[on] && chance(m.r, 60) {
		s.text = "UNLOCK TABLES"
		return s, true
	}
	if s.text = m.unusualEnd(kind); s.text != "" {
		return s, true
	}
	switch {
	case kind != noTx && m.lost[on] && chance(m.r, 70):
		s.do, s.text = rollback, "ROLLBACK"
	case kind != noTx && chance(m.r, 18):
		s.do, s.text = commit, "COMMIT"
	case kind != noTx && chance(m.r, 8):
		s.do, s.text = rollback, "ROLLBACK"
	case kind != noTx && chance(m.r, 10):
		s.text = m.g.pick("SAVEPOINT p", "SAVEPOINT p", "ROLLBACK TO p", "RELEASE SAVEPOINT p")
		return s, true
	case kind == noTx && chance(m.r, 8):
		return m.begin(on), true
	default:
		return s, false
	}
	if kind == textTx {
		s.do = exec
	} else {
		s.text = ""
	}
	return s, true
}

// unusualEnd is an end of a transaction in SQL of which it isn't noted how it ends.
func (m *maker) unusualEnd(kind txKind) string {
	switch {
	case m.g.d == lite || !chance(m.r, 3):
		return ""
	case kind == textTx && m.g.d == maria:
		return m.g.pick("COMMIT AND CHAIN", "ROLLBACK AND CHAIN")
	case kind == textTx:
		return m.g.pick("COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "PREPARE TRANSACTION 'OTHERx'", "PREPARE TRANSACTION 'OTHERx'")
	case kind == noTx && m.g.d == pg:
		return m.g.pick("COMMIT PREPARED 'OTHERx'", "ROLLBACK PREPARED 'OTHERx'")
	}
	return ""
}

func (m *maker) begin(on int) step {
	if m.g.chance(50) {
		levels := []sql.IsolationLevel{sql.LevelDefault, sql.LevelDefault, sql.LevelReadCommitted, sql.LevelRepeatableRead,
			sql.LevelSerializable, sql.LevelReadUncommitted}
		return step{on: on, do: begin, level: pick(m.r, levels), readOnly: chance(m.r, 10)}
	}
	texts := map[lang][]string{
		lite:  {"BEGIN", "BEGIN IMMEDIATE", "BEGIN DEFERRED", "BEGIN EXCLUSIVE", "SAVEPOINT outermost"},
		pg:    {"BEGIN", "START TRANSACTION", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL READ COMMITTED", "BEGIN READ ONLY"},
		maria: {"BEGIN", "START TRANSACTION", "START TRANSACTION WITH CONSISTENT SNAPSHOT", "SET autocommit = 0"},
	}
	return step{on: on, do: exec, text: pick(m.r, texts[m.g.d])}
}

func (m *maker) statement(on int) step {
	switch n := m.r.IntN(100); {
	case n < 66:
		return m.read(on)
	case n < 83:
		return m.write(on)
	case n < 86:
		m.before = m.g.m.clone()
		return step{do: exec, text: m.g.ddl()}
	case on == clean:
		return m.read(on)
	case n < 90:
		return m.prepare(on)
	case n < 94:
		return m.useStmt(on)
	case n < 98:
		return step{do: exec, text: m.setting()}
	case n < 99 && m.inTx[on] == noTx:
		return step{do: renew}
	}
	return m.read(on)
}

// read asks again what was asked before, or something new.
func (m *maker) read(on int) step {
	if len(m.known) > 0 && chance(m.r, 80) {
		s := pick(m.r, m.known)
		if chance(m.r, 20) {
			s.limit = 1 + m.r.IntN(3)
		}
		if s.limit > 0 && !s.ordered && m.g.d != lite {
			s.limit = 0
		}
		s.last = chance(m.r, 30)
		return s
	}
	s := step{do: query}
	s.text, s.ordered = m.g.query()
	s.text, s.args = m.g.settle(s.text)
	if m.g.chance(3) {
		s.text += " -- " + m.g.pick("a comment", "it's", "`")
	}
	m.known = append(m.known, s)
	if len(m.known) > 12 {
		m.known[m.r.IntN(len(m.known))] = m.known[len(m.known)-1]
		m.known = m.known[:len(m.known)-1]
	}
	return s
}

func (m *maker) write(int) step {
	w := m.g.write()
	s := step{do: exec}
	s.text, s.args = m.g.settle(w.text)
	if w.rows {
		s.do = run
		if chance(m.r, 20) {
			s.limit = 1
		}
	}
	if chance(m.r, 2) {
		s.do = canceled
	}
	return s
}

func (m *maker) prepare(on int) step {
	s := step{do: prepare, slot: m.r.IntN(4)}
	used := step{do: queryStmt, slot: s.slot}
	if chance(m.r, 65) {
		s.text, used.ordered = m.g.query()
	} else {
		used.do = execStmt
		w := m.g.write()
		for w.rows { // go-sql-driver/mysql waits forever for columns that MariaDB doesn't send twice
			w = m.g.write()
		}
		s.text = w.text
	}
	s.text, used.args = m.g.settle(s.text)
	m.stmts[on][s.slot] = &used
	return s
}

func (m *maker) useStmt(on int) step {
	slot := m.r.IntN(4)
	if used := m.stmts[on][slot]; used != nil {
		if chance(m.r, 10) {
			return step{do: closeStmt, slot: slot}
		}
		s := *used
		s.text = ""
		return s
	}
	return m.prepare(on)
}

// saw learns from what a step did.
func (m *maker) saw(s step, failure error) {
	if failure != nil && m.before != nil {
		m.g.m = m.before
	}
	m.before = nil
	if s.on >= clean {
		return
	}
	m.sawEnd(s, failure)
	m.lost[s.on] = failure != nil && m.g.d == pg && m.inTx[s.on] != noTx
	m.stuck[s.on] = failure != nil && strings.Contains(failure.Error(), "LOCK TABLES")
	if failure != nil {
		return
	}
	switch {
	case s.do == begin:
		m.start(s.on, goTx)
	case s.do == exec && beginsText(s.text):
		m.start(s.on, textTx)
	case s.do == renew:
		m.stmts[s.on] = [4]*step{}
	}
}

func beginsText(text string) bool {
	switch first := word(text); first {
	case "BEGIN", "START":
		return true
	case "SAVEPOINT":
		return text == "SAVEPOINT outermost"
	}
	return text == "SET autocommit = 0"
}

func word(text string) string {
	for i, r := range text {
		if r == ' ' {
			return text[:i]
		}
	}
	return text
}

func (m *maker) start(on int, kind txKind) {
	m.inTx[on] = kind
	m.saved[on] = m.g.m.clone()
}

func (m *maker) sawEnd(s step, failure error) {
	undone := s.do == rollback || s.do == exec && s.text == "ROLLBACK"
	if !undone && s.do != commit && !(s.do == exec && s.text == "COMMIT") {
		return
	}
	if failure != nil && m.g.d == lite && !undone {
		if m.inTx[s.on] == goTx {
			m.inTx[s.on] = textTx // it is still open, but database/sql has done with it
		}
		return
	}
	if (undone || failure != nil) && m.g.d != maria && m.saved[s.on] != nil {
		m.g.m = m.saved[s.on]
	}
	m.inTx[s.on], m.saved[s.on] = noTx, nil
}

// setting changes the session: settings, temporary tables, statements prepared in SQL.
func (m *maker) setting() string {
	g := m.g
	t := pick(m.r, g.m.tables).name
	g.plain = true
	switch g.d {
	case lite:
		return g.pick("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON", "PRAGMA recursive_triggers = ON",
			"PRAGMA case_sensitive_like = ON", "PRAGMA case_sensitive_like = OFF", "PRAGMA reverse_unordered_selects = ON",
			"PRAGMA reverse_unordered_selects = OFF", "PRAGMA query_only = ON", "PRAGMA query_only = OFF", "PRAGMA query_only = OFF",
			"CREATE TEMP TABLE temp1 AS SELECT * FROM "+t, "DROP TABLE IF EXISTS temp.temp1", "CREATE TEMP TABLE "+t+" (id, a, b, c)",
			"DROP TABLE IF EXISTS temp."+t, "INSERT INTO temp1 SELECT 1, 2, 3, 'x'", "CREATE TEMP VIEW v2 AS SELECT 1 AS id, 2 AS a, 3 AS b, 'tmp' AS c",
			"DROP VIEW IF EXISTS temp.v2", "PRAGMA short_column_names = OFF", "PRAGMA short_column_names = ON", "PRAGMA defer_foreign_keys = ON",
			"CREATE TEMP TRIGGER ttrg AFTER INSERT ON "+t+" BEGIN UPDATE t5 SET a = 8; END", "DROP TRIGGER IF EXISTS ttrg",
			"ATTACH ':memory:' AS aux1", "CREATE TABLE aux1.t1 (id, a, b, c)", "DETACH aux1", "ATTACH 'OTHER' AS aux1", "ATTACH 'OTHER' AS aux1",
			"INSERT INTO aux1.t1 (id, a) VALUES ("+g.int()+", 7)", "UPDATE aux1.t1 SET a = 3", "DELETE FROM aux1.t1 WHERE id < 4",
			"INSERT INTO aux1.t1 SELECT id + 10, a, b, c FROM t1", "ALTER TABLE aux1.t1 ADD COLUMN more")
	case pg:
		return g.pick("SET search_path = s2, public", "SET search_path = public", "SET LOCAL search_path = s2, public", "RESET search_path",
			"SET TIME ZONE 'Asia/Tokyo'", "SET TIME ZONE DEFAULT", "SET DateStyle = 'German'", "RESET DateStyle", "SET bytea_output = 'escape'",
			"SET ROLE guest", "RESET ROLE", "SET row_security = off", "RESET row_security", "SET my.x = 'abc'", "RESET ALL", "DISCARD ALL",
			"CREATE TEMP TABLE temp1 AS SELECT * FROM "+t, "DROP TABLE IF EXISTS pg_temp.temp1", "CREATE TEMP TABLE "+t+" (id int, a int, b int, c text)",
			"DROP TABLE IF EXISTS pg_temp."+t, "CREATE TEMP VIEW v2 AS SELECT 1 AS id, 2 AS a, 3 AS b, 'tmp' AS c", "DROP VIEW IF EXISTS pg_temp.v2",
			"PREPARE e1(int) AS SELECT * FROM "+t+" WHERE id < $1", "PREPARE e2(int) AS UPDATE "+t+" SET a = 9 WHERE id = $1", "DEALLOCATE ALL",
			"SELECT set_config('search_path', 's2, public', false)", "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
			"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET extra_float_digits = -10", "RESET extra_float_digits",
			"SET session_replication_role = replica", "RESET session_replication_role", "SET enable_seqscan = off",
			"SET transform_null_equals = on", "RESET transform_null_equals")
	}
	return g.pick("SET autocommit = 1", "SET autocommit = 1", "SET sql_mode = 'ANSI_QUOTES'", "SET sql_mode = 'PIPES_AS_CONCAT'", "SET sql_mode = DEFAULT", "SET sql_mode = DEFAULT", "SET sql_mode = DEFAULT",
		"SET time_zone = '+05:00'", "SET time_zone = DEFAULT", "SET @x = 3", "SET @x = 4", "SET group_concat_max_len = 5", "SET group_concat_max_len = DEFAULT",
		"SET foreign_key_checks = 0", "SET foreign_key_checks = 1", "SET sql_select_limit = 2", "SET sql_select_limit = DEFAULT",
		"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
		"SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "SET div_precision_increment = 1", "SET NAMES latin1", "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
		"CREATE TEMPORARY TABLE temp1 AS SELECT * FROM "+t, "DROP TEMPORARY TABLE IF EXISTS temp1", "CREATE TEMPORARY TABLE "+t+" (id INT, a INT, b INT, c TEXT)",
		"DROP TEMPORARY TABLE IF EXISTS "+t, "PREPARE e1 FROM 'SELECT * FROM "+t+"'", "PREPARE e2 FROM 'UPDATE "+t+" SET a = 9 WHERE id < 3'",
		"DEALLOCATE PREPARE e1", "SET collation_connection = utf8mb4_general_ci", "INSERT INTO temp1 (id) VALUES (5)", "USE OTHER", "USE MAIN", "USE MAIN", "USE MAIN",
		"CREATE OR REPLACE VIEW v2 AS SELECT id, a, b, c FROM OTHER.t1", "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'")
}
