package spec

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// need skips the test without spin and a C compiler, or fails it where they are required.
func need(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"spin", "cc"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" || strings.Contains(os.Getenv("LARDER_REQUIRE"), "spin") {
			t.Fatalf("%s is required, and not there", tool)
		}
		t.Skipf("%s is not there", tool)
	}
}

// check has the model checked under the given definitions, and returns the
// checker's report.
func check(t *testing.T, defs ...string) string {
	t.Helper()
	model, err := filepath.Abs("coherence.pml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run(t, dir, "spin", append(defs, "-a", model)...)
	run(t, dir, "cc", "-O2", "-DSAFETY", "-o", "pan", "pan.c")
	return run(t, dir, "./pan", "-m1000000")
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestModel(t *testing.T) {
	need(t)
	cases := []struct {
		name  string
		defs  []string
		wrong bool // there is a stale read
	}{
		{"the protocol", []string{"-DREADS=2", "-DBUMPBEFORE"}, false},
		{"the protocol, two writers", []string{"-DREADS=1", "-DBUMPBEFORE", "-DW2"}, false},
		{"holds before tokens", []string{"-DREADS=2", "-DBUMPBEFORE", "-DHFIRST"}, true},
		{"no token at hold", []string{"-DREADS=2"}, true},
		{"no hold", []string{"-DREADS=2", "-DBUMPBEFORE", "-DNOHOLD"}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			report := check(t, c.defs...)
			violated := strings.Contains(report, "assertion violated")
			complete := strings.Contains(report, "errors: 0") && !strings.Contains(report, "max search depth too small")
			if violated != c.wrong || !violated && !complete {
				t.Errorf("stale read found: %v, want %v\n%s", violated, c.wrong, report)
			}
		})
	}
}
