package main

import (
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
