package test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// TestValuesAreFew: what cannot be read in a minute is not read.
func TestValuesAreFew(t *testing.T) {
	text := read(t, chartDir+"/values.yaml")
	if n := bytes.Count(text, []byte("\n")); n >= 120 {
		t.Errorf("values.yaml has %d lines, want fewer than 120", n)
	}
	keys := regexp.MustCompile(`(?m)^[a-zA-Z]+:`).FindAll(text, -1)
	if len(keys) > 14 {
		t.Errorf("values.yaml has %d keys, want at most 14", len(keys))
	}
	for _, key := range keys {
		i := bytes.Index(text, append([]byte("\n"), key...))
		before := bytes.Split(bytes.TrimSpace(text[:i]), []byte("\n"))
		if !bytes.HasPrefix(before[len(before)-1], []byte("# ")) {
			t.Errorf("%s has no comment above it", key)
		}
	}
}

// TestEveryValueIsInTheSchema: a value that the schema lacks would be refused.
func TestEveryValueIsInTheSchema(t *testing.T) {
	type node struct {
		AdditionalProperties any             `json:"additionalProperties"`
		Properties           map[string]node `json:"properties"`
	}
	var schema node
	if err := yaml.Unmarshal(read(t, chartDir+"/values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	var compare func(path string, v any, n node)
	compare = func(path string, v any, n node) {
		m, isMap := v.(map[string]any)
		if !isMap || n.Properties == nil {
			return
		}
		if n.AdditionalProperties != false {
			t.Errorf("the schema lets unknown keys into %s", path)
		}
		for k, sub := range m {
			s, known := n.Properties[k]
			if !known {
				t.Errorf("%s.%s is not in the schema", path, k)
			}
			compare(path+"."+k, sub, s)
		}
		for k := range n.Properties {
			if _, there := m[k]; !there {
				t.Errorf("%s.%s is not in values.yaml", path, k)
			}
		}
	}
	compare("values", loadChart(t).Values, schema)
}

// TestRefusals: values that would not do what they seem to do, each with a message that says what to do.
func TestRefusals(t *testing.T) {
	settings := string(read(t, "../example/bridge.yaml"))
	for name, c := range map[string]struct{ values, want string }{
		"a misspelt key":           {`replica: 3`, "additional properties 'replica' not allowed"},
		"a key within":             {`networkPolicy: {enable: false}`, "additional properties 'enable' not allowed"},
		"no image":                 {`image: {repository: ""}`, "image.repository is empty; build the image"},
		"no settings":              {`config: ""`, "config is empty; set it to the settings file with --set-file config=bridge.yaml"},
		"settings as keys":         {`config: {kafka: {}}`, "at '/config': got object, want string"},
		"settings that are broken": {`config: "a: [b"`, "config is not a settings file"},
		"settings in braces":       {`config: "{kafka: {brokers: [a]}}"`, "keys cannot be added to config"},
		"probes elsewhere":         {`config: "probes: {listen: 127.0.0.1:8088}"`, "config has the key probes; remove it, because the chart sets its address"},
		"metrics elsewhere":        {`config: "metrics: {listen: 127.0.0.1:9464}"`, "config has the key metrics; remove it"},
		"none":                     {`replicas: 0`, "at '/replicas': minimum"},
		"a tag with a command":     {`image: {tag: "1; rm -rf"}`, "at '/image/tag'"},
		"a short digest":           {`image: {digest: "sha256:12"}`, "at '/image/digest'"},
		"a digest as repository":   {`image: {repository: "bridge@sha256:12"}`, "at '/image/repository'"},
		"a secret in the settings": {`secretMounts: [{secret: a, path: /etc/bridge/keys}]`, "secretMounts[0].path is /etc/bridge/keys; use a folder outside /etc/bridge"},
		"a way around that":        {`secretMounts: [{secret: a, path: /keys/../etc/bridge}]`, "at '/secretMounts/0/path'"},
		"a relative folder":        {`secretMounts: [{secret: a, path: keys}]`, "at '/secretMounts/0/path'"},
		"YAML in a path":           {`secretMounts: [{secret: a, path: "/keys, readOnly: false"}]`, "at '/secretMounts/0/path'"},
		"a way to scale":           {`autoscaling: {enabled: true, max: 4, via: cpu}`, "at '/autoscaling/via'"},
		"no end to scaling":        {`autoscaling: {enabled: true}`, "autoscaling.max is 0; set it to the largest number"},
		"scaling to nothing":       {`autoscaling: {enabled: true, min: 0, max: 2}`, "at '/autoscaling/min'"},
		"no Prometheus":            {`autoscaling: {enabled: true, max: 4, via: prometheus}`, "autoscaling.prometheus is empty; set it"},
		"memory in bytes":          {`resources: {limits: {memory: 1000000000}}`, "resources.limits.memory is 1e+09; write it in Mi or Gi"},
		"a number as a label":      {`pod: {labels: {team: 1}}`, "at '/pod/labels/team': got number, want string"},
		"half a second of grace":   {`config: ` + quoted(strings.Replace(settings, "grace: 30s", "grace: 1500ms", 1)), "delivery.revoke_bound are 1500ms; write whole seconds or minutes"},
	} {
		var more map[string]any
		if err := yaml.Unmarshal([]byte(c.values), &more); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err := render(loadChart(t), loader.MergeMaps(values(t, "default"), more))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v\nwant an error with %q", name, err, c.want)
		}
	}
}

func quoted(s string) string {
	b, _ := yaml.Marshal([]string{s})
	return "\n  " + strings.ReplaceAll(strings.TrimPrefix(string(b), "- "), "\n", "\n  ")
}

// TestSettingsAreVerbatim: no text of the settings is changed, taken for a template or able to break out.
func TestSettingsAreVerbatim(t *testing.T) {
	for _, text := range []string{
		"a: b", "    # an indented first line\na: b", "\n\na: b\n", "---\na: b\n", "a: |\n  b\n\n  c\nd: e",
		"a: '{{ .Release.Name }}' # {{ fail \"no\" }}", "a: ${NAME}", "a: 订单", "a: 2021000000000001\nb: 0x1F\nc: 1e3\nd: 010", "a: b # \"quoted\" 'twice' \\",
	} {
		v := values(t, "default")
		v["config"] = text
		files, err := render(loadChart(t), v)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := at[string](t, find(t, objects(t, files), "ConfigMap", "pay-bridge"), "data", "bridge.yaml")
		if want := strings.TrimSuffix(text, "\n") + "\n# Added by the chart.\nprobes: {listen: \":8088\"}\nmetrics: {listen: \":9464\"}\n"; got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestUmbrella: a chart of charts passes global values of its own, and labels of any name.
func TestUmbrella(t *testing.T) {
	parent := loadChart(t)
	child := loadChart(t)
	parent.Metadata.Name, parent.Templates, parent.Schema = "platform", nil, nil
	parent.AddDependency(child)
	v := map[string]any{
		"global": map[string]any{"cattle": map[string]any{"systemDefaultRegistry": ""}, "imagePullSecrets": []any{"a"}},
		"bridge": loader.MergeMaps(values(t, "monitored"), map[string]any{"pod": map[string]any{"annotations": map[string]any{"a.example.com/b": "c"}}}),
	}
	files, err := render(parent, v)
	if err != nil {
		t.Fatal(err)
	}
	pod := at[map[string]any](t, find(t, objects(t, files), "StatefulSet", "pay-bridge"), "spec", "template", "metadata", "annotations")
	if pod["a.example.com/b"] != "c" {
		t.Errorf("the annotations of the pod are %v", pod)
	}
}

// TestLintAndPackage: helm lint finds nothing, and helm package takes alerts and dashboards from their
// folders, to which the chart only has symbolic links.
func TestLintAndPackage(t *testing.T) {
	old := os.Stdout
	defer func() { os.Stdout = old }()
	result := lint.RunAll(chartDir, values(t, "monitored"), "payments", lint.WithKubeVersion(&common.KubeVersion{Version: "v1.30.0", Major: "1", Minor: "30"}))
	for _, m := range result.Messages {
		if !strings.Contains(m.Error(), "icon is recommended") {
			t.Errorf("helm lint: %v", m)
		}
	}
	file, err := chartutil.Save(loadChart(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	packed, err := loader.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for _, f := range packed.Files {
		got[f.Name] = f.Data
	}
	for name, source := range filesOfTheChart(t) {
		if !bytes.Equal(got[name], source) {
			t.Errorf("%s in the package is not the file that it is a copy of", name)
		}
	}
}

// filesOfTheChart are the sources of the chart's files, by their names in the chart.
func filesOfTheChart(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{"files/alerts.yaml": read(t, "../../prometheus/alerts.yaml")}
	boards, err := filepath.Glob("../../grafana/*.json")
	if err != nil || len(boards) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, b := range boards {
		out["files/"+filepath.Base(b)] = read(t, b)
	}
	return out
}

// TestFilesOfTheChart: every alert and every dashboard is in the release, unchanged but for the address
// of the runbooks.
func TestFilesOfTheChart(t *testing.T) {
	all := objects(t, mustRender(t, "monitored"))
	for name, source := range filesOfTheChart(t) {
		if name == "files/alerts.yaml" {
			continue
		}
		board := strings.TrimSuffix(filepath.Base(name), ".json")
		data := at[map[string]any](t, find(t, all, "ConfigMap", "-dashboard-"+board), "data")
		if got, _ := data["bridge-"+board+".json"].(string); strings.TrimSpace(got) != strings.TrimSpace(string(source)) {
			t.Errorf("dashboard %s differs from its source", board)
		}
	}
	var want object
	source := bytes.ReplaceAll(read(t, "../../prometheus/alerts.yaml"), []byte("runbook_url: docs/runbooks.md#"), []byte("runbook_url: https://runbooks.example.com/bridge#"))
	if err := yaml.Unmarshal(source, &want); err != nil {
		t.Fatal(err)
	}
	got := at[map[string]any](t, find(t, all, "PrometheusRule", "pay-bridge"), "spec")
	a, _ := yaml.Marshal(got)
	b, _ := yaml.Marshal(want)
	if !bytes.Equal(a, b) {
		t.Error("the rules differ from alerts.yaml")
	}
	if bytes.Contains(a, []byte("docs/runbooks.md")) || !bytes.Contains(a, []byte("https://runbooks.example.com/bridge#bridgestalled")) {
		t.Error("runbook_url does not lead to monitoring.runbooks")
	}
}

// pods are the pods of a release: of the StatefulSet, then of the Jobs.
func pods(t *testing.T, all []object) map[string]corev1.PodTemplateSpec {
	t.Helper()
	out := map[string]corev1.PodTemplateSpec{}
	for _, o := range all {
		template := at[map[string]any](t, o, "spec", "template")
		if template == nil {
			continue
		}
		b, err := yaml.Marshal(template)
		if err != nil {
			t.Fatal(err)
		}
		var pod corev1.PodTemplateSpec
		if err := yaml.UnmarshalStrict(b, &pod); err != nil {
			t.Fatal(err)
		}
		out[at[string](t, o, "metadata", "name")] = pod
	}
	return out
}

// TestPodsAreRestricted: Kubernetes' own judge of its Pod Security Standards admits every pod at level
// restricted, and no pod gets a token (security D3, D4).
func TestPodsAreRestricted(t *testing.T) {
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, scenario := range scenarios {
		for name, pod := range pods(t, objects(t, mustRender(t, scenario))) {
			level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
			if r := policy.AggregateCheckResults(judge.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec)); !r.Allowed {
				t.Errorf("%s, %s: %s (%s)", scenario, name, r.ForbiddenReason(), r.ForbiddenDetail())
			}
			s := pod.Spec
			if s.AutomountServiceAccountToken == nil || *s.AutomountServiceAccountToken {
				t.Errorf("%s, %s: the pod gets a token", scenario, name)
			}
			if c := s.Containers[0]; c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
				t.Errorf("%s, %s: the root can be written to", scenario, name)
			}
			for _, v := range s.Volumes {
				if v.Secret != nil && (v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440) {
					t.Errorf("%s, %s: secret %s has another mode than 0440, which the bridge refuses", scenario, name, v.Secret.SecretName)
				}
			}
			if s.SecurityContext.FSGroup == nil || *s.SecurityContext.FSGroup != *s.SecurityContext.RunAsGroup {
				t.Errorf("%s, %s: the group of the secrets is not the group of the process", scenario, name)
			}
		}
	}
}

// TestOnlyInstancesAreSelected: the pods of the Jobs have network, but are no instances: no one scrapes
// them, counts them or asks them what they want.
func TestOnlyInstancesAreSelected(t *testing.T) {
	all := objects(t, mustRender(t, "monitored"))
	all = append(all, find(t, objects(t, mustRender(t, "keda")), "ScaledObject", "pay-bridge"))
	instance, job := pods(t, all)["pay-bridge"].Labels, pods(t, all)["pay-bridge-check"].Labels
	for kind, c := range map[string]struct {
		keys []string
		jobs bool
	}{
		"StatefulSet":         {[]string{"spec", "selector", "matchLabels"}, false},
		"PodDisruptionBudget": {[]string{"spec", "selector", "matchLabels"}, false},
		"PodMonitor":          {[]string{"spec", "selector", "matchLabels"}, false},
		"Service":             {[]string{"spec", "selector"}, false},
		"NetworkPolicy":       {[]string{"spec", "podSelector", "matchLabels"}, true},
	} {
		selector := at[map[string]any](t, find(t, all, kind, ""), c.keys...)
		if len(selector) == 0 || !selects(selector, instance) {
			t.Errorf("%s does not select the instances: %v", kind, selector)
		}
		if selects(selector, job) != c.jobs {
			t.Errorf("%s selects the pods of Jobs: %v, want %v", kind, !c.jobs, c.jobs)
		}
	}
	service := find(t, all, "Service", "")
	set := find(t, all, "StatefulSet", "")
	if at[string](t, set, "spec", "serviceName") != at[string](t, service, "metadata", "name") {
		t.Error("the StatefulSet names another service")
	}
	triggers := at[[]any](t, find(t, all, "ScaledObject", ""), "spec", "triggers")
	url := at[string](t, triggers[0].(map[string]any), "metadata", "url")
	if want := "http://" + at[string](t, service, "metadata", "name") + ".payments.svc:9464/scale"; url != want {
		t.Errorf("KEDA asks %s, want %s", url, want)
	}
}

func selects(selector map[string]any, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// TestAStopHasTime: the pod is killed only after everything that the settings allow a stop to take.
func TestAStopHasTime(t *testing.T) {
	for settings, want := range map[string]int64{
		"a: b":                   60,
		"delivery: {grace: 30s}": 70,
		"delivery: {grace: 2m}":  160,
		"delivery: {revoke_bound: 5s, grace: 1s}": 26,
	} {
		v := values(t, "default")
		v["config"] = settings
		files, err := render(loadChart(t), v)
		if err != nil {
			t.Fatal(err)
		}
		if got := pods(t, objects(t, files))["pay-bridge"].Spec.TerminationGracePeriodSeconds; got == nil || *got != want {
			t.Errorf("%s: %v seconds, want %d", settings, got, want)
		}
	}
}

// TestRestarts: new settings restart the pods; a new chart, and other values for Jobs and monitoring, do not.
func TestRestarts(t *testing.T) {
	version := "0.1.0"
	pod := func(v map[string]any) string {
		c := loadChart(t)
		c.Metadata.Version = version
		files, err := render(c, v)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := yaml.Marshal(pods(t, objects(t, files))["pay-bridge"])
		return string(b)
	}
	before := pod(values(t, "default"))
	v := values(t, "default")
	v["config"] = v["config"].(string) + "\n# a comment\n"
	if pod(v) == before {
		t.Error("with other settings the pods stay, and run with the old ones")
	}
	version = "0.1.1"
	v = values(t, "monitored")
	delete(v["image"].(map[string]any), "digest")
	if pod(v) != before {
		t.Error("monitoring and topics restart the pods")
	}
}

// TestNotes: NOTES.txt warns of values that deserve it, and is silent of others.
func TestNotes(t *testing.T) {
	warnings := func(v map[string]any) []string {
		files, err := render(loadChart(t), v)
		if err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(`(?m)^WARNING: (.*?):`).FindAllString(files["bridge/templates/NOTES.txt"], -1)
	}
	v := values(t, "monitored")
	if got := warnings(v); len(got) != 0 {
		t.Errorf("without a reason: %q", got)
	}
	v = values(t, "default")
	v["replicas"], v["check"], v["networkPolicy"] = 1, false, map[string]any{"enabled": false}
	want := []string{"WARNING: one instance:", "WARNING: image.digest is empty:", "WARNING: monitoring.enabled is false:", "WARNING: networkPolicy.enabled is false:", "WARNING: check is false:"}
	if got := warnings(v); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	v = values(t, "monitored")
	v["networkPolicy"] = map[string]any{"kafka": map[string]any{"ports": []any{9092}}}
	if got := warnings(v); len(got) != 2 || !strings.HasPrefix(got[0], "WARNING: networkPolicy.kafka.ports lacks the port of kafka-1.example.com:") {
		t.Errorf("a broker that cannot be reached: %q", got)
	}
}
