package rivals

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// jobVariable has the job of a process that is a worker.
const jobVariable = "LARDER_RIVALS_JOB"

// A job says what a worker is, and where it finds its servers.
type job struct {
	Rival     string `json:"rival"` // its name
	Store     string `json:"store"`
	DSN       string `json:"dsn"`
	Memcached string `json:"memcached"`
	Redis     string `json:"redis"`
}

// An order is a line of JSON that a worker reads, and an answer one that it writes. The first answer comes without an order: it
// says that all is ready, and of what version.
type order struct {
	Do      string  `json:"do"`   // hit, mixed or stale
	Rows    int     `json:"rows"` // of the table
	Users   int     `json:"users"`
	User    int     `json:"user"`  // hit: whose list
	Reads   int     `json:"reads"` // hit: how many
	Ops     string  `json:"ops"`   // mixed: a file, an array of numbers: that of a user is a read, -1 less that of a row a save
	Seconds float64 `json:"seconds"`
	Process int     `json:"process"` // stale: which of so many
	Of      int     `json:"of"`
	Saves   float64 `json:"saves"`   // stale: of all operations
	History string  `json:"history"` // stale: a file to be written
}

type answer struct {
	Error   string   `json:"error"`
	Version []string `json:"version"`
	Times   []int64  `json:"times"` // hit: nanoseconds of each read
	Seconds float64  `json:"seconds"`
	Reads   int      `json:"reads"`
	Stale   int      `json:"stale"`  // mixed: reads that don't show what this client has saved
	Failed  int      `json:"failed"` // stale: calls
	Failure string   `json:"failure"`
}

// clientsEach is how many clients work at a time in each process while reads are judged.
const clientsEach = 3

// A thing is a row of stuff. Its amount is how often it was saved, or when.
type thing struct {
	ID, User int64
	Name     string
	Price    float64
	Amount   int64
}

// thingOf is the row with a number, as it is at first. Its key isn't 0, which GORM takes for none.
func thingOf(row, users int) thing {
	return thing{ID: int64(row) + 1, User: int64(row % users), Name: "thing number", Price: 1.5}
}

// A service reads the list of a user, in the order of keys, and saves a thing whole.
type service interface {
	list(ctx context.Context, user int64) ([]thing, error)
	save(ctx context.Context, t thing) error
}

// work is what a process does that is a worker.
func work(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	r := rivalNamed(j.Rival, j.Store)
	if r == nil {
		return out.Encode(answer{Error: fmt.Sprintf("there is no %s in %q", j.Rival, j.Store)})
	}
	s, err := r.open(j)
	if err != nil {
		return out.Encode(answer{Error: err.Error()})
	}
	if err := out.Encode(answer{}); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var o order
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			return err
		}
		a, err := o.carryOut(s)
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	return nil
}

func (o order) carryOut(s service) (answer, error) {
	switch o.Do {
	case "hit":
		return o.hit(s)
	case "mixed":
		return o.mixed(s)
	case "stale":
		return o.stale(s)
	}
	return answer{}, errors.New("no such order: " + o.Do)
}

// read is a list that is as long as it must be.
func (o order) read(s service, user int) ([]thing, error) {
	got, err := s.list(context.Background(), int64(user))
	if err == nil && len(got) != o.Rows/o.Users {
		err = fmt.Errorf("%d rows of user %d", len(got), user)
	}
	return got, err
}

func (o order) hit(s service) (a answer, err error) {
	for range o.Reads {
		start := time.Now()
		if _, err := o.read(s, o.User); err != nil {
			return a, err
		}
		a.Times = append(a.Times, int64(time.Since(start)))
	}
	return a, nil
}

func (o order) mixed(s service) (a answer, err error) {
	text, err := os.ReadFile(o.Ops)
	if err != nil {
		return a, err
	}
	var ops []int
	if err := json.Unmarshal(text, &ops); err != nil {
		return a, err
	}
	saved := make([]int64, o.Rows)
	start := time.Now()
	for i, op := range ops {
		if op < 0 {
			row := -1 - op
			t := thingOf(row, o.Users)
			t.Amount = int64(i) + 1
			if err := s.save(context.Background(), t); err != nil {
				return a, err
			}
			saved[row] = t.Amount
			continue
		}
		got, err := o.read(s, op)
		if err != nil {
			return a, err
		}
		a.Reads++
		for _, t := range got {
			if t.Amount != saved[t.ID-1] {
				a.Stale++
				break
			}
		}
	}
	a.Seconds = time.Since(start).Seconds()
	return a, nil
}

// stale has several clients work at a time, and writes down all that was done.
func (o order) stale(s service) (a answer, err error) {
	w := witness{order: o, service: s, until: now() + int64(o.Seconds*1e9), versions: make([]uint32, o.Rows)}
	histories := make([][]byte, clientsEach)
	var wg sync.WaitGroup
	for i := range clientsEach {
		wg.Go(func() { histories[i] = w.client(uint64(o.Process*clientsEach + i)) })
	}
	wg.Wait()
	if err := os.WriteFile(o.History, bytes.Join(histories, nil), 0o600); err != nil {
		return a, err
	}
	return w.answer, nil
}

// A witness is a process whose clients write down what they did. The rows of each list are divided among the processes, and a process
// makes one save after another, so that the versions of a row are saved in their order.
type witness struct {
	order
	service service
	until   int64

	saving   sync.Mutex // held while a row is saved; guards versions
	versions []uint32

	mu     sync.Mutex // guards answer
	answer answer
}

func (w *witness) client(seed uint64) (history []byte) {
	r := rand.New(rand.NewPCG(seed, 2))
	for now() < w.until {
		user := r.IntN(w.Users)
		do := w.look
		if r.Float64() < w.Saves {
			do = func(user int) (call, error) { return w.save(rowOf(user, r.IntN(perList/w.Of)*w.Of+w.Process, w.Users)) }
		}
		c, err := do(user)
		if err != nil {
			w.failed(err)
			continue
		}
		history = appendCall(history, &c)
	}
	return history
}

func (w *witness) save(row int) (call, error) {
	w.saving.Lock()
	defer w.saving.Unlock()
	w.versions[row]++ // if it fails too, since it may have been made
	t := thingOf(row, w.Users)
	t.Amount = int64(w.versions[row])
	c := call{begin: now(), save: true, of: int32(row), versions: [perList]uint32{w.versions[row]}}
	err := w.service.save(context.Background(), t)
	c.end = now()
	return c, err
}

func (w *witness) look(user int) (call, error) {
	c := call{begin: now(), of: int32(user)}
	got, err := w.read(w.service, user)
	c.end = now()
	if err != nil {
		return c, err
	}
	for i := range got {
		c.versions[i] = uint32(got[i].Amount)
	}
	return c, nil
}

func (w *witness) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer.Failed++
	w.answer.Failure = err.Error()
}
