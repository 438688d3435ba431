package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// An HTTPPurger purges by HTTP requests.
type HTTPPurger struct {
	// Client sends them; nil means http.DefaultClient.
	Client *http.Client

	// URLs are where to; each gets every request.
	URLs []string

	// Most is how many tags one request may have; 0 means 256.
	Most int

	// Timeout is how long one request may take. 0 means 5 s. While one of several URLs doesn't answer, what changes next reaches the
	// others after as long.
	Timeout time.Duration

	// Request makes a request of a URL and tags. It may be called by several goroutines at once.
	Request func(ctx context.Context, url string, tags []string) (*http.Request, error)
}

const (
	mostTags       = 256
	requestTimeout = 5 * time.Second
)

// Purge implements Purger. It fails if one request fails, or is answered by another status than 2xx; all the others are sent all
// the same, but for those to a URL that doesn't answer. It asks all URLs at once.
func (p *HTTPPurger) Purge(ctx context.Context, tags []string) error {
	failed := make([]error, len(p.URLs))
	var asked sync.WaitGroup
	for i, url := range p.URLs {
		asked.Go(func() { failed[i] = p.purge(ctx, url, tags) })
	}
	asked.Wait()
	return errors.Join(failed...)
}

// purge asks one URL.
func (p *HTTPPurger) purge(ctx context.Context, url string, tags []string) (failed error) {
	defer func() {
		if v := recover(); v != nil {
			failed = fmt.Errorf("page: purge: Request panicked: %v", v)
		}
	}()
	most := p.Most
	if most <= 0 {
		most = mostTags
	}
	for part := range slices.Chunk(tags, most) {
		err := p.send(ctx, url, part)
		if failed = errors.Join(failed, err); errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	return failed
}

func (p *HTTPPurger) send(ctx context.Context, url string, tags []string) error {
	within := p.Timeout
	if within <= 0 {
		within = requestTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r, err := p.Request(ctx, url, tags)
	if err != nil {
		return fmt.Errorf("page: purge: %w", err)
	}
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("page: purge: %w", err)
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(response.Body, 500))
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("page: purge: %s says %s: %s", r.URL.Host, response.Status, bytes.TrimSpace(said))
	}
	return nil
}

// Varnish purges Varnish servers at these URLs. Their VCL bans what a BAN request names:
//
//	if (req.method == "BAN") {
//	    # and an acl of who may do so
//	    if (std.ban("obj.http.Surrogate-Key ~ " + req.http.Surrogate-Key-Ban)) { return (synth(200, "Banned")); }
//	    return (synth(400, std.ban_error()));
//	}
//
// See page/varnish.vcl for a whole one.
func Varnish(urls ...string) *HTTPPurger {
	return &HTTPPurger{URLs: urls, Most: 100, Request: func(ctx context.Context, url string, tags []string) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, "BAN", url, nil)
		if err != nil {
			return nil, err
		}
		quoted := make([]string, len(tags))
		for i, tag := range tags {
			quoted[i] = regexp.QuoteMeta(tag)
		}
		r.Header.Set("Surrogate-Key-Ban", "(^|[[:space:],])("+strings.Join(quoted, "|")+")($|[[:space:],])") // a space would end it
		return r, nil
	}}
}

// VarnishXkey purges Varnish servers whose VCL has the module xkey, and calls xkey.purge(req.http.xkey-purge) for PURGE requests.
func VarnishXkey(urls ...string) *HTTPPurger {
	return &HTTPPurger{URLs: urls, Request: func(ctx context.Context, url string, tags []string) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, "PURGE", url, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("xkey-purge", strings.Join(tags, " "))
		return r, nil
	}}
}

// Fastly purges a service of Fastly.
func Fastly(service, token string) *HTTPPurger {
	return &HTTPPurger{
		URLs: []string{"https://api.fastly.com/service/" + service + "/purge"},
		Request: func(ctx context.Context, url string, tags []string) (*http.Request, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
			if err != nil {
				return nil, err
			}
			r.Header.Set("Fastly-Key", token)
			r.Header.Set("Surrogate-Key", strings.Join(tags, " "))
			r.Header.Set("Accept", "application/json")
			return r, nil
		},
	}
}

// Cloudflare purges a zone of Cloudflare; the Edge's Header is to be "Cache-Tag".
func Cloudflare(zone, token string) *HTTPPurger {
	return &HTTPPurger{
		URLs: []string{"https://api.cloudflare.com/client/v4/zones/" + zone + "/purge_cache"},
		Most: 30,
		Request: func(ctx context.Context, url string, tags []string) (*http.Request, error) {
			body, err := json.Marshal(map[string][]string{"tags": tags})
			if err != nil {
				return nil, err
			}
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
			if err != nil {
				return nil, err
			}
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			return r, nil
		},
	}
}
