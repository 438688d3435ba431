package redis

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

const (
	defaultPrefix  = "larder:"
	defaultTimeout = 50 * time.Millisecond
	defaultLease   = 30 * time.Second
	defaultSettle  = 30 * time.Second
	defaultPort    = "6379"
	sentinelPort   = "26379"
)

// Options say where a store is and how it is used. The zero value is a server on
// this machine.
type Options struct {
	// Addresses are of one server, of nodes of a cluster or of sentinels: host:port,
	// or the path of a socket. None means 127.0.0.1:6379.
	Addresses []string

	Cluster bool   // the servers are a cluster
	Master  string // the name by which sentinels know the master; none for no sentinels

	Username, Password                 string // empty for the default user, and for none
	SentinelUsername, SentinelPassword string
	DB                                 int         // the server's number of the database; a cluster has only 0
	TLS                                *tls.Config // nil for connections in the clear

	// Prefix begins every key; it contains no brace. Empty means "larder:".
	Prefix string

	// Timeout is how long a step may take at most, unless its context ends
	// earlier. 0 means 50 ms.
	Timeout time.Duration

	// Lease is how long a hold without one lasts after this process has died. It
	// is renewed three times in that time. 0 means 30 s.
	Lease time.Duration

	// Settle is how long nothing is kept after the server has started, has become
	// the master, or has lost what it knew. For so long a hold may be in force of
	// which it doesn't know, so it must be as long as the longest lease. 0 means 30 s.
	// Negative means not at all: then what is read in the middle of a write while
	// the server loses it may be served until that write ends, and if
	// its process dies too, until its time to live does.
	Settle time.Duration
}

// complete puts the defaults in.
func (o *Options) complete() error {
	if len(o.Addresses) == 0 {
		o.Addresses = []string{"127.0.0.1:" + defaultPort}
	}
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Lease <= 0 {
		o.Lease = defaultLease
	}
	if o.Settle == 0 {
		o.Settle = max(defaultSettle, o.Lease)
	}
	switch {
	case o.Settle > 0 && o.Settle < o.Lease:
		return fmt.Errorf("redis: settle (%v) is shorter than the lease (%v): holds may be in force that a new era doesn't know of", o.Settle, o.Lease)
	case strings.ContainsAny(o.Prefix, "{}"):
		return errors.New("redis: a prefix with a brace in it")
	case o.Cluster && o.Master != "":
		return errors.New("redis: a cluster has no sentinels")
	case o.Cluster && o.DB != 0:
		return errors.New("redis: a cluster has no databases but 0")
	}
	return nil
}

// ParseURL reads options from a URL:
//
//	redis://user:password@host:port/db
//	redis+unix:///path/of/socket
//	redis+cluster://host:port,host:port
//	redis+sentinel://host:port,host:port/master/db
//
// With rediss in place of redis connections are encrypted; valkey and valkeys are
// the same as these. Parameters are db, prefix, timeout, lease, settle,
// sentinel_username and sentinel_password.
func ParseURL(text string) (Options, error) {
	o, err := parseURL(text)
	if err == nil {
		err = o.complete()
	}
	if err != nil {
		return Options{}, err
	}
	return o, nil
}

func parseURL(text string) (o Options, err error) {
	u, err := url.Parse(hosts.First(text))
	if err != nil {
		return o, errors.New("redis: not a URL") // url's own error has the password in it
	}
	servers := hosts.Of(text)
	base, kind, _ := strings.Cut(u.Scheme, "+")
	switch base {
	case "redis", "valkey":
	case "rediss", "valkeys":
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	default:
		return o, fmt.Errorf("redis: a URL of scheme %q", u.Scheme)
	}
	path := strings.TrimPrefix(u.Path, "/")
	port := defaultPort
	switch kind {
	case "unix":
		o.Addresses, path = []string{u.Path}, ""
	case "cluster":
		o.Cluster = true
	case "sentinel":
		port = sentinelPort
		if o.Master, path, _ = strings.Cut(path, "/"); o.Master == "" {
			return o, errors.New("redis: a URL of sentinels without the master's name")
		}
	case "":
		if len(servers) > 1 {
			return o, errors.New("redis: a URL of several servers is redis+cluster or redis+sentinel")
		}
	default:
		return o, fmt.Errorf("redis: a URL of scheme %q", u.Scheme)
	}
	if kind != "unix" {
		for _, h := range servers {
			o.Addresses = append(o.Addresses, hosts.WithPort(h, port))
		}
	}
	if u.User != nil {
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	return o, o.parameters(u.Query(), path)
}

// parameters reads the number of the database, which may be the path, and all parameters.
func (o *Options) parameters(q url.Values, db string) (err error) {
	if db == "" {
		db = q.Get("db")
	}
	if db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return fmt.Errorf("redis: a database numbered %q", db)
		}
	}
	for name := range q {
		value := q.Get(name)
		switch name {
		case "db":
		case "prefix":
			o.Prefix = value
		case "timeout":
			o.Timeout, err = time.ParseDuration(value)
		case "lease":
			o.Lease, err = time.ParseDuration(value)
		case "settle":
			o.Settle, err = time.ParseDuration(value)
		case "sentinel_username":
			o.SentinelUsername = value
		case "sentinel_password":
			o.SentinelPassword = value
		default:
			return fmt.Errorf("redis: a URL with parameter %q", name)
		}
		if err != nil {
			return fmt.Errorf("redis: parameter %s: %w", name, err)
		}
	}
	return nil
}
