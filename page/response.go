package page

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A response takes what a handler answers. It keeps that back until the handler has returned; unless it turns out to be what can't be kept: then
// it goes through, as if there were no cache, and why says so. It is used by one goroutine at a time.
type response struct {
	w      http.ResponseWriter
	max    int              // bytes of a body
	before http.Header      // w's, before the handler was called
	told   func(why string) // called when it goes through, before the status is written

	header http.Header // w's: handlers keep what Header returns, and go on with it
	sent   http.Header // what it was when the status was written
	status int         // 0: not written yet
	body   []byte
	why    string // it went through; "" else
}

func newResponse(w http.ResponseWriter, maxBody int, told func(why string)) *response {
	return &response{w: w, max: maxBody, before: cloneHeader(w.Header()), told: told, header: w.Header()}
}

// cloneHeader is Header.Clone which makes one of nil.
func cloneHeader(h http.Header) http.Header {
	if h = h.Clone(); h == nil {
		h = make(http.Header)
	}
	return h
}

func (p *response) Header() http.Header { return p.header }

// WriteHeader notes status and header. An informational one is sent at once.
func (p *response) WriteHeader(status int) {
	switch {
	case p.why != "":
		p.w.WriteHeader(status)
	case p.status != 0:
	case status >= 100 && status < 200:
		p.through("an informational response")
		p.w.WriteHeader(status)
	default:
		p.status, p.sent = status, p.header.Clone()
	}
}

func (p *response) Write(b []byte) (int, error) {
	if p.why == "" && len(p.body)+len(b) > p.max {
		p.through("larger than Options.MaxBytes")
	}
	if p.why != "" {
		return p.w.Write(b)
	}
	if p.status == 0 {
		p.WriteHeader(http.StatusOK)
	}
	if !bodyAllowed(p.status) && len(b) > 0 {
		return 0, http.ErrBodyNotAllowed
	}
	p.body = append(p.body, b...)
	return len(b), nil
}

// WriteString is Write without a copy of a whole text.
func (p *response) WriteString(s string) (int, error) {
	if p.why != "" {
		return io.WriteString(p.w, s)
	}
	return p.Write([]byte(s))
}

// ReadFrom lets a response that went through have its writer's own way of copying a file.
func (p *response) ReadFrom(r io.Reader) (int64, error) {
	if p.why != "" {
		return io.Copy(p.w, r)
	}
	return io.Copy(struct{ io.Writer }{p}, r)
}

// through sends what was kept back, and all that follows at once.
func (p *response) through(why string) {
	if p.why != "" {
		return
	}
	p.why = why
	if p.status == 0 {
		p.told(why)
	} else {
		late := p.header.Clone()
		replace(p.header, p.sent)
		p.told(why)
		p.w.WriteHeader(p.status)
		maps.Copy(p.header, late) // trailers
	}
	if len(p.body) > 0 {
		_, _ = p.w.Write(p.body) // the handler hears of it at its next Write
		p.body = nil
	}
}

// replace makes one header as another is.
func replace(h, by http.Header) {
	clear(h)
	maps.Copy(h, by)
}

// Flush sends what there is: the response is a stream.
func (p *response) Flush() { _ = p.FlushError() }

// FlushError is Flush for http.ResponseController.
func (p *response) FlushError() error {
	if p.status == 0 && p.why == "" {
		p.WriteHeader(http.StatusOK)
	}
	p.through("flushed")
	return http.NewResponseController(p.w).Flush()
}

// Hijack leaves the connection to the handler.
func (p *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	p.through("hijacked")
	return http.NewResponseController(p.w).Hijack()
}

// Unwrap is for http.ResponseController.
func (p *response) Unwrap() http.ResponseWriter { return p.w }

// finish ends what was kept back, as net/http would: with a status and a type.
func (p *response) finish() {
	if p.why != "" {
		return
	}
	if p.status == 0 {
		p.WriteHeader(http.StatusOK)
	}
	_, typed := p.sent["Content-Type"]
	if !typed && p.sent.Get("Content-Encoding") == "" && len(p.body) > 0 {
		p.sent.Set("Content-Type", http.DetectContentType(p.body))
	}
}

// trailed reports whether the handler has trailers.
func (p *response) trailed() bool {
	if p.why != "" {
		return false
	}
	if _, ok := p.sent["Trailer"]; ok {
		return true
	}
	for name := range p.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// whole reports whether the body is as long as the handler said.
func (p *response) whole() bool {
	lines := p.sent["Content-Length"]
	return len(lines) == 0 || len(lines) == 1 && lines[0] == strconv.Itoa(len(p.body))
}

// own are the fields that the handler has set, and without values those that it has taken away: not those that stood
// there before it was called, and that are of this request.
func (p *response) own() []field {
	var own []field
	for name, values := range p.sent {
		if was, ok := p.before[name]; ok && slices.Equal(was, values) {
			continue
		}
		own = append(own, field{name, slices.Clip(values)})
	}
	for name := range p.before {
		if _, ok := p.sent[name]; !ok {
			own = append(own, field{name, nil})
		}
	}
	slices.SortFunc(own, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return own
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
