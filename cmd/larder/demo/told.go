package demo

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// told has the feed tell what became of each request for a page.
func (s *site) told(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		noted := &notedResponse{ResponseWriter: w}
		pages.ServeHTTP(noted, r)
		s.feed.publish(pageEntry(r, noted, time.Since(begun)))
	})
}

// pageEntry is what a response tells of its page: by its status, and by Cache-Status (RFC 9211).
func pageEntry(r *http.Request, w *notedResponse, took time.Duration) Entry {
	cacheStatus := w.Header().Get("Cache-Status")
	e := Entry{Kind: "page", Who: "page", SQL: "GET " + r.URL.RequestURI()}
	switch {
	case w.status == http.StatusNotModified:
		e.Outcome, e.Why = "304", "the browser has it, and it is as it was"
	case strings.HasPrefix(cacheStatus, "larder; hit"):
		e.Outcome, e.Why = "hit", "as it was: sent as it is kept"
	case strings.HasSuffix(cacheStatus, "; collapsed"):
		e.Outcome, e.Why = "hit", "made for another, who came just before"
	default:
		e.Outcome, e.Why = "miss", "not in the cache, or changed since: made now"
	}
	if e.Outcome != "miss" {
		e.Micros = microseconds(took)
	}
	e.Why += fmt.Sprintf(", %d bytes · Cache-Status: %s", w.bytes, cacheStatus)
	return e
}

// A notedResponse notes what is sent.
type notedResponse struct {
	http.ResponseWriter
	status int
	bytes  int // of the body
}

// WriteHeader sends a status.
func (w *notedResponse) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (w *notedResponse) Write(b []byte) (int, error) {
	w.bytes += len(b)
	return w.ResponseWriter.Write(b)
}
