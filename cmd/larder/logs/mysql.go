package logs

import (
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A mysqlGeneral reads a general query log. A statement's further lines stand as they are: a line is the
// beginning of an entry if it looks like one.
type mysqlGeneral struct {
	lines     lines
	last      time.Time
	databases map[string]string // by session
}

// generalEntry is a line of MariaDB (a time only where it has changed) or of MySQL (always).
var generalEntry = regexp.MustCompile(`^(\d{6}\s+\d{1,2}:\d\d:\d\d|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)|\t)?\s*(\d+) (Query|Execute|Prepare|Connect|Quit|Init DB|Close stmt|Reset stmt|Field List|Statistics|Ping|Change user|Long Data|Fetch|Binlog Dump|Reset connection|Set option|Kill|Refresh|Processlist|Debug|Daemon|Create DB|Drop DB|Shutdown|Sleep|Delayed insert|Register Slave|Bulk_execute|Error)(?:\t|$)(.*)$`)

func (g *mysqlGeneral) next() (Record, error) {
	for {
		line, err := g.lines.next()
		if err != nil {
			return Record{}, err
		}
		m := generalEntry.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if t := mysqlTime(m[1]); !t.IsZero() {
			g.last = t
		}
		r := Record{Time: g.last, Session: m[2]}
		if ok, err := g.fill(&r, m[3], m[4]); err != nil || ok {
			return r, err
		}
	}
}

// fill completes the record of a command; ok is false if it is none.
func (g *mysqlGeneral) fill(r *Record, command, argument string) (ok bool, err error) {
	switch command {
	case "Query", "Execute":
		r.Text, err = g.statement(argument)
	case "Connect":
		if _, after, found := strings.Cut(argument, " on "); found {
			name, _, _ := strings.Cut(after, " ")
			g.databases[r.Session] = name
		}
		return false, nil
	case "Init DB", "Change user":
		if command == "Init DB" {
			g.databases[r.Session] = argument
		}
		return false, nil
	case "Quit":
		r.Database, r.Ended = g.databases[r.Session], true
		delete(g.databases, r.Session)
		return true, nil
	}
	r.Database = g.databases[r.Session]
	return r.Text != "", err
}

// statement reads the further lines of a statement.
func (g *mysqlGeneral) statement(first string) (string, error) {
	var b strings.Builder
	b.WriteString(first)
	for {
		line, err := g.lines.next()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		if generalEntry.MatchString(line) || serverStart(line) {
			g.lines.unread(line)
			return b.String(), nil
		}
		if b.Len() < maxLine {
			b.WriteString("\n" + line)
		}
	}
}

// serverStart is a line that a server writes when it opens a log.
func serverStart(line string) bool {
	return strings.HasSuffix(line, "started with:") && strings.Contains(line, ", Version: ") ||
		strings.HasPrefix(line, "Tcp port: ") || strings.HasPrefix(line, "Time\t") && strings.Contains(line, "Id Command")
}

// mysqlTime reads the time of an entry, in one of two forms; zero if it has none.
func mysqlTime(text string) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t
	}
	date, clock, _ := strings.Cut(text, " ")
	t, err := time.Parse("060102 15:04:05", date+" "+strings.TrimSpace(clock))
	if err != nil {
		return time.Time{}
	}
	return t
}

// A mysqlSlow reads a slow query log. Each statement stands behind lines that begin with # and
// what the server writes before it: use, SET timestamp.
type mysqlSlow struct {
	lines    lines
	last     time.Time
	database string
}

var (
	slowThread   = regexp.MustCompile(`(?:# Thread_id:|\bId:)\s*(\d+)`)
	slowSchema   = regexp.MustCompile(`\bSchema: (\S+)`)
	slowTook     = regexp.MustCompile(`^# Query_time: ([0-9.]+)`)
	slowSent     = regexp.MustCompile(`\bBytes_sent: (\d+)`)
	slowUse      = regexp.MustCompile("(?i)^use `?([^`;]+)`?;$")
	slowSettings = regexp.MustCompile(`(?i)^SET (?:timestamp|last_insert_id|insert_id)=[0-9.]+(?:,\s*(?:timestamp|last_insert_id|insert_id)=[0-9.]+)*;$`)
)

func (s *mysqlSlow) next() (Record, error) {
	for {
		line, err := s.lines.next()
		if err != nil {
			return Record{}, err
		}
		if !strings.HasPrefix(line, "# ") {
			continue
		}
		s.lines.unread(line)
		r, err := s.entry()
		if err != nil || r.Text != "" || r.Ended {
			return r, err
		}
	}
}

func (s *mysqlSlow) entry() (Record, error) {
	var r Record
	if err := s.head(&r); err != nil {
		return r, err
	}
	var b strings.Builder
	for {
		line, err := s.lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return r, err
		}
		if strings.HasPrefix(line, "# Time: ") || strings.HasPrefix(line, "# User@Host: ") || serverStart(line) {
			s.lines.unread(line)
			break
		}
		switch use := slowUse.FindStringSubmatch(line); {
		case b.Len() == 0 && use != nil:
			s.database = use[1]
		case b.Len() == 0 && slowSettings.MatchString(line):
		case strings.HasPrefix(line, "# administrator command: "):
			r.Ended = strings.HasPrefix(line, "# administrator command: Quit")
		case b.Len() < maxLine:
			b.WriteString(line + "\n")
		}
	}
	if r.Database == "" {
		r.Database = s.database
	}
	r.Time, r.Text = s.last, strings.TrimSuffix(strings.TrimSpace(b.String()), ";")
	return r, nil
}

// head reads the lines that begin with #, of one entry.
func (s *mysqlSlow) head(r *Record) error {
	for begun := false; ; {
		line, err := s.lines.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, "# ") {
			s.lines.unread(line)
			return nil
		}
		host := strings.HasPrefix(line, "# User@Host: ")
		if begun && (host || strings.HasPrefix(line, "# Time: ")) {
			s.lines.unread(line)
			return nil
		}
		begun = begun || host
		switch {
		case strings.HasPrefix(line, "# Time: "):
			if t := mysqlTime(strings.TrimSpace(line[len("# Time: "):])); !t.IsZero() {
				s.last = t
			}
		case strings.HasPrefix(line, "# administrator command: "):
			s.lines.unread(line)
			return nil
		}
		s.measures(r, line)
	}
}

func (s *mysqlSlow) measures(r *Record, line string) {
	if m := slowThread.FindStringSubmatch(line); m != nil {
		r.Session = m[1]
	}
	if m := slowSchema.FindStringSubmatch(line); m != nil && m[1] != "QC_hit:" {
		r.Database = m[1]
	}
	if m := slowTook.FindStringSubmatch(line); m != nil {
		if seconds, err := strconv.ParseFloat(m[1], 64); err == nil && seconds < 1e9 {
			r.Took = time.Duration(seconds * float64(time.Second))
		}
	}
	if m := slowSent.FindStringSubmatch(line); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			r.Sent = n
		}
	}
}
