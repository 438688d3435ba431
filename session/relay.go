package session

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// Relays: what is written in one process is told in others, by messages on the channel of the store that
// they share. A message is sent after the release has arrived, if it does soon, so who hears it finds nothing older in the store, and seldom a mark. It waits for its turn in
// a queue of the process's: no writer waits for the channel. What is lost on the way is told as such, if anybody can know it.

const (
	maxRelayed = 1024 // messages that wait to be sent
	maxTold    = 64   // slices that a message tells
	relayPause = 100 * time.Millisecond
	relayLimit = time.Second // for one message
)

// A Relay connects a hub with those of other processes.
type Relay struct {
	hub     *Hub
	channel coherence.Channel
	log     *slog.Logger
	id      string // of this hub, whose own messages it hears as well
	lost    atomic.Int64
	refs    int // guarded by hubs.mu
	silent  func()

	mu      sync.Mutex
	waiting []message          // guarded by mu
	sending chan struct{}      // closed when all are sent; nil: nothing is; guarded by mu
	closed  bool               // guarded by mu
	hearing int                // guarded by mu
	deaf    context.CancelFunc // ends the subscription; guarded by mu
	ended   chan struct{}      // closed when it has ended; guarded by mu
}

// A message is what one transaction did, or that others were lost before.
type message struct {
	Version int
	From    string
	Lost    int       `json:",omitempty"`
	Notices []relayed `json:",omitempty"`

	settle func(context.Context) // waits for the releases that were on their way; nil: the message tells of none
}

// settled waits for the releases of what the message tells, so that who hears it doesn't find that held; not for long.
func (m *message) settled() {
	if m.settle != nil {
		ctx, cancel := context.WithTimeout(context.Background(), relayPause)
		defer cancel()
		m.settle(ctx)
	}
}

// A relayed notice has the values of slices in their forms.
type relayed struct {
	Database string
	Relation string
	Ops      Ops
	Count    int64
	Slices   []map[string][]byte `json:",omitempty"`
	Known    bool                `json:",omitempty"` // Slices are told, though there may be none
	Perhaps  bool                `json:",omitempty"`
}

const messageVersion = 1

// Relay returns the hub's relay by a channel; Release must follow.
func (h *Hub) Relay(channel coherence.Channel, log *slog.Logger) *Relay {
	hubs.mu.Lock()
	defer hubs.mu.Unlock()
	if h.relay == nil {
		h.relay = &Relay{hub: h, channel: channel, log: log, id: rand.Text()}
		h.relay.silent = h.Listen(&Listener{Rows: func(string) bool { return false }, Hear: h.relay.send})
	}
	h.relay.refs++
	return h.relay
}

// Release lets go of the relay. The last one waits for a moment until what waits is sent.
func (r *Relay) Release() {
	if !r.leave() {
		return
	}
	r.mu.Lock()
	sending := r.sending
	r.mu.Unlock()
	if sending == nil {
		return
	}
	select {
	case <-sending:
	case <-time.After(relayLimit):
	}
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
}

func (r *Relay) leave() (last bool) {
	hubs.mu.Lock()
	defer hubs.mu.Unlock()
	r.refs--
	if last = r.refs == 0; last {
		r.silent()
		r.hub.relay = nil
	}
	return last
}

// Lost is how many messages could not be sent.
func (r *Relay) Lost() int64 { return r.lost.Load() }

// Hear begins to hear other processes, until stop, which waits for the end.
func (r *Relay) Hear() (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hearing++; r.hearing == 1 {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		r.deaf, r.ended = cancel, ended
		go func() {
			defer close(ended)
			_ = r.channel.Subscribe(ctx, r.heard, r.began) // until it is to end
		}()
	}
	return sync.OnceFunc(r.unhear)
}

func (r *Relay) unhear() {
	r.mu.Lock()
	r.hearing--
	last, ended := r.hearing == 0, r.ended
	if last {
		r.deaf()
	}
	r.mu.Unlock()
	if last {
		<-ended
	}
}

// began tells that changes of other processes may have been lost until now.
func (r *Relay) began() { r.hub.Tell([]Notice{lostNotice(-1)}) }

func lostNotice(n int) Notice {
	return Notice{Relation: "*", Ops: OpUnknown, Count: unknownCount, Lost: n}
}

// heard tells what another process did. What can't be read was of a newer version.
func (r *Relay) heard(text []byte) {
	var m message
	err := json.Unmarshal(text, &m)
	switch {
	case err == nil && m.From == r.id:
	case err != nil, m.Version != messageVersion:
		r.hub.Tell([]Notice{lostNotice(-1)})
	case m.Lost != 0:
		r.hub.Tell([]Notice{lostNotice(m.Lost)})
	default:
		list := make([]Notice, len(m.Notices))
		for i := range list {
			list[i] = m.Notices[i].notice()
		}
		r.hub.Tell(list)
	}
}

// send has a message sent of what this process did.
func (r *Relay) send(notices []Notice) {
	if notices[0].From == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= maxRelayed {
		last := &r.waiting[len(r.waiting)-1]
		before := max(last.Lost, 1)
		r.lost.Add(int64(before + 1 - last.Lost))
		*last = message{Lost: before + 1}
		return
	}
	m := message{Notices: make([]relayed, len(notices)), settle: coherence.OnTheirWay(r.hub.store)}
	for i := range notices {
		m.Notices[i] = relayedOf(&notices[i])
	}
	r.waiting = append(r.waiting, m)
	if r.sending == nil {
		r.sending = make(chan struct{})
		go r.run()
	}
}

// run sends what waits. A message that can't be sent isn't tried again, but told as lost once others can be.
func (r *Relay) run() {
	lost := 0
	for {
		next, ok := r.next(lost > 0)
		if !ok {
			return
		}
		if lost > 0 {
			if r.publish(message{Lost: lost}) != nil {
				time.Sleep(relayPause)
				continue
			}
			lost = 0
			continue
		}
		next.settled()
		if err := r.publish(next); err != nil {
			r.log.Warn("larder: a change can't be told to other processes", "error", err)
			lost += max(next.Lost, 1)
			if next.Lost == 0 { // or it was counted before
				r.lost.Add(1)
			}
		}
	}
}

// next takes out the next message, if it isn't to wait.
func (r *Relay) next(wait bool) (m message, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case wait && !r.closed:
		return m, true
	case len(r.waiting) == 0 || r.closed:
		close(r.sending)
		r.sending, r.waiting = nil, nil
		return m, false
	}
	m, r.waiting = r.waiting[0], r.waiting[1:]
	return m, true
}

func (r *Relay) publish(m message) error {
	m.Version, m.From = messageVersion, r.id
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), relayLimit)
	defer cancel()
	return r.channel.Publish(ctx, text)
}

func relayedOf(n *Notice) relayed {
	m := relayed{Database: n.Database, Relation: n.Relation, Ops: n.Ops, Count: n.Count, Perhaps: n.Perhaps}
	if n.Slices == nil || len(n.Slices) > maxTold {
		return m
	}
	m.Known = true
	for _, values := range n.Slices {
		forms := make(map[string][]byte, len(values))
		for name, value := range values {
			forms[name] = formOf(value)
		}
		m.Slices = append(m.Slices, forms)
	}
	return m
}

func (m *relayed) notice() Notice {
	n := Notice{Database: m.Database, Relation: m.Relation, Ops: m.Ops, Count: m.Count, Perhaps: m.Perhaps}
	if !m.Known {
		return n
	}
	n.Slices = []map[string]any{}
	for _, forms := range m.Slices {
		values := make(map[string]any, len(forms))
		for name, form := range forms {
			values[name], _ = confine.Plain(string(form))
		}
		n.Slices = append(n.Slices, values)
	}
	return n
}

// formOf is a form of which confine.Plain makes that value.
func formOf(value any) []byte {
	switch v := value.(type) {
	case int64:
		return strconv.AppendInt([]byte("i"), v, 10)
	case string:
		return []byte("t" + v)
	case []byte:
		return bytes.Join([][]byte{[]byte("b"), v}, nil)
	case bool:
		if v {
			return []byte("1")
		}
		return []byte("0")
	}
	return []byte("n")
}
