package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
)

// terminalOf returns the file of a writer if it is a terminal.
func terminalOf(w io.Writer) (*os.File, bool) {
	f, is := w.(*os.File)
	return f, is && isatty.IsTerminal(f.Fd())
}

// A style colours text, if that is wanted.
type style struct{ on bool }

// styleOf colours what goes to a terminal, unless NO_COLOR is set, or TERM is dumb.
func styleOf(w io.Writer) style {
	_, is := terminalOf(w)
	return style{is && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s style) paint(code, text string) string {
	if !s.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string  { return s.paint("1", text) }
func (s style) faint(text string) string { return s.paint("2", text) }
func (s style) green(text string) string { return s.paint("32", text) }
func (s style) red(text string) string   { return s.paint("31", text) }

// A progress tells on a terminal how far something is that takes long; elsewhere it is silent.
type progress struct {
	w     io.Writer
	shown time.Time
	last  int // how long the line is that is shown
}

const progressEvery = 200 * time.Millisecond

func progressOn(w io.Writer) *progress {
	if _, is := terminalOf(w); !is {
		return &progress{}
	}
	return &progress{w: w, shown: time.Now()}
}

// show replaces the line that is shown, not too often.
func (p *progress) show(format string, args ...any) {
	if p.w == nil || time.Since(p.shown) < progressEvery {
		return
	}
	p.shown = time.Now()
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(p.w, "\r%s%s", text, strings.Repeat(" ", max(0, p.last-len(text))))
	p.last = len(text)
}

// done takes the line away.
func (p *progress) done() {
	if p.w != nil && p.last > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.last))
		p.last = 0
	}
}
