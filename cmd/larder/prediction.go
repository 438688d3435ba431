package main

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/larderdb/larder/cmd/larder/predict"
)

const textWidth = 100

// writePrediction prints what a log predicts for a person.
func writePrediction(w io.Writer, r *predict.Report, top int) error {
	var b bytes.Buffer
	s := styleOf(w)
	fmt.Fprintln(&b, s.bold(fmt.Sprintf("%s of the reads would be answered from the cache%s.", percent(r.OfAllReads), savedText(r))))
	fmt.Fprintln(&b)
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("statements", "%s: %s reads, %s writes, %s others, of %s connections", counted(r.Statements), counted(r.Reads), counted(r.Writes), counted(r.Others), counted(r.Connections))
	if !r.From.IsZero() {
		line("log", "%s, from %s", short(r.To.Sub(r.From)), r.From.Format("2006-01-02 15:04:05"))
	}
	if r.Elsewhere > 0 {
		line("elsewhere", "%s lines of other databases were passed over", counted(r.Elsewhere))
	}
	line("cacheable", "%s reads (%s); %s would not ask the cache", counted(r.Asked), percent(share(r.Asked, r.Reads)), counted(r.Bypassed))
	line("hit ratio", "%s of the cacheable reads from a cold start, %s in the second half of the log", percent(r.HitRatio), percent(r.WarmHitRatio))
	line("misses", "%s never read before, %s removed by a write, %s evicted or expired", counted(r.NeverRead), counted(r.Removed), counted(r.Gone))
	writeShapes(&b, s, r, top)
	writeReasons(&b, s, r, top)
	writeWriters(&b, s, r, top)
	fmt.Fprintf(&b, "\n%s\n", s.bold("assumed"))
	for _, a := range r.Assumptions {
		fmt.Fprintf(&b, "  %s\n", a)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func savedText(r *predict.Report) string {
	if !r.Timed {
		return ""
	}
	return fmt.Sprintf(", which saves %s of %s in the database (%s)", short(r.Saved), short(r.Took), percent(share(r.Saved, r.Took)))
}

func share[N ~int | ~int64](part, all N) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}

func writeShapes(b *bytes.Buffer, s style, r *predict.Report, top int) {
	if len(r.Shapes) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", s.bold("queries that gain most"))
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "calls\thits\thit ratio\tsaved\t\n")
	for _, shape := range r.Shapes[:min(top, len(r.Shapes))] {
		saved, ratio := "", ""
		if r.Timed {
			saved = short(shape.Saved)
		}
		if shape.Asked > 0 {
			ratio = percent(share(shape.Hits, shape.Asked))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t  %s\n", counted(shape.Calls), counted(shape.Hits), ratio, saved, cut(shape.Text, textWidth))
		if shape.RemovedBy != "" {
			fmt.Fprintf(t, "\t\t\t\t  %s\n", s.faint("removed by "+cut(shape.RemovedBy, textWidth-11)))
		}
	}
	t.Flush()
}

func writeReasons(b *bytes.Buffer, s style, r *predict.Report, top int) {
	if len(r.Reasons) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", s.bold("reads that can't be cached, and why"))
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, why := range r.Reasons[:min(top, len(r.Reasons))] {
		text := why.Reason
		if why.Detail != "" {
			text += " (" + cut(why.Detail, textWidth) + ")"
		}
		took := ""
		if r.Timed {
			took = short(why.Took)
		}
		fmt.Fprintf(t, "%s\t%s\t  %s\n", counted(why.Reads), took, text)
	}
	t.Flush()
}

func writeWriters(b *bytes.Buffer, s style, r *predict.Report, top int) {
	if len(r.WriteShapes) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", s.bold("writes that remove most"))
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "calls\tremoved\t\n")
	for _, shape := range r.WriteShapes[:min(top, len(r.WriteShapes))] {
		note := ""
		switch {
		case shape.Wide:
			note = " (every relation)"
		case shape.AnyRow:
			note = " (every row of a relation)"
		}
		fmt.Fprintf(t, "%s\t%s\t  %s%s\n", counted(shape.Calls), counted(shape.Removes), cut(shape.Text, textWidth), s.faint(note))
	}
	t.Flush()
}

// writeStatements prints what pg_stat_statements tells for a person.
func writeStatements(w io.Writer, r *predict.Statements, top int) error {
	var b bytes.Buffer
	s := styleOf(w)
	fmt.Fprintln(&b, s.bold(fmt.Sprintf("%s of the reads can be cached: %s of %s in the database is spent on them.",
		percent(share(r.Cacheable, r.Reads)), percent(share(r.TookAsked, r.Took)), short(r.Took))))
	fmt.Fprintf(&b, "\n%-12s %s: %s reads, %s writes\n", "statements", counted(r.Calls), counted(r.Reads), counted(r.Writes))
	fmt.Fprintf(&b, "\n%s\n", s.bold("statements that take most"))
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "calls\ttook\twrites to its relations\t\n")
	for _, of := range r.Shapes[:min(top, len(r.Shapes))] {
		note := "cacheable"
		switch {
		case of.Write:
			note = "a write"
		case of.Reason != "":
			note = "not cacheable: " + of.Reason
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t  %s\n\t\t\t  %s\n", counted(of.Calls), short(of.Took), counted(of.Writes), cut(of.Text, textWidth), s.faint(note))
	}
	t.Flush()
	for _, a := range r.Assumptions {
		fmt.Fprintf(&b, "\n%s\n", a)
	}
	_, err := w.Write(b.Bytes())
	return err
}
