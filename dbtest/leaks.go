package dbtest

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// Leaks fails the test if, when it ends, goroutines run that did not run when Leaks was called. Call it first, so that
// it looks after every other cleanup; it can't tell the goroutines of parallel tests apart, so those must do without.
// Goroutines of the servers of this package don't count; opts name others that should not.
func Leaks(t testing.TB, opts ...goleak.Option) {
	t.Helper()
	opts = append(opts, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/larderdb/larder/dbtest.(*process).wait"))
	t.Cleanup(func() { goleak.VerifyNone(t, opts...) })
}

// SQLiteFile returns the path of a database file that does not exist yet, in a directory of the test's own.
func SQLiteFile(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "test.db")
}
