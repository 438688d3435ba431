package metamorphic

import (
	"database/sql"
	"fmt"
	"strings"
)

// An action is what a step does on its client.
type action string

const (
	exec      action = "exec"      // run text for its effect
	query     action = "query"     // read, and compare
	run       action = "run"       // run text that writes and returns rows
	begin     action = "begin"     // a transaction of database/sql
	commit    action = "commit"    // …
	rollback  action = "rollback"  // …
	prepare   action = "prepare"   // text, as statement slot
	queryStmt action = "queryStmt" // read by statement slot, and compare
	execStmt  action = "execStmt"  // run statement slot for its effect
	closeStmt action = "closeStmt" //
	renew     action = "renew"     // give the connection back to the pool and take one
	canceled  action = "canceled"  // run text under a context that has ended: nothing happens
)

// A step is one thing that a client does. It says all that it takes to do it again.
type step struct {
	on   int // the client; clean and elsewhere have connections whose state is never changed
	do   action
	text string
	args []any

	ordered  bool // the rows come in an order that text prescribes
	limit    int  // read so many rows, then close; 0: all
	last     bool // the cache is asked before the database, not after
	slot     int
	level    sql.IsolationLevel
	readOnly bool
	unseen   bool // done by the bare handle: the cache can't know
}

// The clients: connections that are kept, a second handle, and a handle of another database.
const (
	kept      = 3
	clean     = kept
	elsewhere = kept + 1
)

// String is the step as Go text, to be run again by TestKnown.
func (s step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "{on: %d, do: %s", s.on, s.do)
	if s.text != "" {
		fmt.Fprintf(&b, ", text: %s", quote(s.text))
	}
	if len(s.args) > 0 {
		fmt.Fprintf(&b, ", args: %#v", s.args)
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"ordered", s.ordered}, {"last", s.last}, {"readOnly", s.readOnly}, {"unseen", s.unseen}} {
		if flag.set {
			fmt.Fprintf(&b, ", %s: true", flag.name)
		}
	}
	for _, number := range []struct {
		name  string
		value int
	}{{"limit", s.limit}, {"slot", s.slot}, {"level", int(s.level)}} {
		if number.value != 0 {
			fmt.Fprintf(&b, ", %s: %d", number.name, number.value)
		}
	}
	return b.String() + "}"
}

func quote(text string) string {
	if strings.Contains(text, "`") {
		return fmt.Sprintf("%q", text)
	}
	return "`" + text + "`"
}

// A program is a list of steps.
type program []step

func (p program) String() string {
	var b strings.Builder
	for _, s := range p {
		fmt.Fprintf(&b, "\t%v,\n", s)
	}
	return b.String()
}
