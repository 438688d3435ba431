package fleet

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// The world is two tables.
//
//	item(id, owner, v, name)   100 rows of 20 owners, five each. The first half stay with their owners, the others change
//	                           theirs in pairs, so that each has five at any time.
//	owner(id, v)
//
// Whoever writes a row makes its v larger. A version is of one of these rows, or of a sum of them.
const (
	items    = 100
	owners   = 20
	each     = items / owners
	settled  = owners / 2 // owners whose rows stay
	firstSum = items      // of the rows of settled owners
	whole    = firstSum + settled
	firstOwn = whole + 1 // rows of table owner
	rowCount = firstOwn + owners
)

// moves reports whether a row changes its owner.
func moves(row int) bool { return settled*each <= row && row < items }

// Schema makes the tables, one statement at a time.
func Schema() []string {
	var item, owner []string
	for i := range items {
		item = append(item, fmt.Sprintf("(%d, %d, 0, 'item %d')", i, i/each, i))
	}
	for i := range owners {
		owner = append(owner, fmt.Sprintf("(%d, 0)", i))
	}
	return []string{
		"CREATE TABLE item (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, v INTEGER NOT NULL, name VARCHAR(40) NOT NULL)",
		"CREATE INDEX item_owner ON item (owner)",
		"CREATE TABLE owner (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)",
		"INSERT INTO item VALUES " + strings.Join(item, ", "),
		"INSERT INTO owner VALUES " + strings.Join(owner, ", "),
	}
}

// A question is a read.
type question uint8

const (
	byID question = iota
	ofOwner
	sumOfOwner
	sumOfAll
	joined
	questions
)

// texts are the questions as SQL with ? as parameters, and what they are called.
var texts = [questions]struct{ name, text string }{
	byID:       {"id", "SELECT id, v FROM item WHERE id = ?"},
	ofOwner:    {"owner", "SELECT id, v FROM item WHERE owner = ?"},
	sumOfOwner: {"sum", "SELECT count(*), sum(v) FROM item WHERE owner = ?"},
	sumOfAll:   {"all", "SELECT count(*), sum(v) FROM item"},
	joined:     {"join", "SELECT i.id, i.v, o.v FROM item i JOIN owner o ON o.id = i.owner WHERE o.id = ?"},
}

// rangeOf is how many different arguments a question has.
func (q question) rangeOf() int {
	return [questions]int{byID: items, ofOwner: owners, sumOfOwner: settled, sumOfAll: 1, joined: owners}[q]
}

// A sight is a version that a read saw.
type sight struct {
	Row     int
	Version int64
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// ask reads, and tells the versions that it saw. An answer that no state of the world gives is an error of type torn.
func ask(ctx context.Context, db querier, dialect string, q question, arg int) ([]sight, error) {
	var args []any
	if q != sumOfAll {
		args = append(args, arg)
	}
	rows, err := db.QueryContext(ctx, places(dialect, texts[q].text), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var answer [][]int64
	for rows.Next() {
		row := make([]int64, 2, 3)
		into := []any{&row[0], &row[1]}
		if q == joined {
			row = row[:3]
			into = []any{&row[0], &row[1], &row[2]}
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		answer = append(answer, row)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return sightsOf(q, arg, answer)
}

// A torn answer is one that no state of the world gives.
type torn struct{ what string }

func (t torn) Error() string { return "torn: " + t.what }

func sightsOf(q question, arg int, answer [][]int64) ([]sight, error) {
	want := map[question]int{ofOwner: each, joined: each}[q]
	if len(answer) != max(want, 1) {
		return nil, torn{fmt.Sprintf("%s %d: %d rows: %v", texts[q].name, arg, len(answer), answer)}
	}
	var sights []sight
	for _, row := range answer {
		switch q {
		case sumOfOwner, sumOfAll:
			at, count := firstSum+arg, each
			if q == sumOfAll {
				at, count = whole, items
			}
			if row[0] != int64(count) {
				return nil, torn{fmt.Sprintf("%s %d: counts %d", texts[q].name, arg, row[0])}
			}
			sights = append(sights, sight{at, row[1]})
		default:
			if row[0] < 0 || row[0] >= items {
				return nil, torn{fmt.Sprintf("%s %d: id %d", texts[q].name, arg, row[0])}
			}
			sights = append(sights, sight{int(row[0]), row[1]})
		}
		if q == joined && row[2] != answer[0][2] {
			return nil, torn{fmt.Sprintf("join %d: %v", arg, answer)}
		}
	}
	if q == joined {
		sights = append(sights, sight{firstOwn + arg, answer[0][2]})
	}
	return sights, nil
}

// places writes ? as the dialect writes parameters.
func places(dialect, text string) string {
	for i := 1; dialect == "postgres" && strings.Contains(text, "?"); i++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", i), 1)
	}
	return text
}

// A Snapshot is the versions of all rows at one moment, sums included.
type Snapshot [rowCount]int64

// Look reads the world by a handle without a cache, in one statement.
func Look(ctx context.Context, db querier) (s Snapshot, err error) {
	rows, err := db.QueryContext(ctx, "SELECT id, owner, v FROM item UNION ALL SELECT id + 1000, 0, v FROM owner")
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, owner int
		var v int64
		if err := rows.Scan(&id, &owner, &v); err != nil {
			return s, err
		}
		if id >= 1000 {
			s[firstOwn+id-1000] = v
			continue
		}
		s[id] = v
		s[whole] += v
		if owner < settled {
			s[firstSum+owner] += v
		}
	}
	return s, rows.Err()
}
