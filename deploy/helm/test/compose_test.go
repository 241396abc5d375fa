package test

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/prometheus/alertmanager/config"
	"sigs.k8s.io/yaml"
)

const composeDir = "../../compose"

// project is compose.yaml as Compose itself reads it.
func project(t *testing.T) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{composeDir + "/compose.yaml"}, cli.WithResolvedPaths(true), cli.WithInterpolation(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCompose: what Compose would do with the file is what it says at its top.
func TestCompose(t *testing.T) {
	p := project(t)
	want := []string{"alertmanager", "bridge", "grafana", "jaeger", "kafka", "prometheus", "registry", "simulator", "topics"}
	if got := p.ServiceNames(); !slices.Equal(got, want) {
		t.Errorf("services %q, want %q", got, want)
	}
	ports := map[string]string{}
	for _, s := range p.Services {
		tag := regexp.MustCompile(`:v?\d+\.\d+\.\d+$`)
		if s.Build == nil && !tag.MatchString(s.Image) {
			t.Errorf("%s: image %s has no fixed version", s.Name, s.Image)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s can be reached from other machines", s.Name, port.Published)
			}
			if other, taken := ports[port.Published]; taken {
				t.Errorf("%s and %s publish port %s", s.Name, other, port.Published)
			}
			ports[port.Published] = s.Name
		}
		for _, v := range s.Volumes {
			switch {
			case v.Type == types.VolumeTypeBind && !v.ReadOnly:
				t.Errorf("%s may write to %s", s.Name, v.Source)
			case v.Type == types.VolumeTypeBind:
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s: %v", s.Name, err)
				}
			}
		}
		if s.Build != nil {
			if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
				t.Errorf("%s: the root can be written to, or capabilities are left", s.Name)
			}
		}
	}
}

// TestComposeVersions: the images have the versions that the integration tests run against.
func TestComposeVersions(t *testing.T) {
	p := project(t)
	script := string(read(t, "../../../integration/kafka.sh"))
	m := regexp.MustCompile(`KAFKA_VERSION=(\S+) REGISTRY_VERSION=(\S+)`).FindStringSubmatch(script)
	if m == nil {
		t.Fatal("integration/kafka.sh names no versions")
	}
	prom := regexp.MustCompile(`VERSION=v0\.(\d)(\d\d)\.(\d+) `).FindStringSubmatch(string(read(t, "../../prometheus/check.sh")))
	if prom == nil {
		t.Fatal("deploy/prometheus/check.sh names no version")
	}
	for service, want := range map[string]string{
		"kafka":      "apache/kafka:" + m[1],
		"registry":   "apicurio/apicurio-registry:" + m[2],
		"prometheus": "prom/prometheus:v" + prom[1] + "." + prom[2] + "." + prom[3],
	} {
		if got := p.Services[service].Image; got != want {
			t.Errorf("%s runs %s, the tests run %s", service, got, want)
		}
	}
}

// mounted copies what Compose would mount into a service, and returns the folder that stands for its root.
func mounted(t *testing.T, service string) string {
	t.Helper()
	root := t.TempDir()
	for _, v := range project(t).Services[service].Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		target := filepath.Join(root, v.Target)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(v.Source); err != nil || info.IsDir() {
			if err := os.CopyFS(target, os.DirFS(v.Source)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(target, read(t, v.Source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestComposeSettings: the bridge accepts its settings, with the keys that its simulator writes.
func TestComposeSettings(t *testing.T) {
	p := project(t)
	dir := t.TempDir()
	run(t, nil, bridge(t), "simulate", "--out", dir, "--no-serve")
	for _, service := range []string{"bridge", "topics"} {
		s := p.Services[service]
		file := mounted(t, service) + "/etc/bridge/bridge.yaml"
		if !slices.Contains(s.Command, "--config=/etc/bridge/bridge.yaml") {
			t.Errorf("%s reads other settings: %q", service, s.Command)
		}
		keys := *s.Environment["KEYS"]
		if !strings.HasPrefix(keys, "/try/") || !slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Source == "keys" && v.Target == "/try" }) {
			t.Errorf("%s looks for keys in %s, which is not in the volume keys", service, keys)
		}
		run(t, []string{"KEYS=" + filepath.Join(dir, strings.TrimPrefix(keys, "/try/"))}, bridge(t), "check", "--offline", "-c", file)
	}
	for _, s := range p.Services {
		if s.Build != nil {
			checkFlags(t, s.Name, s.Command)
		}
	}
	simulated, ours := settingsOf(t, filepath.Join(dir, "bridge.yaml")), settingsOf(t, composeDir+"/bridge.yaml")
	for _, key := range []string{"kafka", "registry", "topics"} {
		a, _ := yaml.Marshal(simulated[key])
		b, _ := yaml.Marshal(ours[key])
		if string(a) != string(b) {
			t.Errorf("%s differs from what bridge simulate writes:\n%s\n%s", key, b, a)
		}
	}
}

// TestComposeNotifications: each address to which the simulator posts notifications is one that the bridge opens and
// that Compose publishes, and that of an account that it knows the merchant of.
func TestComposeNotifications(t *testing.T) {
	var s struct {
		Accounts map[string]struct {
			Channel   string `json:"channel"`
			SellerID  string `json:"seller_id"`
			NotifyURL string `json:"notify_url"`
		} `json:"accounts"`
		Notify struct {
			Listen string `json:"listen"`
		} `json:"notify"`
	}
	if err := yaml.Unmarshal(read(t, composeDir+"/bridge.yaml"), &s); err != nil {
		t.Fatal(err)
	}
	port := strings.TrimPrefix(s.Notify.Listen, "0.0.0.0:")
	n := 0
	for name, a := range s.Accounts {
		if a.Channel != "TRADE" {
			continue
		}
		if n++; a.NotifyURL != "http://127.0.0.1:"+port+"/notify/"+name || a.SellerID == "" {
			t.Errorf("%s: notifications of seller %q go to %q; the bridge listens at %s", name, a.SellerID, a.NotifyURL, s.Notify.Listen)
		}
	}
	if n != 2 {
		t.Errorf("%d accounts create trades", n)
	}
	p := project(t)
	if !slices.ContainsFunc(p.Services["kafka"].Ports, func(c types.ServicePortConfig) bool { return c.Published == port && fmt.Sprint(c.Target) == port }) {
		t.Errorf("port %s is not published", port)
	}
}

func settingsOf(t *testing.T, file string) object {
	t.Helper()
	var o object
	if err := yaml.UnmarshalStrict(read(t, file), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestComposeAlertmanager: Alertmanager accepts its settings, and inhibits what inhibit.yaml says.
func TestComposeAlertmanager(t *testing.T) {
	c, err := config.LoadFile(mounted(t, "alertmanager") + "/etc/alertmanager/alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := config.Load("route: {receiver: a}\nreceivers: [{name: a}]\n" + string(read(t, "../../prometheus/inhibit.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := yaml.Marshal(c.InhibitRules)
	want, _ := yaml.Marshal(rules.InhibitRules)
	if len(rules.InhibitRules) == 0 || string(got) != string(want) {
		t.Errorf("alertmanager.yml inhibits\n%s\ninhibit.yaml inhibits\n%s", got, want)
	}
}

// TestComposePrometheus: promtool accepts the settings, with the alerts where Compose mounts them; and
// Prometheus, Grafana and the alerts name containers and ports that exist.
func TestComposePrometheus(t *testing.T) {
	root := mounted(t, "prometheus")
	out := run(t, nil, tool(t, "PROMTOOL"), "check", "config", root+"/etc/prometheus/prometheus.yml")
	if !strings.Contains(out, "1 rule files found") {
		t.Errorf("Prometheus would load no alerts:\n%s", out)
	}
	p := project(t)
	known := map[string]bool{}
	for name, s := range p.Services {
		known[name] = s.NetworkMode == ""
	}
	for _, alias := range p.Services["kafka"].Networks["default"].Aliases {
		known[alias] = true
	}
	for _, file := range []string{composeDir + "/prometheus.yml", composeDir + "/grafana/datasources.yaml"} {
		for _, m := range regexp.MustCompile(`(?:"|http://)([a-z]+):(\d+)`).FindAllStringSubmatch(string(read(t, file)), -1) {
			if !known[m[1]] {
				t.Errorf("%s: no container answers to %s", path.Base(file), m[1])
			}
		}
	}
}

// TestComposeGrafana: every dashboard is where the provider looks.
func TestComposeGrafana(t *testing.T) {
	root := mounted(t, "grafana")
	var provider struct {
		Providers []struct{ Options struct{ Path string } }
	}
	if err := yaml.Unmarshal(read(t, root+"/etc/grafana/provisioning/dashboards/bridge.yaml"), &provider); err != nil {
		t.Fatal(err)
	}
	boards, _ := filepath.Glob(root + provider.Providers[0].Options.Path + "/*.json")
	if want := len(filesOfTheChart(t)) - 1; len(boards) != want {
		t.Errorf("Grafana finds %d dashboards, want %d", len(boards), want)
	}
}
