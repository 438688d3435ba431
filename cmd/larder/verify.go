package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/larderdb/larder"
)

// A verification asks the cache and the database.
type verification struct {
	shared
	times int
	json  bool
}

// A verdict is what was found.
type verdict struct {
	Checked int         `json:"checked"` // answers from the cache that were compared
	Wrong   int         `json:"wrong"`
	Moved   int         `json:"moved"`    // changed all the time, so that nothing can be said
	Missed  int         `json:"misses"`   // weren't in the cache yet
	Reorder int         `json:"reorder"`  // right rows in another order, where none is prescribed
	Bypass  int         `json:"bypasses"` // that can't be cached
	Wrongs  []wrongRead `json:"wrongs,omitempty"`
}

// A wrongRead is one that differs from the database.
type wrongRead struct {
	SQL      string   `json:"sql"`
	Cache    []string `json:"cache"`
	Database []string `json:"database"`
}

func verifyCommand() *cobra.Command {
	var v verification
	command := &cobra.Command{
		Use:   "verify FILE|-",
		Short: "Compare what the cache answers with the database",
		Long: `Verify runs the SELECTs of a file, separated by semicolons, through the cache and on the bare
database, and compares the rows. With --store it is the store that programs share that answers: where the programs run
the same texts by the same driver and data source name, their results are checked.

The database is asked before and after the cache: an answer that is neither what it said before nor what it said
after, though that is the same, is wrong. The exit status is 1 if one is.`,
		Example: `  larder verify queries.sql --driver pgx --dsn postgres://app@db/shop --store redis://cache:6379/0
  echo 'SELECT * FROM stuff WHERE user_id = 42' | larder verify - --driver sqlite --dsn shop.db`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return v.run(c, args[0]) },
	}
	flags := command.Flags()
	v.flags(flags)
	flags.IntVar(&v.times, "times", 2, "how often each SELECT is asked; what isn't in the cache the first time is then")
	flags.BoolVar(&v.json, "json", false, "print JSON")
	return command
}

func (v *verification) run(c *cobra.Command, file string) error {
	if err := v.check(); err != nil {
		return err
	}
	if v.times < 1 {
		return usagef("--times must be at least 1")
	}
	queries, err := readsOf(file, c.InOrStdin(), v.speaks())
	if err != nil {
		return err
	}
	found, err := v.verify(c, queries)
	if err != nil {
		return v.redactAll(err)
	}
	if err := output(c, v.json, found, func(w io.Writer) error { return found.write(w) }); err != nil {
		return err
	}
	if found.Wrong > 0 {
		return fmt.Errorf("%d of %d answers from the cache are wrong", found.Wrong, found.Checked)
	}
	return nil
}

func (v *verification) verify(c *cobra.Command, queries []string) (*verdict, error) {
	var last larder.Event
	o := larder.Options{Observe: func(_ context.Context, e larder.Event) { last = e }}
	if v.store == "" {
		o.MaxBytes = 64 << 20
	}
	cache, cached, err := v.open(o)
	if err != nil {
		return nil, err
	}
	defer cache.Close()
	defer cached.Close()
	bare, err := v.bare()
	if err != nil {
		return nil, err
	}
	defer bare.Close()
	if err := v.reachable(c.Context(), bare); err != nil {
		return nil, err
	}
	shown := progressOn(c.ErrOrStderr())
	defer shown.done()
	found := &verdict{}
	for i, query := range slices.Concat(slices.Repeat([][]string{queries}, v.times)...) {
		shown.show("%d of %d", i, v.times*len(queries))
		if err := found.check(c.Context(), bare, cached, query, &last); err != nil {
			return nil, fmt.Errorf("%s: %w", cut(query, textWidth), err)
		}
	}
	return found, nil
}

// tries is how often an answer is compared that differs, since somebody may have written meanwhile.
const tries = 5

// check compares one answer of the cache with those of the database before and after it.
func (f *verdict) check(ctx context.Context, bare, cached *sql.DB, query string, last *larder.Event) error {
	moved := false
	for try := range tries {
		before, err := rowTexts(ctx, bare, query)
		if err != nil {
			return err
		}
		got, err := rowTexts(ctx, cached, query)
		if err != nil {
			return err
		}
		outcome := last.Outcome
		after, err := rowTexts(ctx, bare, query)
		if err != nil {
			return err
		}
		switch {
		case outcome == larder.OutcomeBypass:
			f.Bypass++
			return nil
		case outcome != larder.OutcomeHit:
			f.Missed++
			return nil
		case slices.Equal(got, before), slices.Equal(got, after):
			f.Checked++
			return nil
		case sameRows(got, before), sameRows(got, after):
			f.Checked++
			f.Reorder++
			return nil
		}
		if moved = !sameRows(before, after); !moved && try == tries-1 {
			f.Checked++
			f.Wrong++
			f.Wrongs = append(f.Wrongs, wrongRead{query, got, after})
		}
	}
	if moved {
		f.Moved++
	}
	return nil
}

func sameRows(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// rowTexts runs a query and writes each row as a text that tells values and types.
func rowTexts(ctx context.Context, db *sql.DB, query string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	list := []string{}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		text := ""
		for i, v := range values {
			if b, is := v.([]byte); is {
				v = string(b)
			}
			text += fmt.Sprintf("%s=%#v ", columns[i], v)
		}
		list = append(list, text)
	}
	return list, rows.Err()
}

func (f *verdict) write(w io.Writer) error {
	s := styleOf(w)
	headline := fmt.Sprintf("%s checked, %s wrong", counted(f.Checked), counted(f.Wrong))
	if f.Wrong > 0 {
		headline = s.red(headline)
	} else {
		headline = s.green(headline)
	}
	_, err := fmt.Fprintf(w, "%s\n%s were not in the cache yet, %s can't be cached, %s changed all the time, %s had another order\n",
		headline, counted(f.Missed), counted(f.Bypass), counted(f.Moved), counted(f.Reorder))
	for _, wrong := range f.Wrongs {
		if err == nil {
			_, err = fmt.Fprintf(w, "\n%s\n  cache    %d rows: %s\n  database %d rows: %s\n", cut(wrong.SQL, textWidth),
				len(wrong.Cache), firstRow(wrong.Cache), len(wrong.Database), firstRow(wrong.Database))
		}
	}
	return err
}

func firstRow(rows []string) string {
	if len(rows) == 0 {
		return ""
	}
	return cut(rows[0], textWidth)
}
