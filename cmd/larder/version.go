package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Version prints the version of Larder, the commit it was built from where that is known, and Go's.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{}
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), versionOf(info))
			return err
		},
	}
}

// versionOf tells a build in one line.
func versionOf(info *debug.BuildInfo) string {
	words := []string{"larder", "unknown"}
	if info.Main.Version != "" {
		words[1] = info.Main.Version
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if commit := settings["vcs.revision"]; len(commit) >= 12 && !strings.Contains(words[1], commit[:12]) {
		words = append(words, commit[:12])
		if settings["vcs.modified"] == "true" {
			words = append(words, "(modified)")
		}
	}
	return strings.Join(append(words, info.GoVersion), " ")
}
