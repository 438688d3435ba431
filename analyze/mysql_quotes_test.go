package analyze

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var (
	mysqlQuoteTexts = flag.Int("mysql.texts", 1500, "texts of TestMySQLQuotesAgainstMariaDB")
	mysqlQuoteSeed  = flag.Uint64("mysql.seed", 1, "seed of TestMySQLQuotesAgainstMariaDB")
)

// mysqlPieces are what texts are made of whose borders are in doubt.
var mysqlPieces = []string{
	`'`, `'`, `'`, `"`, `"`, `\`, `\'`, `\\`, "`", `''`, `""`, ` `, `x`, `1`, ` OR `, `=`, ` AS `, `,`, `;`,
	`-- `, `--`, "\n", `#`, `/*`, `*/`, `/*!`, `/*!50001 `, `/*!99999 `, `/*M!100100 `, `/*+ `, `(`, `)`, `||`,
	` UNION SELECT id FROM orders`, ` UNION SELECT id FROM items `, ` FROM users`, ` FROM products `,
	` WHERE name = `, ` WHERE id IN (SELECT id FROM ids) `, ` FROM users WHERE name = '`, `"ids2"`, ` JOIN "b" `, `;DELETE FROM logs `,
}

// TestMySQLQuotesAgainstMariaDB runs random texts of quotes, escapes, comments
// and relations under each sql_mode that changes how they are read. Whatever the
// server opens must be among what we say.
func TestMySQLQuotesAgainstMariaDB(t *testing.T) {
	o := newMySQLOracle(t)
	random := rand.New(rand.NewPCG(*mysqlQuoteSeed, 0))
	accepted := 0
	for range *mysqlQuoteTexts {
		text := "SELECT 'a"
		for range 1 + random.IntN(9) {
			text += mysqlPieces[random.IntN(len(mysqlPieces))]
		}
		text += []string{"", "'", " -- ", "#", "*/", "' FROM users", `" FROM users`}[random.IntN(7)]
		s := Analyze(MySQL, text)
		if s.WritesAll {
			continue // nothing more can be said
		}
		for _, mode := range mysqlModesRun {
			got, ok := o.opened(text, mode)
			if !ok {
				continue
			}
			accepted++
			o.covers(s, mode, got)
		}
	}
	t.Logf("seed %d: the server accepted %d of %d readings", *mysqlQuoteSeed, accepted, *mysqlQuoteTexts*len(mysqlModesRun))
	if accepted < 100 {
		t.Error("too few to tell")
	}
}

// covers holds that a cached read names all the tables opened, and that any
// other statement has a reason not to be cached.
func (o *mysqlOracle) covers(s *Statement, mode string, got mysqlOpened) {
	o.t.Helper()
	if s.Reason == Unparsable && s.Kind == Read && len(got.written) == 0 {
		return
	}
	said := o.names(s.Reads)
	for _, w := range s.Writes {
		said = append(said, o.names([]Name{w.Relation})...)
	}
	for _, table := range got.tables {
		if !slices.Contains(said, table) {
			o.t.Errorf("%s\nunder %q opens %s, we say\n%s", strings.TrimSpace(s.Text), mode, table, s.Facts())
		}
	}
}
