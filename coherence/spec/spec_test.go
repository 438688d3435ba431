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
	// Collapsed, states take a third of the memory and a tenth more time.
	run(t, dir, "cc", "-O2", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
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
	t.Parallel()
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
		{"two writers", []string{"-DREADS=3", "-DONE", "-DW2"}, false},
		{"in use while who knows nothing of it writes", []string{"-DREADS=3", "-DONE", "-DHASTY"}, true},
		{"a look at who writes before the proposal", []string{"-DREADS=3", "-DONE", "-DHOLDERSFIRST"}, true},
		{"in use without a proposal", []string{"-DREADS=2", "-DNOPROPOSAL"}, true},
		{"join under any token", []string{"-DREADS=2", "-DANYJOIN"}, true},
		{"kept whatever the token of the members", []string{"-DREADS=2", "-DANYMEMBERS"}, true},
		{"part without a new token", []string{"-DREADS=2", "-DPARTS", "-DPARTKEEPS"}, true},
	} {
		t.Run(v.name, func(t *testing.T) { v.check(t, "shapes.pml") })
	}
}

// TestEvict: a store that drops any key at any time.
func TestEvict(t *testing.T) {
	need(t)
	for _, v := range []variant{
		{"the protocol", nil, false},
		{"a missing tag isn't suspect", []string{"-DNOSTRIPE"}, true},
		{"a missing stripe is empty", []string{"-DTRUSTEMPTY"}, true},
		{"a suspect tag is cleared under any token", []string{"-DCLEARANY"}, true},
		{"holds aren't renewed", []string{"-DNORENEW"}, true},
		{"two writers", []string{"-DWRITERS=2", "-DREADS=3", "-DONE", "-DKEEPS"}, false},
		{"two writers, stripes are dropped too", []string{"-DWRITERS=2", "-DREADS=2", "-DONE"}, false},
		{"cleared at a second look, whoever holds", []string{"-DFORGETS"}, true},
		{"cleared by a look at a stripe that lost marks", []string{"-DANYSTRIPE"}, true},
		{"cleared by a look for another token", []string{"-DWRITERS=2", "-DREADS=3", "-DONE", "-DKEEPS", "-DANYTOKEN"}, true},
		{"not covered: killed, and committed after the lease", []string{"-DLATECOMMIT"}, true},
	} {
		t.Run(v.name, func(t *testing.T) { v.check(t, "evict.pml") })
	}
}

// TestRemembered: shapes in use, by processes that remember them.
func TestRemembered(t *testing.T) {
	need(t)
	for _, v := range []variant{
		{"the protocol", nil, false},
		{"no look after the mark", []string{"-DNOLOOK"}, true},
		{"a look before the mark", []string{"-DLOOKFIRST"}, true},
		{"no claim", []string{"-DNOCLAIM"}, true},
	} {
		t.Run(v.name, func(t *testing.T) { v.check(t, "remembered.pml") })
	}
}

// TestSchema: a change of the schema beside a write of another process.
func TestSchema(t *testing.T) {
	need(t)
	for _, v := range []variant{
		{"the protocol", []string{"-DREADS=1"}, false},
		{"the change waits for nobody", []string{"-DHASTY"}, true},
		{"the write isn't made ready", []string{"-DNOREADY"}, true},
		{"the watch holds nothing", []string{"-DNOCOVER"}, true},
		{"facts before the hold", []string{"-DLATEFACTS"}, true},
		{"not covered: stopped before a statement outside of transactions", []string{"-DAUTOCOMMIT"}, true},
	} {
		t.Run(v.name, func(t *testing.T) { v.check(t, "schema.pml") })
	}
}

// TestFence: a store that can't be reached, and a process that is stopped.
func TestFence(t *testing.T) {
	need(t)
	for _, v := range []variant{
		{"the protocol", nil, false},
		{"no fence", []string{"-DNOFENCE"}, true},
		{"the write isn't made ready", []string{"-DNOREADY"}, true},
		{"the store isn't told later", []string{"-DGIVEUP"}, true},
		{"not covered: stopped before a statement outside of transactions", []string{"-DAUTOCOMMIT"}, true},
		{"not covered: not reached at the hold, and killed", []string{"-DKILLED"}, true},
	} {
		t.Run(v.name, func(t *testing.T) { v.check(t, "fence.pml") })
	}
}

// TestPause: writes whose rows the database's answer tells.
func TestPause(t *testing.T) {
	need(t)
	for _, v := range []variant{
		{"the protocol", nil, false},
		{"the protocol, two writers", []string{"-DREADS=1", "-DW2"}, false},
		{"the protocol, beside a pause of other rows", []string{"-DREADS=1", "-DOTHER"}, false},
		{"resumed before the slice is released, which is marked", []string{"-DRELEASELAST"}, false},
		{"no pause", []string{"-DNOPAUSE"}, true},
		{"resumed before the slice is marked", []string{"-DEARLYRESUME"}, true},
		{"marks after tokens only", []string{"-DMARKSAFTER"}, true},
		{"a crash keeps the token", []string{"-DKEEPSTOKEN"}, true},
	} {
		t.Run(v.name, func(t *testing.T) { v.check(t, "pause.pml") })
	}
}
