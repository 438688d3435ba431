package analyze

import (
	"strings"
	"testing"
)

func TestClockWord(t *testing.T) {
	for value, want := range map[string]bool{
		"": false, "now": true, "NOW": true, " Now ": true, "now()": true, "today 10:00": true, "10:00today": true,
		"{2020-01-01,tomorrow}": true, "[yesterday,)": true, "(1,now)": true, "now UTC": true,
		"nowhere": false, "know": false, "todays": false, "2024-01-02": false, "epoch": false, "infinity": false,
		"to day": false, "tomorro": false, "ÿnow": true, "allballs": false,
	} {
		if got := ClockWord(value); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestPostgresCut(t *testing.T) {
	for name, want := range map[string]string{
		"short":                       "short",
		strings.Repeat("a", 63):       strings.Repeat("a", 63),
		strings.Repeat("a", 64):       strings.Repeat("a", 63),
		strings.Repeat("ä", 32):       strings.Repeat("ä", 31),
		strings.Repeat("a", 61) + "€": strings.Repeat("a", 61),
		strings.Repeat("a", 60) + "€": strings.Repeat("a", 60) + "€",
		strings.Repeat("a", 62) + "ä": strings.Repeat("a", 62),
	} {
		if got := pgCut(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestPostgresDeep holds that no nesting exhausts the stack.
func TestPostgresDeep(t *testing.T) {
	for _, depth := range []int{1000, 50_000} {
		for _, text := range []string{
			"SELECT " + strings.Repeat("(", depth) + "1" + strings.Repeat(")", depth) + " FROM t",
			"SELECT 1" + strings.Repeat(" + a", depth) + " FROM t",
			"SELECT 1 FROM t WHERE a = 1" + strings.Repeat(" OR a = 2", depth/2),
			"SELECT 1 FROM t" + strings.Repeat(" UNION ALL SELECT 1 FROM t", depth/10),
			"SELECT " + strings.Repeat("NOT ", depth) + "a FROM t",
		} {
			s := analyzePostgres(text)
			if s.Reason == Cacheable && (len(s.Reads) != 1 || s.Reads[0].Name != "t") {
				t.Errorf("%.40s… (depth %d): %s", text, depth, s.Facts())
			}
			if depth == 1000 && s.Reason != Cacheable {
				t.Errorf("%.40s… (depth %d): %s", text, depth, s.Facts())
			}
		}
	}
}
