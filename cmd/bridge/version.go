package main

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/consume/window"
	"alipay-kafka-bridge/schemas"
)

// release is the version of a released binary; make release sets it.
var release string

func versionCommand() *cobra.Command {
	var out command.Answer
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Long: `Version prints the version of this program. With -o json it also says what the
program is made of, which schemas it has, and which versions of the text of
committed offsets it reads and writes: a program can take over from another one
if it reads what that one writes.`,
		Args: command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			p, v := out.Printer(c), built()
			if p.Data() {
				return p.Object(v)
			}
			return p.Line(fmt.Sprintf("bridge %s (%s, %s/%s)", v.Version, v.Go, v.OS, v.Arch))
		},
	}
	out.Flag(c, "version", []string{"text", "json", "yaml", "help"})
	return c
}

// program is what version prints as JSON.
type program struct {
	Version  string       `json:"version"`               // of the release, or the begin of the commit
	Commit   string       `json:"commit,omitempty"`      // in full; absent if it was not built from a checkout
	Time     string       `json:"commit_time,omitempty"` // UTC
	Changed  bool         `json:"changed"`               // the checkout had changes that were not committed
	Go       string       `json:"go"`                    // version
	OS       string       `json:"os"`                    // as GOOS
	Arch     string       `json:"arch"`                  // as GOARCH
	Text     textVersions `json:"window_text"`           // the metadata of committed offsets
	Schemas  []schemaOf   `json:"schemas"`               // of the contract
	Packages []module     `json:"modules"`               // that are in the binary
}

type textVersions struct {
	Reads  []int `json:"reads"`  // versions
	Writes []int `json:"writes"` // versions
}

type schemaOf struct {
	Name   string `json:"name"`   // of the record
	SHA256 string `json:"sha256"` // of its file
}

type module struct {
	Path    string `json:"path"`    // of the module
	Version string `json:"version"` // of the module
	Sum     string `json:"sum"`     // as in go.sum
}

func built() program {
	p := program{Version: version(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Schemas: []schemaOf{}, Packages: []module{}}
	p.Text.Reads, p.Text.Writes = window.TextVersions()
	for _, s := range schemas.All() {
		p.Schemas = append(p.Schemas, schemaOf{s.Name, fmt.Sprintf("%x", sha256.Sum256([]byte(s.Text)))})
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return p
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	p.Commit, p.Time, p.Changed = settings["vcs.revision"], settings["vcs.time"], settings["vcs.modified"] == "true"
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		p.Packages = append(p.Packages, module{m.Path, m.Version, m.Sum})
	}
	return p
}

// version is that of the release, of the module, or the commit if the program was built from a checkout.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}
