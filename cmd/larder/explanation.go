package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/analyze"
)

// An explanation is what is known of a statement, as it is printed.
type explanation struct {
	SQL       string   `json:"sql"`
	Dialect   string   `json:"dialect"`
	Kind      string   `json:"kind"`
	Reads     []string `json:"reads"`  // relations
	Writes    []write  `json:"writes"` // relations
	WritesAll bool     `json:"writes_all"`
	Functions []string `json:"functions"`
	DependsOn []string `json:"depends_on,omitempty"` // rows of Reads; told by a database
	Changes   []string `json:"changes,omitempty"`    // rows of Writes; told by a database
	Cacheable bool     `json:"cacheable"`
	Reason    string   `json:"reason,omitempty"` // why not
	Detail    string   `json:"detail,omitempty"` // the culprit
	Resolved  bool     `json:"resolved"`         // by a database: views, triggers and cascades included

	parts []string // kinds of the statements of a text that has several
}

// A write is a relation that a statement changes, and how, where that is known.
type write struct {
	Relation string `json:"relation"`
	How      string `json:"how,omitempty"`
}

// fromText is what the text alone says.
func fromText(st *analyze.Statement) *explanation {
	e := &explanation{
		SQL: st.Text, Dialect: string(st.Dialect), Kind: st.Kind.String(),
		Reads: names(st.Reads), Writes: []write{}, WritesAll: st.WritesAll, Functions: names(st.Functions),
	}
	for _, w := range st.Writes {
		how := strings.ReplaceAll(w.Op.String(), "|", " or ")
		if w.Cascade {
			how += ", cascading"
		}
		e.Writes = append(e.Writes, write{w.Relation.String(), how})
	}
	for _, part := range st.Parts {
		e.parts = append(e.parts, part.Kind.String())
	}
	e.judge(st.Reason, st.Detail)
	return e
}

// fromDatabase is what a database makes of it.
func fromDatabase(x *larder.Explanation) *explanation {
	e := fromText(x.Statement)
	e.Resolved = true
	e.Reads, e.Writes, e.WritesAll = append([]string{}, x.Reads...), []write{}, false
	for _, name := range x.Writes {
		if name == "*" {
			e.WritesAll = true
			continue
		}
		e.Writes = append(e.Writes, write{Relation: name})
	}
	e.DependsOn, e.Changes = x.Rows, x.Changes
	e.judge(x.Reason, x.Detail)
	return e
}

// judge says whether the rows can be cached.
func (e *explanation) judge(reason analyze.Reason, detail string) {
	e.Cacheable, e.Reason, e.Detail = reason == analyze.Cacheable, "", ""
	if !e.Cacheable {
		e.Reason, e.Detail = reason.String(), detail
	}
}

func names(list []analyze.Name) []string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = n.String()
	}
	return texts
}

// writeText prints the explanation for a person.
func (e *explanation) writeText(w io.Writer) error {
	var b bytes.Buffer
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", label, text)
		}
	}
	line("dialect", e.Dialect)
	line("kind", e.kind())
	line("reads", strings.Join(e.Reads, ", "))
	line("writes", e.writes())
	line("functions", strings.Join(e.Functions, ", "))
	line("result", e.verdict())
	if e.Cacheable {
		line("depends", strings.Join(e.DependsOn, ", "))
	}
	line("changes", strings.Join(e.Changes, "; "))
	if !e.Resolved {
		line("known", "from the text alone; views, triggers, cascades and functions of users take a database (--driver)")
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (e *explanation) kind() string {
	if len(e.parts) == 0 {
		return e.Kind
	}
	return fmt.Sprintf("%s (%s)", e.Kind, strings.Join(e.parts, "; "))
}

func (e *explanation) writes() string {
	var texts []string
	for _, w := range e.Writes {
		text := w.Relation
		if w.How != "" {
			text += " (" + w.How + ")"
		}
		texts = append(texts, text)
	}
	if e.WritesAll {
		texts = append(texts, "maybe every relation of the database: it can't be told which")
	}
	return strings.Join(texts, ", ")
}

// verdict says whether the rows can be cached, or why not.
func (e *explanation) verdict() string {
	switch {
	case e.Cacheable:
		return "cacheable"
	case e.Detail != "":
		return fmt.Sprintf("not cacheable: %s (%s)", e.Reason, e.Detail)
	}
	return "not cacheable: " + e.Reason
}
