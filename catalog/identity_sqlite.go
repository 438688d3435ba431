package catalog

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/larderdb/larder/analyze"
)

// identifySQLite takes the file for the database. A file that was replaced by
// another of the same name is another database.
func identifySQLite(ctx context.Context, q Querier, dsn string) (Identity, error) {
	id := Identity{}
	rows, err := q.Query(ctx, "SELECT sqlite_version()")
	if err != nil {
		return id, err
	}
	if row, err := one(rows, 1); err == nil {
		id.Version = text(row[0])
	}
	rows, err = q.Query(ctx, "PRAGMA database_list")
	if err != nil {
		return id, err
	}
	main := ""
	for _, row := range rows {
		file := text(row[2])
		switch name := text(row[1]); {
		case name == "main":
			main = file
		case name != "temp" && file != "":
			if name := fileIdentity(file); name != "" {
				id.Attached = append(id.Attached, name)
			}
		}
	}
	id.ofFile(main, dsn)
	return id, nil
}

// ofFile names the database that is kept in file, which is empty for one in memory.
func (id *Identity) ofFile(file, dsn string) {
	switch {
	case otherVFS(dsn):
		id.Reason = analyze.NoIdentity
	case file != "":
		id.Database = fileIdentity(file)
		if id.Database == "" {
			id.Reason = analyze.NoIdentity
		}
	case privateDSN(dsn):
		id.Private = true
		id.Database = "sqlite:private:" + rand.Text()
	default:
		id.Reason = analyze.NoIdentity
	}
}

// fileIdentity names the file that path leads to, or returns "" if there is none.
func fileIdentity(path string) string {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	info, err := os.Stat(resolved)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return "sqlite:" + machine() + ":" + fileNumbers(resolved, info)
}

// machine names this machine since it was started: the numbers of files are its own, and one that was copied
// as a whole, with the numbers of its files, is another. Where it can't be told the host's name stands for it.
var machine = sync.OnceValue(func() string {
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		return strings.TrimSpace(string(boot))
	}
	host, _ := os.Hostname() // "" if it has none
	return host
})

// splitDSN splits a data source name of SQLite into its path and parameters.
func splitDSN(dsn string) (string, url.Values, bool) {
	path, query, _ := strings.Cut(dsn, "?")
	path = strings.TrimPrefix(path, "file:")
	params, err := url.ParseQuery(query)
	return path, params, err == nil
}

// otherVFS reports whether the file may be kept by something else than the operating system.
func otherVFS(dsn string) bool {
	_, params, ok := splitDSN(dsn)
	vfs := params.Get("vfs")
	return !ok || vfs != "" && !strings.HasPrefix(vfs, "unix") && !strings.HasPrefix(vfs, "win32") && vfs != "os"
}

// privateDSN reports whether a database without a file is surely one that no other
// connection shares. Of an unknown (empty) DSN that can't be told.
func privateDSN(dsn string) bool {
	path, params, ok := splitDSN(dsn)
	if !ok || dsn == "" || params.Has("vfs") || params.Has("cache") && !strings.EqualFold(params.Get("cache"), "private") {
		return false
	}
	memory := strings.EqualFold(params.Get("mode"), "memory")
	return path == "" || path == ":memory:" || memory
}
