package near

import (
	"context"

	"github.com/larderdb/larder/store"
)

var _ store.Plain = (*Store)(nil)

// Plain is as store.Plain has it. There are no copies of plain values: the far store is asked each time.
func (s *Store) Plain(ctx context.Context, ops []store.PlainOp) {
	far, ok := s.far.(store.Plain)
	if !ok {
		store.FailPlain(ops, store.ErrNoPlain)
		return
	}
	asked := false
	err := s.call(ctx, func(ctx context.Context) error {
		asked = true
		far.Plain(ctx, ops)
		return store.PlainFailure(ops)
	})
	if !asked {
		store.FailPlain(ops, err)
	}
}
