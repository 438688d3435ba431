package confine

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// Canonical forms. If the database takes a column for equal with an operand, the
// value that is stored and the operand have one form, in whichever way each of them was given. Where that
// can't be guaranteed there is no form.
const (
	formNull   = "n"
	formNumber = "i" // and decimal digits
	formNever  = "x" // equals no value that can be stored
	formText   = "t" // and the text, folded
	formBytes  = "b"
	formTrue   = "1"
	formFalse  = "0"
	formUUID   = "u" // and 32 hexadecimal digits
)

// An origin says where a value comes from.
type origin uint8

const (
	literal origin = iota
	argument
	row
)

// Term returns the form of a literal with which a column is compared.
func (c Class) Term(d analyze.Dialect, t analyze.Term) (form string, ok bool) {
	if c.Kind == Opaque || !c.casts(d, t.Cast, false) {
		return "", false
	}
	switch t.Kind {
	case analyze.Null:
		return formNull, true
	case analyze.Number:
		return c.number(d, t)
	case analyze.Text:
		return c.text(d, t.Text, literal)
	case analyze.Blob:
		return c.bytes(d, []byte(t.Text), literal)
	case analyze.Boolean:
		if d == analyze.Postgres && c.Kind != Boolean {
			return "", false
		}
		return c.boolean(t.Text == "true")
	}
	return "", false
}

// Value returns the form of an argument, as the caller gave it, with which a column is compared.
func (c Class) Value(d analyze.Dialect, v any) (form string, ok bool) {
	if n, is := v.(int); is && c.Kind != Opaque {
		return c.integer(strconv.Itoa(n))
	}
	v, ok = plain(v)
	if !ok || c.Kind == Opaque {
		return "", false
	}
	return c.value(d, v, argument)
}

// Stored returns the form of a value of the column, as a driver returns it in a row.
func (c Class) Stored(d analyze.Dialect, v any) (form string, ok bool) {
	// SQLite's drivers make true of every positive number in a column that is declared so.
	if _, is := v.(bool); is && d == analyze.SQLite || c.Kind == Opaque {
		return "", false
	}
	if v, ok = plain(v); !ok {
		return "", false
	}
	return c.value(d, v, row)
}

// Plain is the value for which a form stands, as a program knows it: nil, int64, string, []byte or bool. Text is as the
// database compares it (in lower case, say), whole numbers that no int64 has and UUIDs are text. possible is false if no row has it.
func Plain(form string) (value any, possible bool) {
	if form == "" {
		return nil, false
	}
	switch kind, rest := form[:1], form[1:]; kind {
	case formNull:
		return nil, true
	case formNumber:
		if n, err := strconv.ParseInt(rest, 10, 64); err == nil {
			return n, true
		}
		return rest, true
	case formText:
		return rest, true
	case formBytes:
		return []byte(rest), true
	case formTrue, formFalse:
		return kind == formTrue, true
	case formUUID:
		if len(rest) == 32 {
			return rest[:8] + "-" + rest[8:12] + "-" + rest[12:16] + "-" + rest[16:20] + "-" + rest[20:], true
		}
	}
	return nil, false
}

func (c Class) value(d analyze.Dialect, v any, from origin) (form string, ok bool) {
	switch v := v.(type) {
	case nil:
		return formNull, true
	case int64:
		return c.integer(strconv.FormatInt(v, 10))
	case uint64:
		if v > 1<<63-1 && d == analyze.SQLite {
			return "", false
		}
		return c.integer(strconv.FormatUint(v, 10))
	case float64:
		digits, ok := integral(v)
		if !ok || c.Kind == DynamicText {
			return "", false
		}
		return c.integer(digits)
	case bool:
		return c.boolean(v)
	case string:
		return c.text(d, v, from)
	case []byte:
		return c.bytes(d, v, from)
	case [16]byte:
		return formUUID + hex.EncodeToString(v[:]), c.Kind == UUID
	}
	return "", false
}

// number returns the form of a literal with digits.
func (c Class) number(d analyze.Dialect, t analyze.Term) (form string, ok bool) {
	if digits, ok := whole(t.Text, 18); ok {
		return c.integer(digits)
	}
	digits, is, ok := fraction(t.Text)
	switch {
	case !ok || t.Cast != "" || c.Kind != Integer && c.Kind != Dynamic:
		return "", false
	case is && c.Kind == Integer:
		return formNever, true
	case is:
		return "", false
	}
	return c.integer(digits)
}

// integer returns the form of a whole number.
func (c Class) integer(digits string) (form string, ok bool) {
	switch c.Kind {
	case Integer, Dynamic, DynamicBlob:
		return formNumber + digits, true
	case DynamicText:
		return formText + digits, true
	}
	return "", false
}

func (c Class) boolean(v bool) (form string, ok bool) {
	digit := formFalse
	if v {
		digit = formTrue
	}
	if c.Kind == Boolean {
		return digit, true
	}
	return c.integer(digit)
}

// text returns the form of characters.
func (c Class) text(d analyze.Dialect, s string, from origin) (form string, ok bool) {
	switch c.Kind {
	case Integer:
		return c.digits(d, s)
	case Text, DynamicText, DynamicBlob:
		return c.folded(d, s)
	case Dynamic:
		if digits, ok := whole(s, 18); ok {
			return c.integer(digits)
		}
		if numeric(s) {
			return "", false
		}
		return c.folded(d, s)
	case Bytes:
		return c.raw(d, []byte(s)), d == analyze.MySQL
	case Boolean:
		switch s {
		case "t", "true":
			return formTrue, true
		case "f", "false":
			return formFalse, true
		}
	case UUID:
		return uuid(s)
	}
	return "", false
}

// digits returns the form of a text that is compared with whole numbers. MySQL may compare both as floats.
func (c Class) digits(d analyze.Dialect, s string) (form string, ok bool) {
	most := 18
	if d == analyze.MySQL {
		most = 15
	}
	digits, ok := whole(s, most)
	return formNumber + digits, ok
}

// bytes returns the form of bytes, which are text as well in some places.
func (c Class) bytes(d analyze.Dialect, b []byte, from origin) (form string, ok bool) {
	switch {
	case c.Kind == Bytes:
		return c.raw(d, b), true
	case from == row && c.Kind == Integer:
		digits, ok := whole(string(b), 20)
		return formNumber + digits, ok
	case from == row || d == analyze.SQLite:
		return c.text(d, string(b), from)
	case d == analyze.MySQL && (c.Kind == Text || c.Kind == Integer && from == argument):
		return c.text(d, string(b), from)
	}
	return "", false
}

// raw returns the form of bytes as they are. MySQL fills BINARY(n) with zeros.
func (c Class) raw(d analyze.Dialect, b []byte) string {
	if d == analyze.MySQL {
		return formBytes + strings.TrimRight(string(b), "\x00")
	}
	return formBytes + string(b)
}

// folded returns the form of text under the collation.
func (c Class) folded(d analyze.Dialect, s string) (form string, ok bool) {
	switch {
	case strings.ContainsRune(s, 0):
		return "", false
	case c.Fold&CaseLess != 0 && !printable(s):
		return "", false
	case d == analyze.MySQL && !ascii(s):
		// What these bytes mean depends on the connection.
		return "", false
	}
	if c.Fold&Padded != 0 {
		s = strings.TrimRight(s, " ")
	}
	if c.Fold&(CaseLess|ASCIICase) != 0 {
		s = lowerASCII(s)
	}
	return formText + s, true
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// uuid returns the form of a UUID in any of the ways in which PostgreSQL reads it.
func uuid(s string) (form string, ok bool) {
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		s = s[1 : len(s)-1]
	}
	s = strings.ToLower(strings.ReplaceAll(s, "-", ""))
	if b, err := hex.DecodeString(s); err != nil || len(b) != 16 {
		return "", false
	}
	return formUUID + s, true
}

// casts reports whether a value that is cast to a type has the form that it has without.
func (c Class) casts(d analyze.Dialect, to string, array bool) bool {
	if to == "" {
		return true
	}
	if array {
		element, is := strings.CutSuffix(to, "[]")
		if !is {
			return false
		}
		to = element
	}
	if d != analyze.Postgres {
		return false
	}
	switch to {
	case "int2", "int4", "int8", "smallint", "integer", "bigint", "int":
		return c.Kind == Integer
	case "text", "varchar", "character varying":
		return c.Kind == Text
	case "bpchar":
		return c.Kind == Text && c.Fold&Padded != 0
	case "bool", "boolean":
		return c.Kind == Boolean
	case "uuid":
		return c.Kind == UUID
	case "bytea":
		return c.Kind == Bytes
	}
	return false
}

// Join makes one form of several. No two lists have the same.
func Join(forms []string) string {
	if len(forms) == 1 {
		return joined(forms[0])
	}
	var b strings.Builder
	for _, f := range forms {
		b.WriteString(joined(f))
	}
	return b.String()
}

// joined is a form as it stands among others: its length tells where it ends.
func joined(form string) string { return strconv.Itoa(len(form)) + ":" + form }
