package session

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// A picky connection notes the arguments that it is given. What it offers to
// check them with is chosen by its parts.
type picky struct {
	got   []driver.NamedValue
	check func(*driver.NamedValue) error
	want  int
}

func (p *picky) Connect(context.Context) (driver.Conn, error) { return p.conn(), nil }
func (p *picky) Driver() driver.Driver                        { return nil }

type (
	plainConn   struct{ *picky }
	checkedConn struct{ plainConn }
	plainStmt   struct{ *picky }
	checkedStmt struct{ plainStmt }
	columnStmt  struct{ plainStmt }
)

func (p *picky) conn() driver.Conn {
	if p.check != nil {
		return checkedConn{plainConn{p}}
	}
	return plainConn{p}
}

func (c plainConn) Prepare(text string) (driver.Stmt, error) {
	switch text {
	case "checked":
		return checkedStmt{plainStmt(c)}, nil
	case "column":
		return columnStmt{plainStmt(c)}, nil
	}
	return plainStmt(c), nil
}
func (c plainConn) Close() error              { return nil }
func (c plainConn) Begin() (driver.Tx, error) { return nil, errors.New("no transactions") }
func (c checkedConn) CheckNamedValue(nv *driver.NamedValue) error {
	return c.check(nv)
}
func (s plainStmt) Close() error                               { return nil }
func (s plainStmt) NumInput() int                              { return s.want }
func (s plainStmt) Exec([]driver.Value) (driver.Result, error) { panic("ExecContext is there") }
func (s plainStmt) Query([]driver.Value) (driver.Rows, error)  { panic("no rows") }
func (s plainStmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.got = args
	return driver.ResultNoRows, nil
}
func (s checkedStmt) CheckNamedValue(nv *driver.NamedValue) error {
	nv.Value = fmt.Sprintf("stmt %v", nv.Value)
	return nil
}
func (s columnStmt) ColumnConverter(i int) driver.ValueConverter {
	if i == 1 {
		return driver.NotNull{Converter: driver.String}
	}
	return driver.Int32
}

// TestConvertAsDatabaseSQL: arguments are converted, and refused with the same words,
// as database/sql does it with the same driver.
func TestConvertAsDatabaseSQL(t *testing.T) {
	checks := map[string]func(*driver.NamedValue) error{
		"none": nil,
		"pass": func(*driver.NamedValue) error { return nil },
		"skip": func(*driver.NamedValue) error { return driver.ErrSkip },
		"remove": func(nv *driver.NamedValue) error {
			if _, ok := nv.Value.(bool); ok {
				return driver.ErrRemoveArgument
			}
			return driver.ErrSkip
		},
		"refuse": func(nv *driver.NamedValue) error {
			if _, ok := nv.Value.(string); ok {
				return errors.New("no strings")
			}
			return nil
		},
	}
	lists := [][]any{
		{}, {1}, {nil}, {1, "a"}, {"a", nil}, {true, 1, 2}, {int64(1) << 40, "x"}, {time.Unix(0, 0), 2},
		{sql.Named("a", 1)}, {sql.Named("1a", 1)}, {struct{}{}}, {sql.NullInt64{Int64: 3, Valid: true}, "b"}, {uint64(1) << 63}, {[]byte("x"), sql.NullString{}},
	}
	for name, check := range checks {
		for _, text := range []string{"plain", "checked", "column"} {
			for _, want := range []int{-1, 1, 2} {
				for i, args := range lists {
					t.Run(fmt.Sprint(name, text, want, i), func(t *testing.T) { compareConversion(t, text, check, want, args) })
				}
			}
		}
	}
}

func compareConversion(t *testing.T, text string, check func(*driver.NamedValue) error, want int, args []any) {
	p := &picky{check: check, want: want}
	db := sql.OpenDB(p)
	defer db.Close()
	_, wantErr := db.Exec(text, args...)
	conn := p.conn()
	stmt, _ := conn.Prepare(text)
	raw, err := raw(args)
	if err != nil {
		return // database/sql refuses the name before it asks any driver
	}
	got, gotErr := convert(conn, stmt, raw)
	if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
		t.Fatalf("%v: got error %v, database/sql %v", args, gotErr, wantErr)
	}
	if wantErr == nil && !(len(got) == 0 && len(p.got) == 0) && !reflect.DeepEqual(got, p.got) {
		t.Fatalf("%v: got %v, database/sql %v", args, got, p.got)
	}
}

// raw is what database/sql hands to a connection that takes everything.
func raw(args []any) ([]driver.NamedValue, error) {
	list := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		list[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
		if n, ok := arg.(sql.NamedArg); ok {
			if n.Name == "1a" {
				return nil, errors.New("bad name")
			}
			list[i].Name, list[i].Value = n.Name, n.Value
		}
	}
	return list, nil
}
