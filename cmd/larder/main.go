// Command larder shows Larder at work, says what it makes of statements, and what it does for a database.
//
//	larder demo              a web page on a cached database
//	larder demo --for 10s    a workload without a browser, every read judged
//	larder explain 'SELECT'  what a statement reads and writes, and whether it can be cached
//	larder analyze LOG       what Larder would save, by a log of the database
//	larder bench FILE        your queries on your database, bare and cached
//	larder verify FILE       what the cache answers, compared with the database
//	larder dash URL          the dashboard of a running process, on this machine
//	larder watch URL         what a running process's cache does, live
//	larder stats URL         figures of a running process, or of a store
//	larder invalidate TABLE  tell a shared store of changes past Larder
//	larder flush             remove all results of a database from a shared store
//	larder version
//
// The exit status is 0 if all went well, 1 if something failed or was stale or wrong, and
// 2 if the command line was not understood.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A later signal ends the program at once. Not one that comes with the first: terminals and
	// supervisors send several, and what was begun shall be cleaned up.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs a command line and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	understood := false
	root := rootCommand()
	root.PersistentPreRun = func(*cobra.Command, []string) { understood = true }
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, "larder:", harmless(strings.TrimPrefix(err.Error(), "larder: ")))
	if usage := new(usageError); !understood || errors.As(err, usage) {
		return exitUsage
	}
	return exitFailed
}

// A usageError says that the command line asks for what can't be.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "larder",
		Short: "A cache for SQL results that is never stale",
		Long: `Larder is a cache for SQL results that is never stale: a drop-in *sql.DB for Go.

This command shows it at work (demo), says what it makes of statements (explain), what it would do for
your database (analyze, bench) and whether it is right (verify); it looks into running programs and the stores that they
share (dash, watch, stats), and tells these what was changed past Larder (invalidate, flush).

Exit status: 0 if all went well, 1 if something failed or an answer was stale or wrong, 2 if the
command line was not understood. Results go to standard output (with --json for programs), errors to
standard error. Colours and progress are for terminals, and NO_COLOR turns colours off. Data source
names are better given by the environment (` + dsnVariable + `) than by --dsn, which other users of the machine see.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(demoCommand(), explainCommand(), analyzeCommand(), benchCommand(), verifyCommand(),
		dashCommand(), watchCommand(), statsCommand(), invalidateCommand(), flushCommand(), versionCommand(), manualCommand(), sbomCommand())
	return root
}
