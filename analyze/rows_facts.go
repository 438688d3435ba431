package analyze

import (
	"fmt"
	"strconv"
	"strings"
)

// String writes a block as golden files and explanations show it, on one line.
func (b *Block) String() string {
	if b == nil {
		return "?"
	}
	var parts []string
	add := func(label string, items ...string) {
		if len(items) > 0 {
			parts = append(parts, strings.TrimSpace(label+" "+strings.Join(items, ", ")))
		}
	}
	add("with", texts(b.With, CTE.String)...)
	add("arms", texts(b.Arms, (*Block).bracketed)...)
	add("from", texts(b.From, Source.String)...)
	if b.Where != nil {
		add("where", b.Where.String())
	}
	add("columns", texts(b.Columns, Output.String)...)
	if b.Grouped {
		add("grouped by", append(texts(b.Groups, Term.String), "")[:max(1, len(b.Groups))]...)
	}
	if b.Folds {
		add("", "folds")
	}
	add("subs", texts(b.Subs, (*Block).bracketed)...)
	return strings.Join(parts, " | ")
}

func (b *Block) bracketed() string { return "{" + b.String() + "}" }

func (c CTE) String() string {
	text := c.Name
	if c.Columns != nil {
		text += "(" + strings.Join(c.Columns, ", ") + ")"
	}
	if c.Recursive {
		text = "recursive " + text
	}
	return text + " " + c.Block.bracketed()
}

var joinTexts = [...]string{"", "left ", "right ", "full "}

func (s Source) String() string {
	text := joinTexts[s.Join]
	if s.Natural {
		text += "natural "
	}
	if s.Lateral {
		text += "lateral "
	}
	switch {
	case s.Sub != nil:
		text += s.Sub.bracketed()
	case s.Nested != nil:
		text += "(" + strings.Join(texts(s.Nested, Source.String), ", ") + ")"
	case s.Relation != Name{}:
		text += s.Relation.String()
	default:
		text += "?"
	}
	if s.Alias != "" && s.Alias != s.Relation.Name {
		text += " as " + s.Alias
	}
	if s.Columns != nil {
		text += "(" + strings.Join(s.Columns, ", ") + ")"
	}
	if s.On != nil {
		text += " on " + s.On.String()
	}
	if s.Using != nil {
		text += " using (" + strings.Join(s.Using, ", ") + ")"
	}
	return text
}

func (o Output) String() string {
	if o.Star {
		return strings.TrimPrefix(o.Term.Table.String()+".*", ".")
	}
	text := o.Term.String()
	if o.Name != "" && (o.Term.Kind != Column || o.Name != o.Term.Text) {
		text += " as " + o.Name
	}
	return text
}

// String writes a condition in the manner of SQL.
func (c *Cond) String() string {
	if c == nil {
		return "?"
	}
	list := strings.Join(texts(c.List, Term.String), ", ")
	switch c.Op {
	case And, Or:
		return "(" + strings.Join(texts(c.Args, (*Cond).String), map[CondOp]string{And: " and ", Or: " or "}[c.Op]) + ")"
	case Equal:
		return c.Left.String() + map[bool]string{false: " = ", true: " is "}[c.Safe] + list
	case In:
		return c.Left.String() + " in (" + list + ")"
	case Any:
		return c.Left.String() + " = any(" + list + ")"
	case IsNull:
		return c.Left.String() + " is null"
	case IsTrue:
		return c.Left.String() + " is true"
	case IsFalse:
		return c.Left.String() + " is false"
	}
	return "?"
}

func (t Term) String() string {
	text := t.Text
	switch t.Kind {
	case Untold:
		text = "?"
	case Column:
		if t.Table != (Name{}) {
			text = t.Table.String() + "." + text
		}
	case Param:
		if text = "$" + strconv.Itoa(t.Param); t.Text != "" {
			text = ":" + t.Text
		}
	case Text:
		text = strconv.Quote(t.Text)
	case Blob:
		text = fmt.Sprintf("x%x", t.Text)
	case Null:
		text = "null"
	case Default:
		text = "default"
	}
	if t.Cast != "" {
		text += "::" + t.Cast
	}
	return text
}

// String writes a change as golden files and explanations show it, on one line.
func (c *Change) String() string {
	parts := []string{(c.Op | c.Also).String() + " " + c.Target.String()}
	if c.Alias != "" && c.Alias != c.Target.Name {
		parts[0] += " as " + c.Alias
	}
	add := func(label, text string) { parts = append(parts, strings.TrimSpace(label+" "+text)) }
	if c.Columns != nil {
		add("columns", strings.Join(c.Columns, ", "))
	}
	for _, row := range c.Rows {
		add("row", strings.Join(texts(row, Term.String), ", "))
	}
	for _, a := range c.Set {
		add("set", a.Column+" = "+a.Value.String())
	}
	if c.Where != nil {
		add("where", c.Where.String())
	}
	if c.Repeatable {
		add("from", strconv.Quote(c.From))
		add("condition", strconv.Quote(c.Condition)+" ("+strings.Join(texts(c.Args, Term.String), ", ")+")")
	}
	if c.Returning != nil {
		add("returning", strings.Join(texts(c.Returning, Output.String), ", "))
	}
	if c.Append > 0 {
		add("append", strconv.Itoa(c.Append))
	}
	return strings.Join(parts, " | ")
}

func texts[T any](list []T, text func(T) string) []string {
	items := make([]string, len(list))
	for i, item := range list {
		items[i] = text(item)
	}
	return items
}
