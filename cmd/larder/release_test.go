package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// go install refuses a module that replaces others.
func TestGoInstall(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil || regexp.MustCompile(`(?m)^\s*(replace|exclude)\b`).Match(text) {
		t.Errorf("go.mod has replace or exclude directives: %v", err)
	}
}

// Binaries are static: drivers and parsers of the command line need no C.
func TestNoCgo(t *testing.T) {
	command := exec.Command("go", "list", "-deps", "-f", "{{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}", ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := command.CombinedOutput()
	if text := strings.TrimSpace(string(out)); err != nil || text != "" {
		t.Errorf("%v: these packages need C: %s", err, text)
	}
}

// A binary tells what it consists of.
func TestSBOM(t *testing.T) {
	status, stdout, stderr := larderCommand(t, "", "sbom")
	var b bill
	if err := json.Unmarshal([]byte(stdout), &b); err != nil || status != exitOK || b.Format != "CycloneDX" || len(b.Components) < 10 {
		t.Fatalf("exit status %d, %v: %s%s", status, err, stdout, stderr)
	}
	seen := map[string]string{}
	for _, c := range b.Components {
		seen[c.Name] = c.URL
	}
	for _, name := range []string{"std", "github.com/jackc/pgx/v5", "modernc.org/sqlite", "github.com/spf13/cobra"} {
		if !strings.HasPrefix(seen[name], "pkg:golang/"+name+"@") {
			t.Errorf("%s is missing: %q", name, seen[name])
		}
	}
	if status, _, stderr := larderCommand(t, "", "sbom", "../../go.mod"); status != exitFailed || !strings.Contains(stderr, "read the binary") {
		t.Errorf("exit status %d, %s", status, stderr)
	}
}

// The version is a semantic one, and the changelog doesn't lag behind it.
func TestVersionIsSemantic(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(version) {
		t.Errorf("%q is no semantic version", version)
	}
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil || !strings.Contains(string(text), "## Unreleased") && !strings.Contains(string(text), "## "+version) {
		t.Errorf("CHANGELOG.md has neither Unreleased nor %s: %v", version, err)
	}
}
