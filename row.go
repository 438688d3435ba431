package larder

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A RowOption is one of OnRow.
type RowOption func(*rowOptions)

type rowOptions struct {
	unknown func(context.Context, Change)
}

// OnUnknown has fn told of the changes whose rows aren't known, or that were lost, or perhaps not committed.
func OnUnknown(fn func(ctx context.Context, c Change)) RowOption {
	return func(o *rowOptions) { o.unknown = fn }
}

// OnRow calls fn with each row of a relation that is changed: old is nil if it is new, new is nil if it was deleted. It is told as Cache.OnChange
// tells: after the commit, in order, at most once. Columns go to the fields that have their name in a tag `db:"name"`, or are called like them but
// for underscores and letters of either case; fields of embedded structs count, those tagged "-" don't. Values are converted as by sql.Rows.Scan.
//
// A write has to be asked for its rows: as long as there is such a receiver in this process, writes of the relation by single INSERT,
// UPDATE and DELETE statements run in a transaction, which reads the rows before and after, and so take two to four round trips more. What can't be
// told by that is given to OnUnknown: statements that write by a query, a join or a function, upserts, changes of a key, more than
// 64 rows at once, tables without a key or with triggers that may alter rows, what triggers and cascades write; and what other processes write.
//
// It panics if T is no struct, or as OnChange does.
func OnRow[T any](c *Cache, relation string, fn func(ctx context.Context, old, new *T), options ...RowOption) (stop func()) {
	fields, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil || fn == nil || relation == "" || relation == "*" {
		panic(fmt.Sprintf("larder: OnRow needs the name of a relation, a struct and a function: %v", err))
	}
	var o rowOptions
	for _, option := range options {
		option(&o)
	}
	tell := func(ctx context.Context, change Change) {
		rows, err := decodeRows[T](fields, change)
		if err != nil {
			c.options.Logger.Error("larder: rows of a change can't be decoded", "relation", change.Relation, "error", err) // which tells no values
		}
		if err != nil || !change.Whole || change.Perhaps {
			if o.unknown != nil {
				o.unknown(ctx, change)
			}
			return
		}
		for _, row := range rows {
			fn(ctx, row.old, row.new)
		}
	}
	return c.signals.start(&receiver{cache: c, relation: strings.ToLower(relation), name: relation, rows: true, fn: tell})
}

// A decoded row is one of T.
type decoded[T any] struct{ old, new *T }

func decodeRows[T any](fields fields, c Change) ([]decoded[T], error) {
	list := make([]decoded[T], len(c.Rows))
	for i, row := range c.Rows {
		for _, side := range []struct {
			values map[string]any
			to     **T
		}{{row.Old, &list[i].old}, {row.New, &list[i].new}} {
			if side.values == nil {
				continue
			}
			*side.to = new(T)
			if err := fields.fill(reflect.ValueOf(*side.to).Elem(), side.values); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// fields are those of a struct, by the names of columns without underscores and in lower case.
type fields map[string][]int

func fieldsOf(t reflect.Type) (fields, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%v is no struct", t)
	}
	f := fields{}
	for _, field := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(field.Tag.Get("db"), ",")
		embedded := field.Anonymous && tag == "" && field.Type.Kind() == reflect.Struct
		if !field.IsExported() || embedded || tag == "-" || throughPointer(t, field.Index) {
			continue
		}
		name := fieldName(field.Name)
		if tag != "" {
			name = fieldName(tag)
		}
		if known, ok := f[name]; ok && len(known) <= len(field.Index) {
			continue
		}
		f[name] = field.Index
	}
	return f, nil
}

// throughPointer reports whether a field is one of an embedded pointer, which may be nil.
func throughPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

func fieldName(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// fill sets the fields of a struct to the values of their columns.
func (f fields) fill(to reflect.Value, values map[string]any) error {
	for name, value := range values {
		index, ok := f[fieldName(name)]
		if !ok {
			continue
		}
		if err := assign(to.FieldByIndex(index), value); err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
	}
	return nil
}

// assign sets a field as sql.Rows.Scan would, whose rules sql.Null applies.
func assign(to reflect.Value, value any) error {
	if scanner, ok := to.Addr().Interface().(sql.Scanner); ok {
		return scanner.Scan(value)
	}
	if to.Kind() == reflect.Pointer {
		if value == nil {
			to.SetZero()
			return nil
		}
		to.Set(reflect.New(to.Type().Elem()))
		return assign(to.Elem(), value)
	}
	switch to.Kind() {
	case reflect.Interface:
		return assignAny(to, value)
	case reflect.String:
		return convert[string](to, value)
	case reflect.Bool:
		return convert[bool](to, value)
	case reflect.Float32, reflect.Float64:
		return convert[float64](to, value)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return convert[int64](to, value)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return convert[uint64](to, value)
	case reflect.Slice:
		if to.Type().Elem().Kind() == reflect.Uint8 { // json.RawMessage
			return convert[[]byte](to, value)
		}
	case reflect.Struct:
		if to.Type() == reflect.TypeFor[time.Time]() {
			return convert[time.Time](to, value)
		}
	}
	return fmt.Errorf("a field of type %v can't hold a %T", to.Type(), value)
}

// assignAny sets a field of type any.
func assignAny(to reflect.Value, value any) error {
	if b, ok := value.([]byte); ok {
		value = slices.Clone(b)
	}
	switch {
	case to.NumMethod() > 0:
		return fmt.Errorf("a field of type %v can't hold a %T", to.Type(), value)
	case value == nil:
		to.SetZero()
	default:
		to.Set(reflect.ValueOf(value))
	}
	return nil
}

// convert sets a field by way of a T. NULL is no T but for slices of bytes.
func convert[T any](to reflect.Value, value any) error {
	var n sql.Null[T]
	if n.Scan(value) != nil { // its error has the value in it
		return fmt.Errorf("a %T can't be converted to a %v", value, to.Type())
	}
	if !n.Valid && to.Kind() != reflect.Slice {
		return fmt.Errorf("converting NULL to %v is unsupported: use a pointer or sql.Null", to.Type())
	}
	v := reflect.ValueOf(&n.V).Elem()
	if n.Valid && (to.CanInt() && to.OverflowInt(v.Int()) || to.CanUint() && to.OverflowUint(v.Uint()) || to.CanFloat() && to.OverflowFloat(v.Float())) {
		return fmt.Errorf("a %T has a value that doesn't fit into %v", value, to.Type())
	}
	to.Set(v.Convert(to.Type()))
	return nil
}
