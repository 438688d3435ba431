package confine

import (
	"math"
	"strconv"
	"strings"
)

// whole returns the decimal digits of a whole number in one form: without plus, leading
// zeros or minus zero. It is false for everything else, and for more digits than max.
func whole(s string, max int) (digits string, ok bool) {
	sign := ""
	switch {
	case strings.HasPrefix(s, "-"):
		sign, s = "-", s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	if s == "" || len(s) > max || strings.Trim(s, "0123456789") != "" {
		return "", false
	}
	if s = strings.TrimLeft(s, "0"); s == "" {
		return "0", true
	}
	return sign + s, true
}

// numeric reports whether a text may be a number in a form other than that of whole.
func numeric(s string) bool {
	return strings.ContainsAny(s, "0123456789") && strings.Trim(s, "0123456789+-.eE \t\n\v\f\r") == ""
}

// exact is the limit up to which a float holds every whole number.
const exact = 1 << 53

// integral returns a float that is a whole number as such.
func integral(f float64) (digits string, ok bool) {
	if f != math.Trunc(f) || math.Abs(f) >= exact {
		return "", false
	}
	return strconv.FormatInt(int64(f), 10), true
}

// fraction reports whether a decimal literal is surely not a whole number, or else which one it is.
func fraction(s string) (digits string, is, ok bool) {
	head, tail, found := strings.Cut(s, ".")
	if !found || len(s) > 18 || strings.Trim(tail, "0123456789") != "" || tail == "" {
		return "", false, false
	}
	digits, ok = whole(head, 18)
	return digits, strings.Trim(tail, "0") != "", ok
}
