package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write testdata/usage.txt anew")

// What users read of the commands is reviewed like code.
func TestUsage(t *testing.T) {
	var b bytes.Buffer
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		if c.Name() == "help" || c.Name() == "completion" {
			return
		}
		b.WriteString("## " + c.CommandPath() + "\n")
		c.SetOut(&b)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n")
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	root := rootCommand()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	each(root)
	const golden = "testdata/usage.txt"
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("usage differs from %s; look, then go test ./cmd/bridge -run TestUsage -update:\n%s", golden, b.String())
	}
}

// Every command is in the README's table.
func TestReadmeNamesEveryCommand(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range rootCommand().Commands() {
		if c.Runnable() && !strings.Contains(string(readme), "`bridge "+c.Name()) {
			t.Errorf("README.md does not name bridge %s", c.Name())
		}
	}
}

func TestExitCodes(t *testing.T) {
	dir, err := simulated()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		want int
	}{
		"version":                      {[]string{"version"}, 0},
		"unknown command":              {[]string{"rnu"}, 2},
		"unknown flag":                 {[]string{"run", "--nope"}, 2},
		"missing topic":                {[]string{"tail"}, 2},
		"no settings":                  {[]string{"run", "-c", "testdata/nowhere.yaml"}, 1},
		"bad position":                 {[]string{"run", "-c", "../../internal/config/testdata/minimal.yaml", "--accept-position", "x"}, 2},
		"a position of another topic":  {[]string{"run", "-c", filepath.Join(dir, "bridge.yaml"), "--accept-position", "order-event/0@1"}, 2},
		"a position before the first":  {[]string{"run", "-c", filepath.Join(dir, "bridge.yaml"), "--accept-position", "order-events/-1@1"}, 2},
		"no such command of topics":    {[]string{"topics", "list"}, 2},
		"no such command of schemas":   {[]string{"schemas", "delete"}, 2},
		"no such command of inspect":   {[]string{"inspect", "answer"}, 2},
		"no such shell":                {[]string{"completion", "foo"}, 2},
		"topics alone":                 {[]string{"topics"}, 0},
		"an argument too many":         {[]string{"version", "x"}, 2},
		"no partitions":                {[]string{"topics", "create", "--partitions", "-3"}, 2},
		"no replicas":                  {[]string{"topics", "create", "--replication", "0"}, 2},
		"a negative number of records": {[]string{"tail", "results", "-n", "-1"}, 2},
		"no records":                   {[]string{"tail", "results", "-n", "0"}, 2},
		"an unclear time":              {[]string{"tail", "results", "--since", "yesterday"}, 2},
		"two beginnings":               {[]string{"tail", "results", "--since", "1h", "--from", "latest"}, 2},
		"no such simulator settings":   {[]string{"simulate", "-c", "testdata/nothere.yaml"}, 1},
		"bad slot":                     {[]string{"run", "-c", filepath.Join(dir, "bridge.yaml"), "--slot", "a b"}, 2},
		"check of a slot":              {[]string{"check", "-c", filepath.Join(dir, "bridge.yaml"), "--slot", "a b"}, 2},
		"bad settings":                 {[]string{"check", "-c", "../../internal/config/testdata/bad/unknown_key.yaml"}, 3},
		"bad faults":                   {[]string{"demo", "--faults", "fire"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := run(tt.args); got != tt.want {
				t.Errorf("exit %d, want %d", got, tt.want)
			}
		})
	}
}
