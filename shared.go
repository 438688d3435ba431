package larder

import (
	"crypto/rand"
	"database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/larderdb/larder/session"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/envelope"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/memory"
	"github.com/larderdb/larder/store/near"
	"github.com/larderdb/larder/store/redis"
)

// StoreVariable is the environment variable that names the store of caches whose Options have none, and
// StoreKeyVariable the one that has the keys, in base64 and with commas between them, of those without StoreKeys.
const (
	StoreVariable    = "LARDER_STORE"
	StoreKeyVariable = "LARDER_STORE_KEY"

	// WritesOnlyVariable is the environment variable that has caches announce writes and answer no reads; see Options.WritesOnly.
	WritesOnlyVariable = "LARDER_WRITES_ONLY"
)

// storeParameter names the store in the DSN that Open is given, from which it is taken out.
const storeParameter = "larder_store"

// ErrNotHeld is what a write fails with under Options.FailClosed if the store can't be told of it. It was not made.
var ErrNotHeld = session.ErrNotHeld

// chooseReads sets whether reads are answered from the cache.
func (c *Cache) chooseReads() error {
	text := os.Getenv(WritesOnlyVariable)
	if text == "" {
		return nil
	}
	only, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("larder: the environment's %s is %q: want true or false", WritesOnlyVariable, text)
	}
	c.options.WritesOnly = c.options.WritesOnly || only
	return nil
}

// chooseStore sets the store of a cache.
func (c *Cache) chooseStore() error {
	o := &c.options
	address := o.StoreURL
	if address == "" && o.Store == nil {
		address = os.Getenv(StoreVariable)
	}
	_, isNear := o.Store.(*near.Store)
	shared, isShared := o.Store.(store.Shared)
	switch {
	case isNear:
		c.store = o.Store
		return c.checkLease()
	case isShared:
		far, err := c.enveloped(shared)
		if err != nil {
			return err
		}
		c.store = near.New(far, c.nearOptions())
		return c.checkLease()
	case o.Store != nil:
		c.store = o.Store
	case address != "":
		opened, err := openedStores.open(address, c)
		if err != nil {
			return err
		}
		c.store = opened
		return c.checkLease()
	case o.MaxBytes != 0:
		c.store, c.own = memory.New(o.MaxBytes), true
	default:
		c.store = sharedStore
	}
	if o.Bounded != 0 || o.StoreTimeout != 0 || o.FailClosed || o.Compress != 0 || o.StoreKeys != nil {
		return errors.New("larder: Options.Bounded, StoreTimeout, FailClosed, Compress and StoreKeys are for a store that other processes share; set Options.Store, StoreURL or the environment's " + StoreVariable)
	}
	return nil
}

func (c *Cache) nearOptions() near.Options {
	return near.Options{MaxBytes: c.options.MaxBytes, Bounded: c.options.Bounded, Timeout: c.options.StoreTimeout, Decode: decodeEntry}
}

// enveloped is a store whose entries are compressed and encrypted as the options, and the environment, say.
func (c *Cache) enveloped(far store.Shared) (store.Shared, error) {
	keys, err := c.storeKeys()
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 && c.options.Compress == 0 {
		return far, nil
	}
	e, err := envelope.New(far, envelope.Options{Compress: c.options.Compress, Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("larder: keys of the store: %w", err)
	}
	return e, nil
}

// storeKeys are those of the options, or of the environment. Errors don't tell them.
func (c *Cache) storeKeys() ([][]byte, error) {
	text := os.Getenv(StoreKeyVariable)
	if c.options.StoreKeys != nil || text == "" {
		return c.options.StoreKeys, nil
	}
	var keys [][]byte
	for i, part := range strings.Split(text, ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("larder: key %d of the environment's %s is no base64", i+1, StoreKeyVariable)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (c *Cache) checkLease() error {
	if kept := c.store.(store.Shared).Lease(); c.options.Lease > kept {
		return fmt.Errorf("larder: Options.Lease is %v, but the store's is %v: give the store a lease as long, in all processes", c.options.Lease, kept)
	}
	return nil
}

// openedStores are those that were opened by a URL. Caches with the same URL and the same options of copies share
// one; they stay open, as caches made by Open are closed by nobody.
var openedStores stores

type stores struct {
	mu sync.Mutex
	m  map[storeKey]*near.Store // guarded by mu
}

type storeKey struct {
	address  string
	maxBytes int64
	bounded  time.Duration
	timeout  time.Duration
	compress int
	keys     string
}

// open opens the store at an address for a cache, or returns the one that is open.
func (s *stores) open(address string, c *Cache) (*near.Store, error) {
	keys, err := c.storeKeys()
	if err != nil {
		return nil, err
	}
	o := c.nearOptions()
	s.mu.Lock()
	defer s.mu.Unlock()
	key := storeKey{address, o.MaxBytes, o.Bounded, o.Timeout, c.options.Compress, string(slices.Concat(keys...))}
	if opened := s.m[key]; opened != nil {
		return opened, nil
	}
	far, err := openStore(address)
	if err != nil {
		return nil, fmt.Errorf("larder: open the store: %w", err)
	}
	enveloped, err := c.enveloped(far)
	if err != nil {
		return nil, errors.Join(err, far.Close())
	}
	if s.m == nil {
		s.m = make(map[storeKey]*near.Store)
	}
	s.m[key] = near.New(enveloped, o)
	return s.m[key], nil
}

// openStore opens a store by its URL. It doesn't connect.
func openStore(address string) (store.Shared, error) {
	scheme, _, _ := strings.Cut(address, "://")
	switch kind, _, _ := strings.Cut(scheme, "+"); kind {
	case "memcached", "memcacheds":
		return memcached.OpenURL(address)
	case "redis", "rediss", "valkey", "valkeys":
		return redis.New(address)
	}
	return nil, fmt.Errorf("scheme %q: want memcached://, redis://, rediss://, redis+cluster://, redis+sentinel:// or redis+unix://", scheme)
}

var (
	inQuery = regexp.MustCompile(`[?&]` + storeParameter + `=([^&]*)`)
	inWords = regexp.MustCompile(`(?:^|\s)` + storeParameter + `=('[^']*'|\S+)`)
)

// cutStore takes the store's URL out of a DSN, be that a URL, have a query behind it, or consist of words.
func cutStore(dsn string) (rest, address string, err error) {
	if at := inQuery.FindStringSubmatchIndex(dsn); at != nil {
		address, err = url.QueryUnescape(dsn[at[2]:at[3]])
		if err != nil {
			return "", "", fmt.Errorf("larder: %s in the DSN: %w", storeParameter, err)
		}
		rest = dsn[:at[0]] + dsn[at[1]:]
		if dsn[at[0]] == '?' && strings.HasPrefix(dsn[at[1]:], "&") {
			rest = dsn[:at[0]] + "?" + dsn[at[1]+1:]
		}
		return rest, address, nil
	}
	if at := inWords.FindStringSubmatchIndex(dsn); at != nil {
		return strings.TrimSpace(dsn[:at[0]] + dsn[at[1]:]), strings.Trim(dsn[at[2]:at[3]], "'"), nil
	}
	return dsn, "", nil
}

// processName is told from that of any other process.
var processName = sync.OnceValue(rand.Text)

// sharedName names a connector so that those of one name, in whichever process, give the same results for
// the same text and arguments in the same state of a session. A driver of a known package, which has no hooks, is the
// same everywhere as far as it has the same version and DSN; of anything else nothing is known, and
// its results are shared with no other process, unless the program has named it.
func (c *Cache) sharedName(d driver.Driver, dsn, name string, named bool) string {
	switch {
	case named && dialectOfType(d) != "" && !hooked(d):
		return fmt.Sprintf("driver %T %s %s", d, versionOf(d), dsn)
	case c.options.ConnectorName != "" && !named:
		return fmt.Sprintf("named %T %s %s", d, versionOf(d), c.options.ConnectorName)
	}
	return "process " + processName() + " " + name
}

// hooked reports whether a driver has a field that a program has set.
func hooked(d driver.Driver) bool {
	v := reflect.ValueOf(d)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return v.Kind() == reflect.Func
	}
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() && !v.Field(i).IsZero() {
			return true
		}
	}
	return false
}

// versionOf is the version of the module that a driver is of.
func versionOf(d driver.Driver) string {
	t := reflect.TypeOf(d)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	version, longest := "", 0
	for _, m := range info.Deps {
		if strings.HasPrefix(t.PkgPath()+"/", m.Path+"/") && len(m.Path) > longest {
			version, longest = m.Version+m.Sum, len(m.Path)
			if m.Replace != nil {
				version = m.Replace.Path + m.Replace.Version + m.Replace.Sum
			}
		}
	}
	return version
}
