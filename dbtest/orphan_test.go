package dbtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// childEnv names the kind of server that the test binary, run again as a child, shall start and tell of.
const childEnv = "DBTEST_CHILD"

// child starts a server, prints where it is, and waits to be killed.
func child() {
	for _, p := range []*program{&postgres, &mariadb, &memcached, &redis} {
		if p.name != os.Getenv(childEnv) {
			continue
		}
		s, err := launch(p, false)
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(s.Dir(), s.Addr())
		select {}
	}
}

func TestServerDiesWithAKilledTestProcess(t *testing.T) {
	for _, p := range []*program{&postgres, &mariadb, &memcached, &redis} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			need(t, p)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"="+p.name)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			dir, address, ok := strings.Cut(strings.TrimSpace(line), " ")
			if err != nil || !ok || !strings.HasPrefix(dir, "/") {
				t.Fatalf("the child says %q: %v", line, err)
			}
			if traces(dir, address) == "" {
				t.Fatal("the child's server does not run")
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // says that it was killed
			left := traces(dir, address)
			for end := time.Now().Add(30 * time.Second); left != "" && time.Now().Before(end); left = traces(dir, address) {
				time.Sleep(10 * time.Millisecond)
			}
			if left != "" {
				t.Fatal(left)
			}
		})
	}
}
