package larder

import "testing"

// TestUpsertKeeps: an INSERT that leaves the rows in its way as they are is told by its own rows, however that is written; but
// not if a trigger changes those rows.
func TestUpsertKeeps(t *testing.T) {
	texts := map[string]string{
		"mysql":    "INSERT INTO links (item, label) VALUES (?, ?) ON DUPLICATE KEY UPDATE item = item",
		"postgres": "INSERT INTO links (item, label) VALUES (?, ?) ON CONFLICT DO NOTHING",
	}
	eachKind(t, func(h *house) {
		h.prepare([]string{
			"CREATE TABLE links (item INTEGER NOT NULL, label INTEGER NOT NULL, PRIMARY KEY (item, label))",
			"INSERT INTO links VALUES (1, 1), (1, 2), (2, 1), (3, 3)",
		})
		const labels = "SELECT label FROM links WHERE item = ? ORDER BY label"
		keep := func() {
			h.Helper()
			for item := 1; item <= 3; item++ {
				h.query(h.db, labels, item)
				h.query(h.db, labels, item)
				h.wantRead(h.db, OutcomeHit, labels, item)
			}
		}
		link := func(item, label int, outcomes ...Outcome) {
			h.Helper()
			h.exec(h.db, texts[h.dialect], item, label)
			for i, outcome := range outcomes {
				h.wantRead(h.db, outcome, labels, i+1)
			}
			keep()
		}
		h.query(h.db, labels, 1)
		h.exec(h.db, texts[h.dialect], 1, 3)
		keep()
		link(1, 9, OutcomeMiss, OutcomeHit, OutcomeHit)
		link(1, 9, OutcomeMiss, OutcomeHit, OutcomeHit) // it is there already
		if h.dialect != "mysql" {
			return
		}
		h.exec(h.db, "CREATE TRIGGER moves BEFORE UPDATE ON links FOR EACH ROW SET NEW.item = 3")
		keep()
		link(2, 8, OutcomeMiss, OutcomeMiss, OutcomeMiss)
		link(1, 9, OutcomeMiss, OutcomeMiss, OutcomeMiss)
	}, "mysql", "postgres")
}
