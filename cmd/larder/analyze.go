package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/cmd/larder/logs"
	"github.com/larderdb/larder/cmd/larder/predict"
)

// An analysis is what analyze is asked for.
type analysis struct {
	connection
	format     string
	database   string
	memory     int64 // MiB
	entry      int
	top        int
	worst      bool
	statements bool
	json       bool
}

func analyzeCommand() *cobra.Command {
	var a analysis
	command := &cobra.Command{
		Use:   "analyze LOG...|-",
		Short: "What Larder would save, by a log of your database",
		Long: `Analyze reads statements that a database server has logged, replays them in their order
through a model of the cache, and says what would have been answered from it: which share of the
reads, how much of the database's time, which queries gain most, which can't be cached and why, and which writes
remove most. It runs none of the statements.

It reads PostgreSQL's log (stderr, csvlog or jsonlog) with log_statement = 'all' or
log_min_duration_statement = 0, and the general query log or the slow query log (long_query_time = 0)
of MySQL and MariaDB. Several files are read as one, in the order given; with - standard input is read:

  zcat postgresql-*.log.gz | larder analyze -

With --driver and --dsn a database of the same schema tells what texts don't: views, triggers, cascades, types,
keys, and what rows hold. Only its catalog is read, and columns of rows that are written by their key.

With --statements no log is needed: pg_stat_statements of the database says which share of the
reads can be cached; in which order they came it doesn't know, and so no hit ratio.`,
		Example: `  larder analyze /var/log/postgresql/postgresql-15-main.log
  larder analyze mysql-slow.log --top 20
  larder analyze postgresql.csv --driver pgx --dsn postgres://app@db/shop --json
  larder analyze --statements --driver pgx --dsn postgres://app@db/shop`,
		RunE: func(c *cobra.Command, args []string) error { return a.run(c, args) },
	}
	flags := command.Flags()
	a.connection.flags(flags)
	flags.StringVar(&a.format, "format", "", "form of the log: postgres, postgres-csv, postgres-json, mysql-general or mysql-slow; it is told from the log")
	flags.StringVar(&a.database, "database", "", "count the statements of this database only")
	flags.Int64Var(&a.memory, "memory", 64, "size of the cache, in MiB")
	flags.IntVar(&a.entry, "entry-bytes", 1024, "size of a result of which the log doesn't tell it")
	flags.IntVar(&a.top, "top", 10, "how many queries, reasons and writes are shown")
	flags.BoolVar(&a.worst, "worst", false, "let a write of a row of which nothing is known remove all results of its relation, not one row's")
	flags.BoolVar(&a.statements, "statements", false, "read pg_stat_statements of the database, no log")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	return command
}

func (a *analysis) run(c *cobra.Command, files []string) error {
	if err := a.checkAnalysis(files); err != nil {
		return err
	}
	live, err := a.live(c.Context())
	if err != nil {
		return err
	}
	if live != nil {
		defer live.Close()
	}
	if a.statements {
		r, err := live.Statements(c.Context())
		if err != nil {
			return a.redact(err)
		}
		return output(c, a.json, r, func(w io.Writer) error { return writeStatements(w, r, a.top) })
	}
	files, cleanup, err := spooled(files, c.InOrStdin())
	if err != nil {
		return err
	}
	defer cleanup()
	r, err := a.replay(c, files, live)
	if err != nil {
		return err
	}
	return output(c, a.json, r, func(w io.Writer) error { return writePrediction(w, r, a.top) })
}

func (a *analysis) checkAnalysis(files []string) error {
	switch {
	case a.statements && len(files) > 0:
		return usagef("--statements reads the database, and no log")
	case a.statements && (!a.given() || a.driver != "pgx"):
		return usagef("--statements takes --driver pgx and --dsn")
	case !a.statements && len(files) == 0:
		return usagef("which log? Name its file, or - for standard input; see larder analyze --help")
	case a.format != "" && !slices.Contains(logs.Formats, logs.Format(a.format)):
		return usagef("unknown format %q: want postgres, postgres-csv, postgres-json, mysql-general or mysql-slow", a.format)
	case a.memory < 1 || a.entry < 1 || a.top < 1:
		return usagef("--memory, --entry-bytes and --top must be at least 1")
	case a.given():
		return a.check()
	}
	return nil
}

// live opens the database, if there is one.
func (a *analysis) live(ctx context.Context) (*predict.Live, error) {
	if !a.given() {
		return nil, nil
	}
	db, err := a.bare()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	live, err := predict.OpenLive(ctx, db, a.speaks())
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("read the catalog: %w", a.redact(err))
	}
	return live, nil
}

// spooled puts standard input, which can be read once only, into a file.
func spooled(files []string, stdin io.Reader) (list []string, cleanup func(), err error) {
	at := slices.Index(files, "-")
	if at < 0 {
		return files, func() {}, nil
	}
	f, err := os.CreateTemp("", "larder-analyze-*.log")
	if err != nil {
		return nil, nil, fmt.Errorf("keep standard input: %w", err)
	}
	cleanup = func() { os.Remove(f.Name()) }
	_, err = io.Copy(f, stdin)
	if err = errors.Join(err, f.Close()); err != nil {
		cleanup()
		return nil, nil, fmt.Errorf("keep standard input: %w", err)
	}
	list = slices.Clone(files)
	list[at] = f.Name()
	return list, cleanup, nil
}

// replay reads the files twice: what texts tell of names and types must be known before they are replayed.
func (a *analysis) replay(c *cobra.Command, files []string, live *predict.Live) (*predict.Report, error) {
	dialect, size, err := a.look(files)
	if err != nil {
		return nil, err
	}
	o := predict.Options{Dialect: dialect, MaxBytes: a.memory << 20, EntryBytes: a.entry, Database: a.database, Worst: a.worst, Live: live}
	if live != nil {
		if a.speaks() != dialect {
			return nil, usagef("the log is of %s, but the driver %s speaks %s", dialect, a.driver, a.speaks())
		}
		if o.Database == "" {
			o.Database = live.Name
		}
	}
	model := predict.New(o)
	shown := progressOn(c.ErrOrStderr())
	defer shown.done()
	if live == nil {
		if err := a.records(c.Context(), files, size, shown, "reading", model.Learn); err != nil {
			return nil, err
		}
	}
	add := func(r logs.Record) { model.Add(c.Context(), r) }
	if err := a.records(c.Context(), files, size, shown, "replaying", add); err != nil {
		return nil, err
	}
	r := model.Report()
	if r.Statements == 0 {
		return nil, noStatements(r, o.Database, dialect)
	}
	return r, nil
}

// noStatements says what to do about a log that has none.
func noStatements(r *predict.Report, database string, d analyze.Dialect) error {
	switch {
	case r.Elsewhere > 0:
		return fmt.Errorf("the log has no statement of the database %s, but %d of others: see --database", database, r.Elsewhere)
	case d == analyze.Postgres:
		return errors.New("the log has no statements: let the server log them (log_statement = 'all' or log_min_duration_statement = 0, lc_messages = 'C')")
	}
	return errors.New("the log has no statements: let the server log them (general_log, or slow_query_log with long_query_time = 0)")
}

// look tells the dialect of the files and how large they are in all.
func (a *analysis) look(files []string) (d analyze.Dialect, size int64, err error) {
	for _, name := range files {
		f, r, err := a.open(name)
		if err != nil {
			return "", 0, err
		}
		info, err := f.Stat()
		f.Close()
		if err != nil {
			return "", 0, fmt.Errorf("look at the log: %w", err)
		}
		if d != "" && d != r.Format.Dialect() {
			return "", 0, usagef("the logs are of several databases: %s is of %s", name, r.Format.Dialect())
		}
		d, size = r.Format.Dialect(), size+info.Size()
	}
	return d, size, nil
}

func (a *analysis) open(name string) (*os.File, *logs.Reader, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	r, err := logs.NewReader(f, logs.Format(a.format))
	if err != nil {
		f.Close()
		if errors.Is(err, logs.ErrUnknownFormat) {
			return nil, nil, fmt.Errorf("%s is %w: name its form with --format", name, err)
		}
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, r, nil
}

// records hands on what the files tell.
func (a *analysis) records(ctx context.Context, files []string, size int64, shown *progress, what string, tell func(logs.Record)) error {
	read := int64(0)
	for _, name := range files {
		f, r, err := a.open(name)
		if err != nil {
			return err
		}
		err = each(ctx, r, func(record logs.Record) {
			at, _ := f.Seek(0, io.SeekCurrent)
			shown.show("%s %d%%", what, 100*(read+at)/max(size, 1))
			tell(record)
		})
		at, _ := f.Seek(0, io.SeekCurrent)
		read += at
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func each(ctx context.Context, r *logs.Reader, tell func(logs.Record)) error {
	for n := 0; ; n++ {
		record, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		tell(record)
	}
}
