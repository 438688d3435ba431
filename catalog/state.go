package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// A State is the state of a session as far as it changes the results or the
// meaning of statements. It is immutable.
type State struct {
	Key       string          // equal for sessions in which equal statements have equal results: role, path, settings
	Path      []string        // schemas that unqualified relations are looked up in, in order
	Temp      map[string]bool // temporary tables and views of the session, by folded name
	Manual    bool            // MySQL: a transaction is open without BEGIN, or after COMMIT (autocommit=0, completion_type)
	Isolation string          // the default isolation level of transactions: "read committed", …
	Reason    analyze.Reason  // Cacheable, or why nothing in this state can be cached (read uncommitted …)

	plainTemp    map[string]bool // those of Temp that are tables which nothing hangs on
	tempTriggers bool            // SQLite: temporary triggers, which may hang on any table
	attached     bool            // SQLite: further databases are attached
	absent       []string        // PostgreSQL: schemas that the path names, and that weren't there for this role
	lexing       lexing

	unlike  bool // values or conditions may mean others than they do in other sessions: encodings, sql_mode
	lenient bool // MySQL: other values may be stored than those that are given
}

// A lexing says which texts the session reads in another way than package analyze.
type lexing struct {
	setting string // the setting to blame
	marks   string // characters that mean something else
	high    bool   // so do bytes outside ASCII
}

// ReadState asks the session for its state. settings are the names of further
// settings whose values become part of the key, because the session has set them.
func ReadState(ctx context.Context, q Querier, d analyze.Dialect, settings []string) (*State, error) {
	var state *State
	var err error
	switch d {
	case analyze.Postgres:
		state, err = readPostgresState(ctx, q, settings)
	case analyze.MySQL:
		state, err = readMySQLState(ctx, q, settings)
	case analyze.SQLite:
		state, err = readSQLiteState(ctx, q, settings)
	default:
		err = fmt.Errorf("unknown dialect %q", d)
	}
	if err != nil {
		return nil, fmt.Errorf("read session state: %w", err)
	}
	return state, nil
}

// WithTemp returns a state that has the given temporary tables as well. It is for
// MySQL, where the server can't be asked for them. A name may be qualified; one
// that isn't stands for tables so named in every database.
func (s *State) WithTemp(names ...string) *State {
	if len(names) == 0 {
		return s
	}
	t := *s
	t.Temp, t.plainTemp = maps.Clone(s.Temp), maps.Clone(s.plainTemp)
	if t.Temp == nil {
		t.Temp = map[string]bool{}
	}
	if t.plainTemp == nil {
		t.plainTemp = map[string]bool{}
	}
	for _, name := range names {
		t.Temp[name] = true
		t.Temp[strings.ToLower(name)] = true
		t.plainTemp[name] = true
		t.plainTemp[strings.ToLower(name)] = true
	}
	return &t
}

// keyTemp adds to the key what is special about temporary relations, so that states
// with equal keys, paths and temporary names are equal in all.
func (s *State) keyTemp() {
	if s.tempTriggers {
		s.Key += "temporary triggers"
	}
	for _, name := range slices.Sorted(maps.Keys(s.Temp)) {
		if !s.plainTemp[name] {
			s.Key += "temporary " + strconv.Quote(name)
		}
	}
}

// hides reports whether a temporary relation has the given name.
func (s *State) hides(name string) bool { return len(s.Temp) > 0 && s.Temp[name] }

// misreads reports whether the session may read text in another way than
// package analyze does.
func (s *State) misreads(text string) bool {
	if s.lexing.setting == "" {
		return false
	}
	if s.lexing.marks != "" && strings.ContainsAny(text, s.lexing.marks) {
		return true
	}
	if !s.lexing.high {
		return false
	}
	for i := range len(text) {
		if text[i] >= 0x80 {
			return true
		}
	}
	return false
}

// HarmlessSetting reports whether a setting never changes the rows of a statement or
// the way that names are resolved (statement_timeout, application_name,
// PRAGMA busy_timeout).
func HarmlessSetting(d analyze.Dialect, name string) bool {
	name = strings.ToLower(name)
	switch d {
	case analyze.Postgres:
		return harmlessPostgres[name]
	case analyze.MySQL:
		return harmlessMySQL[strings.TrimPrefix(name, "session.")]
	case analyze.SQLite:
		return harmlessSQLite[name]
	}
	return false
}

// wordSet makes a set of the words of text.
func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}

// settingName reports whether name can stand in a query as it is.
func settingName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && c != '.' && (c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
