package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// A watching is what watch is asked for.
type watching struct {
	top   bool
	rows  int
	every time.Duration
	json  bool
	asking
}

func watchCommand() *cobra.Command {
	var watch watching
	command := &cobra.Command{
		Use:   "watch URL",
		Short: "What a running process's cache does, live",
		Long: `Watch prints, as they happen, the statements of a running process that are no hits: misses, and
which write caused them, writes, and reads that can't be cached, and why. With --top it shows the
shapes of statements that are called most, and under them what costs more than it saves and what to do,
again and again on a terminal, else once.

URL is where the process serves its dashboard. It is stopped with Ctrl-C.`,
		Example: `  larder watch http://127.0.0.1:8080/larder/
  larder watch http://127.0.0.1:8080/larder/ --top
  larder watch http://127.0.0.1:8080/larder/ --json | grep stuff`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := watch.processAt(args[0])
			if err != nil {
				return err
			}
			if watch.every <= 0 || watch.rows < 1 {
				return usagef("--every must be longer than nothing, like 2s, and --rows at least 1")
			}
			if watch.top {
				return watch.showTop(c, p)
			}
			return watch.tail(c, p)
		},
	}
	flags := command.Flags()
	watch.asking.flags(flags)
	flags.BoolVar(&watch.top, "top", false, "show the shapes of statements that are called most")
	flags.IntVar(&watch.rows, "rows", 20, "how many, with --top")
	flags.DurationVar(&watch.every, "every", 2*time.Second, "how often, with --top")
	flags.BoolVar(&watch.json, "json", false, "print JSON: an object a line, or with --top a list")
	return command
}

// tail prints events until the process ends or the command is interrupted.
func (watch *watching) tail(c *cobra.Command, p process) error {
	out := c.OutOrStdout()
	s := styleOf(out)
	err := p.events(c.Context(), func(e remoteEvent, raw []byte) {
		if watch.json {
			fmt.Fprintf(out, "%s\n", escaped(raw))
			return
		}
		fmt.Fprintln(out, e.line(s))
	})
	if c.Context().Err() != nil { // an interruption is the way to end it
		return nil
	}
	return err
}

// line writes an event on a line.
func (e remoteEvent) line(s style) string {
	what := fmt.Sprintf("%-7s", printable(e.What))
	switch e.What {
	case "hit":
		what = s.green(what)
	case "write":
		what = s.bold(what)
	}
	took := short(time.Duration(e.Micros * float64(time.Microsecond)))
	text := fmt.Sprintf("%s  %s %10s  %s", time.UnixMilli(e.At).Format("15:04:05.000"), what, took, cut(e.Text, textWidth))
	var why []string
	for _, part := range []string{e.Why, e.Relation} {
		if part = printable(part); part != "" {
			why = append(why, part)
		}
	}
	if len(why) > 0 {
		text += s.faint("  (" + strings.Join(why, ": ") + ")")
	}
	return text
}

// showTop shows shapes: on a terminal again and again, else once.
func (watch *watching) showTop(c *cobra.Command, p process) error {
	out := c.OutOrStdout()
	_, live := terminalOf(out)
	for {
		text, err := watch.topText(c.Context(), p, out)
		if err != nil && c.Context().Err() == nil {
			return err
		}
		if live && err == nil {
			fmt.Fprint(out, "\x1b[H\x1b[2J") // home, and clear
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
		if !live {
			return nil
		}
		select {
		case <-c.Context().Done():
			return nil
		case <-time.After(watch.every):
		}
	}
}

func (watch *watching) topText(ctx context.Context, p process, out io.Writer) ([]byte, error) {
	var b bytes.Buffer
	var shapes []remoteShape
	if err := p.read(ctx, "/api/shapes", &shapes); err != nil {
		return nil, err
	}
	shapes = shapes[:min(watch.rows, len(shapes))]
	if watch.json {
		err := writeJSON(&b, shapes)
		return b.Bytes(), err
	}
	var stats remoteStats
	if err := p.read(ctx, "/api/stats", &stats); err != nil {
		return nil, err
	}
	s := styleOf(out)
	fmt.Fprintln(&b, s.bold(fmt.Sprintf("%s of the reads from the cache, %s wrong of %s checked", percent(stats.HitRatio), counted(stats.Stats.Wrong), counted(stats.Stats.Verified))))
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "calls\thit ratio\thit\tmiss\tsaved\t\n")
	for _, shape := range shapes {
		micros := func(us float64) string { return short(time.Duration(us * float64(time.Microsecond))) }
		ratio := percent(shape.HitRatio)
		if shape.Kind == "write" {
			ratio = "write"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t  %s\n", counted(shape.Calls), ratio, micros(shape.HitUs), micros(shape.MissUs),
			short(time.Duration(shape.Saved*float64(time.Second))), cut(shape.Text, textWidth))
	}
	err := t.Flush()
	writeAdvice(&b, stats.Advice, s)
	return b.Bytes(), err
}

// topAdvice is how many lines of advice stand under a table at most, so that a screen holds both.
const topAdvice = 5

// writeAdvice writes the worst of what a process advises, a line each, and where the rest of it is told.
func writeAdvice(b *bytes.Buffer, list []remoteAdvice, s style) {
	if len(list) > 0 {
		fmt.Fprintln(b)
	}
	for _, a := range list[:min(topAdvice, len(list))] {
		fmt.Fprintf(b, "%s %s: %s. %s\n", s.bold(fmt.Sprintf("%-6s", printable(a.Kind))), cut(a.Text, textWidth), printable(a.Why), printable(a.Do))
	}
	if more := len(list) - topAdvice; more > 0 {
		fmt.Fprintln(b, s.faint(fmt.Sprintf("%d more: larder stats", more)))
	}
}
