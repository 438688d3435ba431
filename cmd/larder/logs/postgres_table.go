package logs

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

var csvEntry = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [A-Za-z0-9+:-]+,`)

// A postgresCSV reads what log_destination = csvlog writes.
type postgresCSV struct {
	postgresMessages
	rows *csv.Reader
}

// The columns of csvlog that are read.
const (
	csvTime, csvDatabase, csvProcess, csvSession = 0, 2, 3, 5
	csvSeverity, csvMessage, csvDetail           = 11, 13, 14
)

func newPostgresCSV(r *bufio.Reader) *postgresCSV {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord, rows.ReuseRecord, rows.LazyQuotes = -1, true, true
	return &postgresCSV{postgresMessages{map[string]time.Duration{}}, rows}
}

func (p *postgresCSV) next() (Record, error) {
	for {
		row, err := p.rows.Read()
		if err == io.EOF {
			return Record{}, io.EOF
		}
		if errors.As(err, new(*csv.ParseError)) {
			continue // the log was cut
		}
		if err != nil {
			return Record{}, fmt.Errorf("read the log: %w", err)
		}
		if len(row) <= csvDetail || row[csvSeverity] != "LOG" {
			continue
		}
		r := Record{Time: parseTime(row[csvTime]), Database: strings.Clone(row[csvDatabase]), Session: strings.Clone(row[csvSession])}
		r, ok := p.record(r, strings.Clone(row[csvMessage]))
		if !ok {
			continue
		}
		if r.Text != "" {
			r.Args = parameters(strings.Clone(row[csvDetail]))
		}
		return r, nil
	}
}

// A postgresJSON reads what log_destination = jsonlog writes: an object a line.
type postgresJSON struct {
	postgresMessages
	lines lines
}

func newPostgresJSON(r *bufio.Reader) *postgresJSON {
	return &postgresJSON{postgresMessages{map[string]time.Duration{}}, lines{r: r}}
}

type jsonEntry struct {
	Timestamp string `json:"timestamp"`
	Database  string `json:"dbname"`
	Session   string `json:"session_id"`
	Severity  string `json:"error_severity"`
	Message   string `json:"message"`
	Detail    string `json:"detail"`
}

func (p *postgresJSON) next() (Record, error) {
	for {
		line, err := p.lines.next()
		if err != nil {
			return Record{}, err
		}
		var e jsonEntry
		if json.Unmarshal([]byte(line), &e) != nil || e.Severity != "LOG" {
			continue
		}
		r, ok := p.record(Record{Time: parseTime(e.Timestamp), Database: e.Database, Session: e.Session}, e.Message)
		if !ok {
			continue
		}
		if r.Text != "" {
			r.Args = parameters(e.Detail)
		}
		return r, nil
	}
}
