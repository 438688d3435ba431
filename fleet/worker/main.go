// Command worker is one process of a fleet.
package main

import (
	"fmt"
	"os"

	"github.com/larderdb/larder/fleet"
)

func main() {
	if err := fleet.Work(); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}
