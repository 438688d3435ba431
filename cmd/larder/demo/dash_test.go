package demo

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestDashboardIsMounted: the page links to the dashboard of its handle, which tells of its statements.
func TestDashboardIsMounted(t *testing.T) {
	_, server := newTestSite(t)
	if text := get(t, server, "/"); !strings.Contains(text, `href="`+dashboard+`"`) {
		t.Error("the page has no link to the dashboard")
	}
	if text := get(t, server, dashboard); !strings.Contains(text, "app.js") {
		t.Error(text)
	}
	get(t, server, "/?user=2")
	if text := get(t, server, dashboard+"api/shapes"); !strings.Contains(text, "FROM stuff") {
		t.Error(text)
	}
}

// TestDashboardEndsWithTheSite: its stream does, so that the demo can.
func TestDashboardEndsWithTheSite(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &site{ctx: ctx}
	ended := make(chan bool)
	go s.ending(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(ended)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", dashboard+"events", nil))
	cancel()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("it goes on")
	}
}
