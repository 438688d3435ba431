package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// output prints a result as JSON or as text.
func output(c *cobra.Command, asJSON bool, v any, text func(io.Writer) error) error {
	if asJSON {
		return writeJSON(c.OutOrStdout(), v)
	}
	return text(c.OutOrStdout())
}

func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escaped(b.Bytes()))
	return err
}

// escaped is JSON without the control characters that may stand in it, which a terminal obeys: in strings those from U+007F on, and elsewhere
// carriage returns.
func escaped(text []byte) []byte {
	b := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r == '\r':
		case r >= 0x7f && unicode.IsControl(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// percent writes a share.
func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

// counted writes a number with its thousands apart.
func counted[N ~int | ~int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// short writes a duration with three digits or so.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d >= time.Hour:
		return d.Round(time.Minute).String()
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}

// printable is a text that comes from elsewhere as it may stand on a line of a terminal.
func printable(text string) string { return harmless(strings.Join(strings.Fields(text), " ")) }

// harmless is a text without control characters, which a terminal obeys, but for the ends of lines and tabs, and without
// those that turn the direction of what follows.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
}

// cut shortens a text to a line of so many printable characters.
func cut(text string, width int) string {
	text = printable(text)
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:width-1]) + "…"
}
