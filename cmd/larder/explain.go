package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/analyze"
)

// explainTimeout is how long a database may take to be asked for its catalog.
const explainTimeout = 30 * time.Second

// maxStatement is the length of the longest statement that is read from standard input.
const maxStatement = 16 << 20

// A question is what explain is asked for.
type question struct {
	dialect, driver, dsn string
	json                 bool
}

func explainCommand() *cobra.Command {
	var q question
	command := &cobra.Command{
		Use:   "explain SQL|-",
		Short: "What a statement reads and writes, and whether it can be cached",
		Long: `Explain says what Larder makes of a statement: which relations it reads and which it
writes, and whether its rows can be cached, or why not. It runs nothing.

Without a database it says what the text alone tells; what views, triggers, cascades and
functions of the database's own make of it, only the database knows: name one with --driver
(sqlite, pgx or mysql) and --dsn. With - the statement is read from standard input.`,
		Example: `  larder explain 'SELECT * FROM stuff WHERE user_id = $1' --dialect postgres
  larder explain 'UPDATE stuff SET price = 1' --dialect mysql --json
  larder explain 'SELECT * FROM stuff' --driver sqlite --dsn shop.db
  larder explain - --dialect postgres < statement.sql`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := statementText(args[0], c.InOrStdin())
			if err != nil {
				return err
			}
			return q.answer(c, text)
		},
	}
	flags := command.Flags()
	flags.StringVar(&q.dialect, "dialect", "", "dialect of the statement: postgres, mysql or sqlite")
	flags.StringVar(&q.driver, "driver", "", "ask a database, through this driver: sqlite, pgx or mysql")
	flags.StringVar(&q.dsn, "dsn", "", "data source name of the database")
	flags.BoolVar(&q.json, "json", false, "print JSON")
	return command
}

// statementText returns the statement that an argument stands for.
func statementText(arg string, stdin io.Reader) (string, error) {
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, maxStatement+1))
		if err != nil {
			return "", fmt.Errorf("read standard input: %w", err)
		}
		if len(text) > maxStatement {
			return "", usagef("the statement is longer than %d bytes", maxStatement)
		}
		arg = string(text)
	}
	if strings.TrimSpace(arg) == "" {
		return "", usagef("there is no statement to explain")
	}
	return arg, nil
}

// answer explains a statement, and prints it.
func (q *question) answer(c *cobra.Command, text string) error {
	if err := q.check(); err != nil {
		return err
	}
	e, err := q.explain(c, text)
	if err != nil {
		return err
	}
	if q.json {
		return e.writeJSON(c.OutOrStdout())
	}
	return e.writeText(c.OutOrStdout())
}

// check fails if the flags contradict each other or don't suffice.
func (q *question) check() error {
	known, isDriver := dialects[q.driver]
	switch {
	case q.dialect != "" && !analyze.Dialect(q.dialect).Valid():
		return usagef("unknown dialect %q: want postgres, mysql or sqlite", q.dialect)
	case q.driver == "" && q.dsn != "":
		return usagef("--dsn takes --driver: sqlite, pgx or mysql")
	case q.driver == "" && q.dialect == "":
		return usagef("which dialect? Give --dialect postgres, mysql or sqlite")
	case q.driver == "":
		return nil
	case !isDriver:
		return usagef("unknown driver %q: want sqlite, pgx or mysql", q.driver)
	case q.dsn == "":
		return usagef("--driver takes --dsn, the data source name of the database")
	case q.dialect != "" && analyze.Dialect(q.dialect) != known:
		return usagef("the driver %s speaks %s, not %s", q.driver, known, q.dialect)
	}
	return nil
}

// explain asks the database if there is one, else the text alone.
func (q *question) explain(c *cobra.Command, text string) (*explanation, error) {
	if q.driver == "" {
		return fromText(analyze.Analyze(analyze.Dialect(q.dialect), text)), nil
	}
	if err := q.exists(); err != nil {
		return nil, err
	}
	db, err := larder.Open(q.driver, q.dsn, nil)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(c.Context(), explainTimeout)
	defer cancel()
	e, err := larder.Explain(ctx, db, text)
	if err != nil {
		return nil, err
	}
	return fromDatabase(e), nil
}

// exists fails for an SQLite file that isn't there: opening it would make it.
func (q *question) exists() error {
	if q.driver != "sqlite" || strings.HasPrefix(q.dsn, "file:") || strings.HasPrefix(q.dsn, ":memory:") {
		return nil
	}
	path, _, _ := strings.Cut(q.dsn, "?")
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no database: %w", err)
	}
	return nil
}
