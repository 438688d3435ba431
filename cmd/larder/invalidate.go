package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderdb/larder"
)

// storeTimeout is how long a store may take to answer a command, and the database.
const storeTimeout = 30 * time.Second

func invalidateCommand() *cobra.Command {
	var s shared
	asJSON := false
	command := &cobra.Command{
		Use:   "invalidate RELATION...",
		Short: "Tell a shared store that relations were changed past Larder",
		Long: `Invalidate removes all results of relations from the store that programs share, as a write does:
for changes that no program made through Larder, like those of psql, of a restored backup or of a job.
A relation is named as in a statement: stuff, public.stuff. A view stands for what it reads.

The database is asked what the names mean, and which database it is; it is not written to.`,
		Example: `  larder invalidate stuff public.users --driver pgx --dsn postgres://app@db/shop --store redis://cache:6379/0`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("which relation? Name some, or see larder flush")
			}
			return s.announce(c, args, asJSON)
		},
	}
	s.flags(command.Flags())
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

func flushCommand() *cobra.Command {
	var s shared
	asJSON := false
	command := &cobra.Command{
		Use:   "flush",
		Short: "Remove all results of a database from a shared store",
		Long: `Flush removes all results of one database from the store that programs share. What is of
other databases in the store stays. The database is asked which one it is; it is not written to.`,
		Example: `  larder flush --driver pgx --dsn postgres://app@db/shop --store redis://cache:6379/0`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return s.announce(c, []string{"*"}, asJSON) },
	}
	s.flags(command.Flags())
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

// announce removes what depends on relations.
func (s *shared) announce(c *cobra.Command, relations []string, asJSON bool) error {
	if err := s.checkShared(); err != nil {
		return err
	}
	cache, db, err := s.open(larder.Options{})
	if err != nil {
		return err
	}
	defer cache.Close()
	defer db.Close()
	ctx, cancel := context.WithTimeout(c.Context(), storeTimeout)
	defer cancel()
	if err := s.reachable(ctx, db); err != nil {
		return err
	}
	if err := cache.Invalidate(ctx, relations...); err != nil {
		return s.redactAll(err)
	}
	result := struct {
		Invalidated []string `json:"invalidated"`
		Store       string   `json:"store"`
	}{relations, hidden(s.store)}
	return output(c, asJSON, result, func(w io.Writer) error {
		what := strings.Join(relations, ", ")
		if what == "*" {
			what = "all relations"
		}
		_, err := fmt.Fprintf(w, "removed what depends on %s from %s\n", what, result.Store)
		return err
	})
}
