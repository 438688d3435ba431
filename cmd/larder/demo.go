package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderdb/larder/cmd/larder/demo"
)

func demoCommand() *cobra.Command {
	var (
		length  time.Duration
		addr    string
		dir     string
		workers int
		asJSON  bool
	)
	command := &cobra.Command{
		Use:   "demo",
		Short: "A cached database to play with, or under load",
		Long: `Demo makes a shop of 1,000 users and 100,000 things in an SQLite file, and opens it
through Larder.

Without --for it serves a web page on loopback: pick a user, change their things through one
handle or another, and see what became of each statement, of the list (a fragment) and of the
page: kept, told to the browser as 304, or removed by a write.

With --for it needs no browser: readers and writers work for so long, half of the time on
bare handles and half on cached ones, and every read is held against what a linearizable
database may answer. The exit status is 1 if one of them was stale or wrong.`,
		Example: "  larder demo\n  larder demo --addr 127.0.0.1:8080\n  larder demo --for 10s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("for") {
				if c.Flags().Changed("addr") {
					return usagef("--addr is for the web page, which --for does without")
				}
				return tryDemo(c, demo.Trial{Size: demo.DefaultSize, For: length, Dir: dir, Workers: workers}, asJSON)
			}
			if asJSON {
				return usagef("--json is for --for")
			}
			if c.Flags().Changed("workers") {
				return usagef("--workers is for --for")
			}
			return serveDemo(c, demo.Server{Size: demo.DefaultSize, Addr: addr, Dir: dir})
		},
	}
	flags := command.Flags()
	flags.DurationVar(&length, "for", 0, "run the workload for so long, without a browser")
	flags.IntVar(&workers, "workers", 4, "goroutines of the workload")
	flags.BoolVar(&asJSON, "json", false, "print JSON, with --for")
	flags.StringVar(&addr, "addr", "127.0.0.1:0", "address of the web page; port 0 is any that is free")
	flags.StringVar(&dir, "dir", "", "keep the database in this directory (larder-demo*.db there are replaced)")
	return command
}

// tryDemo runs the workload and prints what was found.
func tryDemo(c *cobra.Command, trial demo.Trial, asJSON bool) error {
	if trial.For <= 0 {
		return usagef("--for must be longer than nothing, like 10s")
	}
	if trial.Workers < 1 {
		return usagef("--workers must be at least 1")
	}
	report, err := trial.Run(c.Context())
	if report != nil {
		if err := output(c, asJSON, report, report.Write); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return report.Err()
}

// serveDemo serves the web page until the command is interrupted.
func serveDemo(c *cobra.Command, server demo.Server) error {
	out := c.OutOrStdout()
	server.Ready = func(url string) {
		fmt.Fprintf(out, "The demo is at %s (stop it with Ctrl-C)\n", url)
	}
	err := server.Run(c.Context())
	if err != nil && c.Context().Err() == nil { // an interruption is the way to end it
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}
