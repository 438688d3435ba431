package rivals

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// report writes the table.
func report(t *testing.T, p *places, figures []figure, ideal float64, began time.Time, load string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, %s/%s, %d cores; load %s when it began, %s when it ended; it took %.0f minutes\n", began.UTC().Format("2006-01-02"),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), load, loadAverage(), time.Since(began).Minutes())
	fmt.Fprintf(&b, "# mixed: %d operations of one client; stale: %v of %d processes with %d clients each; %.0f%% saves\n\n",
		*opsFlag, *staleFlag, processes, clientsEach, 100*saves)
	b.WriteString("| | results in | a hit, µs | of the bare query | hit ratio | statements an operation | an operation, µs | stale reads, one client | stale reads a million, four processes | reads that went back, a million | of reads |\n")
	b.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for i := range figures {
		b.WriteString(figures[i].row())
	}
	fmt.Fprintf(&b, "\nThe ideal hit ratio is %.3f. A hit was compared with the bare query, in turn: %s µs with pgx, %s with Django.\n\n", ideal, bares(figures, "Go"), bares(figures, "Python"))
	for _, f := range figures {
		if f.failed > 0 {
			fmt.Fprintf(&b, "%s: %d calls failed, as by: %s\n\n", f.id(), f.failed, f.failure)
		}
	}
	b.WriteString("Versions:\n\n")
	for _, line := range versions(t, p, figures) {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	fmt.Print(b.String())
	if *tableFlag == "" {
		return
	}
	if err := os.WriteFile(*tableFlag, []byte(b.String()), 0o644); err != nil {
		t.Error(err)
	}
}

func (f *figure) row() string {
	cells := []string{f.name, f.store}
	if f.why != "" {
		cells = append(cells, "not measured: "+strings.Join(strings.Fields(f.why), " "), "", "", "", "", "", "", "", "")
		return "| " + strings.Join(cells, " | ") + " |\n"
	}
	number := func(format string, value any) { cells = append(cells, fmt.Sprintf(format, value)) }
	number("%.1f", f.hit)
	if f.store == "" {
		cells = append(cells, "1", "")
	} else {
		number("%.3f", f.ratio)
		number("%.3f", 1-float64(f.lists)/float64(f.mixed.Reads))
	}
	number("%.3f", float64(f.all)/float64(*opsFlag))
	number("%.0f", f.mixed.Seconds*1e6/float64(*opsFlag))
	number("%d", f.mixed.Stale)
	if !f.shared() {
		cells = append(cells, "", "", "")
	} else {
		number("%.0f", f.verdict.million(f.verdict.stale))
		number("%.0f", f.verdict.million(f.verdict.back))
		number("%d", f.verdict.reads)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func (v verdict) million(n int) float64 { return float64(n) * 1e6 / float64(max(v.reads, 1)) }

// bares are the least and the largest median of the bare query of a language.
func bares(figures []figure, language string) string {
	var list []float64
	for _, f := range figures {
		if f.language() == language && f.bare > 0 {
			list = append(list, f.bare)
		}
	}
	if len(list) == 0 {
		return "?"
	}
	return fmt.Sprintf("%.0f to %.0f", slices.Min(list), slices.Max(list))
}

// versions are of all that was measured, each once.
func versions(t *testing.T, p *places, figures []figure) (list []string) {
	t.Helper()
	var server string
	if err := p.maintenance.QueryRow("SHOW server_version").Scan(&server); err != nil {
		t.Error(err)
	}
	redis, _, _ := strings.Cut(output("redis-server", "--version"), " sha=")
	list = append(list, "Larder "+output("git", "describe", "--always", "--dirty"), runtime.Version(), "PostgreSQL "+server,
		output("memcached", "--version"), redis)
	modules := []string{"list", "-m", "-f", "{{.Path}} {{.Version}}"}
	for _, f := range figures {
		if f.why == "" {
			modules = append(modules, f.modules...)
			list = append(list, f.version...)
		}
	}
	if len(modules) > 4 {
		list = append(list, strings.Split(output("go", modules...), "\n")...)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(line string) bool {
		was := seen[line] || line == ""
		seen[line] = true
		return was
	})
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return name + ": " + err.Error()
	}
	return strings.TrimSpace(string(out))
}

// loadAverage is the number of processes that ran or wanted to, in the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
