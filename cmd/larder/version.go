package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is the semantic version that these sources are, or will be, released as. It stands here only.
const version = "0.1.0"

// stamped is the version of a release, which ./dev release has the linker set.
var stamped string

func versionCommand() *cobra.Command {
	asJSON := false
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Version prints the version of Larder, the commit it was built from where that is known, and Go's.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{GoVersion: runtime.Version()}
			}
			b := buildOf(info, stamped)
			return output(c, asJSON, b, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, b)
				return err
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

// A build is what is known of how this program was made.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // the sources differed from the commit's
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// buildOf tells a build: a release has a stamp, what go install has made the version of the module.
func buildOf(info *debug.BuildInfo, stamp string) build {
	b := build{Version: "v" + version + "-dev", Go: info.GoVersion, OS: runtime.GOOS, Arch: runtime.GOARCH}
	switch {
	case stamp != "":
		b.Version = stamp
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String tells a build in one line.
func (b build) String() string {
	words := []string{"larder", b.Version}
	if len(b.Commit) >= 12 && !strings.Contains(b.Version, b.Commit[:12]) {
		words = append(words, b.Commit[:12])
		if b.Modified {
			words = append(words, "(modified)")
		}
	}
	return strings.Join(append(words, b.Go), " ")
}
