package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// sbomCommand writes what a binary consists of, as Go has noted it in there; ./dev release asks it of each.
func sbomCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "sbom [BINARY]",
		Short:  "Print the modules of a larder binary, as CycloneDX JSON",
		Hidden: true,
		Args:   cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path, err := os.Executable()
			if len(args) > 0 {
				path, err = args[0], nil
			}
			if err != nil {
				return fmt.Errorf("find the binary: %w", err)
			}
			info, err := buildinfo.ReadFile(path)
			if err != nil {
				return fmt.Errorf("read the binary: %w", err)
			}
			return writeJSON(c.OutOrStdout(), billOf(info, stamped))
		},
	}
}

// A bill is a bill of materials in the form of CycloneDX 1.5.
type bill struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   material    `json:"metadata"`
	Components []component `json:"components"`
}

type material struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	URL        string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// billOf lists the modules of a build, with the sums by which the go command checks them. stamp is the version of a release.
func billOf(info *debug.BuildInfo, stamp string) bill {
	main := info.Main
	if main.Version = buildOf(info, stamp).Version; main.Path == "" {
		main.Path = "github.com/larderdb/larder"
	}
	b := bill{Format: "CycloneDX", Spec: "1.5", Version: 1, Components: []component{}}
	b.Metadata.Component = componentOf("application", &main)
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "vcs.revision":
			b.Metadata.Component.Properties = append(b.Metadata.Component.Properties, property{"go:" + s.Key, s.Value})
		}
	}
	standard := debug.Module{Path: "std", Version: info.GoVersion}
	b.Components = append(b.Components, componentOf("library", &standard))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, componentOf("library", m))
	}
	return b
}

func componentOf(kind string, m *debug.Module) component {
	url := "pkg:golang/" + m.Path + "@" + m.Version
	c := component{Type: kind, Ref: url, Name: m.Path, Version: m.Version, URL: url}
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}
