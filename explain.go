package larder

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/larderdb/larder/session"
)

// An Explanation says what a statement reads, what it would announce, and why its
// rows can't be cached if they can't.
type Explanation = session.Explanation

// ErrUnknownRelation is returned by Invalidate for a name that no database of the cache has.
var ErrUnknownRelation = session.ErrUnknownRelation

// Explain says what a statement would do on a handle, without running it. It fails if
// the handle is not Larder's or its database can't be reached.
func Explain(ctx context.Context, db *sql.DB, query string, args ...any) (*Explanation, error) {
	handle, ok := handleOf(ctx, db)
	if !ok {
		return nil, errors.New("larder: Explain takes a handle opened by Larder")
	}
	return handle.explain(ctx, query, args)
}

// Explain is the function Explain on the cache's only handle. It fails if there are several.
func (c *Cache) Explain(ctx context.Context, query string, args ...any) (*Explanation, error) {
	handles := c.handles.list()
	if len(handles) != 1 {
		return nil, fmt.Errorf("larder: the cache has %d handles: use larder.Explain with the one that is meant", len(handles))
	}
	return handles[0].explain(ctx, query, args)
}

func (c *connector) explain(ctx context.Context, query string, args []any) (*Explanation, error) {
	named := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
		if n, ok := arg.(sql.NamedArg); ok {
			named[i].Name, named[i].Value = n.Name, n.Value
		}
	}
	e, err := c.source.Explain(ctx, query, named)
	if err != nil {
		return nil, fmt.Errorf("larder: %w", err)
	}
	return e, nil
}

// Invalidate announces that relations have changed in a way that the cache could not
// see, in every open database of the cache that has them. A name is resolved as in a
// statement: "stuff", "public.stuff"; "*" stands for all relations. Names that no
// database has give ErrUnknownRelation.
func (c *Cache) Invalidate(ctx context.Context, relations ...string) error {
	for _, relation := range relations {
		if err := c.invalidate(ctx, relation); err != nil {
			return fmt.Errorf("larder: %w", err)
		}
	}
	return nil
}

func (c *Cache) invalidate(ctx context.Context, relation string) error {
	var failed []error
	found := false
	for _, handle := range c.handles.list() {
		switch err := handle.source.Invalidate(ctx, []string{relation}); {
		case err == nil:
			found = true
		case !errors.Is(err, ErrUnknownRelation):
			failed = append(failed, err)
		}
	}
	if !found && len(failed) == 0 {
		return fmt.Errorf("invalidate %s: %w", relation, ErrUnknownRelation)
	}
	return errors.Join(failed...)
}
