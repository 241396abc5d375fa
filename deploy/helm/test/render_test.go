package test

import (
	"flag"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const chartDir = "../bridge"

// TestMain silences Helm, which logs each symbolic link of a chart.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

var update = flag.Bool("update", false, "write the golden files")

// scenarios are the names of values files in testdata; default has none.
var scenarios = []string{"default", "monitored", "keda", "keda-prometheus", "pod", "receiver"}

// values are those of the example, which are the least that the chart needs, with those of a scenario over
// them.
func values(t *testing.T, scenario string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal(read(t, "../example/values.yaml"), &v); err != nil {
		t.Fatal(err)
	}
	v["config"] = string(read(t, "../example/bridge.yaml"))
	if scenario == "default" {
		return v
	}
	var more map[string]any
	if err := yaml.Unmarshal(read(t, filepath.Join("testdata", scenario+".values.yaml")), &more); err != nil {
		t.Fatal(err)
	}
	v = loader.MergeMaps(v, more)
	if r, ok := v["receiver"].(map[string]any); ok {
		r["config"] = string(read(t, "../example/receiver.yaml"))
	}
	return v
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render returns the templates of a chart by the names of their files, as `helm template` would.
func render(c *chart.Chart, v map[string]any) (map[string]string, error) {
	if err := chartutil.ProcessDependencies(c, v); err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "pay", Namespace: "payments", Revision: 1, IsInstall: true}
	top, err := util.ToRenderValues(c, v, release, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, top)
	maps.DeleteFunc(files, func(name, text string) bool {
		return strings.HasPrefix(path.Base(name), "_") || strings.TrimSpace(text) == ""
	})
	return files, err
}

func mustRender(t *testing.T, scenario string) map[string]string {
	t.Helper()
	files, err := render(loadChart(t), values(t, scenario))
	if err != nil {
		t.Fatalf("%s: %v", scenario, err)
	}
	return files
}

// object is one object of Kubernetes.
type object map[string]any

// objects are all objects of a release.
func objects(t *testing.T, files map[string]string) []object {
	t.Helper()
	var all []object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for doc := range strings.SplitSeq(files[name], "\n---\n") {
			var o object
			if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, doc)
			}
			if len(o) > 0 {
				all = append(all, o)
			}
		}
	}
	return all
}

// find returns the object of a kind, with the end of its name.
func find(t *testing.T, all []object, kind, suffix string) object {
	t.Helper()
	for _, o := range all {
		if o["kind"] == kind && strings.HasSuffix(at[string](t, o, "metadata", "name"), suffix) {
			return o
		}
	}
	t.Fatalf("there is no %s whose name ends with %q", kind, suffix)
	return nil
}

// at returns the value under these keys, or the zero value.
func at[T any](t *testing.T, o object, keys ...string) T {
	t.Helper()
	var now any = map[string]any(o)
	for _, k := range keys {
		m, _ := now.(map[string]any)
		now = m[k]
	}
	v, _ := now.(T)
	return v
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGolden: a change of what the chart renders shows in a review. Alerts and dashboards are left out:
// TestFilesOfTheChart compares them with their sources.
func TestGolden(t *testing.T) {
	for _, scenario := range scenarios {
		var out strings.Builder
		for _, o := range objects(t, mustRender(t, scenario)) {
			switch {
			case o["kind"] == "PrometheusRule":
				o["spec"] = "(alerts.yaml)"
			case strings.Contains(at[string](t, o, "metadata", "name"), "-dashboard-"):
				o["data"] = "(a dashboard)"
			}
			b, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString("---\n" + string(b))
		}
		file := filepath.Join("testdata", "golden", scenario+".yaml")
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := out.String(), string(read(t, file)); got != want {
			t.Errorf("%s renders differently from %s; look at the difference, and run go test -run TestGolden -update", scenario, file)
			for i, line := range strings.Split(got, "\n") {
				if w := strings.Split(want, "\n"); i >= len(w) || w[i] != line {
					t.Errorf("first different line, %d: %s", i+1, line)
					break
				}
			}
		}
	}
}
