package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/redis"
)

func statsCommand() *cobra.Command {
	var asking asking
	asJSON := false
	command := &cobra.Command{
		Use:   "stats URL",
		Short: "Figures of a running process, or of a store",
		Long: `Stats prints what a running process counts, and what it advises, at the address where it serves its
dashboard (http://…), or what the servers of a store say of themselves (redis://…, memcached://…).`,
		Example: `  larder stats http://127.0.0.1:8080/larder/
  larder stats redis://cache:6379/0 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], "http://") || strings.HasPrefix(args[0], "https://") {
				return statsOfProcess(c, asking, args[0], asJSON)
			}
			return statsOfStore(c, args[0], asJSON)
		},
	}
	asking.flags(command.Flags())
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

func statsOfProcess(c *cobra.Command, asking asking, address string, asJSON bool) error {
	p, err := asking.processAt(address)
	if err != nil {
		return err
	}
	var s remoteStats
	if err := p.read(c.Context(), "/api/stats", &s); err != nil {
		return err
	}
	return output(c, asJSON, &s, s.write)
}

func (s *remoteStats) write(w io.Writer) error {
	var b bytes.Buffer
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", label, fmt.Sprintf(format, args...))
	}
	of := s.Stats
	paint := styleOf(w)
	fmt.Fprintln(&b, paint.bold(fmt.Sprintf("%s of the reads are answered from the cache, which saves %.2f s of database time a minute.", percent(s.HitRatio), s.SavedRate)))
	line("reads", "%s hits, %s misses, %s held, %s bypasses", counted(of.Hits), counted(of.Misses), counted(of.Held), counted(of.Bypasses))
	line("writes", "%s, of which %s removed everything; outcome unknown of %s; not announced yet %s", counted(of.Writes), counted(of.WideWrites), counted(of.Abandoned), counted(of.Unannounced))
	checked := fmt.Sprintf("%s checked, %s wrong", counted(of.Verified), counted(of.Wrong))
	if of.Wrong > 0 {
		checked = paint.red(checked)
	}
	line("verified", "%s", checked)
	line("store", "%s entries, %s of %s bytes, %s evicted", counted(of.Entries), counted(of.Bytes), counted(of.MaxBytes), counted(of.Evictions))
	if shared := s.Shared; shared != nil {
		line("shared", "%s", shared.text(paint))
		line("servers", "%s bytes (%s), %s evicted, whoever's", counted(shared.Bytes), boundOf(shared.MaxBytes), counted(shared.Evictions))
	}
	for _, a := range s.Advice {
		fmt.Fprintf(&b, "\n%s %s\n  %s: %s.\n  %s\n", paint.bold(printable(a.Kind)), cut(a.Text, textWidth), printable(a.What), printable(a.Why), printable(a.Do))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// text tells how a shared store is asked, on a line.
func (s *remoteShared) text(paint style) string {
	took := short(time.Duration(s.Micros * float64(time.Microsecond)))
	text := fmt.Sprintf("%s calls of %s, %s errors, %s not made", counted(s.Calls), took, counted(s.Errors), counted(s.Skipped))
	if s.Away > 0 {
		text += paint.red("; left alone for " + short(time.Duration(s.Away*float64(time.Second))))
	}
	return text
}

// storeStats is what the servers of a store say.
type storeStats struct {
	Store     string `json:"store"`
	Entries   int    `json:"entries"` // items of all kinds, whoever's; 0 where that isn't told
	Bytes     int64  `json:"bytes"`
	MaxBytes  int64  `json:"max_bytes"` // 0: not told, or no bound
	Evictions int64  `json:"evictions"`
}

func statsOfStore(c *cobra.Command, address string, asJSON bool) error {
	s, err := storeAt(address)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(c.Context(), storeTimeout)
	defer cancel()
	if _, err := s.Lookup(ctx, "larder stats", nil); err != nil {
		return fmt.Errorf("reach the store: %w", (&connection{dsn: address}).redact(err))
	}
	of := s.Stats()
	result := storeStats{hidden(address), of.Entries, of.Bytes, of.MaxBytes, of.Evictions}
	return output(c, asJSON, result, result.write)
}

// storeAt opens the store that a URL names.
func storeAt(address string) (store.Shared, error) {
	scheme, _, _ := strings.Cut(address, "://")
	var s store.Shared
	var err error
	switch kind, _, _ := strings.Cut(scheme, "+"); kind {
	case "memcached", "memcacheds":
		s, err = memcached.OpenURL(patient(address))
	case "redis", "rediss", "valkey", "valkeys":
		s, err = redis.New(patient(address))
	default:
		return nil, usagef("%q names neither a process (http://…) nor a store (redis://…, memcached://…)", hidden(address))
	}
	if err != nil {
		return nil, usageError{(&connection{dsn: address}).redact(err)}
	}
	return s, nil
}

func (s storeStats) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%-10s %s\n%-10s %s items, whoever's\n%-10s %s bytes (%s)\n%-10s %s\n",
		"store", s.Store, "keeps", counted(s.Entries), "memory", counted(s.Bytes), boundOf(s.MaxBytes), "evicted", counted(s.Evictions))
	return err
}

// boundOf tells how much memory servers may use.
func boundOf(most int64) string {
	if most > 0 {
		return "of " + counted(most)
	}
	return "no bound told"
}
