package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/cmd/larder/sqltext"
)

// Statements is what pg_stat_statements tells: how often statements were run and how long they took, but not in which order.
type Statements struct {
	Calls       int64           `json:"calls"`
	Reads       int64           `json:"reads"`
	Writes      int64           `json:"writes"`
	Cacheable   int64           `json:"cacheable"` // of Reads
	Took        time.Duration   `json:"database_ns"`
	TookReads   time.Duration   `json:"reads_ns"`
	TookAsked   time.Duration   `json:"cacheable_ns"` // at most this can be saved
	Shapes      []StatementsOf  `json:"statements"`
	Reasons     []*Why          `json:"reasons"`
	Assumptions []string        `json:"assumptions"`
	reasons     map[string]*Why // by text
}

// A StatementsOf is one of pg_stat_statements' lines.
type StatementsOf struct {
	Text   string        `json:"text"`
	Calls  int64         `json:"calls"`
	Took   time.Duration `json:"database_ns"`
	Write  bool          `json:"write"`
	Reason string        `json:"reason,omitempty"`
	Rows   []string      `json:"depends_on,omitempty"` // of which rows of its relations it is
	Writes int64         `json:"relation_writes"`      // calls of statements that write to one of its relations
}

// ErrNoStatements is returned for a database without pg_stat_statements.
var ErrNoStatements = errors.New("the database has no pg_stat_statements: load it (shared_preload_libraries) and CREATE EXTENSION pg_stat_statements, or give a log")

const statementsQuery = `SELECT s.query, s.calls, s.total_exec_time FROM %s.pg_stat_statements s
JOIN pg_catalog.pg_database d ON d.oid = s.dbid WHERE d.datname = pg_catalog.current_database() AND s.query IS NOT NULL ORDER BY s.total_exec_time DESC LIMIT 10000`

// Statements reads pg_stat_statements.
func (l *Live) Statements(ctx context.Context) (*Statements, error) {
	var schema string
	err := l.conn.QueryRowContext(ctx, "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'").Scan(&schema)
	if err != nil {
		return nil, ErrNoStatements
	}
	rows, err := l.conn.QueryContext(ctx, fmt.Sprintf(statementsQuery, schema))
	if err != nil {
		return nil, fmt.Errorf("read pg_stat_statements: %w", err)
	}
	defer rows.Close()
	s := &Statements{Shapes: []StatementsOf{}, Reasons: []*Why{}, reasons: map[string]*Why{}}
	writes := map[string]int64{}
	var plans []*planned
	for rows.Next() {
		var text string
		var calls int64
		var ms float64
		if err := rows.Scan(&text, &calls, &ms); err != nil {
			return nil, fmt.Errorf("read pg_stat_statements: %w", err)
		}
		p := l.plan(analyze.Analyze(l.dialect, text))
		plans = append(plans, p)
		s.add(p, StatementsOf{Text: sqltext.Shape(l.dialect, text), Calls: calls, Took: time.Duration(ms * float64(time.Millisecond))})
		for _, relation := range p.writes {
			writes[relation] += calls
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read pg_stat_statements: %w", err)
	}
	for i, p := range plans {
		for _, relation := range p.reads {
			s.Shapes[i].Writes += writes[relation]
		}
	}
	s.finish()
	return s, nil
}

func (s *Statements) add(p *planned, of StatementsOf) {
	s.Calls += of.Calls
	s.Took += of.Took
	switch {
	case p.acts():
		of.Write = true
		s.Writes += of.Calls
	case p.st.Kind != analyze.Read && !p.st.ReturnsRows, len(p.reads) == 0, p.reason == analyze.SystemCatalog: // of the server, not its data
	case p.reason == analyze.Cacheable:
		s.Reads, s.TookReads = s.Reads+of.Calls, s.TookReads+of.Took
		s.Cacheable, s.TookAsked = s.Cacheable+of.Calls, s.TookAsked+of.Took
		for i := range p.references {
			of.Rows = append(of.Rows, p.references[i].Texts()...)
		}
	default:
		s.Reads, s.TookReads = s.Reads+of.Calls, s.TookReads+of.Took
		of.Reason = p.reason.String()
		if p.detail != "" {
			of.Reason += " (" + p.detail + ")"
		}
		why := s.reasons[of.Reason]
		if why == nil {
			why = &Why{Reason: p.reason.String(), Detail: p.detail}
			s.reasons[of.Reason] = why
			s.Reasons = append(s.Reasons, why)
		}
		why.Reads += int(of.Calls)
		why.Took += of.Took
	}
	s.Shapes = append(s.Shapes, of)
}

func (s *Statements) finish() {
	s.Shapes = slices.DeleteFunc(s.Shapes, func(of StatementsOf) bool { return !of.Write && of.Reason == "" && of.Rows == nil })
	slices.SortStableFunc(s.Reasons, func(a, b *Why) int {
		return cmp.Or(cmp.Compare(b.Took, a.Took), cmp.Compare(b.Reads, a.Reads), cmp.Compare(a.Reason, b.Reason))
	})
	s.Assumptions = []string{"pg_stat_statements doesn't tell in which order, nor with which values: how many reads would be hits takes a log"}
}
