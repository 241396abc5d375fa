package repo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "alipay-kafka-bridge"

// arrows lists which of our packages a package may import. cmd/bridge may import all of them.
// A package that does not exist yet has its row already, as a plan.
var arrows = map[string][]string{
	"docs":                          nil,
	"docs/reference/cli":            nil,
	"schemas":                       nil,
	"examples":                      nil,
	"internal/admin":                {"internal/output"},
	"internal/alipay":               {"internal/alipay/jsonscan"},
	"internal/alipay/alipaytest":    {"internal/alipay", "internal/alipay/certs", "internal/alipay/keys"},
	"internal/alipay/certs":         {"internal/alipay"},
	"internal/alipay/encryption":    {"internal/alipay/keys"},
	"internal/alipay/form":          {"internal/alipay"},
	"internal/alipay/gateway":       {"internal/alipay", "internal/alipay/certs", "internal/alipay/encryption", "internal/alipay/form", "internal/alipay/jsonscan", "internal/alipay/keys", "internal/recent"},
	"internal/alipay/jsonscan":      nil,
	"internal/alipay/keys":          nil,
	"internal/app":                  {"internal/integrity", "internal/admin", "internal/audit/standing", "internal/consume/look", "internal/reread", "internal/metrics", "internal/sight", "internal/alipay", "internal/alipay/certs", "internal/alipay/encryption", "internal/alipay/gateway", "internal/alipay/keys", "internal/avro", "internal/avro/writers", "internal/breaker", "internal/config", "internal/config/fault", "internal/consume", "internal/consume/offsets", "internal/consume/pause", "internal/control", "internal/handle", "internal/kafka", "internal/notify", "internal/order", "internal/produce", "internal/records", "internal/status", "internal/status/state", "internal/status/store", "internal/telemetry"},
	"internal/app/apptest":          {"internal/config"},
	"internal/audit":                {"internal/order"},
	"internal/audit/standing":       {"internal/avro", "internal/consume/offsets", "internal/consume/pause", "internal/consume/window", "internal/order", "internal/records", "internal/reread", "internal/telemetry"},
	"internal/avro":                 {"internal/avro/late", "internal/avro/writers", "internal/budget", "schemas"},
	"internal/avro/late":            {"internal/recent"},
	"internal/avro/writers":         nil,
	"internal/budget":               nil,
	"internal/breaker":              {"internal/alipay", "internal/alipay/keys"},
	"internal/check":                {"internal/app", "internal/avro", "internal/avro/writers", "internal/config", "internal/config/fault", "internal/consume", "internal/consume/window", "internal/kafka", "schemas"},
	"internal/command":              {"docs/reference/cli", "internal/config", "internal/config/fault", "internal/output", "internal/progress"},
	"internal/config":               {"internal/config/fault", "internal/config/published"},
	"internal/config/published":     nil,
	"internal/config/fault":         nil,
	"internal/consume":              {"internal/consume/fair", "internal/consume/look", "internal/consume/offsets", "internal/consume/pause", "internal/consume/window", "internal/produce", "internal/reread"},
	"internal/consume/fair":         nil,
	"internal/consume/look":         nil,
	"internal/consume/offsets":      {"internal/consume/pause", "internal/consume/window"},
	"internal/consume/pause":        nil,
	"internal/consume/window":       nil,
	"internal/control":              {"internal/order"},
	"internal/demo":                 {"examples", "internal/app", "internal/audit", "internal/avro", "internal/config", "internal/consume/pause", "internal/kafka", "internal/localkafka", "internal/order", "internal/records", "internal/simulator", "internal/simulator/outbox", "internal/simulator/standalone"},
	"internal/explain":              {"docs"},
	"internal/handle":               {"internal/alipay", "internal/budget", "internal/consume", "internal/consume/look", "internal/journal", "internal/order", "internal/recent", "internal/records", "internal/telemetry"},
	"internal/inspect":              {"internal/alipay", "internal/alipay/form", "internal/alipay/gateway", "internal/alipay/keys", "internal/app", "internal/config", "internal/order"},
	"internal/inspect/inspectcli":   {"internal/alipay", "internal/alipay/certs", "internal/alipay/encryption", "internal/alipay/gateway", "internal/alipay/keys", "internal/command", "internal/config", "internal/config/fault", "internal/inspect", "internal/order", "internal/output"},
	"internal/integrity":            nil,
	"internal/journal":              {"internal/consume", "internal/order", "internal/records"},
	"internal/kafka":                {"internal/config", "schemas"},
	"internal/localkafka":           {"internal/avro"},
	"internal/metrics":              nil,
	"internal/notify":               {"internal/integrity", "internal/alipay", "internal/alipay/form", "internal/alipay/gateway", "internal/avro", "internal/order", "internal/records", "internal/telemetry", "schemas"},
	"internal/order":                {"internal/alipay", "internal/avro", "schemas"},
	"internal/output":               nil,
	"internal/produce":              nil,
	"internal/progress":             nil,
	"internal/recent":               nil,
	"internal/incident":             {"internal/admin", "internal/output"},
	"internal/reread":               {"internal/consume/pause"},
	"internal/records":              {"internal/integrity", "internal/alipay", "internal/order", "internal/telemetry"},
	"internal/sight":                {"internal/admin", "internal/alipay", "internal/breaker", "internal/config", "internal/consume", "internal/consume/look", "internal/handle", "internal/metrics", "internal/order", "internal/produce", "internal/records", "internal/telemetry"},
	"internal/simulator":            {"internal/simulator/outbox", "internal/simulator/rules", "internal/simulator/seeded", "internal/simulator/wire"}, // never alipay: the same error on both sides would cancel out
	"internal/simulator/outbox":     {"internal/simulator/seeded", "internal/simulator/wire"},
	"internal/simulator/rules":      {"internal/simulator/seeded", "internal/simulator/wire"},
	"internal/simulator/seeded":     nil,
	"internal/simulator/standalone": {"internal/config", "internal/simulator", "internal/simulator/outbox", "internal/simulator/rules", "internal/simulator/seeded", "internal/simulator/wire"},
	"internal/simulator/wire":       nil,
	"internal/status":               {"internal/integrity", "internal/alipay", "internal/avro", "internal/consume", "internal/journal", "internal/order", "internal/records", "internal/reread", "internal/status/state", "internal/status/store", "internal/telemetry"},
	"internal/status/state":         {"internal/alipay", "internal/avro", "internal/order", "schemas"},
	"internal/status/store":         nil,
	"internal/tail":                 {"internal/order", "internal/output", "internal/progress", "internal/records"},
	"internal/telemetry":            nil,
	"internal/timeline":             {"internal/alipay", "internal/config", "internal/integrity", "internal/kafka", "internal/order", "internal/output", "internal/progress", "internal/records", "internal/status/state", "internal/telemetry"},
	"integration":                   nil,
	"interop/kafka":                 {"internal/localkafka"},
	"scripts/dashboards":            {"internal/metrics"},
	"scripts/structure":             nil,
}

// alone lists the modules that only one package may import.
var alone = map[string]string{
	"github.com/cockroachdb/pebble/v2": "internal/status/store",
	"github.com/sony/gobreaker/v2":     "internal/breaker",
}

type listed struct {
	ImportPath string
	Doc        string
	Dir        string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Dir,Imports,GoFiles", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
}

func short(path string) string { return strings.TrimPrefix(path, module+"/") }

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		allowed, known := arrows[name]
		for _, i := range p.Imports {
			if owner, only := alone[i]; only && owner != name {
				t.Errorf("%s imports %s, which only %s may", name, i, owner)
			}
			ours := strings.HasPrefix(i, module+"/")
			if ours && name != "cmd/bridge" && !slices.Contains(allowed, short(i)) {
				t.Errorf("%s imports %s, which the table of arrows does not allow; see docs/DESIGN.md", name, short(i))
			}
		}
		if !known && name != "cmd/bridge" {
			t.Errorf("package %s has no row in the table of arrows in repo_test.go", name)
		}
	}
}

// The simulator shares no code with the client, not even through other packages: two equal errors
// would cancel.
func TestSimulatorIsIndependent(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./internal/simulator/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, module+"/internal/alipay") {
			t.Errorf("the simulator depends on %s", strings.TrimSpace(line))
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	for _, p := range packages(t) {
		name := filepath.Base(p.ImportPath)
		want := "Package " + name + " "
		if n := short(p.ImportPath); slices.ContainsFunc([]string{"cmd/", "scripts/", "interop/"}, func(p string) bool { return strings.HasPrefix(n, p) }) {
			want = "Command " + name + " "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: the package comment is %q, want one that begins with %q", short(p.ImportPath), p.Doc, want)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.GoFiles {
			if n := bytes.Count(read(t, filepath.Join(p.Dir, f)), []byte("\n")); n > 400 {
				t.Errorf("%s/%s has %d lines, more than 400: move one of its subjects to another file", short(p.ImportPath), f, n)
			}
		}
	}
}

// Limits of a package. Beyond them it is probably two subjects.
const (
	maxPackageLines = 3100 // about 3,000
	maxPackageNames = 200
)

// largePackages are above a limit for a reason that docs/adr/0008 gives.
var largePackages = map[string]bool{"internal/alipay/gateway": true}

func TestPackagesAreOneSubject(t *testing.T) {
	adr := string(read(t, "docs/adr/0008-a-package-is-one-subject.md"))
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		lines, names := 0, 0
		for _, f := range p.GoFiles {
			text := read(t, filepath.Join(p.Dir, f))
			lines += bytes.Count(text, []byte("\n"))
			file, err := parser.ParseFile(token.NewFileSet(), f, text, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			names += packageNames(file)
		}
		large := lines > maxPackageLines || names > maxPackageNames
		switch {
		case large && !largePackages[name]:
			t.Errorf("%s has %d lines and %d package-level names: is there a second subject in it?", name, lines, names)
		case large && !strings.Contains(adr, "`"+name+"`"):
			t.Errorf("docs/adr/0008 does not say why %s is large", name)
		case !large && largePackages[name]:
			t.Errorf("%s is not large any more: remove it from largePackages", name)
		}
	}
}

// packageNames counts the names that a file declares for its package, methods not included.
func packageNames(f *ast.File) int {
	n := 0
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				n++
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					n++
				case *ast.ValueSpec:
					n += len(s.Names)
				}
			}
		}
	}
	return n
}

// stilted are words that have crept into texts before. There is always a plainer one.
var stilted = regexp.MustCompile(`(?i)\b(mend(s|ed|ing)?|nobody|somebody|besides?|tells|told|not to be had|the way there|bring in order)\b`)

// What people read is plain English: comments and texts of the code, documents, schemas, scripts.
func TestPlainEnglish(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "repo_test.go" || strings.Contains(path, "testdata") {
			return err
		}
		if !slices.Contains([]string{".go", ".md", ".avsc", ".sh", ".yaml", ".tmpl"}, filepath.Ext(path)) {
			return nil
		}
		if strings.HasSuffix(path, "_test.go") { // names in test data are free
			return nil
		}
		for i, line := range strings.Split(string(read(t, path)), "\n") {
			if w := stilted.FindString(line); w != "" {
				t.Errorf("%s:%d: %q: find a plainer word", path, i+1, w)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Planning is a pure function of the event: with a clock, a repeated call could send something else.
func TestTheCoreReadsNoClock(t *testing.T) {
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		if name != "internal/order" && name != "internal/alipay" {
			continue
		}
		for _, f := range p.GoFiles {
			if regexp.MustCompile(`time\.(Now|Since|Until)\b`).Match(read(t, filepath.Join(p.Dir, f))) {
				t.Errorf("%s/%s reads a clock", name, f)
			}
		}
	}
}

// A test that sleeps in real time depends on the load of the machine.
func TestNoSleepOutsideABubble(t *testing.T) {
	sleeps := regexp.MustCompile(`time\.Sleep\(`)
	err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") || path == "repo_test.go" {
			return err
		}
		text := read(t, path)
		dir, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*_test.go"))
		bubble := slices.ContainsFunc(dir, func(f string) bool { return bytes.Contains(read(t, f), []byte("synctest.Test(")) })
		if sleeps.Match(text) && !bubble && !bytes.HasPrefix(text, []byte("//go:build ")) {
			t.Errorf("%s sleeps in real time", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A comment that cites a section of a document (`docs/alipay.md, "Time"`) cites one that exists.
func TestCitedSectionsExist(t *testing.T) {
	citation := regexp.MustCompile(`([\w/-]+\.md), "([^"\n]+)"`)
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "repo_test.go" || !slices.Contains([]string{".go", ".md", ".sh", ".yaml", ".avsc", ".tmpl"}, filepath.Ext(path)) {
			return err
		}
		text := joinComments(string(read(t, path)))
		for _, m := range citation.FindAllStringSubmatch(text, -1) {
			if !hasSection(t, m[1], m[2]) {
				t.Errorf("%s cites %s, %q: no such section", path, m[1], m[2])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// joinComments joins the lines of comments, so that a citation may span two.
func joinComments(text string) string {
	return regexp.MustCompile(`\n\s*(//|#)\s?`).ReplaceAllString(text, " ")
}

func TestJoinComments(t *testing.T) {
	if got, want := joinComments("\t// see docs/alipay.md,\n\t// \"Time\""), "\t// see docs/alipay.md, \"Time\""; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// hasSection reports whether a document at the top of the repository or in docs has a heading.
func hasSection(t *testing.T, doc, section string) bool {
	t.Helper()
	heading := regexp.MustCompile(`(?m)^#+ ` + regexp.QuoteMeta(section) + `$`)
	for _, path := range []string{doc, filepath.Join("docs", doc)} {
		if _, err := os.Stat(path); err == nil && heading.Match(read(t, path)) {
			return true
		}
	}
	return false
}

// The files and tests that docs/DESIGN.md and docs/security.md name exist.
func TestDesignNamesWhatExists(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`).FindAllSubmatch(read(t, path), -1) {
				tests[string(m[1])] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	design := string(read(t, "docs/DESIGN.md"))
	for _, name := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)`").FindAllStringSubmatch(string(read(t, "docs/security.md")), -1) {
		if !tests[name[1]] {
			t.Errorf("docs/security.md names %s, which does not exist", name[1])
		}
	}
	for _, name := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)`").FindAllStringSubmatch(design, -1) {
		if !tests[name[1]] {
			t.Errorf("docs/DESIGN.md names %s, which does not exist", name[1])
		}
	}
	for _, file := range regexp.MustCompile("`((?:internal|cmd|schemas|integration|bench|examples)/[\\w./-]+)`").FindAllStringSubmatch(design, -1) {
		if _, err := os.Stat(file[1]); err != nil {
			t.Errorf("docs/DESIGN.md names %s, which does not exist", file[1])
		}
	}
}

// The dependencies of the interop SDKs are pinned, too, without the name of a registry.
func TestInteropIsLocked(t *testing.T) {
	lock := read(t, "interop/node/package-lock.json")
	if bytes.Contains(lock, []byte(`"resolved"`)) {
		t.Error("interop/node/package-lock.json names a registry; create it with npm install --package-lock-only --omit-lockfile-registry-resolved")
	}
	if got := bytes.Count(lock, []byte(`"integrity"`)); got < 10 {
		t.Errorf("interop/node/package-lock.json has %d hashes, want at least 10", got)
	}
	for line := range strings.Lines(string(read(t, "interop/python/requirements.txt"))) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, "==") {
			t.Errorf("interop/python/requirements.txt: %q is not an exact version", line)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
