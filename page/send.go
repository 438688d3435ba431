package page

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/larderdb/larder/coherence"
)

// page makes of an answer what is sent. With ready set nothing but a write in flight, or the store, keeps it from being
// kept: clients are told that they may keep it, too.
func (h *handler) page(ans *answer, rec *coherence.Recording, ready bool, route string) *stored {
	p := &stored{status: ans.status, flags: ans.flags, made: h.o.now().Add(-ans.age), life: ans.life, route: route, body: ans.body}
	if ans.checked {
		p.flags |= isChecked
	}
	if ready {
		h.complete(ans, p.flags, rec)
	}
	p.header = ans.own()
	p.validators()
	return p
}

// complete gives the header of an answer what its handler has left out.
func (h *handler) complete(ans *answer, is flags, rec *coherence.Recording) {
	header := ans.sent
	switch e := h.o.Edge; {
	case e == nil:
	case h.o.Key != nil || is&(isPersonal|byCookie) != 0 || !rec.Expires().IsZero():
		e.forbid(header)
	default:
		e.mark(header, rec.Tags())
	}
	if _, has := header["Etag"]; !has && ans.status == http.StatusOK {
		header["Etag"] = []string{tagOf(header, ans.body)}
	}
	switch {
	case h.o.CacheControl != "":
		header["Cache-Control"] = []string{h.o.CacheControl}
		delete(header, "Expires")
	case ans.says.given || len(header["Expires"]) > 0:
	case is&(isPersonal|byCookie) != 0:
		header["Cache-Control"] = []string{"private, no-cache"}
	default:
		header["Cache-Control"] = []string{"no-cache"}
	}
	if bodyAllowed(ans.status) {
		header["Content-Length"] = []string{strconv.Itoa(len(ans.body))}
	}
	delete(header, "Age")
}

// Of Cache-Status, what is said most often. It is shared, and so copied by who adds to it.
var hit = []string{"larder; hit"}

// send sends a page of that age, which is kept here or not, or that it is as who asks has it.
func (h *handler) send(w http.ResponseWriter, r *http.Request, p *stored, kept bool, age time.Duration, status []string) {
	header := w.Header()
	for _, f := range p.header {
		header[f.name] = f.values
	}
	switch {
	case h.o.Edge == nil:
	case kept:
		h.o.Edge.allow(header, p, age)
	default:
		h.o.Edge.forbid(header)
	}
	h.note(header, status)
	if p.status == http.StatusOK && unchanged(r, p.etag, p.modified) {
		for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range"} {
			delete(header, name)
		}
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.WriteHeader(p.status)
	if r.Method != http.MethodHead && bodyAllowed(p.status) {
		_, _ = w.Write(p.body) // a client that has gone hears nothing
	}
}

// found sends a page from the cache.
func (h *handler) found(w http.ResponseWriter, r *http.Request, l *look, now time.Time) {
	age := max(0, now.Sub(l.page.made))
	setAge(w.Header(), age)
	status := hit
	if l.joined {
		status = l.status("", false)
	}
	h.send(w, r, l.page, true, age, status)
}

func setAge(header http.Header, age time.Duration) {
	header["Age"] = []string{strconv.FormatInt(int64(age/time.Second), 10)}
}

// status is what Cache-Status says of a request that found nothing, or waited for another: collapsed (RFC 9211, 2.6) if that made its page, and
// that it did not, if it made none that this one could have.
func (l *look) status(why string, kept bool) []string {
	collapsed := ""
	switch {
	case l.joined && l.page != nil:
		collapsed = "; collapsed"
	case l.joined:
		collapsed = "; collapsed=?0"
	}
	return forwardedFor(l.fwd, why, collapsed, kept)
}

// note adds to Cache-Status.
func (h *handler) note(header http.Header, status []string) {
	switch was := header["Cache-Status"]; {
	case h.o.Quiet:
	case len(was) == 0:
		header["Cache-Status"] = status
	default:
		header["Cache-Status"] = slices.Concat(was, status)
	}
}

// forwardedFor says in Cache-Status that a request went to the handler for some reason, and why its response wasn't kept.
func forwardedFor(fwd, why, collapsed string, kept bool) []string {
	status := "larder; fwd=" + fwd + collapsed
	if kept {
		status += "; stored"
	}
	if why != "" {
		status += "; detail=" + strconv.Quote(why)
	}
	return []string{status}
}
