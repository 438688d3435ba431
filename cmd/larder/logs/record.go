// Package logs reads the statements that a database server has logged: PostgreSQL's log in its three
// forms, and MySQL's and MariaDB's general and slow query logs.
package logs

import (
	"bufio"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/larderdb/larder/analyze"
)

// A Record is one thing that a log tells of one session, in the log's order.
type Record struct {
	Time     time.Time // zero if the log doesn't tell
	Session  string    // of one connection; "" if the log doesn't tell them apart
	Database string    // "" if the log doesn't tell

	// Text is a statement that was run; without one, Took is of the session's last statement.
	Text string
	Args []driver.NamedValue // of its parameters, as text or nil for NULL; MySQL writes them into the text
	Took time.Duration       // 0 if the log doesn't tell
	Sent int                 // bytes of its rows; 0 if the log doesn't tell

	Ended bool // the session has ended
}

// A Format is the form of a log.
type Format string

// The formats.
const (
	PostgresText Format = "postgres"      // log_destination = stderr
	PostgresCSV  Format = "postgres-csv"  // … = csvlog
	PostgresJSON Format = "postgres-json" // … = jsonlog
	MySQLGeneral Format = "mysql-general" // general_log
	MySQLSlow    Format = "mysql-slow"    // slow_query_log
)

// Formats are all of them.
var Formats = []Format{PostgresText, PostgresCSV, PostgresJSON, MySQLGeneral, MySQLSlow}

// Dialect is that of a log's statements.
func (f Format) Dialect() analyze.Dialect {
	if f == MySQLGeneral || f == MySQLSlow {
		return analyze.MySQL
	}
	return analyze.Postgres
}

// ErrUnknownFormat is returned for a file of which it can't be told which log it is.
var ErrUnknownFormat = errors.New("neither a PostgreSQL log (stderr, csvlog, jsonlog) nor a general or slow query log of MySQL or MariaDB")

// A Reader reads one log.
type Reader struct {
	Format Format
	next   func() (Record, error)
}

// Next returns the next record, or io.EOF. Lines that aren't understood are passed over.
func (r *Reader) Next() (Record, error) { return r.next() }

// peekBytes is how much of a file is looked at to tell its format.
const peekBytes = 64 << 10

// NewReader reads a log of a format; "" tells it from its beginning, and fails with ErrUnknownFormat if that can't be.
func NewReader(r io.Reader, f Format) (*Reader, error) {
	b := bufio.NewReaderSize(r, peekBytes)
	if f == "" {
		head, err := b.Peek(peekBytes)
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		if f = detect(string(head)); f == "" {
			return nil, ErrUnknownFormat
		}
	}
	switch f {
	case PostgresText:
		return &Reader{f, newPostgresText(b).next}, nil
	case PostgresCSV:
		return &Reader{f, newPostgresCSV(b).next}, nil
	case PostgresJSON:
		return &Reader{f, newPostgresJSON(b).next}, nil
	case MySQLGeneral:
		return &Reader{f, (&mysqlGeneral{lines: lines{r: b}, databases: map[string]string{}}).next}, nil
	case MySQLSlow:
		return &Reader{f, (&mysqlSlow{lines: lines{r: b}}).next}, nil
	}
	return nil, fmt.Errorf("unknown format of a log %q", f)
}

// detect tells a format from the beginning of a log; "" if it can't.
func detect(head string) Format {
	for line := range strings.SplitSeq(head, "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case strings.HasPrefix(line, "# Time: "), strings.HasPrefix(line, "# User@Host: "), strings.HasPrefix(line, "# Query_time: "):
			return MySQLSlow
		case generalEntry.MatchString(line):
			return MySQLGeneral
		case strings.HasPrefix(line, "{") && strings.Contains(line, `"error_severity"`):
			return PostgresJSON
		case csvEntry.MatchString(line):
			return PostgresCSV
		case textSeverity.MatchString(line):
			return PostgresText
		}
	}
	return ""
}

// maxLine bounds a line of a log, and a statement.
const maxLine = 64 << 20

// lines are those of a log, one of which can be given back.
type lines struct {
	r      *bufio.Reader
	back   string
	isBack bool
}

// next returns a line without its end. The last one may lack it.
func (l *lines) next() (string, error) {
	if l.isBack {
		l.isBack = false
		return l.back, nil
	}
	var b []byte
	for {
		part, err := l.r.ReadSlice('\n')
		b = append(b, part...)
		switch {
		case len(b) > maxLine:
			return "", fmt.Errorf("read the log: a line is longer than %d MiB: is this a log?", maxLine>>20)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && len(b) > 0, err == nil:
			return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
		case err == io.EOF:
			return "", io.EOF
		}
		return "", fmt.Errorf("read the log: %w", err)
	}
}

func (l *lines) unread(line string) { l.back, l.isBack = line, true }
