package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An aside does by hand what programs do without Larder: look into the store; on a miss read the database, and set;
// after a write delete. It is in the package to be found out.
type aside struct {
	w     *Worker
	redis bool
	mu    sync.Mutex
	idle  []*bufio.ReadWriter // guarded by mu
}

// settledRange is how many arguments a question has of which it is known what a write changes.
func (q question) settledRange() int {
	return [questions]int{byID: settled * each, ofOwner: settled, sumOfOwner: settled, sumOfAll: 1, joined: settled}[q]
}

func (a *aside) ask(ctx context.Context, q question, arg int) ([]sight, error) {
	key := fmt.Sprint(texts[q].name, arg)
	if text, err := a.get(key); err == nil && text != "" {
		var sights []sight
		return sights, json.Unmarshal([]byte(text), &sights)
	}
	sights, err := ask(ctx, a.w.db, a.w.Dialect, q, arg)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(sights)
	if err != nil {
		return nil, err
	}
	_ = a.set(key, string(text)) // a cache is only a cache
	return sights, nil
}

func (w *Worker) writeAside(ctx context.Context, r *rand.Rand) {
	id := r.IntN(settled * each)
	records := w.begin(touched(touch{id, 0, 1}))
	_, err := w.db.ExecContext(ctx, places(w.Dialect, "UPDATE item SET v = v + 1 WHERE id = ?"), id)
	if err == nil {
		for q, arg := range map[question]int{byID: id, ofOwner: id / each, sumOfOwner: id / each, sumOfAll: 0, joined: id / each} {
			_ = w.aside.del(fmt.Sprint(texts[q].name, arg))
		}
	}
	w.end(records, err)
}

func (a *aside) get(key string) (value string, err error) {
	err = a.call(a.command("get", key), func(r *bufio.Reader) error {
		value, err = a.value(r)
		return err
	})
	return value, err
}

func (a *aside) set(key, value string) error {
	command := fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", key, len(value), value)
	if a.redis {
		command = a.command("SET", key, value)
	}
	return a.call(command, line)
}

func (a *aside) del(key string) error {
	if a.redis {
		return a.call(a.command("DEL", key), line)
	}
	return a.call(a.command("delete", key), line)
}

func line(r *bufio.Reader) error {
	_, err := r.ReadString('\n')
	return err
}

func (a *aside) command(words ...string) string {
	if !a.redis {
		return strings.Join(words, " ") + "\r\n"
	}
	text := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	return text
}

// value reads the answer to a get.
func (a *aside) value(r *bufio.Reader) (string, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	fields := strings.Fields(head)
	size := ""
	switch {
	case head == "END\r\n" || head == "$-1\r\n":
		return "", nil
	case a.redis:
		size = strings.TrimPrefix(fields[0], "$")
	case len(fields) == 4:
		size = fields[3]
	}
	n, err := strconv.Atoi(size)
	if err != nil {
		return "", errors.New("fleet: the store answers " + head)
	}
	if !a.redis {
		n += len("\r\nEND")
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", err
	}
	value, _, _ := strings.Cut(string(b), "\r\n")
	return value, nil
}

// call sends a command, and has its answer read.
func (a *aside) call(command string, read func(*bufio.Reader) error) error {
	c, err := a.take()
	if err != nil {
		return err
	}
	if _, err := c.WriteString(command); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	if err := read(c.Reader); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.idle = append(a.idle, c)
	return nil
}

func (a *aside) take() (*bufio.ReadWriter, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.idle); n > 0 {
		c := a.idle[n-1]
		a.idle = a.idle[:n-1]
		return c, nil
	}
	conn, err := net.Dial("unix", storeSocket)
	if err != nil {
		return nil, err
	}
	return bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), nil
}

// plain keeps pages for so long, whatever is written. It is here to be found out as well.
type plain struct {
	next http.Handler
	life time.Duration
	kept sync.Map // by path: *plainPage
}

type plainPage struct {
	until time.Time
	body  *httptest.ResponseRecorder
}

func (h *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p, ok := h.kept.Load(r.URL.Path); ok && time.Now().Before(p.(*plainPage).until) {
		_, _ = w.Write(p.(*plainPage).body.Body.Bytes())
		return
	}
	p := &plainPage{time.Now().Add(h.life), httptest.NewRecorder()}
	h.next.ServeHTTP(p.body, r)
	if p.body.Code == http.StatusOK {
		h.kept.Store(r.URL.Path, p)
	}
	w.WriteHeader(p.body.Code)
	_, _ = w.Write(p.body.Body.Bytes())
}
