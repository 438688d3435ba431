package catalog

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/larderdb/larder/analyze"
)

// pgLoader ties the facts of a PostgreSQL database together by their numbers (OIDs).
type pgLoader struct {
	snapshot  *Snapshot
	relations map[int64]*relation
	functions map[int64]*function
	operators map[int64]int64       // by number, the function behind
	rules     map[int64]*definition // of views, by the number of their rule
	triggers  map[int64]pgTrigger
	parents   map[*relation][]*relation
	sources   map[int64]*pgFunction
	temporary map[int64]bool
	types     map[int64]pgType
	numbers   map[*relation][]int64 // of its columns, in order
	texts     sharing
	rows      map[string][]json.RawMessage
}

// A pgTrigger is the relation and the function of a trigger.
type pgTrigger struct {
	relation *relation
	function int64
}

func (s *Snapshot) loadPostgres(ctx context.Context, q Querier) error {
	rows, err := q.Query(ctx, "SELECT pg_catalog.current_setting('server_version_num')")
	if err != nil {
		return err
	}
	version, err := one(rows, 1)
	if err != nil {
		return err
	}
	rows, err = q.Query(ctx, "SELECT * FROM ("+postgresQuery(number(version[0]))+") AS facts"+pgImpatient)
	if err != nil {
		return err
	}
	l := newPgLoader(s)
	for _, row := range rows {
		tag := text(row[0])
		l.rows[tag] = append(l.rows[tag], json.RawMessage(text(row[1])))
	}
	return l.load()
}

func newPgLoader(s *Snapshot) *pgLoader {
	return &pgLoader{
		snapshot:  s,
		relations: map[int64]*relation{},
		functions: map[int64]*function{},
		operators: map[int64]int64{},
		rules:     map[int64]*definition{},
		triggers:  map[int64]pgTrigger{},
		parents:   map[*relation][]*relation{},
		sources:   map[int64]*pgFunction{},
		temporary: map[int64]bool{},
		types:     map[int64]pgType{},
		numbers:   map[*relation][]int64{},
		texts:     sharing{},
		rows:      map[string][]json.RawMessage{},
	}
}

func (l *pgLoader) load() error {
	for _, step := range []struct {
		tag string
		add func(json.RawMessage) error
	}{
		{"builtins", func(row json.RawMessage) error { return json.Unmarshal(row, &l.snapshot.builtin) }},
		{"path", l.path},
		{"type", l.typ},
		{"relation", l.relation},
		{"index", l.index},
		{"child", l.child},
		{"function", l.function},
		{"aggregate", l.aggregate},
		{"operator", l.operator},
		{"rule", l.rule},
		{"trigger", l.trigger},
		{"reference", l.reference},
		{"depend", l.depend},
		{"cast", l.implicit},
		{"class", l.support},
		{"shadow", l.shadow},
		{"event", func(json.RawMessage) error { l.snapshot.eventTriggers = true; return nil }},
	} {
		for _, row := range l.rows[step.tag] {
			if err := step.add(row); err != nil {
				return fmt.Errorf("decode %s: %w", step.tag, err)
			}
		}
	}
	l.inheritReferences()
	l.spread()
	return nil
}

// fields decodes a JSON array into variables.
func fields(row json.RawMessage, into ...any) error { return json.Unmarshal(row, &into) }

func (l *pgLoader) relation(row json.RawMessage) error {
	var oid int64
	var schema, name, relkind, persistence, code string
	var secured, zoned bool
	var columns []pgColumn
	if err := fields(row, &oid, &schema, &name, &relkind, &persistence, &secured, &code, &columns, &zoned); err != nil {
		return err
	}
	for _, column := range columns {
		l.snapshot.columns[l.texts.share(column.name)] = true
	}
	switch {
	case relkind == "c": // a type
		return nil
	case persistence == "t":
		l.temporary[oid] = true
		return nil
	}
	r := l.snapshot.add(schema, name, pgKind(oid, relkind))
	l.addColumns(r, columns)
	r.partitioned = relkind == "p"
	if r.kind == view {
		r.def = &definition{name: string(r.name), bound: true}
		r.def.take(analyze.Analyze(analyze.Postgres, code))
	}
	if secured {
		r.because(analyze.RowSecurity, string(r.name))
	}
	if zoned { // a time that meets one with a zone takes that of today's daylight saving
		r.because(analyze.Volatile, string(r.name)+" (time with time zone)")
	}
	l.relations[oid] = r
	return nil
}

func pgKind(oid int64, relkind string) kind {
	switch {
	case oid < 16384:
		return system
	case relkind == "v":
		return view
	case relkind == "S":
		return sequence
	case relkind == "f":
		return foreign
	}
	return table
}

func (l *pgLoader) child(row json.RawMessage) error {
	var parent, child int64
	if err := fields(row, &parent, &child); err != nil {
		return err
	}
	p, c := l.relations[parent], l.relations[child]
	switch {
	case p != nil && l.temporary[child]:
		p.because(analyze.Temporary, string(p.name))
		p.widen(everyOp)
	case p != nil && c != nil:
		p.children = append(p.children, c)
		if p.partitioned {
			l.parents[c] = append(l.parents[c], p)
		}
	}
	return nil
}

// inheritReferences makes foreign keys that refer to a partitioned table refer to its
// partitions, too.
func (l *pgLoader) inheritReferences() {
	for child := range l.parents {
		child.references = append(child.references, l.ancestral(child, 0)...)
	}
}

func (l *pgLoader) ancestral(r *relation, depth int) []reference {
	var refs []reference
	if depth > 100 {
		return nil
	}
	for _, parent := range l.parents[r] {
		refs = append(refs, parent.references...)
		refs = append(refs, l.ancestral(parent, depth+1)...)
	}
	return refs
}

func (l *pgLoader) reference(row json.RawMessage) error {
	var from, to int64
	var onDelete, onUpdate string
	var columns []int64
	if err := fields(row, &from, &to, &onDelete, &onUpdate, &columns); err != nil {
		return err
	}
	f, t := l.relations[from], l.relations[to]
	if f != nil {
		l.selective(f, columns)
	}
	if f != nil && t != nil {
		t.references = append(t.references, reference{
			from: f, onDelete: pgAction(onDelete, analyze.Delete), onUpdate: pgAction(onUpdate, analyze.Update),
		})
	}
	return nil
}

func pgAction(action string, op analyze.Op) analyze.Op {
	switch action {
	case "c":
		return op
	case "n", "d":
		return analyze.Update
	}
	return 0
}

// The bits of a trigger's type.
const (
	pgOnInsert   = 4
	pgOnDelete   = 8
	pgOnUpdate   = 16
	pgOnTruncate = 32
)

func (l *pgLoader) trigger(row json.RawMessage) error {
	var oid, relid, kind, funcid int64
	if err := fields(row, &oid, &relid, &kind, &funcid); err != nil {
		return err
	}
	r := l.relations[relid]
	if r == nil {
		return nil
	}
	l.triggers[oid] = pgTrigger{relation: r, function: funcid}
	alter(r, kind)
	if funcid < 16384 { // the server's own: they change no more than the row
		return nil
	}
	t := trigger{on: pgTriggerOp(kind), body: &definition{name: string(r.name), opaque: true}}
	if src := l.sources[funcid]; src != nil {
		t.body = src.triggerBody()
	}
	r.triggers = append(r.triggers, t)
	return nil
}

func (l *pgLoader) rule(row json.RawMessage) error {
	var oid, relid int64
	var event, name string
	if err := fields(row, &oid, &relid, &event, &name); err != nil {
		return err
	}
	r := l.relations[relid]
	if r == nil {
		return nil
	}
	switch event {
	case "1":
		if r.kind == view {
			l.rules[oid] = r.def
		}
	case "2":
		r.rewritten(analyze.Update)
	case "3":
		r.rewritten(analyze.Insert)
	case "4":
		r.rewritten(analyze.Delete)
	}
	return nil
}

func (l *pgLoader) operator(row json.RawMessage) error {
	var oid, code, left, right int64
	var name string
	if err := fields(row, &oid, &name, &code, &left, &right); err != nil {
		return err
	}
	l.equality(name, left, right)
	l.operators[oid] = code
	if f := l.functions[code]; f != nil {
		l.snapshot.operators[name] = append(l.snapshot.operators[name], f)
	}
	return nil
}

// support adds a function of an operator class. Those in C write nothing, and what they
// compare doesn't change by itself, unless they are volatile.
func (l *pgLoader) support(row json.RawMessage) error {
	var code int64
	if err := fields(row, &code); err != nil {
		return err
	}
	if src := l.sources[code]; src != nil && (src.language != "c" || src.volatility == "v") {
		l.snapshot.anywhere(src.function)
	}
	return nil
}

func (l *pgLoader) shadow(row json.RawMessage) error {
	var schema string
	if err := fields(row, &schema); err != nil {
		return err
	}
	l.snapshot.shadows[schema] = true
	return nil
}

// implicit adds a function that is called without being named: behind a cast, or to
// sort and group values.
func (l *pgLoader) implicit(row json.RawMessage) error {
	var code int64
	if err := fields(row, &code); err != nil {
		return err
	}
	l.snapshot.anywhere(l.functions[code])
	return nil
}

// anywhere notes a function that any statement may call, if it matters.
func (s *Snapshot) anywhere(f *function) {
	if f != nil && f.behaviour != pure {
		s.everywhere = append(s.everywhere, f)
	}
}

// depend adds one dependency of code on a relation or function.
func (l *pgLoader) depend(row json.RawMessage) error {
	var class, refclass string
	var object, ref, relid int64
	if err := fields(row, &class, &object, &refclass, &ref, &relid); err != nil {
		return err
	}
	if refclass == "pg_class" {
		l.dependRelation(class, object, l.relations[ref], l.temporary[ref])
		return nil
	}
	if refclass == "pg_operator" {
		ref = l.operators[ref]
	}
	if f := l.functions[ref]; f != nil {
		l.dependFunction(class, object, relid, f)
	}
	return nil
}

// codeOf returns the code that a row of pg_rewrite or pg_proc stands for.
func (l *pgLoader) codeOf(class string, object int64) *definition {
	switch class {
	case "pg_rewrite":
		return l.rules[object]
	case "pg_proc":
		if f := l.functions[object]; f != nil && f.body != nil && f.body.bound {
			return f.body
		}
	}
	return nil
}

func (l *pgLoader) dependRelation(class string, object int64, r *relation, temp bool) {
	d := l.codeOf(class, object)
	if d == nil {
		return
	}
	if r == nil {
		d.opaque = d.opaque || temp
		return
	}
	if d.name == string(r.name) && class == "pg_rewrite" { // a view's rule depends on the view
		return
	}
	d.relations = append(d.relations, r)
}

func (l *pgLoader) dependFunction(class string, object, relid int64, f *function) {
	r := l.relations[relid]
	switch class {
	case "pg_rewrite", "pg_proc":
		if d := l.codeOf(class, object); d != nil {
			d.calls = append(d.calls, f)
		} else if src := l.sources[object]; src != nil && l.functions[src.support] != f {
			src.function.parts = append(src.function.parts, f) // in the default of an argument
		}
	case "pg_policy":
		if r != nil {
			r.reading = append(r.reading, f)
		}
	case "pg_trigger":
		// The trigger's own function is among its triggers; what else it
		// calls, in WHEN, is a condition on every way of writing.
		if t := l.triggers[object]; t.relation != nil && l.functions[t.function] != f {
			t.relation.writing = append(t.relation.writing, f)
		}
	case "pg_constraint", "pg_attrdef", "pg_class":
		if r != nil {
			r.writing = append(r.writing, f)
		} else if class == "pg_constraint" && relid == 0 { // of a domain
			l.snapshot.anywhere(f)
		}
	case "pg_type": // a domain's default, or the functions of a base type
		if f.behaviour == anything || f.behaviour == following {
			l.snapshot.anywhere(f)
		}
	}
}
