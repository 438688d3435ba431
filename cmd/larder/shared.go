package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/larderdb/larder"
)

// A shared cache is that of programs which share a store: a database and the store's URL.
type shared struct {
	connection
	store string
}

func (s *shared) flags(flags *pflag.FlagSet) {
	s.connection.flags(flags)
	flags.StringVar(&s.store, "store", "", "URL of the store that the programs share (or the environment's "+larder.StoreVariable+")")
}

// checkShared fails if there is no store: the memory of another process can't be reached.
func (s *shared) checkShared() error {
	if err := s.check(); err != nil {
		return err
	}
	if s.store == "" {
		s.store = os.Getenv(larder.StoreVariable)
	}
	if s.store == "" {
		return usagef("which store? Give --store redis://… or memcached://…, or the environment's %s; the memory of another process can't be reached from here", larder.StoreVariable)
	}
	return nil
}

// open opens the database through the cache.
func (s *shared) open(o larder.Options) (*larder.Cache, *sql.DB, error) {
	if err := s.exists(); err != nil {
		return nil, nil, err
	}
	if s.store == "" {
		s.store = os.Getenv(larder.StoreVariable)
	}
	o.StoreURL = patient(s.store)
	cache, err := larder.New(&o)
	if err != nil {
		return nil, nil, s.redactAll(err)
	}
	db, err := cache.Open(s.driver, s.dsn)
	if err != nil {
		cache.Close()
		return nil, nil, fmt.Errorf("open the database: %w", s.redactAll(err))
	}
	return cache, db, nil
}

// patient is the URL of a store that may take longer to answer than programs would let it: they have the database.
func patient(address string) string {
	if address == "" || strings.Contains(address, "timeout=") {
		return address
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + "timeout=10s"
}

// redactAll takes the secrets of the database's and the store's addresses out of an error.
func (s *shared) redactAll(err error) error {
	store := connection{dsn: s.store}
	return store.redact(s.redact(err))
}

// reachable fails if the database can't be asked.
func (s *shared) reachable(ctx context.Context, db *sql.DB) error {
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("reach the database: %w", s.redactAll(err))
	}
	return nil
}

// hidden is an address without its password.
func hidden(address string) string {
	for _, secret := range secrets(address) {
		address = strings.ReplaceAll(address, ":"+secret+"@", ":***@")
		address = strings.ReplaceAll(address, "="+secret, "=***")
	}
	return address
}
