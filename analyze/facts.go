package analyze

import (
	"fmt"
	"strings"
)

var kindTexts = [...]string{"unknown", "read", "modify", "schema", "call", "control", "session", "utility", "several"}

func (k Kind) String() string { return kindTexts[k] }

var controlTexts = [...]string{
	"none", "begin", "commit", "rollback", "savepoint", "rollback to", "release",
	"prepare transaction", "commit prepared", "rollback prepared", "set isolation",
	"autocommit off", "autocommit on", "other",
}

func (c ControlOp) String() string { return controlTexts[c] }

func (o Op) String() string {
	var names []string
	for i, name := range []string{"insert", "update", "delete", "truncate"} {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Facts writes all that s says, one fact a line, nothing for what is empty:
// the form of golden files and of explanations.
func (s *Statement) Facts() string {
	var b strings.Builder
	s.writeFacts(&b, "")
	return b.String()
}

func (s *Statement) writeFacts(b *strings.Builder, indent string) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(b, "%s%s: %s\n", indent, label, fmt.Sprintf(format, args...))
	}
	list := func(label string, items []string) {
		if len(items) > 0 {
			line(label, "%s", strings.Join(items, ", "))
		}
	}
	flag := func(label string, set bool) {
		if set {
			fmt.Fprintf(b, "%s%s\n", indent, label)
		}
	}
	line("kind", "%s", s.Kind)
	list("reads", nameTexts(s.Reads))
	for _, w := range s.Writes {
		cascade := ""
		if w.Cascade {
			cascade = " cascade"
		}
		line("writes", "%s (%s%s)", w.Relation, w.Op, cascade)
	}
	flag("writes all", s.WritesAll)
	list("functions", nameTexts(s.Functions))
	list("operators", s.Operators)
	list("time casts", s.TimeCasts)
	if s.Rows != nil {
		line("rows", "%s", s.Rows)
	}
	if s.Change != nil {
		line("change", "%s", s.Change)
	}
	flag("returns rows", s.ReturnsRows)
	if s.Control != NoControl {
		line("control", "%s", s.Control)
	}
	flag("chain", s.Chain)
	if s.Isolation != "" {
		line("isolation", "%s", s.Isolation)
	}
	flag("read only", s.ReadOnly)
	flag("session wide", s.SessionWide)
	flag("implicit commit", s.ImplicitCommit)
	list("settings", s.Settings)
	list("temporary", nameTexts(s.TempTables))
	s.writePrepareFacts(b, indent)
	if s.Hint != (Hint{}) {
		line("hint", "%+v", s.Hint)
	}
	if s.Reason != Cacheable {
		detail := ""
		if s.Detail != "" {
			detail = " (" + s.Detail + ")"
		}
		line("reason", "%s%s", s.Reason, detail)
	}
	for i, part := range s.Parts {
		fmt.Fprintf(b, "%spart %d\n", indent, i+1)
		part.writeFacts(b, indent+"  ")
	}
}

func (s *Statement) writePrepareFacts(b *strings.Builder, indent string) {
	if s.Prepares != "" {
		fmt.Fprintf(b, "%sprepares: %s\n", indent, s.Prepares)
	}
	if s.Executes != "" {
		fmt.Fprintf(b, "%sexecutes: %s\n", indent, s.Executes)
	}
	if s.Deallocates != "" {
		fmt.Fprintf(b, "%sdeallocates: %s\n", indent, s.Deallocates)
	}
	if s.Prepared != nil {
		s.Prepared.writeFacts(b, indent+"  ")
	}
}

func nameTexts(names []Name) []string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = n.String()
	}
	return texts
}
