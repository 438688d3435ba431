package analyze

import (
	"strings"
	"sync"
	"testing"
)

// TestMySQLDeepTexts holds that texts as deep or as long as they come neither
// exhaust the stack nor become reads that can be cached without their tables.
func TestMySQLDeepTexts(t *testing.T) {
	const n = 200_000
	for name, text := range map[string]string{
		"parentheses": "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) + " FROM users",
		"subqueries":  strings.Repeat("SELECT * FROM (", 10_000) + "SELECT 1" + strings.Repeat(") t", 10_000),
		"sum":         "SELECT 1" + strings.Repeat("+1", n) + " FROM users",
		"not":         "SELECT" + strings.Repeat(" NOT", n) + " 1 FROM users",
		"minus":       "SELECT" + strings.Repeat(" -", n) + "1 FROM users",
		"case":        "SELECT " + strings.Repeat("CASE WHEN ", n) + "1 FROM users",
		"union":       "SELECT 1 FROM users" + strings.Repeat(" UNION SELECT 1 FROM users", n/4),
		"joins":       "SELECT 1 FROM users" + strings.Repeat(" JOIN users", n/2),
		"comments":    strings.Repeat("/*!50001 ", n) + "SELECT 1 FROM users",
		"backslashes": "SELECT '" + strings.Repeat(`\`, n) + "' FROM users",
	} {
		s := Analyze(MySQL, text)
		if s.Reason == Cacheable && len(s.Reads) != 1 {
			t.Errorf("%s: cacheable, and reads %v", name, s.Reads)
		}
	}
}

// TestMySQLManyRows holds that an INSERT of many rows is still read.
func TestMySQLManyRows(t *testing.T) {
	text := "INSERT INTO users (name, email) VALUES ('a', 'it''s')" + strings.Repeat(", ('a', 'it''s')", 20_000)
	s := Analyze(MySQL, text)
	if s.WritesAll || len(s.Writes) != 1 {
		t.Errorf("facts of many rows:\n%s", s.Facts())
	}
}

// TestMySQLConcurrently holds that analyses don't disturb each other.
func TestMySQLConcurrently(t *testing.T) {
	var texts, facts []string
	mysqlGoldenTexts(t, func(text string) {
		texts = append(texts, text)
		facts = append(facts, Analyze(MySQL, text).Facts())
	})
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range texts {
				at := (i + worker*len(texts)/4) % len(texts)
				if got := Analyze(MySQL, texts[at]).Facts(); got != facts[at] {
					t.Errorf("%s:\ngot:\n%s\nwant:\n%s", texts[at], got, facts[at])
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkMySQL(b *testing.B) {
	for name, text := range map[string]string{
		"point": "SELECT id, name, email FROM users WHERE id = ?",
		"join":  "SELECT u.name, COUNT(*) FROM users u JOIN orders o ON o.user_id = u.id WHERE o.status = 'open' GROUP BY u.name ORDER BY 2 DESC LIMIT 10",
		"quote": `SELECT id FROM users WHERE name = "it\"s"`,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Analyze(MySQL, text)
			}
		})
	}
}
