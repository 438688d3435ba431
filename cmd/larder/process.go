package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
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
type process struct{ address string }

const processTimeout = 10 * time.Second

// processAt checks an address.
func processAt(address string) (process, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return process{}, usagef("%q is no address of a process: want http://host:port/path, where it serves its dashboard", hidden(address))
	}
	return process{strings.TrimSuffix(address, "/")}, nil
}

func (p process) get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the process: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the process: %w", (&connection{dsn: p.address}).redact(err))
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("ask the process: %s%s answers %s: does it serve the dashboard there (dash.Handler)?", hidden(p.address), path, response.Status)
	}
	return response, nil
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
