package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/cmd/larder/sqltext"
)

// explainTimeout is how long a database may take to be asked for its catalog.
const explainTimeout = 30 * time.Second

// A question is what explain is asked for.
type question struct {
	connection
	dialect string
	file    string
	json    bool
}

func explainCommand() *cobra.Command {
	var q question
	command := &cobra.Command{
		Use:   "explain SQL|-|--file FILE",
		Short: "What a statement reads and writes, and whether it can be cached",
		Long: `Explain says what Larder makes of a statement: which relations it reads and which it
writes, and whether its rows can be cached, or why not. It runs nothing.

Without a database it says what the text alone tells; what views, triggers, cascades and
functions of the database's own make of it, only the database knows: name one with --driver
(sqlite, pgx or mysql) and --dsn. With - the statement is read from standard input; with --file
all statements of a file are explained, one after the other (- is standard input).`,
		Example: `  larder explain 'SELECT * FROM stuff WHERE user_id = $1' --dialect postgres
  larder explain 'UPDATE stuff SET price = 1' --dialect mysql --json
  larder explain 'SELECT * FROM stuff' --driver sqlite --dsn shop.db
  larder explain - --dialect postgres < statement.sql
  larder explain --file queries.sql --driver pgx --dsn postgres://app@db/shop --json`,
		Args: func(c *cobra.Command, args []string) error {
			if q.file != "" {
				return cobra.NoArgs(c, args)
			}
			return cobra.ExactArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if q.file != "" {
				return q.answerFile(c)
			}
			text, err := statementText(args[0], c.InOrStdin())
			if err != nil {
				return err
			}
			return q.answer(c, text)
		},
	}
	flags := command.Flags()
	flags.StringVar(&q.dialect, "dialect", "", "dialect of the statement: postgres, mysql or sqlite")
	q.connection.flags(flags)
	flags.StringVar(&q.file, "file", "", "explain the statements of this file, separated by semicolons")
	flags.BoolVar(&q.json, "json", false, "print JSON")
	return command
}

// statementText returns the statement that an argument stands for.
func statementText(arg string, stdin io.Reader) (string, error) {
	if arg == "-" {
		text, err := textOf("-", stdin)
		if err != nil {
			return "", err
		}
		arg = text
	}
	if strings.TrimSpace(arg) == "" {
		return "", usagef("there is no statement to explain")
	}
	return arg, nil
}

// answer explains a statement, and prints it.
func (q *question) answer(c *cobra.Command, text string) error {
	list, err := q.explain(c, []string{text})
	if err != nil {
		return err
	}
	if q.json {
		return writeJSON(c.OutOrStdout(), list[0])
	}
	return list[0].writeText(c.OutOrStdout())
}

// answerFile explains the statements of a file.
func (q *question) answerFile(c *cobra.Command) error {
	if err := q.checkQuestion(); err != nil {
		return err
	}
	text, err := textOf(q.file, c.InOrStdin())
	if err != nil {
		return err
	}
	texts := sqltext.Split(analyze.Dialect(q.dialect), text)
	if len(texts) == 0 {
		return usagef("there is no statement in %s: statements end with semicolons", q.file)
	}
	list, err := q.explain(c, texts)
	if err != nil {
		return err
	}
	return output(c, q.json, list, func(w io.Writer) error {
		s := styleOf(w)
		for i, e := range list {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, s.bold(cut(e.SQL, textWidth)))
			if err := e.writeText(w); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkQuestion fails if the flags contradict each other or don't suffice, and completes the dialect.
func (q *question) checkQuestion() error {
	switch {
	case q.dialect != "" && !analyze.Dialect(q.dialect).Valid():
		return usagef("unknown dialect %q: want postgres, mysql or sqlite", q.dialect)
	case !q.given() && q.dialect == "":
		return usagef("which dialect? Give --dialect postgres, mysql or sqlite")
	case !q.given():
		return nil
	}
	if err := q.check(); err != nil {
		return err
	}
	known := string(q.speaks())
	if q.dialect != "" && q.dialect != known {
		return usagef("the driver %s speaks %s, not %s", q.driver, known, q.dialect)
	}
	q.dialect = known
	return nil
}

// explain asks the database if there is one, else the texts alone.
func (q *question) explain(c *cobra.Command, texts []string) ([]*explanation, error) {
	if err := q.checkQuestion(); err != nil {
		return nil, err
	}
	var list []*explanation
	if q.driver == "" {
		for _, text := range texts {
			list = append(list, fromText(analyze.Analyze(analyze.Dialect(q.dialect), text)))
		}
		return list, nil
	}
	if err := q.exists(); err != nil {
		return nil, err
	}
	db, err := larder.Open(q.driver, q.dsn, nil)
	if err != nil {
		return nil, q.redact(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(c.Context(), explainTimeout)
	defer cancel()
	for _, text := range texts {
		e, err := larder.Explain(ctx, db, text)
		if err != nil {
			return nil, q.redact(err)
		}
		list = append(list, fromDatabase(e))
	}
	return list, nil
}
