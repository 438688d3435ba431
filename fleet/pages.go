package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/page"
)

// pages are what a worker serves over HTTP, an answer to each question, and reads of others: of a peer, which it sees as fresh as
// the database is, or of an edge before all of them.
type pages struct {
	w      *Worker
	client *http.Client
	edge   *page.Edge              // nil if there is none
	away   [processes]atomic.Int64 // until when a peer isn't asked

	asked, lost atomic.Int64 // pages that were asked for; that didn't come
	hits, kept  atomic.Int64 // … that page.Handler had; that the edge had
}

const (
	awayFor   = time.Second
	pagesFile = 3       // the descriptor of a worker's listener, which outlives it: so it has one address for ever
	pagesHost = "fleet" // of all: they are pages of one site
)

// openPages begins to serve.
func (w *Worker) openPages() error {
	p := &pages{w: w, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: w.Clients + 1}}}
	w.pages = p
	if w.Edge != "" {
		p.edge = page.NewEdge(page.Varnish("http://"+w.Edge+"/"), &page.EdgeOptions{MaxAge: time.Hour, Again: w.Again, Strict: w.Strict, Patience: 10 * time.Second})
		if !w.Unpurged {
			w.cache.OnCommit(p.edge.Settle)
		}
	}
	l, err := net.FileListener(os.NewFile(pagesFile, "pages"))
	if err != nil {
		return fmt.Errorf("fleet: take over the listener: %w", err)
	}
	handler := page.Handler(w.cache, http.HandlerFunc(p.serve), &page.Options{Edge: p.edge})
	if w.Plain > 0 {
		handler = &plain{next: http.HandlerFunc(p.serve), life: w.Plain}
	}
	go func() { _ = http.Serve(l, handler) }() // until the process ends
	return nil
}

// serve answers a question.
func (p *pages) serve(rw http.ResponseWriter, r *http.Request) {
	q, arg, err := asked(r.URL.Path)
	if err != nil {
		http.NotFound(rw, r)
		return
	}
	sights, err := ask(r.Context(), p.w.db, p.w.Dialect, q, arg)
	if err != nil {
		p.w.tornRead(err)
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	if p.w.Ponder > 0 && rand.IntN(4) == 0 {
		time.Sleep(rand.N(p.w.Ponder))
	}
	rw.Header().Set("Cache-Control", "public, no-cache")
	_ = json.NewEncoder(rw).Encode(sights) // or the client has gone
}

// pathOf is where the answer to a question is.
func pathOf(q question, arg int) string { return fmt.Sprint("/", texts[q].name, "/", arg) }

// asked is the question of a path.
func asked(path string) (question, int, error) {
	name, text, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	arg, err := strconv.Atoi(text)
	for q := range questions {
		if texts[q].name == name && err == nil && 0 <= arg && arg < q.rangeOf() {
			return q, arg, nil
		}
	}
	return 0, 0, errors.New("fleet: no page " + path)
}

// choose chooses a peer, -1 if none is to be asked.
func (p *pages) choose(r *rand.Rand) int {
	i := r.IntN(len(p.w.Peers))
	if i == p.w.Process || now() < p.away[i].Load() {
		return -1
	}
	return i
}

// ofPeer is what the page of a peer says.
func (p *pages) ofPeer(ctx context.Context, peer int, q question, arg int) ([]sight, error) {
	sights, h, err := p.get(ctx, p.w.Peers[peer], q, arg)
	if err != nil {
		p.away[peer].Store(now() + int64(awayFor))
		return nil, err
	}
	if strings.Contains(h.Get("Cache-Status"), "; hit") {
		p.hits.Add(1)
	}
	return sights, nil
}

// ofEdge is what the edge's page says.
func (p *pages) ofEdge(ctx context.Context, q question, arg int) ([]sight, error) {
	sights, h, err := p.get(ctx, p.w.Edge, q, arg)
	if err == nil && len(strings.Fields(h.Get("X-Varnish"))) == 2 {
		p.kept.Add(1)
	}
	return sights, err
}

func (p *pages) get(ctx context.Context, address string, q question, arg int) ([]sight, http.Header, error) {
	p.asked.Add(1)
	sights, h, err := p.getOnce(ctx, "http://"+address+pathOf(q, arg))
	if err != nil {
		p.lost.Add(1)
	}
	return sights, h, err
}

func (p *pages) getOnce(ctx context.Context, url string) (sights []sight, h http.Header, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	request.Host = pagesHost
	response, err := p.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("fleet: %s: %s: %s", url, response.Status, body)
	}
	return sights, response.Header, json.Unmarshal(body, &sights)
}

// readPage reads a page in place of the database, and reports whether it was to.
func (w *Worker) readPage(ctx context.Context, r *rand.Rand, q question, arg int) bool {
	p, patience := w.pages, 10*time.Second
	if w.Patience > 0 { // it may be stopped
		patience = time.Second / 2
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	like := record{kind: seen, begin: now()}
	var sights []sight
	var err error
	if peer := p.choose(r); w.Edge != "" && r.IntN(10) > 0 {
		like.kind = served
		sights, err = p.ofEdge(ctx, q, arg)
	} else if peer >= 0 { // it sees what that process may see: of writes that the store isn't told of, its own
		like.peer = int8(peer + 1)
		sights, err = p.ofPeer(ctx, peer, q, arg)
	} else {
		return false
	}
	if err == nil { // a peer may be stopped, or killed: see Report.Lost
		w.noteSights(like, sights)
	}
	return true
}

// final is what a peer's page says, or the edge's, and must when all is quiet.
func (p *pages) final(ctx context.Context, edge bool, q question, arg int) ([]sight, error) {
	if edge {
		return p.ofEdge(ctx, q, arg)
	}
	return p.ofPeer(ctx, (p.w.Process+1)%len(p.w.Peers), q, arg)
}

// report adds to a report what became of pages.
func (p *pages) report(r *Report) {
	r.Pages, r.Lost, r.PageHits, r.Kept = p.asked.Load(), p.lost.Load(), p.hits.Load(), p.kept.Load()
	if p.edge != nil {
		r.Edge = p.edge.Stats()
	}
}
