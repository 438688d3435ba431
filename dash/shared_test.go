package dash

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// TestShared: how a store that processes share is asked is shown, and what its servers say, who are asked only while somebody looks;
// of a cache without one nothing is.
func TestShared(t *testing.T) {
	address := "redis://" + dbtest.Redis(t).Addr() + "?timeout=10s&settle=-1s&prefix=" + rand.Text() + ":"
	db, err := larder.Open("sqlite", filepath.Join(t.TempDir(), "shared.db"), &larder.Options{StoreURL: address})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cache, _ := larder.Of(db)
	d := &desk{T: t, db: db, cache: cache, dash: New(cache, nil).(*dashboard)}
	d.exec("CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT)")
	tally := d.dash.touch()
	before := len(tally.points)
	for range 3 {
		d.read(read, 42)
	}
	tally.sample(time.Now(), cache.Stats())
	for end := time.Now().Add(10 * time.Second); tally.said.Load() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the servers weren't asked")
		}
	}
	o := d.dash.overview(tally)
	if o.Shared == nil || o.Shared.Calls < 5 || o.Shared.Mean <= 0 || o.Shared.Errors != 0 || o.Shared.Away != 0 || o.Shared.Bytes <= 0 {
		t.Errorf("%+v", o.Shared)
	}
	if calls := tally.points[before].Calls; calls < 3 {
		t.Errorf("%d calls in the sample after three reads", calls)
	}
	alone := newDesk(t, nil)
	alone.get("/larder/")
	if _, _, body := alone.get("/larder/api/stats"); strings.Contains(body, `"shared"`) {
		t.Error(body)
	}
}

// TestSharedAway: a store that is left alone is shown as such.
func TestSharedAway(t *testing.T) {
	if v := new(servers).sharedView(larder.Traffic{Calls: 2, Errors: 1, Skipped: 5, Time: time.Second, Away: time.Now().Add(-time.Minute)}); v.Away < 59 || v.Skipped != 5 || v.Mean != 5e5 {
		t.Errorf("%+v", v)
	}
}
