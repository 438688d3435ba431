package redis

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// with are the options of an empty URL with some changed.
func with(change func(*Options)) Options {
	o := Options{Addresses: []string{"127.0.0.1:6379"}, Prefix: "larder:", Timeout: 50 * time.Millisecond, Lease: 30 * time.Second, Settle: 30 * time.Second}
	change(&o)
	return o
}

func TestParseURL(t *testing.T) {
	for url, want := range map[string]Options{
		"redis://":                 with(func(*Options) {}),
		"redis://cache":            with(func(o *Options) { o.Addresses = []string{"cache:6379"} }),
		"valkey://[::1]:7000/3":    with(func(o *Options) { o.Addresses, o.DB = []string{"[::1]:7000"}, 3 }),
		"redis://[::1]?db=3":       with(func(o *Options) { o.Addresses, o.DB = []string{"[::1]:6379"}, 3 }),
		"redis://:p%40ss@h:1":      with(func(o *Options) { o.Addresses, o.Password = []string{"h:1"}, "p@ss" }),
		"redis+unix:///run/r?db=2": with(func(o *Options) { o.Addresses, o.DB = []string{"/run/r"}, 2 }),
		"redis+cluster://u:p@a,b:7": with(func(o *Options) {
			o.Addresses, o.Cluster, o.Username, o.Password = []string{"a:6379", "b:7"}, true, "u", "p"
		}),
		"redis+sentinel://a,b:7/m/4?sentinel_password=x": with(func(o *Options) {
			o.Addresses, o.Master, o.DB, o.SentinelPassword = []string{"a:26379", "b:7"}, "m", 4, "x"
		}),
		"redis://h?prefix=app:&timeout=1s&lease=5s&settle=-1s": with(func(o *Options) {
			o.Addresses, o.Prefix, o.Timeout, o.Lease, o.Settle = []string{"h:6379"}, "app:", time.Second, 5*time.Second, -time.Second
		}),
	} {
		got, err := ParseURL(url)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v, want %+v", url, got, err, want)
		}
	}
	if o, err := ParseURL("rediss+cluster://a"); err != nil || o.TLS == nil || !o.Cluster {
		t.Errorf("%+v %v", o, err)
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, url := range []string{
		"", "h:1", "http://h", "redis+ring://h", "redis://a,b", "redis://h/x", "redis://h/-1", "redis+sentinel://a", "redis://h?timeout=x",
		"redis://h?tiemout=1s", "redis+cluster://h/1", "redis://h?prefix={x}", "redis://u:secret@h:port%zz",
	} {
		o, err := ParseURL(url)
		if err == nil {
			t.Errorf("%s: %+v", url, o)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error has the password in it: %v", url, err)
		}
	}
	if s, err := New("http://h"); err == nil || s != nil {
		t.Error("a store of another kind opens")
	}
}
