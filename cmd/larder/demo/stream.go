package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	countsEvery   = 500 * time.Millisecond
	streamTimeout = 10 * time.Second // for one message
)

// stream sends a viewer the entries of the feed, and now and then the counts, for as long as
// they look.
func (s *site) stream(w http.ResponseWriter, r *http.Request) {
	recent, viewer := s.feed.subscribe(lastSeen(r))
	if viewer == nil {
		http.Error(w, "too many are looking", http.StatusServiceUnavailable)
		return
	}
	defer s.feed.unsubscribe(viewer)
	w.Header().Set("Content-Type", "text/event-stream")
	out := newMessages(w)
	for _, e := range recent {
		out.add(strconv.FormatInt(e.N, 10), "statement", e)
	}
	s.follow(r, out, viewer)
}

// lastSeen is the number of the entry that a viewer has seen last: as the browser says when it
// comes again, or as the page says when it begins.
func lastSeen(r *http.Request) int64 {
	for _, text := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")} {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// follow sends what comes until someone has enough.
func (s *site) follow(r *http.Request, out *messages, viewer <-chan Entry) {
	counts := s.counts()
	out.add("", "counts", counts)
	tick := time.NewTicker(countsEvery)
	defer tick.Stop()
	for out.send() == nil {
		select {
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		case e := <-viewer:
			out.add(strconv.FormatInt(e.N, 10), "statement", e)
		case <-tick.C:
			if now := s.counts(); now != counts {
				counts = now
				out.add("", "counts", counts)
			}
		}
	}
}

// messages are server-sent events on their way.
type messages struct {
	w       http.ResponseWriter
	control *http.ResponseController
	pending bytes.Buffer
}

// newMessages begins a stream that may last: what the server allows for a request doesn't hold.
func newMessages(w http.ResponseWriter) *messages {
	m := &messages{w: w, control: http.NewResponseController(w)}
	m.control.SetReadDeadline(time.Time{}) // where it isn't supported, there is none
	return m
}

// add puts a message beside those that wait.
func (m *messages) add(id, event string, data any) {
	text, err := json.Marshal(data) // one line, and <, > and & escaped
	if err != nil {
		return
	}
	if id != "" {
		fmt.Fprintf(&m.pending, "id: %s\n", id)
	}
	fmt.Fprintf(&m.pending, "event: %s\ndata: %s\n\n", event, text)
}

// send sends what waits.
func (m *messages) send() error {
	if m.pending.Len() == 0 {
		return nil
	}
	m.control.SetWriteDeadline(time.Now().Add(streamTimeout))
	if _, err := m.pending.WriteTo(m.w); err != nil {
		return err
	}
	return m.control.Flush()
}
