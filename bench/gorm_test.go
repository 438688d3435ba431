package bench

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Account, Item and Label are the models of a shop as programs write them with GORM: rows that are
// deleted softly, and a join table.
type Account struct {
	ID        int64
	Name      string `gorm:"size:100"`
	UpdatedAt time.Time
	DeletedAt gorm.DeletedAt `gorm:"index"`
}

type Item struct {
	ID        int64
	AccountID int64 `gorm:"index"`
	Account   *Account
	Name      string `gorm:"size:100"`
	Price     float64
	UpdatedAt time.Time
	DeletedAt gorm.DeletedAt `gorm:"index"`
	Labels    []Label        `gorm:"many2many:item_labels"`
}

type Label struct {
	ID   int64
	Name string `gorm:"size:100"`
}

// An orm workload is what a site does through an ORM: pages, counts, single rows and what belongs to them.
type orm struct{ accounts, items, labels, operations int }

var (
	fullORM  = orm{accounts: 500, items: 40, labels: 200, operations: 10_000}
	smallORM = orm{accounts: 10, items: 12, labels: 10, operations: 300}
)

// gormOn is GORM on a connection pool.
func gormOn(b testing.TB, e engine, pool gorm.ConnPool) *gorm.DB {
	b.Helper()
	dialectors := map[string]gorm.Dialector{
		"postgres": postgres.New(postgres.Config{Conn: pool}),
		"mariadb":  mysql.New(mysql.Config{Conn: pool}),
		"sqlite":   &sqlite.Dialector{Conn: pool},
	}
	tick := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { tick = tick.Add(time.Second); return tick }
	db, err := gorm.Open(dialectors[e.name], &gorm.Config{Logger: logger.Discard, NowFunc: now})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// fill makes the tables and rows, through the bare handle.
func (o orm) fill(b testing.TB, p *place) {
	b.Helper()
	db := gormOn(b, p.engine, p.bare)
	if err := db.AutoMigrate(&Account{}, &Item{}, &Label{}); err != nil {
		b.Fatal(err)
	}
	var accounts []Account
	var items []Item
	var labels []Label
	var links []map[string]any
	for i := range o.labels {
		labels = append(labels, Label{Name: "label " + string(rune('a'+i%26))})
	}
	for range o.accounts {
		accounts = append(accounts, Account{Name: "account"})
	}
	for i := range o.accounts * o.items {
		items = append(items, Item{AccountID: int64(i%o.accounts + 1), Name: "item", Price: 1.5})
		links = append(links, map[string]any{"item_id": i + 1, "label_id": i%o.labels + 1}, map[string]any{"item_id": i + 1, "label_id": (i+1)%o.labels + 1})
	}
	for _, err := range []error{
		db.CreateInBatches(&labels, 500).Error, db.CreateInBatches(&accounts, 500).Error,
		db.CreateInBatches(&items, 500).Error, db.Table("item_labels").CreateInBatches(links, 500).Error,
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// A request is an operation of the workload: one of so many in a hundred.
type request struct {
	name  string
	share int
	do    func(v *visit) error
}

// A visit is what requests draw from.
type visit struct {
	orm
	db       *gorm.DB
	r        *rand.Rand
	weights  []float64
	contents []float64
}

// account is drawn by a zipf law.
func (v *visit) account() int64 { return int64(draw(v.r, v.weights) + 1) }

// item is any item of an account.
func (v *visit) item(account int64) int64 {
	return int64(v.r.IntN(v.items)*v.accounts) + account
}

// changed is an item to be changed: any.
func (v *visit) changed() int64 { return v.item(int64(v.r.IntN(v.accounts) + 1)) }

func (v *visit) label() int64 { return int64(v.r.IntN(v.labels) + 1) }

var requests = []request{
	{"page", 30, func(v *visit) error {
		var page []Item
		return v.db.Where("account_id = ?", v.account()).Order("id").Limit(20).Offset(20 * draw(v.r, v.contents)).Find(&page).Error
	}},
	{"count", 15, func(v *visit) error {
		var n int64
		return v.db.Model(&Item{}).Where("account_id = ?", v.account()).Count(&n).Error
	}},
	{"row", 15, func(v *visit) error {
		return found(v.db.First(&Item{}, v.item(v.account())).Error)
	}},
	{"account", 10, func(v *visit) error { return found(v.db.First(&Account{}, v.account()).Error) }},
	{"preload", 15, func(v *visit) error {
		var items []Item
		return v.db.Preload("Account").Preload("Labels").Where("account_id = ?", v.account()).Order("id").Limit(50).Find(&items).Error
	}},
	{"labels of an item", 9, func(v *visit) error {
		var labels []Label
		return v.db.Model(&Item{ID: v.item(v.account())}).Association("Labels").Find(&labels)
	}},
	{"items of a label", 1, func(v *visit) error {
		var items []Item
		return v.db.Joins("JOIN item_labels ON item_labels.item_id = items.id").Where("item_labels.label_id = ?", v.label()).
			Order("items.id").Limit(20).Find(&items).Error
	}},
	{"save", 3, func(v *visit) error {
		item := Item{}
		if err := v.db.First(&item, v.changed()).Error; err != nil {
			return found(err)
		}
		item.Price = v.r.Float64()
		return v.db.Save(&item).Error
	}},
	{"create and delete", 1, func(v *visit) error {
		if err := v.db.Create(&Item{AccountID: int64(v.r.IntN(v.accounts) + 1), Name: "new"}).Error; err != nil {
			return err
		}
		return v.db.Delete(&Item{}, v.changed()).Error
	}},
	{"label", 1, func(v *visit) error {
		labels := v.db.Model(&Item{ID: v.changed()}).Omit("Labels.*").Association("Labels")
		if v.r.IntN(2) == 0 {
			return labels.Append(&Label{ID: v.label()})
		}
		return labels.Delete(&Label{ID: v.label()})
	}},
}

// found takes the error for a row that was deleted for none.
func found(err error) error {
	if err == gorm.ErrRecordNotFound {
		return nil
	}
	return err
}

// run does the operations, which are the same each time; begin is told of each.
func (o orm) run(b testing.TB, db *gorm.DB, begin func(name string)) {
	b.Helper()
	v := &visit{orm: o, db: db, r: rand.New(rand.NewPCG(3, 4)), weights: zipf(o.accounts), contents: zipf(3)}
	for range o.operations {
		n := v.r.IntN(100)
		for _, q := range requests {
			if n -= q.share; n < 0 {
				if begin != nil {
					begin(q.name)
				}
				if err := q.do(v); err != nil {
					b.Fatalf("%s: %v", q.name, err)
				}
				break
			}
		}
	}
}

// check runs the workload once and compares every read with the database, and its outcome with the ideal one.
func (o orm) check(b testing.TB, p *place, w way) (figure, map[string]*verdicts) {
	b.Helper()
	j := &judge{b: b, bare: p.bare, known: map[string]answer{}, of: map[string]*verdicts{}}
	var cache *larder.Cache
	if w.cached {
		cache = newCache(b, &j.last)
	}
	conn, count := p.counted(b, cache)
	j.Conn = conn
	db := gormOn(b, p.engine, j)
	before := count.statements.Load()
	o.run(b, db, func(name string) { j.request = name })
	f := figure{engine: p.name, way: w.name, operations: o.operations, statements: count.statements.Load() - before}
	for _, v := range j.of {
		f.reads, f.hits, f.ideal, f.stale, f.reordered = f.reads+v.reads, f.hits+v.hits, f.ideal+v.ideal, f.stale+v.stale, f.reordered+v.reordered
	}
	return f, j.of
}

func (o orm) time(b testing.TB, p *place, w way) float64 {
	on := p.bare
	if w.cached {
		on = p.cached(b, newCache(b, nil))
	}
	db := gormOn(b, p.engine, on)
	start := time.Now()
	o.run(b, db, nil)
	return time.Since(start).Seconds()
}

var ormWays = []way{{"bare", false, false}, {"Larder", true, false}}

// BenchmarkORM measures the workload of an ORM; with -table it writes a table.
func BenchmarkORM(b *testing.B) {
	var figures []figure
	for _, e := range engines {
		for _, w := range ormWays {
			b.Run(e.name+"/"+w.name, func(b *testing.B) {
				var seconds []float64
				p := e.open(b)
				fullORM.fill(b, p)
				for b.Loop() {
					seconds = append(seconds, fullORM.time(b, p, w))
				}
				p = e.open(b)
				fullORM.fill(b, p)
				f, of := fullORM.check(b, p, w)
				f.seconds = seconds
				f.report(b)
				logVerdicts(b, of)
				figures = append(figures, f)
			})
		}
	}
	writeTable(b, "GORM: 10,000 operations, cold, on 500 accounts with 40 items: pages, counts, rows by key, preloads of 50, a join table; 5% save, create, delete softly, link", figures)
}

// TestORM runs a small one.
func TestORM(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			p := e.open(t)
			smallORM.fill(t, p)
			for _, w := range ormWays {
				f, of := smallORM.check(t, p, w)
				t.Logf("%+v", f)
				logVerdicts(t, of)
				f.assert(t)
			}
		})
	}
}

// Verdicts are what a judge found of the reads of one kind of request. Reordered are those that had the rows of the
// database's answer in another order, where the text prescribes none: the database had another plan, or rows in other places.
type verdicts struct{ reads, hits, ideal, stale, reordered int }

func logVerdicts(t testing.TB, of map[string]*verdicts) {
	for _, q := range requests {
		if v := of[q.name]; v != nil {
			t.Logf("%-18s reads %6d, hits %.3f, ideal %.3f, stale %d, in another order %d", q.name, v.reads, float64(v.hits)/float64(v.reads), float64(v.ideal)/float64(v.reads), v.stale, v.reordered)
		}
	}
}

// A judge is a connection pool that compares each read outside of transactions with the database's
// answer. A read could have been a hit if the answer is the one that it got when it was asked last.
type judge struct {
	*sql.Conn
	b       testing.TB
	bare    *sql.DB
	last    larder.Event
	known   map[string]answer // answers by text and arguments
	request string
	of      map[string]*verdicts
}

func (j *judge) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if len(text) < 6 || text[:6] != "SELECT" || j.request == "" {
		return j.Conn.QueryContext(ctx, text, args...)
	}
	v := j.of[j.request]
	if v == nil {
		v = &verdicts{}
		j.of[j.request] = v
	}
	j.last = larder.Event{}
	cached, err := j.Conn.QueryContext(ctx, text, args...)
	got := rendered(cached, err)
	if j.last.Outcome == larder.OutcomeHit {
		v.hits++
	}
	bare, err := j.bare.QueryContext(ctx, text, args...)
	want := rendered(bare, err)
	v.reads++
	switch ordered := strings.Contains(text, "ORDER BY"); {
	case got.equal(want):
	case !ordered && got.sorted().equal(want.sorted()):
		v.reordered++
	default:
		v.stale++
		j.b.Logf("%s %v: got\n%s\nwant\n%s", text, args, got, want)
	}
	key := keyOf(text, args)
	if known, ok := j.known[key]; ok && known.equal(want.sorted()) {
		v.ideal++
	}
	j.known[key] = want.sorted()
	return j.bare.QueryContext(ctx, text, args...)
}
