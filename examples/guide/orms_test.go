package guide

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jmoiron/sqlx"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"xorm.io/xorm"
	"xorm.io/xorm/core"
	"xorm.io/xorm/dialects"
	"xorm.io/xorm/names"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/examples/ent/ent"
	"github.com/larderdb/larder/examples/ent/ent/stuff"
	"github.com/larderdb/larder/examples/shelf"
)

// A mapper is an ORM on a handle. What it doesn't offer is nil.
type mapper struct {
	stuffOf func(user int) []string
	byID    func(id int) string
	writes  map[string]func() error
}

// The writes of the guide's table, in its order. All are of what belongs to 42.
var writes = []string{"create", "update of a column", "save of all columns", "delete", "update by `user_id`", "create or update", "in a transaction"}

// orms are those of the guide's table, in its order.
var orms = []struct {
	name string
	open func(db *sql.DB, driver, dsn string) (mapper, error)
}{
	{"database/sql, sqlx", onSQLX}, {"GORM", onGORM}, {"ent", onEnt}, {"bun", onBun}, {"xorm", onXORM},
}

// TestTableOfORMs: what writes through ORMs remove is as the guide says; and they are seen.
func TestTableOfORMs(t *testing.T) {
	page, err := os.ReadFile("../../docs/guide/04-orms.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(writes))
	for i, w := range writes {
		lines[i] = "| " + w + " |"
	}
	dsns := databases(t)
	for _, o := range orms {
		stages := map[string]*stage{}
		for driver, dsn := range dsns {
			stages[driver] = newStage(t, o.open, driver, dsn)
		}
		for i, w := range writes {
			lines[i] += " " + verdict(stages["sqlite"].removed(t, w), stages["pgx"].removed(t, w), stages["mysql"].removed(t, w)) + " |"
		}
	}
	for _, line := range lines {
		if !strings.Contains(string(page), "\n"+line+"\n") {
			t.Errorf("the guide should have this line:\n%s", line)
		}
	}
}

// databases are of each kind, with the shelf in them, by the names of their drivers.
func databases(t *testing.T) map[string]string {
	t.Helper()
	dsns := map[string]string{
		"sqlite": filepath.Join(t.TempDir(), "guide.db"),
		"pgx":    dbtest.Postgres(t).Database(t).DSN(),
		"mysql":  dbtest.MariaDB(t).Database(t).DSN("multiStatements=true", "parseTime=true"),
	}
	for driver, dsn := range dsns {
		if err := shelf.Fill(driver, dsn); err != nil {
			t.Fatal(err)
		}
	}
	return dsns
}

func verdict(sqlite, postgres, mariadb string) string {
	if sqlite == postgres && postgres == mariadb {
		return sqlite
	}
	return fmt.Sprintf("SQLite: %s; PostgreSQL: %s; MariaDB: %s", sqlite, postgres, mariadb)
}

// A stage is a database, and an ORM on a cached handle of it.
type stage struct {
	mapper
	db   *sql.DB
	bare mapper
}

func newStage(t *testing.T, open func(*sql.DB, string, string) (mapper, error), driver, dsn string) *stage {
	t.Helper()
	bare, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bare.Close() })
	db, err := larder.Open(driver, dsn, &larder.Options{MaxBytes: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &stage{db: db}
	if s.mapper, err = open(db, driver, dsn); err != nil {
		t.Fatal(err)
	}
	if s.bare, err = onSQLX(bare, driver, dsn); err != nil {
		t.Fatal(err)
	}
	s.reset(t)
	s.look()
	s.reset(t) // of a first read by some columns it isn't known yet that others rely on them
	return s
}

// reset gives the database its rows, through the cache.
func (s *stage) reset(t *testing.T) {
	t.Helper()
	if _, err := s.db.Exec("DELETE FROM stuff; DELETE FROM users;" + shelf.Rows); err != nil {
		t.Fatal(err)
	}
}

// look reads what is user 7's: a list, and a row.
func (s *stage) look() {
	s.stuffOf(7)
	s.byID(3)
}

// removed says what a write to rows of user 42's removes.
func (s *stage) removed(t *testing.T, write string) string {
	t.Helper()
	if s.writes[write] == nil {
		return "–"
	}
	s.reset(t)
	s.look()
	s.stuffOf(42)
	if err := s.writes[write](); err != nil {
		t.Errorf("%s: %v", write, err)
	}
	cache, _ := larder.Of(s.db)
	before := cache.Stats().Hits
	s.look()
	hits := cache.Stats().Hits - before
	if got, want := s.stuffOf(42), s.bare.stuffOf(42); !slices.Equal(got, want) {
		t.Errorf("%s: 42 has %v, reads %v", write, want, got)
	}
	return []string{"all", "some", "its rows"}[hits]
}

// upsert is what an INSERT ends with that may find its row there.
var upsert = map[string]string{
	"sqlite": "ON CONFLICT (id) DO UPDATE SET name = excluded.name",
	"pgx":    "ON CONFLICT (id) DO UPDATE SET name = excluded.name",
	"mysql":  "ON DUPLICATE KEY UPDATE name = VALUES(name)",
}

func onSQLX(pool *sql.DB, driver, _ string) (mapper, error) {
	db := sqlx.NewDb(pool, driver)
	exec := func(query string, args ...any) func() error {
		return func() error {
			_, err := db.Exec(db.Rebind(query), args...)
			return err
		}
	}
	return mapper{
		stuffOf: func(user int) (names []string) {
			shelf.Must(db.Select(&names, db.Rebind("SELECT name FROM stuff WHERE user_id = ? ORDER BY id"), user))
			return names
		},
		byID: func(id int) (name string) {
			shelf.Must(db.Get(&name, db.Rebind("SELECT name FROM stuff WHERE id = ?"), id))
			return name
		},
		writes: map[string]func() error{
			"create":              exec("INSERT INTO stuff (id, user_id, name) VALUES (?, ?, ?)", 9, 42, "table"),
			"update of a column":  exec("UPDATE stuff SET name = ? WHERE id = ?", "red lamp", 1),
			"save of all columns": exec("UPDATE stuff SET user_id = ?, name = ? WHERE id = ?", 42, "red lamp", 1),
			"delete":              exec("DELETE FROM stuff WHERE id = ?", 1),
			"update by `user_id`": exec("UPDATE stuff SET name = ? WHERE user_id = ?", "thing", 42),
			"create or update":    exec("INSERT INTO stuff (id, user_id, name) VALUES (?, ?, ?) "+upsert[driver], 1, 42, "red lamp"),
			"in a transaction": func() error {
				tx, err := db.Beginx()
				if err != nil {
					return err
				}
				defer tx.Rollback()
				if _, err := tx.Exec(tx.Rebind("UPDATE stuff SET name = ? WHERE id = ?"), "red lamp", 1); err != nil {
					return err
				}
				return tx.Commit()
			},
		},
	}, nil
}

// Stuff is the model of GORM, bun and xorm.
type Stuff struct {
	bun.BaseModel `gorm:"-" xorm:"-" bun:"table:stuff"`

	ID     int64 `bun:",pk" xorm:"pk 'id'"`
	UserID int64 `xorm:"'user_id'"`
	Name   string
}

// TableName implements GORM's Tabler and xorm's TableName.
func (Stuff) TableName() string { return "stuff" }

func namesOf(list []Stuff) (names []string) {
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names
}

func onGORM(pool *sql.DB, driver, _ string) (mapper, error) {
	var dialector gorm.Dialector = &sqlite.Dialector{Conn: pool}
	switch driver {
	case "pgx":
		dialector = postgres.New(postgres.Config{Conn: pool})
	case "mysql":
		dialector = mysql.New(mysql.Config{Conn: pool})
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return mapper{}, err
	}
	return mapper{
		stuffOf: func(user int) []string {
			var list []Stuff
			shelf.Must(db.Order("id").Find(&list, "user_id = ?", user).Error)
			return namesOf(list)
		},
		byID: func(id int) string {
			var one Stuff
			shelf.Must(db.First(&one, id).Error)
			return one.Name
		},
		writes: map[string]func() error{
			"create":              func() error { return db.Create(&Stuff{ID: 9, UserID: 42, Name: "table"}).Error },
			"update of a column":  func() error { return db.Model(&Stuff{ID: 1}).Update("name", "red lamp").Error },
			"save of all columns": func() error { return db.Save(&Stuff{ID: 1, UserID: 42, Name: "red lamp"}).Error },
			"delete":              func() error { return db.Delete(&Stuff{ID: 1}).Error },
			"update by `user_id`": func() error { return db.Model(&Stuff{}).Where("user_id = ?", 42).Update("name", "thing").Error },
			"create or update": func() error {
				return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Stuff{ID: 1, UserID: 42, Name: "red lamp"}).Error
			},
			"in a transaction": func() error {
				return db.Transaction(func(tx *gorm.DB) error { return tx.Save(&Stuff{ID: 1, UserID: 42, Name: "red lamp"}).Error })
			},
		},
	}, nil
}

func onEnt(pool *sql.DB, driver, _ string) (mapper, error) {
	ctx := context.Background()
	client := ent.NewClient(ent.Driver(entsql.OpenDB(map[string]string{"sqlite": dialect.SQLite, "pgx": dialect.Postgres, "mysql": dialect.MySQL}[driver], pool)))
	return mapper{
		stuffOf: func(user int) (names []string) {
			for _, s := range client.Stuff.Query().Where(stuff.UserID(user)).Order(stuff.ByID()).AllX(ctx) {
				names = append(names, s.Name)
			}
			return names
		},
		byID: func(id int) string { return client.Stuff.GetX(ctx, id).Name },
		writes: map[string]func() error{
			"create":              func() error { return client.Stuff.Create().SetID(9).SetUserID(42).SetName("table").Exec(ctx) },
			"update of a column":  func() error { return client.Stuff.UpdateOneID(1).SetName("red lamp").Exec(ctx) },
			"save of all columns": func() error { return client.Stuff.UpdateOneID(1).SetUserID(42).SetName("red lamp").Exec(ctx) },
			"delete":              func() error { return client.Stuff.DeleteOneID(1).Exec(ctx) },
			"update by `user_id`": func() error { return client.Stuff.Update().Where(stuff.UserID(42)).SetName("thing").Exec(ctx) },
			"in a transaction": func() error {
				tx, err := client.Tx(ctx)
				if err != nil {
					return err
				}
				defer tx.Rollback()
				if err := tx.Stuff.UpdateOneID(1).SetName("red lamp").Exec(ctx); err != nil {
					return err
				}
				return tx.Commit()
			},
		},
	}, nil
}

func onBun(pool *sql.DB, driver, _ string) (mapper, error) {
	ctx := context.Background()
	var d schema.Dialect = sqlitedialect.New()
	switch driver {
	case "pgx":
		d = pgdialect.New()
	case "mysql":
		d = mysqldialect.New()
	}
	db := bun.NewDB(pool, d)
	lamp := &Stuff{ID: 1, UserID: 42, Name: "red lamp"}
	run := func(q interface {
		Exec(context.Context, ...any) (sql.Result, error)
	},
	) error {
		_, err := q.Exec(ctx)
		return err
	}
	return mapper{
		stuffOf: func(user int) []string {
			var list []Stuff
			shelf.Must(db.NewSelect().Model(&list).Where("user_id = ?", user).Order("id").Scan(ctx))
			return namesOf(list)
		},
		byID: func(id int) string {
			one := &Stuff{ID: int64(id)}
			shelf.Must(db.NewSelect().Model(one).WherePK().Scan(ctx))
			return one.Name
		},
		writes: map[string]func() error{
			"create":              func() error { return run(db.NewInsert().Model(&Stuff{ID: 9, UserID: 42, Name: "table"})) },
			"update of a column":  func() error { return run(db.NewUpdate().Model(lamp).Column("name").WherePK()) },
			"save of all columns": func() error { return run(db.NewUpdate().Model(lamp).WherePK()) },
			"delete":              func() error { return run(db.NewDelete().Model(lamp).WherePK()) },
			"update by `user_id`": func() error {
				return run(db.NewUpdate().Model((*Stuff)(nil)).Set("name = ?", "thing").Where("user_id = ?", 42))
			},
			"create or update": func() error {
				if driver == "mysql" {
					return run(db.NewInsert().Model(lamp).On("DUPLICATE KEY UPDATE"))
				}
				return run(db.NewInsert().Model(lamp).On("CONFLICT (id) DO UPDATE").Set("name = EXCLUDED.name"))
			},
			"in a transaction": func() error {
				return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { return run(tx.NewUpdate().Model(lamp).WherePK()) })
			},
		},
	}, nil
}

func onXORM(pool *sql.DB, driver, dsn string) (mapper, error) {
	if driver == "pgx" {
		driver, dsn = "postgres", "postgres://localhost/any" // it is read, and not connected to
	}
	d, err := dialects.OpenDialect(driver, dsn)
	if err != nil {
		return mapper{}, err
	}
	db, err := xorm.NewEngineWithDialectAndDB(driver, dsn, d, core.FromDB(pool))
	if err != nil {
		return mapper{}, err
	}
	db.SetMapper(names.GonicMapper{})
	lamp := &Stuff{ID: 1, UserID: 42, Name: "red lamp"}
	return mapper{
		stuffOf: func(user int) []string {
			var list []Stuff
			shelf.Must(db.Where("user_id = ?", user).Asc("id").Find(&list))
			return namesOf(list)
		},
		byID: func(id int) string {
			one := new(Stuff)
			_, err := db.ID(id).Get(one)
			shelf.Must(err)
			return one.Name
		},
		writes: map[string]func() error{
			"create":              func() error { _, err := db.Insert(&Stuff{ID: 9, UserID: 42, Name: "table"}); return err },
			"update of a column":  func() error { _, err := db.ID(1).Cols("name").Update(lamp); return err },
			"save of all columns": func() error { _, err := db.ID(1).AllCols().Update(lamp); return err },
			"delete":              func() error { _, err := db.ID(1).Delete(new(Stuff)); return err },
			"update by `user_id`": func() error {
				_, err := db.Where("user_id = ?", 42).Cols("name").Update(&Stuff{Name: "thing"})
				return err
			},
			"in a transaction": func() error {
				_, err := db.Transaction(func(s *xorm.Session) (any, error) { return s.ID(1).Cols("name").Update(lamp) })
				return err
			},
		},
	}, nil
}
