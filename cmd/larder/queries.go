package main

import (
	"fmt"
	"io"
	"os"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/cmd/larder/sqltext"
)

// maxStatement is how long a text may be that is read from a file or from standard input.
const maxStatement = 16 << 20

// textOf reads a file, or standard input if it is "-".
func textOf(name string, stdin io.Reader) (string, error) {
	from := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("read statements: %w", err)
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxStatement+1))
	switch {
	case err != nil && name == "-":
		return "", fmt.Errorf("read standard input: %w", err)
	case err != nil:
		return "", fmt.Errorf("read statements: %w", err)
	case len(text) > maxStatement:
		return "", usagef("the text is longer than %d bytes", maxStatement)
	}
	return string(text), nil
}

// readsOf reads statements that do nothing but read; others are refused.
func readsOf(name string, stdin io.Reader, d analyze.Dialect) ([]string, error) {
	text, err := textOf(name, stdin)
	if err != nil {
		return nil, err
	}
	list := sqltext.Split(d, text)
	for _, one := range list {
		if st := analyze.Analyze(d, one); st.Kind != analyze.Read || st.Writing() {
			return nil, usagef("only reads are run, and this is none: %s", cut(one, textWidth))
		}
	}
	if len(list) == 0 {
		return nil, usagef("there is no statement in %s: statements end with semicolons", name)
	}
	return list, nil
}
