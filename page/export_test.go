package page

import "time"

// At has a handler with these options live at the times that now tells.
func (o Options) At(now func() time.Time) *Options {
	o.now = now
	return &o
}
