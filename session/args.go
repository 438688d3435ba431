package session

//lint:file-ignore SA1019 drivers still offer what is deprecated, and database/sql still asks for it

import (
	"database/sql/driver"
	"fmt"
)

// convert turns arguments as callers gave them into what the driver takes, in
// the order in which database/sql asks: the statement's NamedValueChecker or the
// connection's, the statement's ColumnConverter, the default. It runs only when
// the driver is called: a hit needs no connection. Its errors read as those of
// database/sql (see driverArgsConnLocked there).
func convert(conn driver.Conn, stmt driver.Stmt, raw []driver.NamedValue) ([]driver.NamedValue, error) {
	want := -1
	if stmt != nil {
		want = stmt.NumInput()
	}
	c := converterOf(conn, stmt, want)
	args := make([]driver.NamedValue, 0, len(raw))
	for i := range raw {
		args = append(args, raw[i])
		arg := &args[len(args)-1]
		arg.Ordinal = len(args)
		err := c.convert(arg)
		if err == driver.ErrRemoveArgument {
			args = args[:len(args)-1]
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("sql: converting argument %s type: %w", describe(arg), err)
		}
	}
	if want != -1 && len(args) != want {
		return nil, fmt.Errorf("sql: expected %d arguments, got %d", want, len(args))
	}
	return args, nil
}

// A converter holds what a driver offers to convert arguments with.
type converter struct {
	checker driver.NamedValueChecker // nil if neither statement nor connection has one
	column  driver.ColumnConverter   // nil if the statement has none
	want    int                      // arguments of the statement, -1 if unknown
}

func converterOf(conn driver.Conn, stmt driver.Stmt, want int) converter {
	c := converter{want: want}
	if checker, ok := stmt.(driver.NamedValueChecker); ok {
		c.checker = checker
	} else if checker, ok := conn.(driver.NamedValueChecker); ok {
		c.checker = checker
	}
	c.column, _ = stmt.(driver.ColumnConverter)
	return c
}

// convert asks one after the other until one doesn't pass the argument on.
func (c *converter) convert(arg *driver.NamedValue) error {
	if c.checker != nil {
		if err := c.checker.CheckNamedValue(arg); err != driver.ErrSkip {
			return err
		}
	}
	if c.column != nil {
		return convertColumn(c.column, c.want, arg)
	}
	value, err := driver.DefaultParameterConverter.ConvertValue(arg.Value)
	arg.Value = value
	return err
}

func convertColumn(c driver.ColumnConverter, want int, nv *driver.NamedValue) error {
	index := nv.Ordinal - 1
	if want >= 0 && want <= index {
		return nil
	}
	if valuer, ok := nv.Value.(driver.Valuer); ok {
		value, err := driver.DefaultParameterConverter.ConvertValue(valuer)
		if err != nil {
			return err
		}
		nv.Value = value
	}
	given := nv.Value
	value, err := c.ColumnConverter(index).ConvertValue(given)
	if err != nil {
		return err
	}
	if !driver.IsValue(value) {
		return fmt.Errorf("driver ColumnConverter error converted %T to unsupported type %T", given, value)
	}
	nv.Value = value
	return nil
}

func describe(nv *driver.NamedValue) string {
	if nv.Name == "" {
		return fmt.Sprintf("$%d", nv.Ordinal)
	}
	return fmt.Sprintf("with name %q", nv.Name)
}

// positional drops the names, which older drivers don't know.
func positional(named []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(named))
	for i, arg := range named {
		if arg.Name != "" {
			return nil, fmt.Errorf("sql: driver does not support the use of Named Parameters")
		}
		values[i] = arg.Value
	}
	return values, nil
}
