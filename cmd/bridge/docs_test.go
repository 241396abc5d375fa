package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/config"
)

const commandsHead = `# Commands

What ` + "`bridge COMMAND --help`" + ` prints, on one page. [README.md](README.md) describes what commands print as JSON.

This page is generated from the commands. To change it, change them and run ` + "`go test ./cmd/bridge -run TestCommandReference -update`" + `.
`

// TestCommandReference: docs/reference/cli/commands.md is what the commands say.
func TestCommandReference(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(commandsHead)
	root := rootCommand()
	describe(&b, root)
	const page = "../../docs/reference/cli/commands.md"
	if *update {
		if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is not what the commands say (%v): look, then go test ./cmd/bridge -run TestCommandReference -update", page, err)
	}
}

// describe writes the section of a command, and then those of its own commands.
func describe(b *bytes.Buffer, c *cobra.Command) {
	code := func(kind, text string) { fmt.Fprintf(b, "\n```%s\n%s\n```\n", kind, strings.TrimSpace(text)) }
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.CommandPath(), c.Short)
	if c.Long != "" {
		code("text", c.Long)
	}
	if c.Runnable() && !c.HasSubCommands() {
		code("text", c.UseLine())
	}
	if c.Example != "" {
		code("sh", regexp.MustCompile(`(?m)^  `).ReplaceAllString(c.Example, ""))
	}
	var rows []string
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fallback := strings.Trim(f.DefValue, "[]")
		if slices.Contains([]string{"", "false", "0", "0s"}, fallback) {
			fallback = ""
		} else {
			fallback = "`" + fallback + "`"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", strings.TrimSpace(name+" "+value), fallback, strings.ReplaceAll(usage, "|", `\|`)))
	})
	if len(rows) > 0 {
		b.WriteString("\n| flag | default | meaning |\n|---|---|---|\n" + strings.Join(rows, "\n") + "\n")
	}
	for _, sub := range c.Commands() {
		if sub.Name() != "help" && sub.Name() != "completion" && !sub.Hidden {
			describe(b, sub)
		}
	}
}

// block is a fenced block of code of a page.
type block struct {
	page       string
	line       int
	kind, text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

var fenced = regexp.MustCompile("(?ms)^( *)```([^\n`]*)\n(.*?)^ *```[ \t]*$")

// documents returns the pages that users read, by their names.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	root := os.DirFS("../..")
	for _, top := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "deploy"} {
		err := fs.WalkDir(root, top, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".md" {
				return err
			}
			text, err := fs.ReadFile(root, path)
			all[path] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// blocks returns the blocks of all documents.
func blocks(t *testing.T) []block {
	t.Helper()
	var all []block
	for page, text := range documents(t) {
		for _, m := range fenced.FindAllStringSubmatchIndex(text, -1) {
			indent, kind, body := text[m[2]:m[3]], text[m[4]:m[5]], text[m[6]:m[7]]
			body = regexp.MustCompile(`(?m)^`+indent).ReplaceAllString(body, "")
			all = append(all, block{page, 1 + strings.Count(text[:m[0]], "\n"), kind, body})
		}
	}
	return all
}

// Each block of a document is of a kind that a test can judge, or is output of a command.
func TestBlocksHaveKnownKinds(t *testing.T) {
	n := map[string]int{}
	for _, b := range blocks(t) {
		n[b.kind]++
		if !slices.Contains([]string{"sh", "yaml", "yaml values", "text"}, b.kind) {
			t.Errorf("%s: a block of kind %q; use sh, yaml (settings of the bridge), yaml values (of the chart) or text (output)", b, b.kind)
		}
	}
	if n["sh"] < 40 || n["yaml"] < 3 {
		t.Errorf("found only %v", n)
	}
}

// Each command in the documents is one that exists, with flags that exist.
func TestDocumentedCommands(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks(t) {
		if b.kind != "sh" {
			continue
		}
		shell := exec.CommandContext(t.Context(), "sh", "-n")
		shell.Stdin = strings.NewReader(b.text)
		if out, err := shell.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", b, err, out)
		}
		for _, words := range commandsIn(b.text) {
			if err := judge(words, string(makefile), true); err != nil {
				t.Errorf("%s: %s: %v", b, strings.Join(words, " "), err)
			}
		}
	}
}

var inline = regexp.MustCompile("`((?:\\./)?bridge [^`]+)`")

// Commands in sentences and tables exist, too. Their arguments may be placeholders.
func TestMentionedCommands(t *testing.T) {
	n := 0
	for page, text := range documents(t) {
		for _, m := range inline.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			n++
			if err := judge(split(m[1]), "", false); err != nil {
				t.Errorf("%s: `%s`: %v", page, m[1], err)
			}
		}
	}
	if n < 50 {
		t.Errorf("found only %d", n)
	}
}

// heredoc is input of a command, which is no command.
var heredoc = regexp.MustCompile(`(?s)<<'?(\w+)'?(.*?)\n(.*?)\n(\w+)(\n|$)`)

// commandsIn returns the simple commands of a block of shell, as words.
func commandsIn(text string) [][]string {
	text = heredoc.ReplaceAllString(text, "$2\n")
	text = strings.ReplaceAll(text, "\\\n", " ")
	var all [][]string
	for line := range strings.Lines(text) {
		var words []string
		for _, word := range append(split(line), ";") {
			if !slices.Contains([]string{"|", "||", "&&", ";", "&"}, word) {
				words = append(words, word)
				continue
			}
			if len(words) > 0 {
				all = append(all, words)
			}
			words = nil
		}
	}
	return all
}

// split cuts a line of shell into words, without comments and redirections.
func split(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+`).FindAllString(line, -1) {
		switch {
		case strings.HasPrefix(m, "#"):
			return words
		case len(words) > 0 && slices.Contains([]string{"<", ">", ">>", "2>"}, words[len(words)-1]):
			words = words[:len(words)-1]
		default:
			words = append(words, strings.NewReplacer("'", "", `"`, "", `\|`, "|").Replace(m))
		}
	}
	return words
}

// judge says what is wrong with a command. Arguments and values of flags are judged only if they are not
// placeholders.
func judge(words []string, makefile string, exact bool) error {
	if words[0] == "make" && len(words) > 1 {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words[1]) + `:`).MatchString(makefile) {
			return fmt.Errorf("there is no such target")
		}
		return nil
	}
	for _, file := range words {
		if !exact || !regexp.MustCompile(`^(deploy|docs|examples|integration|schemas|interop)/`).MatchString(file) {
			continue
		}
		if _, err := os.Stat("../../" + file); err != nil {
			return err
		}
	}
	at := slices.IndexFunc(words, func(w string) bool {
		return slices.Contains([]string{"bridge", "./bridge", "/bridge", "./cmd/bridge"}, w)
	})
	inPod := slices.Contains(words, "exec")
	if at < 0 || at > 0 && !inPod && words[at] != "./cmd/bridge" {
		return nil // another program, of which ours may be an argument
	}
	if inPod && words[at] == "bridge" { // the name of the service of Compose
		next := slices.Index(words, "/bridge")
		if next < 0 {
			return nil
		}
		at = next
	}
	if words[0] == "go" && words[1] != "run" {
		return nil
	}
	root := rootCommand()
	root.InitDefaultHelpCmd()
	args := slices.Clone(words[at+1:])
	if !exact {
		if args[0] == "COMMAND" {
			return nil
		}
		args = slices.DeleteFunc(args, func(w string) bool { return strings.ContainsAny(w, "[]…") })
	}
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if c.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return fmt.Errorf("%s has no command %s", c.CommandPath(), rest[0])
	}
	if slices.Contains(rest, "--help") {
		return nil
	}
	if err := c.ParseFlags(rest); err != nil {
		if exact || !strings.Contains(err.Error(), "flag needs an argument") {
			return err
		}
	}
	if exact {
		return c.ValidateArgs(c.Flags().Args())
	}
	return nil
}

func TestJudge(t *testing.T) {
	for _, wrong := range []string{
		"make nothing", "./bridge nothing", "./bridge run --nothing", "./bridge tail", "go run ./cmd/bridge topics crate",
		"kubectl exec bridge-0 -- /bridge statuss", "kubectl apply -f deploy/kafka/nothing.yaml", "docker compose exec bridge /bridge stuck --limits 3", "integration/nothing.sh",
		"a | ./bridge send --topics x", "x=1 && ./bridge version now", "./bridge audit --partitions 3 < file",
	} {
		found := 0
		for _, words := range commandsIn(wrong) {
			if judge(words, "build:\n", true) != nil {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s: %d faults, want 1", wrong, found)
		}
	}
	for _, right := range []string{"make build", "docker compose up bridge", "go build ./cmd/bridge", "./bridge send <<'END'\nbridge nothing\nEND\n", "./bridge tail results # bridge nothing", "./bridge \\\n  version"} {
		for _, words := range commandsIn(right) {
			if err := judge(words, "build:\n", true); err != nil {
				t.Errorf("%s: %v", right, err)
			}
		}
	}
}

// The settings in the documents are ones that the bridge accepts, added to those of `bridge simulate`.
// Files that they name are there.
func TestDocumentedSettings(t *testing.T) {
	dir, err := simulated()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks(t) {
		if b.kind != "yaml" {
			continue
		}
		t.Run(b.String(), func(t *testing.T) {
			if err := accepted(t, dir, b.text); err != nil {
				t.Error(err)
			}
		})
	}
	for _, wrong := range []string{"kafka: {brokrs: [a]}", "kafka: {start: yesterday}", "kafka: [a]"} {
		if accepted(t, dir, wrong) == nil {
			t.Errorf("%s is accepted", wrong)
		}
	}
}

// accepted loads settings that are added to those of the simulator in a folder.
func accepted(t *testing.T, simulator, text string) error {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "keys"), os.DirFS(filepath.Join(simulator, "keys"))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "keys", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	base, err := os.ReadFile(filepath.Join(simulator, "bridge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var settings, more map[string]any
	if err := yaml.Unmarshal(base, &settings); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(text), &more); err != nil {
		return err
	}
	merge(settings, more)
	for _, file := range append(files, dir+"/bridge.yaml") {
		if err := os.Chmod(file, 0o600); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	whole, err := yaml.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "bridge.yaml")
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = config.LoadPublic(file, func(string) (string, bool) { return "bridge-0", true })
	return err
}

func merge(into, more map[string]any) {
	for key, value := range more {
		below, isMap := value.(map[string]any)
		there, wasMap := into[key].(map[string]any)
		if isMap && wasMap {
			merge(there, below)
		} else {
			into[key] = value
		}
	}
}

// The values of the chart in the documents, also those of --set, are ones that its schema allows.
func TestDocumentedValues(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../deploy/helm/bridge/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, b := range blocks(t) {
		for _, text := range valuesIn(b) {
			n++
			var values any
			if err := yaml.Unmarshal([]byte(text), &values); err != nil {
				t.Errorf("%s: %v", b, err)
			} else if err := schema.Validate(values); err != nil {
				t.Errorf("%s: %s: %v", b, text, err)
			}
		}
	}
	if n < 4 {
		t.Errorf("found only %d", n)
	}
	if values := valuesIn(block{kind: "sh", text: "helm upgrade b c --set autoscaling.maxx=3"}); len(values) != 1 || values[0] != "{autoscaling: {maxx: 3}}" {
		t.Errorf("%q", values)
	}
}

// valuesIn returns the values of the chart in a block.
func valuesIn(b block) []string {
	if b.kind == "yaml values" {
		return []string{b.text}
	}
	var all []string
	for _, words := range commandsIn(b.text) {
		for i, word := range words {
			if b.kind != "sh" || words[0] != "helm" || word != "--set" || i+1 == len(words) {
				continue
			}
			path, value, _ := strings.Cut(strings.Replace(words[i+1], "DIGEST", strings.Repeat("0", 64), 1), "=")
			keys := strings.Split(path, ".")
			all = append(all, "{"+strings.Join(keys, ": {")+": "+value+strings.Repeat("}", len(keys)))
		}
	}
	return all
}
