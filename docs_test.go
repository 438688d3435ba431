package larder_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link      = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	codeSpan  = regexp.MustCompile("`[^`]*`")
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// prose returns the lines of a page that are not code.
func prose(t *testing.T, page string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	fenced := false
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			lines = append(lines, line)
		}
	}
	return lines
}

// links returns the targets of a page's links within the repository.
func links(t *testing.T, page string) (targets []string) {
	t.Helper()
	for _, line := range prose(t, page) {
		for _, match := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, "x"), -1) {
			if u, err := url.Parse(match[1]); err != nil || u.Scheme == "" {
				targets = append(targets, match[1])
			}
		}
	}
	return targets
}

// anchors returns what the headings of a page are called in links.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	slugs := map[string]bool{}
	for _, line := range prose(t, page) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			slug := notInSlug.ReplaceAllString(strings.ToLower(heading), "")
			slugs[strings.ReplaceAll(slug, " ", "-")] = true
		}
	}
	return slugs
}

// dead says why a link from a page leads nowhere; "" if it doesn't.
func dead(t *testing.T, page, target string) string {
	t.Helper()
	file, anchor, _ := strings.Cut(target, "#")
	to := filepath.Join(filepath.Dir(page), filepath.FromSlash(file))
	if file == "" {
		to = page
	}
	if _, err := os.Stat(to); err != nil {
		return "there is no " + to
	}
	if anchor != "" && !anchors(t, to)[anchor] {
		return "there is no such heading in " + to
	}
	return ""
}

func pages(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			list = append(list, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestLinksLeadSomewhere(t *testing.T) {
	seen := 0
	for _, page := range pages(t) {
		for _, target := range links(t, page) {
			seen++
			if why := dead(t, page, target); why != "" {
				t.Errorf("%s: %s: %s", page, target, why)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d links were found", seen)
	}
}

// TestDead: what the check of links is for, and what it lets pass.
func TestDead(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := "# One: `two` & three\n[a](page.md) [b](http://nowhere.invalid/x) `[c](code)`\n```\n[d](fenced)\n```\n[e](#one-two--three)\n"
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(links(t, page), " "); got != "page.md #one-two--three" {
		t.Errorf("links: %s", got)
	}
	for target, isDead := range map[string]bool{
		"page.md": false, "other.md": true, "page.md#one-two--three": false, "page.md#four": true, "#four": true, "..": false,
	} {
		if why := dead(t, page, target); (why != "") != isDead {
			t.Errorf("%s: %q, dead should be %t", target, why, isDead)
		}
	}
}
