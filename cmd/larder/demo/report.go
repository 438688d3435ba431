package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is what a Trial found.
type Report struct {
	Size         Size
	Workers      int
	Handles      int
	Bare, Cached Result
	Interrupted  bool
}

// A Result is one half of a trial.
type Result struct {
	*tally
	Verdict
}

// Err returns an error if any read was not what a linearizable database may answer.
func (r *Report) Err() error {
	stale, wrong := r.Bare.Stale+r.Cached.Stale, r.Bare.Wrong+r.Cached.Wrong
	if stale+wrong > 0 {
		return fmt.Errorf("%d reads were stale, %d wrong", stale, wrong)
	}
	if r.Cached.Reads == 0 {
		return errors.New("nothing was read through the cache")
	}
	return nil
}

// Write prints the report as a table.
func (r *Report) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s users, %s things; %d goroutines on %d handles of one SQLite file; %.0f%% reads of a\n",
		grouped(int64(r.Size.Users)), grouped(int64(r.Size.Rows)), r.Workers, r.Handles, readShare*100)
	fmt.Fprintf(w, "user's whole list (zipf 1.0), %.0f%% writes; bare %.1f s and cached %.1f s, in turns\n\n",
		(1-readShare)*100, r.Bare.elapsed.Seconds(), r.Cached.elapsed.Seconds())
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	row := func(cells ...string) {
		fmt.Fprintf(table, "%-22s\t%s\t\n", cells[0], strings.Join(cells[1:], "\t"))
	}
	row("", "bare", "cached", "")
	r.rows(row)
	if err := table.Flush(); err != nil {
		return err
	}
	return r.writeVerdict(w)
}

// A side is one half of a report, for programs.
type side struct {
	ReadsPerSecond  float64       `json:"reads_per_second"`
	ReadP50         time.Duration `json:"read_p50_ns"`
	ReadP99         time.Duration `json:"read_p99_ns"`
	WritesPerSecond float64       `json:"writes_per_second"`
	WriteP50        time.Duration `json:"write_p50_ns"`
	HitRatio        float64       `json:"hit_ratio"`
	StatementsPerOp float64       `json:"database_statements_per_op"`
	Judged          int64         `json:"reads_judged"`
	Stale           int64         `json:"stale"`
	Wrong           int64         `json:"wrong"`
	Complaints      []string      `json:"complaints,omitempty"`
}

func sideOf(r Result) side {
	return side{
		r.perSecond(r.reads.count), r.reads.quantile(0.5), r.reads.quantile(0.99), r.perSecond(r.writes.count), r.writes.quantile(0.5),
		r.hitRatio(), r.statementsPerOp(), r.Reads, r.Stale, r.Wrong, r.Complaints,
	}
}

// MarshalJSON implements json.Marshaler.
func (r *Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Users       int  `json:"users"`
		Rows        int  `json:"rows"`
		Workers     int  `json:"workers"`
		Handles     int  `json:"handles"`
		Bare        side `json:"bare"`
		Cached      side `json:"cached"`
		Interrupted bool `json:"interrupted"`
	}{r.Size.Users, r.Size.Rows, r.Workers, r.Handles, sideOf(r.Bare), sideOf(r.Cached), r.Interrupted})
}

// rows gives the table's rows, a cell each for bare, cached and how they compare.
func (r *Report) rows(row func(cells ...string)) {
	b, c := r.Bare, r.Cached
	rate := func(name string, bare, cached float64) {
		row(name, grouped(int64(bare)), grouped(int64(cached)), times(cached, bare))
	}
	latency := func(name string, bare, cached time.Duration) {
		row(name, micros(bare), micros(cached), times(float64(bare), float64(cached)))
	}
	rate("reads/s", b.perSecond(b.reads.count), c.perSecond(c.reads.count))
	latency("read p50, µs", b.reads.quantile(0.5), c.reads.quantile(0.5))
	latency("read p99, µs", b.reads.quantile(0.99), c.reads.quantile(0.99))
	rate("writes/s", b.perSecond(b.writes.count), c.perSecond(c.writes.count))
	latency("write p50, µs", b.writes.quantile(0.5), c.writes.quantile(0.5))
	row("hit ratio", "–", fmt.Sprintf("%.3f", c.hitRatio()), "")
	row("database statements/op", fmt.Sprintf("%.2f", b.statementsPerOp()), fmt.Sprintf("%.2f", c.statementsPerOp()), "")
	row("reads judged", grouped(b.Reads), grouped(c.Reads), "")
	row("stale reads", grouped(b.Stale), grouped(c.Stale), "")
	row("wrong reads", grouped(b.Wrong), grouped(c.Wrong), "")
}

// writeVerdict says in words what the table says in numbers.
func (r *Report) writeVerdict(w io.Writer) error {
	if r.Interrupted {
		fmt.Fprintln(w, "\ninterrupted")
	}
	for _, side := range []struct {
		name   string
		result Result
	}{{"bare", r.Bare}, {"cached", r.Cached}} {
		for _, complaint := range side.result.Complaints {
			fmt.Fprintf(w, "\n%s: %s", side.name, complaint)
		}
	}
	_, err := fmt.Fprintf(w, "\n%s stale reads of %s\n", grouped(r.Cached.Stale), grouped(r.Cached.Reads))
	return err
}

// grouped writes a number with commas.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// micros writes a duration in microseconds.
func micros(d time.Duration) string {
	us := float64(d.Nanoseconds()) / 1_000
	if us < 10 {
		return strconv.FormatFloat(us, 'f', 1, 64)
	}
	return grouped(int64(us + 0.5))
}

// times says how often b goes into a.
func times(a, b float64) string {
	if a <= 0 || b <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f×", a/b)
}
