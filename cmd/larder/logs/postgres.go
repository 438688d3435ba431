package logs

import (
	"bufio"
	"database/sql/driver"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What the three forms of PostgreSQL's log have in common: messages of severity LOG.
//
//	statement: SELECT 1                                  log_statement, simple protocol
//	execute stmt_1: SELECT $1                            … extended protocol; the detail has the parameters
//	duration: 0.041 ms                                   log_duration, of what was logged before
//	duration: 0.041 ms  statement: SELECT 1              log_min_duration_statement
//	duration: 0.355 ms  parse stmt_1: SELECT $1          … parse, bind, execute
//	disconnection: session time: 0:00:00.010 …           log_disconnections
type postgresMessages struct {
	ahead map[string]time.Duration // parse and bind of what a session executes next
}

var (
	durationMessage = regexp.MustCompile(`^duration: ([0-9.]+) ms(?:  )?`)
	executeMessage  = regexp.MustCompile(`^(parse|bind|execute fetch from|execute) \S+: `)
)

// record is what a message tells; ok is false if that is nothing.
func (p *postgresMessages) record(r Record, message string) (Record, bool) {
	timed := false
	if m := durationMessage.FindStringSubmatch(message); m != nil {
		ms, err := strconv.ParseFloat(m[1], 64)
		if err != nil || ms < 0 || ms > 1e12 {
			return r, false
		}
		r.Took, message, timed = time.Duration(ms*float64(time.Millisecond)), message[len(m[0]):], true
	}
	switch m := executeMessage.FindStringSubmatch(message); {
	case timed && message == "":
		return r, true
	case strings.HasPrefix(message, "statement: "):
		r.Text = message[len("statement: "):]
		return r, true
	case strings.HasPrefix(message, "disconnection: "):
		delete(p.ahead, r.Session)
		r.Ended = true
		return r, true
	case m == nil, m[1] == "execute fetch from": // which goes on with what was executed
		return r, false
	case m[1] == "execute":
		r.Text = message[len(m[0]):]
		r.Took += p.ahead[r.Session]
		delete(p.ahead, r.Session)
		return r, true
	case timed:
		p.ahead[r.Session] += r.Took
	}
	return r, false
}

// parameters reads the detail of an executed statement: parameters: $1 = '7', $2 = NULL.
func parameters(detail string) []driver.NamedValue {
	var args []driver.NamedValue
	rest, ok := strings.CutPrefix(detail, "parameters: ")
	if !ok {
		if rest, ok = strings.CutPrefix(detail, "Parameters: "); !ok { // since version 16
			return nil
		}
	}
	for n := 1; ; n++ {
		if rest, ok = strings.CutPrefix(rest, "$"+strconv.Itoa(n)+" = "); !ok {
			return nil
		}
		var value any
		if value, rest, ok = parameter(rest); !ok {
			return nil
		}
		args = append(args, driver.NamedValue{Ordinal: n, Value: value})
		if rest, ok = strings.CutPrefix(rest, ", "); !ok {
			return args
		}
	}
}

// parameter reads one value and returns what follows it.
func parameter(text string) (value any, rest string, ok bool) {
	if rest, ok = strings.CutPrefix(text, "NULL"); ok {
		return nil, rest, true
	}
	if text, ok = strings.CutPrefix(text, "'"); !ok {
		return nil, "", false
	}
	var b strings.Builder
	for {
		at := strings.IndexByte(text, '\'')
		if at < 0 {
			return nil, "", false
		}
		b.WriteString(text[:at])
		if text = text[at+1:]; !strings.HasPrefix(text, "'") {
			return b.String(), text, true
		}
		b.WriteByte('\'')
		text = text[1:]
	}
}

// A postgresText reads what log_destination = stderr writes. Lines after the first of a message begin with a tab.
type postgresText struct {
	postgresMessages
	lines lines
}

func newPostgresText(r *bufio.Reader) *postgresText {
	return &postgresText{postgresMessages{map[string]time.Duration{}}, lines{r: r}}
}

var (
	textSeverity = regexp.MustCompile(`(?:^|[^A-Za-z0-9_])(LOG|DETAIL|STATEMENT|HINT|CONTEXT|QUERY|LOCATION|ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|DEBUG[1-5]?):  ?`)
	textTime     = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?`)
	textProcess  = regexp.MustCompile(`\[(\d+)(?:-\d+)?\]`)
	textWhere    = regexp.MustCompile(`([^\s@\[\],:=]+)@([^\s@\[\],:]+)`)
	textDatabase = regexp.MustCompile(`\b(?:db|database)=([^\s,\]]+)`)
)

func (p *postgresText) next() (Record, error) {
	for {
		prefix, severity, message, err := p.entry()
		if err != nil {
			return Record{}, err
		}
		if severity != "LOG" {
			continue
		}
		r, ok := p.record(prefixed(prefix), message)
		if !ok {
			continue
		}
		if r.Text != "" {
			if r.Args, err = p.detail(); err != nil {
				return Record{}, err
			}
		}
		return r, nil
	}
}

// detail reads the parameters behind a statement, if there are some.
func (p *postgresText) detail() ([]driver.NamedValue, error) {
	line, err := p.lines.next()
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.lines.unread(line)
	if at := textSeverity.FindStringSubmatchIndex(line); at == nil || line[at[2]:at[3]] != "DETAIL" {
		return nil, nil
	}
	_, _, message, err := p.entry()
	return parameters(message), err
}

// entry reads one message with all its lines.
func (p *postgresText) entry() (prefix, severity, message string, err error) {
	line, err := p.lines.next()
	if err != nil {
		return "", "", "", err
	}
	var b strings.Builder
	at := textSeverity.FindStringSubmatchIndex(line)
	if at == nil {
		return "", "", "", nil // of something else
	}
	b.WriteString(line[at[1]:])
	for {
		more, err := p.lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", "", "", err
		}
		if !strings.HasPrefix(more, "\t") {
			p.lines.unread(more)
			break
		}
		b.WriteString("\n" + more[1:])
	}
	return line[:at[2]], line[at[2]:at[3]], b.String(), nil
}

// prefixed is what a prefix (log_line_prefix) tells: %m or %t, %p in brackets, %u@%d or db=%d.
func prefixed(prefix string) Record {
	var r Record
	if text := textTime.FindString(prefix); text != "" {
		r.Time = parseTime(text)
	}
	if m := textProcess.FindStringSubmatch(prefix); m != nil {
		r.Session = m[1]
	}
	if m := textDatabase.FindStringSubmatch(prefix); m != nil {
		r.Database = m[1]
	} else if m := textWhere.FindStringSubmatch(prefix); m != nil {
		r.Database = m[2]
	}
	return r
}

// parseTime reads a time without its zone: all of a log have the same. It is zero if it can't be read.
func parseTime(text string) time.Time {
	words := strings.Fields(text)
	if len(words) < 2 {
		return time.Time{}
	}
	t, err := time.Parse(time.DateTime, words[0]+" "+words[1]) // takes fractions as well
	if err != nil {
		return time.Time{}
	}
	return t
}
