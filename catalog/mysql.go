package catalog

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// A MySQL or MariaDB server is one database here, because its statements and foreign
// keys reach across schemas. What the user may not see can't be read.
const (
	mysqlServer = "SELECT @@lower_case_table_names, VERSION()"

	mysqlTables = `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES
WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')`

	mysqlViews = `SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS
WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')`

	mysqlForeignKeys = `SELECT CONSTRAINT_SCHEMA, TABLE_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME,
UPDATE_RULE, DELETE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS`

	mysqlTriggers = `SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_STATEMENT, SQL_MODE, ACTION_TIMING
FROM information_schema.TRIGGERS`

	mysqlRoutines = `SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_BODY, ROUTINE_DEFINITION, SQL_MODE
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ('mysql', 'sys')`

	mysqlTimeParameters = `SELECT DISTINCT SPECIFIC_SCHEMA, SPECIFIC_NAME FROM information_schema.PARAMETERS
WHERE DATA_TYPE = 'time' AND SPECIFIC_SCHEMA NOT IN ('mysql', 'sys')`

	mysqlGrants = "SHOW GRANTS" // of the user, and in MariaDB of the role that is set
)

// mysqlSystemSchemas are the server's own.
var mysqlSystemSchemas = wordSet("information_schema performance_schema mysql sys")

// transactionalEngines keep rows in the server, and change them when a transaction
// commits. Other engines change them at once, lose them when the server stops, or
// have them elsewhere.
var transactionalEngines = wordSet("innodb rocksdb tokudb")

// localEngines keep rows in the server, at least.
var localEngines = wordSet("myisam aria memory archive csv blackhole")

func (s *Snapshot) loadMySQL(ctx context.Context, q Querier) error {
	var answers [10][][]driver.Value
	for i, query := range [...]string{
		mysqlServer, mysqlTables, mysqlViews, mysqlForeignKeys, mysqlTriggers, mysqlRoutines, mysqlGrants, mysqlColumns, mysqlTimeParameters,
		mysqlIndexes,
	} {
		rows, err := q.Query(ctx, query)
		if err != nil {
			return err
		}
		answers[i] = rows
	}
	server, err := one(answers[0], 2)
	if err != nil {
		return err
	}
	s.fold = number(server[0]) != 0
	s.mariadb = strings.Contains(strings.ToLower(text(server[1])), "mariadb")
	for _, row := range answers[1] {
		s.addMySQLTable(row)
	}
	for _, row := range answers[2] {
		s.addMySQLView(text(row[0]), text(row[1]), text(row[2]))
	}
	for _, row := range answers[3] {
		s.addMySQLReference(row)
	}
	for _, row := range answers[4] {
		s.addMySQLTrigger(row)
	}
	for _, row := range answers[5] {
		s.addMySQLRoutine(row)
	}
	s.widenHidden(answers[6])
	texts := sharing{}
	for _, row := range answers[7] {
		s.addMySQLColumn(row, texts)
	}
	s.markTimed(answers[8])
	s.addMySQLIndexes(answers[9])
	return nil
}

// find returns the relation of that name, or nil.
func (s *Snapshot) find(schema, name string) *relation {
	return s.schemas[s.foldName(schema)][s.foldName(name)]
}

func (s *Snapshot) addMySQLTable(row []driver.Value) {
	schema, name := s.foldName(text(row[0])), s.foldName(text(row[1]))
	engine := strings.ToLower(text(row[3]))
	switch sort := strings.ToUpper(text(row[2])); {
	case strings.Contains(sort, "TEMPORARY"):
	case strings.Contains(sort, "VIEW"):
		s.addMySQLView(schema, name, "")
	case sort == "SEQUENCE":
		s.add(schema, name, sequence)
	case transactionalEngines[engine]:
		s.add(schema, name, table).table.Unsliced = sort != "BASE TABLE" // versions of rows are kept
	case localEngines[engine]:
		s.add(schema, name, table).because(analyze.ForeignTable, schema+"."+name+" ("+engine+")")
	default:
		s.add(schema, name, foreign)
	}
}

// addMySQLView adds a view. Its text has the names of relations with their schemas;
// it is empty if the user may not see it.
func (s *Snapshot) addMySQLView(schema, name, code string) {
	schema, name = s.foldName(schema), s.foldName(name)
	r := s.add(schema, name, view)
	r.def = &definition{name: string(r.name), ownPath: true, path: []string{schema}, permanent: true}
	if code == "" {
		r.def.opaque = true
		return
	}
	r.def.take(analyze.Analyze(analyze.MySQL, code))
}

// markTimed marks the functions that take or return a time of day, or have one as a variable.
func (s *Snapshot) markTimed(parameters [][]driver.Value) {
	timed := map[string]bool{}
	for _, row := range parameters {
		timed[s.foldName(text(row[0]))+"."+strings.ToLower(text(row[1]))] = true
	}
	for _, functions := range s.functions {
		for _, f := range functions {
			f.timed = f.timed || timed[f.schema+"."+strings.ToLower(f.name)]
		}
	}
}

// compute judges the columns of r that are computed when they are read.
func (p *planner) compute(r *relation) {
	for _, st := range r.computed {
		switch {
		case st.Reason != analyze.NoRelation:
			p.because(st.Reason, string(r.name)+" (computed column)")
		case r.timed: // perhaps one that becomes a date
			p.because(analyze.Volatile, string(r.name)+" (computed column)")
		}
		p.functions(st)
	}
}

func (s *Snapshot) addMySQLReference(row []driver.Value) {
	from, to := s.find(text(row[0]), text(row[1])), s.find(text(row[2]), text(row[3]))
	if from != nil && to != nil {
		to.references = append(to.references, reference{
			from: from, onUpdate: ruleOp(text(row[4]), analyze.Update), onDelete: ruleOp(text(row[5]), analyze.Delete),
		})
	}
}

func (s *Snapshot) addMySQLTrigger(row []driver.Value) {
	schema := s.foldName(text(row[0]))
	r := s.find(schema, text(row[1]))
	if r == nil {
		return
	}
	t := trigger{body: s.mysqlBody(schema, string(r.name), text(row[3]), text(row[4]))}
	t.body.reach &^= ddl
	if text(row[3]) == "" {
		t.body.reach = settings
	}
	for _, event := range strings.Split(strings.ToLower(text(row[2])), ",") {
		op := eventOp(strings.TrimSpace(event))
		if op == 0 {
			op = everyOp
		}
		t.on |= op
	}
	r.triggers = append(r.triggers, t)
	r.fired(t.on) // also for rows that have their new values already
	if !strings.EqualFold(text(row[5]), "AFTER") {
		r.altered(t.on)
	}
}

// mysqlBody reads the body of a trigger or routine of a schema.
func (s *Snapshot) mysqlBody(schema, name, code, mode string) *definition {
	d := &definition{name: name, ownPath: true, path: []string{schema}}
	statements, ok := takeApart(analyze.MySQL, code)
	if !ok || code == "" || mysqlLexing(mode, "").setting != "" {
		d.opaque, d.reach = true, settings|mysqlReach(code)
	}
	d.statements = statements
	return d
}

// mysqlReach tells from the words of a body whether it may change the schema, which
// only procedures can, or make temporary tables.
func mysqlReach(code string) reach {
	tokens, ok := scan(analyze.MySQL, code)
	if !ok || code == "" {
		return anyReach
	}
	var r reach
	for _, t := range tokens {
		switch t.word {
		case "execute":
			return anyReach
		case "temporary":
			r |= temps
		case "create", "alter", "drop", "rename", "grant", "revoke":
			r |= ddl
		}
	}
	return r
}

func (s *Snapshot) addMySQLRoutine(row []driver.Value) {
	schema, name := s.foldName(text(row[0])), text(row[1])
	code, mode := text(row[4]), text(row[5])
	if !strings.EqualFold(text(row[3]), "SQL") {
		code = ""
	}
	d := s.mysqlBody(schema, name, code, mode)
	s.routines |= mysqlReach(code)
	if !strings.EqualFold(text(row[2]), "FUNCTION") {
		return
	}
	f := &function{schema: schema, name: name, behaviour: following, body: d, reach: d.reach &^ ddl, timed: hasTimeWord(code)}
	if d.opaque {
		f.behaviour = anything
	}
	key := strings.ToLower(name)
	s.functions[key] = append(s.functions[key], f)
}

// hasTimeWord reports whether a body may declare a variable that is a time of day.
func hasTimeWord(code string) bool {
	tokens, _ := scan(analyze.MySQL, code)
	return slices.ContainsFunc(tokens, func(t token) bool { return t.is("time") })
}
