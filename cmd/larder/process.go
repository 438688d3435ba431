package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// What is asked of a process that serves its dashboard (package dash): at an address ADDR/, ADDR/api/stats has a JSON object of
// figures, ADDR/api/shapes a list of shapes, and ADDR/events a stream of JSON objects (text/event-stream). What
// is missing in them is zero here, and what is unknown is passed over.

// A remoteStats is what of ADDR/api/stats is shown.
type remoteStats struct {
	HitRatio  float64 `json:"hitRatio"`  // of all reads
	SavedRate float64 `json:"savedRate"` // seconds of database time a minute, of late
	Saved     float64 `json:"saved"`     // seconds of database time
	Stats     struct {
		Hits, Misses, Held, Bypasses  int64
		Writes, WideWrites, Abandoned int64
		Unannounced                   int64
		Verified, Wrong               int64
		Entries                       int64
		Bytes, MaxBytes, Evictions    int64
	} `json:"stats"`
	Shared *remoteShared  `json:"shared,omitempty"` // nil without a store that processes share
	Advice []remoteAdvice `json:"advice"`
}

// A remoteShared is how a store that processes share is asked.
type remoteShared struct {
	Calls     int64   `json:"calls"`
	Errors    int64   `json:"errors"`
	Skipped   int64   `json:"skipped"`
	Micros    float64 `json:"us"`   // that a call takes
	Away      float64 `json:"away"` // for how many seconds it is left alone
	Bytes     int64   `json:"bytes"`
	MaxBytes  int64   `json:"maxBytes"`
	Evictions int64   `json:"evictions"`
}

// A remoteAdvice is what costs more than it saves, or could save more.
type remoteAdvice struct {
	Kind string  `json:"kind"`
	Text string  `json:"text"`
	What string  `json:"what"`
	Why  string  `json:"why"`
	Do   string  `json:"do"`
	Lost float64 `json:"lost"` // seconds
}

// A remoteShape is what of one of ADDR/api/shapes is shown.
type remoteShape struct {
	Kind     string  `json:"kind"`
	Text     string  `json:"text"`
	Calls    int64   `json:"calls"`
	Hits     int64   `json:"hits"`
	HitRatio float64 `json:"hitRatio"`
	HitUs    float64 `json:"hitUs"`
	MissUs   float64 `json:"missUs"`
	Saved    float64 `json:"saved"` // seconds of database time
}

// A remoteEvent is one of ADDR/events.
type remoteEvent struct {
	N        int64   `json:"n"`    // counts them; 0 if they aren't counted
	At       int64   `json:"at"`   // milliseconds since 1970
	What     string  `json:"what"` // miss, held, bypass, write
	Text     string  `json:"text"`
	Why      string  `json:"why"`
	Relation string  `json:"relation"`
	Micros   float64 `json:"us"`
}

// A process is where a program serves its dashboard.
type process struct {
	address string
	header  http.Header // of requests
	client  *http.Client
}

const processTimeout = 10 * time.Second

// headerVariable is the environment variable that holds the header of commands without --header: what stands on a command line
// others can see.
const headerVariable = "LARDER_HEADER"

// headerForm is what a header looks like: its name and its value.
var headerForm = regexp.MustCompile(`^([A-Za-z0-9-]+):[ \t]*([^\x00-\x1f\x7f]*)$`)

// asking is how a process is asked.
type asking struct{ headers []string }

func (a *asking) flags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&a.headers, "header", nil, `a header of requests, like "Authorization: Bearer …" (or the environment's `+headerVariable+")")
}

// header are the headers that were asked for. Errors don't tell them.
func (a *asking) header() (http.Header, error) {
	lines, header := a.headers, make(http.Header)
	if text := os.Getenv(headerVariable); len(lines) == 0 && text != "" {
		lines = []string{text}
	}
	for _, line := range lines {
		parts := headerForm.FindStringSubmatch(line)
		if parts == nil {
			return nil, usagef("--header, or %s, is no header: want a name, a colon and a value", headerVariable)
		}
		header.Add(parts[1], parts[2])
	}
	return header, nil
}

// processAt checks an address.
func (a *asking) processAt(address string) (process, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return process{}, usagef("%q is no address of a process: want http://host:port/path, where it serves its dashboard", hidden(address))
	}
	header, err := a.header()
	if err != nil {
		return process{}, err
	}
	return process{strings.TrimSuffix(address, "/"), header, &http.Client{CheckRedirect: sameHost}}, nil
}

// sameHost follows redirects of a host to itself only: headers may be secrets.
func sameHost(next *http.Request, before []*http.Request) error {
	if next.URL.Host != before[0].URL.Host || next.URL.Scheme != before[0].URL.Scheme || len(before) > 5 {
		return http.ErrUseLastResponse
	}
	return nil
}

func (p process) get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the process: %w", err)
	}
	request.Header = p.header.Clone()
	response, err := p.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the process: %w", (&connection{dsn: p.address}).redact(err))
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		remedy := "does it serve the dashboard there (dash.Handler)?"
		if response.StatusCode == http.StatusUnauthorized {
			remedy = credentialsFor(response)
		}
		return nil, fmt.Errorf("ask the process: %s%s answers %s: %s", hidden(p.address), path, response.Status, remedy)
	}
	return response, nil
}

// schemeForm is what the name of a way to authenticate looks like.
var schemeForm = regexp.MustCompile(`^[A-Za-z0-9-]+`)

// credentialsFor says what to give a process that answers 401.
func credentialsFor(answer *http.Response) string {
	var headers []string
	for _, challenge := range answer.Header.Values("WWW-Authenticate") {
		if scheme := schemeForm.FindString(challenge); scheme != "" {
			headers = append(headers, `"Authorization: `+scheme+` …"`)
		}
	}
	if len(headers) == 0 {
		return "it wants a --header (or " + headerVariable + "), and doesn't say which"
	}
	return "it wants --header " + strings.Join(headers, " or ") + " (or " + headerVariable + ")"
}

// read reads JSON.
func (p process) read(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, processTimeout)
	defer cancel()
	response, err := p.get(ctx, path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<20)).Decode(into); err != nil {
		return fmt.Errorf("ask the process: %s%s is no JSON of a dashboard: %w", hidden(p.address), path, err)
	}
	return nil
}

// events hands on what the process streams, until it ends or ctx does. raw is the JSON of the event.
func (p process) events(ctx context.Context, tell func(e remoteEvent, raw []byte)) error {
	response, err := p.get(ctx, "/events")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 16<<20)
	last := int64(0)
	for lines.Scan() {
		data, is := strings.CutPrefix(lines.Text(), "data:")
		if !is {
			continue
		}
		for _, raw := range eventsIn([]byte(strings.TrimSpace(data))) {
			var e remoteEvent
			if json.Unmarshal(raw, &e) == nil && e.What != "" && (e.N == 0 || e.N > last) { // some are sent again
				last = e.N
				tell(e, raw)
			}
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("read events: %w", err)
	}
	return nil
}

// eventsIn are those of one message: itself, the elements of a list, or those of its "recent".
func eventsIn(data []byte) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) == nil {
		return list
	}
	var overview struct {
		Recent []json.RawMessage `json:"recent"`
	}
	if json.Unmarshal(data, &overview) == nil && overview.Recent != nil {
		return overview.Recent
	}
	return []json.RawMessage{data}
}
