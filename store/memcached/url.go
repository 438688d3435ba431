package memcached

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/larderdb/larder/store/hosts"
)

// OpenURL opens the store that a URL names: see ParseURL.
func OpenURL(text string) (*Store, error) {
	o, err := ParseURL(text)
	if err != nil {
		return nil, err
	}
	return Open(o)
}

// ParseURL reads options from a URL:
//
//	memcached://user:password@host:port,host:port/namespace
//	memcached+unix:///path/of/socket
//
// With memcacheds in place of memcached connections are encrypted. Parameters are namespace, timeout, lease,
// max_item (bytes), max_idle and trust_empty.
func ParseURL(text string) (o Options, err error) {
	u, err := url.Parse(hosts.First(text))
	if err != nil {
		return o, errors.New("memcached: not a URL") // url's own error has the password in it
	}
	switch u.Scheme {
	case "memcached", "memcacheds":
		o.Addrs, o.Namespace = hosts.Of(text), strings.TrimPrefix(u.Path, "/")
	case "memcached+unix":
		o.Addrs = []string{u.Path}
	default:
		return o, fmt.Errorf("memcached: a URL of scheme %q", u.Scheme)
	}
	if len(o.Addrs) == 0 || o.Addrs[0] == "" {
		return o, errors.New("memcached: a URL without a server")
	}
	if u.Scheme == "memcacheds" {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if u.User != nil {
		o.User = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	for name := range u.Query() {
		if err := o.parameter(name, u.Query().Get(name)); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o *Options) parameter(name, value string) (err error) {
	switch name {
	case "namespace":
		o.Namespace = value
	case "timeout":
		o.Timeout, err = time.ParseDuration(value)
	case "lease":
		o.Lease, err = time.ParseDuration(value)
	case "max_item":
		o.MaxItem, err = strconv.Atoi(value)
	case "max_idle":
		o.MaxIdle, err = strconv.Atoi(value)
	case "trust_empty":
		o.TrustEmpty, err = strconv.ParseBool(value)
	default:
		return fmt.Errorf("memcached: a URL with parameter %q", name)
	}
	if err != nil {
		return fmt.Errorf("memcached: parameter %s: %w", name, err)
	}
	return nil
}
