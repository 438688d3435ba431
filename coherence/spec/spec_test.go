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

// check has a model checked under the given definitions, and returns the
// checker's report.
func check(t *testing.T, file string, defs ...string) string {
	t.Helper()
	model, err := filepath.Abs(file)
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

// A variant is a model with steps left out, or of other sizes.
type variant struct {
	name  string
	defs  []string
	wrong bool // there is a stale read
}

func (v variant) check(t *testing.T, file string) {
	report := check(t, file, v.defs...)
	violated := strings.Contains(report, "assertion violated")
	complete := strings.Contains(report, "errors: 0") && !strings.Contains(report, "max search depth too small")
	if violated != v.wrong || !violated && !complete {
		t.Errorf("stale read found: %v, want %v\n%s", violated, v.wrong, report)
	}
}

func TestModel(t *testing.T) {
	need(t)
	for _, v := range []variant{
		{"the protocol", []string{"-DREADS=2", "-DBUMPBEFORE"}, false},
		{"the protocol, two writers", []string{"-DREADS=1", "-DBUMPBEFORE", "-DW2"}, false},
		{"holds before tokens", []string{"-DREADS=2", "-DBUMPBEFORE", "-DHFIRST"}, true},
		{"no token at hold", []string{"-DREADS=2"}, true},
		{"no hold", []string{"-DREADS=2", "-DBUMPBEFORE", "-DNOHOLD"}, true},
	} {
		t.Run(v.name, func(t *testing.T) { v.check(t, "coherence.pml") })
	}
}

func TestShapes(t *testing.T) {
	need(t)
	for _, v := range []variant{
		{"the protocol", []string{"-DREADS=2"}, false},
		{"the protocol, a shape parts", []string{"-DREADS=1", "-DPARTS"}, false},
		{"members before the hold only", []string{"-DREADS=2", "-DMEMBERSFIRST"}, true},
		{"in use without a look at the holds", []string{"-DREADS=2", "-DNOLOOK"}, true},
		{"in use without a proposal", []string{"-DREADS=2", "-DNOPROPOSAL"}, true},
		{"join under any token", []string{"-DREADS=2", "-DANYJOIN"}, true},
		{"kept whatever the token of the members", []string{"-DREADS=2", "-DANYMEMBERS"}, true},
		{"part without a new token", []string{"-DREADS=2", "-DPARTS", "-DPARTKEEPS"}, true},
	} {
		t.Run(v.name, func(t *testing.T) { v.check(t, "shapes.pml") })
	}
}
