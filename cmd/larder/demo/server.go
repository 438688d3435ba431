package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/larderdb/larder"
)

// A Server serves the demo's page.
type Server struct {
	Size  Size
	Addr  string           // where to listen
	Dir   string           // where the file is kept; empty: nowhere
	Ready func(url string) // called when the page can be had
}

// shutdownTimeout is how long requests in flight may take to end.
const shutdownTimeout = 3 * time.Second

// Run serves the page until ctx is done.
func (s *Server) Run(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	dir, cleanup, err := shopDir(s.Dir)
	if err != nil {
		return err
	}
	defer cleanup()
	shop, err := openShop(ctx, filepath.Join(dir, "larder-demo.db"), s.Size)
	if err != nil {
		return err
	}
	defer shop.Close()
	if s.Ready != nil {
		s.Ready(urlOf(listener.Addr()))
	}
	return serve(ctx, listener, newSite(ctx, shop, s.Addr))
}

// urlOf is where a browser on this machine finds the page.
func urlOf(addr net.Addr) string {
	host := addr.String()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return "http://" + host + "/"
}

// serve answers requests until ctx is done, and then those in flight.
func serve(ctx context.Context, listener net.Listener, site *site) error {
	server := &http.Server{
		Handler:           site.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	defer site.writer.stop()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// A shop is the database of the page, opened three ways.
type shop struct {
	size      Size
	bare      *sql.DB // reads only: the cache knows nothing of writes past it
	here      *sql.DB // what the page reads and writes through
	elsewhere *sql.DB // another handle on the same file
	feed      feed    // what became of the statements of here and elsewhere
}

// openShop builds a shop in a file, in the place of an earlier one, and opens it.
func openShop(ctx context.Context, path string, size Size) (*shop, error) {
	if err := removeShop(path); err != nil {
		return nil, err
	}
	if err := build(ctx, path, size); err != nil {
		return nil, err
	}
	s := &shop{size: size}
	var err error
	if s.bare, err = openBare(path); err != nil {
		return nil, err
	}
	if s.here, err = s.open(path, "this handle"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.elsewhere, err = s.open(path, "other handle"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.bare.PingContext(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open opens the shop through Larder; what its statements come to goes to the feed.
func (s *shop) open(path, name string) (*sql.DB, error) {
	db, err := larder.Open(driverName, dataSource(path), &larder.Options{Observe: s.feed.observe(name)})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// Close closes the handles.
func (s *shop) Close() error {
	var err error
	for _, db := range []*sql.DB{s.bare, s.here, s.elsewhere} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	return err
}

// ask asks a question twice, of the cache and then of the database, and publishes what became
// of it. The answer is the cache's.
func ask[T any](ctx context.Context, s *shop, question func(context.Context, *sql.DB) (T, error)) (T, error) {
	noted := new(slip)
	begun := time.Now()
	answer, err := question(withSlip(ctx, noted), s.here)
	cached := time.Since(begun)
	begun = time.Now()
	if _, bareErr := question(ctx, s.bare); err == nil && bareErr != nil {
		err = fmt.Errorf("bare handle: %w", bareErr)
	}
	s.feed.settle(noted, cached, time.Since(begun))
	return answer, err
}

// Counts are what the caches of a shop did.
type Counts struct {
	Hits     int64   `json:"hits"`
	Misses   int64   `json:"misses"`
	Held     int64   `json:"held"`
	Bypasses int64   `json:"bypasses"`
	Writes   int64   `json:"writes"`
	Ratio    float64 `json:"ratio"`
	Entries  int     `json:"entries"`
	Bytes    int64   `json:"bytes"`
}

// counts adds up what both handles did. They share a store.
func (s *shop) counts() Counts {
	var c Counts
	for _, db := range []*sql.DB{s.here, s.elsewhere} {
		cache, ok := larder.Of(db)
		if !ok {
			continue
		}
		stats := cache.Stats()
		c.Hits += stats.Hits
		c.Misses += stats.Misses
		c.Held += stats.Held
		c.Bypasses += stats.Bypasses
		c.Writes += stats.Writes
		c.Entries, c.Bytes = stats.Entries, stats.Bytes
	}
	c.Ratio = float64(c.Hits) / float64(max(c.Hits+c.Misses+c.Held, 1))
	return c
}
