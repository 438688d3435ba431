package guide

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamplesAreIntroduced: each example begins with what it shows and its command, and the list of examples has that, too.
func TestExamplesAreIntroduced(t *testing.T) {
	list, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob("../*/main.go")
	if err != nil || len(programs) < 10 {
		t.Fatalf("%d examples were found: %v", len(programs), err)
	}
	for _, program := range programs {
		name := filepath.Base(filepath.Dir(program))
		text, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(text), "package main")
		command := "go run -C examples ./" + name
		if !strings.HasPrefix(head, "// Command "+name+" shows ") || !strings.Contains(head, command) {
			t.Errorf("%s doesn't begin with what it shows and how it is run:\n%s", program, head)
		}
		if !strings.Contains(string(list), command) || !strings.Contains(string(list), "("+name+"/main.go)") {
			t.Errorf("examples/README.md doesn't list %s", name)
		}
	}
}
