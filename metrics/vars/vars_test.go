package vars_test

import (
	"encoding/json"
	"expvar"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/metrics/vars"
)

func TestPublish(t *testing.T) {
	db, err := larder.Open("sqlite", filepath.Join(t.TempDir(), "vars.db"), &larder.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cache, _ := larder.Of(db)
	vars.Publish("larder", cache)
	if _, err := db.Exec("CREATE TABLE t (a INTEGER)"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"SELECT a FROM t", "SELECT a FROM t", "SELECT random()"} {
		var a int64
		_ = db.QueryRow(text).Scan(&a) // t is empty
	}
	var shown struct {
		Hits, Misses, Bypasses, Writes int64
		Reasons                        map[string]int64
		HitRatio                       float64
	}
	if err := json.Unmarshal([]byte(expvar.Get("larder").String()), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Hits != 1 || shown.Misses != 1 || shown.Bypasses != 1 || shown.Writes != 1 || shown.HitRatio != 0.5 || len(shown.Reasons) != 1 {
		t.Errorf("%s", expvar.Get("larder"))
	}
}
