package test

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"
)

// TestReceiverWorkload: with receivers of their own, the instances receive nothing. The objects that are for
// receivers select no other pods, and those for instances select no receiver.
func TestReceiverWorkload(t *testing.T) {
	all := objects(t, mustRender(t, "receiver"))
	instance, receiver := pods(t, all)["pay-bridge"], pods(t, all)["pay-bridge-receiver"]
	if got := fmt.Sprint(instance.Spec.Containers[0].Args); !strings.Contains(got, "--only=calls,queries,status") {
		t.Errorf("the instances run %s", got)
	}
	if got := fmt.Sprint(receiver.Spec.Containers[0].Args); !strings.Contains(got, "--only=notify") {
		t.Errorf("receivers run %s", got)
	}
	if got := fmt.Sprint(pods(t, objects(t, mustRender(t, "default")))["pay-bridge"].Spec.Containers[0].Args); strings.Contains(got, "--only") {
		t.Errorf("without receivers, the instances run %s", got)
	}
	for kind, keys := range map[string][]string{
		"Deployment": {"spec", "selector", "matchLabels"}, "PodDisruptionBudget": {"spec", "selector", "matchLabels"}, "PodMonitor": {"spec", "selector", "matchLabels"},
		"NetworkPolicy": {"spec", "podSelector", "matchLabels"}, "Service": {"spec", "selector"},
	} {
		selector := at[map[string]any](t, find(t, all, kind, "-receiver"), keys...)
		if len(selector) == 0 || !selects(selector, receiver.Labels) || selects(selector, instance.Labels) {
			t.Errorf("%s of receivers selects %v", kind, selector)
		}
	}
	for kind, keys := range map[string][]string{"StatefulSet": {"spec", "selector", "matchLabels"}, "PodDisruptionBudget": {"spec", "selector", "matchLabels"}, "PodMonitor": {"spec", "selector", "matchLabels"}} {
		if selector := at[map[string]any](t, find(t, all, kind, "pay-bridge"), keys...); selects(selector, receiver.Labels) {
			t.Errorf("%s of instances selects receivers", kind)
		}
	}
	if but := at[[]any](t, find(t, all, "NetworkPolicy", "pay-bridge"), "spec", "podSelector", "matchExpressions"); fmt.Sprint(but) != "[map[key:app.kubernetes.io/component operator:NotIn values:[receiver]]]" {
		t.Errorf("the policy of the instances is for receivers, too: %v", but)
	}
}

// TestN1_ReceiverCallsNoOne: a receiver reaches Kafka, the registry, the collector and names, and only the ingress reaches
// it, on one path.
func TestN1_ReceiverCallsNoOne(t *testing.T) {
	v := loader.MergeMaps(values(t, "receiver"), map[string]any{"networkPolicy": map[string]any{"extraEgress": []any{map[string]any{"ports": []any{map[string]any{"port": 8200}}}}}})
	files, err := render(loadChart(t), v)
	if err != nil {
		t.Fatal(err)
	}
	all := objects(t, files)
	spec := at[map[string]any](t, find(t, all, "NetworkPolicy", "-receiver"), "spec")
	ports := func(key string) (out string) {
		for _, rule := range spec[key].([]any) {
			for _, p := range rule.(map[string]any)["ports"].([]any) {
				out += fmt.Sprint(p.(map[string]any)["port"], " ")
			}
		}
		return out
	}
	if got := ports("egress"); got != "53 53 9092 9093 8081 4317 4318 " {
		t.Errorf("a receiver may connect to %s", got)
	}
	if got := ports("ingress"); got != "notify metrics " {
		t.Errorf("others may connect to %s", got)
	}
	ingress := find(t, all, "Ingress", "-receiver")
	rule := at[[]any](t, ingress, "spec", "rules")[0].(map[string]any)
	paths := at[[]any](t, rule, "http", "paths")
	if len(paths) != 1 || paths[0].(map[string]any)["path"] != "/notify/" || rule["host"] != "pay.example.com" {
		t.Errorf("the ingress serves %v of %v", paths, rule["host"])
	}
	if tls := fmt.Sprint(at[[]any](t, ingress, "spec", "tls")); tls != "[map[hosts:[pay.example.com] secretName:pay-tls]]" {
		t.Errorf("TLS: %s", tls)
	}
}

// TestReceiverReachesItsRegistry: the policy opens the port of registry.url in the settings of the receiver, to the addresses of
// the registry alone; that of the instances opens the port in theirs.
func TestReceiverReachesItsRegistry(t *testing.T) {
	for url, want := range map[string]string{
		"https://registry.example.com":           "8081 443",
		"https://registry.example.com/apis/v7":   "8081 443",
		"https://registry.example.com:8443/apis": "8081 8443",
		"https://[fd00::8]":                      "8081 443",
		"https://[fd00::8]:9999":                 "8081 9999",
		"https://registry.example.com:8081":      "8081",
		"${REGISTRY}":                            "8081",
	} {
		v := values(t, "receiver")
		receiver := v["receiver"].(map[string]any)
		receiver["config"] = strings.Replace(receiver["config"].(string), "https://registry.example.com:8081", url, 1)
		v = loader.MergeMaps(v, map[string]any{"networkPolicy": map[string]any{"registry": map[string]any{"to": []any{map[string]any{"ipBlock": map[string]any{"cidr": "192.0.2.8/32"}}}}}})
		files, err := render(loadChart(t), v)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"-receiver": want, "pay-bridge": "8081"} {
			var got []string
			for _, rule := range at[[]any](t, find(t, objects(t, files), "NetworkPolicy", name), "spec", "egress") {
				if rule := rule.(map[string]any); fmt.Sprint(rule["to"]) == "[map[ipBlock:map[cidr:192.0.2.8/32]]]" {
					for _, p := range rule["ports"].([]any) {
						got = append(got, fmt.Sprint(p.(map[string]any)["port"]))
					}
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %s may connect to the ports %v of the registry, want %s", url, name, got, want)
			}
		}
	}
}

// TestN1_NoPrivateKey: a receiver has the secrets that are listed for it, and no secret that has a private key.
func TestN1_NoPrivateKey(t *testing.T) {
	for _, v := range pods(t, objects(t, mustRender(t, "receiver")))["pay-bridge-receiver"].Spec.Volumes {
		if v.Secret != nil && v.Secret.SecretName != "alipay-public" && v.Secret.SecretName != "kafka-receiver" {
			t.Errorf("a receiver mounts %s", v.Secret.SecretName)
		}
	}
}

// TestReceiverRefusals: what would leave notifications without an answer, or give away more than it must.
func TestReceiverRefusals(t *testing.T) {
	settings := string(read(t, "../example/receiver.yaml"))
	with := func(old, instead string) string {
		return "receiver:\n  config: |\n    " + strings.ReplaceAll(strings.Replace(settings, old, instead, 1), "\n", "\n    ")
	}
	for name, c := range map[string]struct{ values, want string }{
		"a secret with a private key": {`receiver: {secretMounts: [{secret: kafka-receiver, path: /keys/kafka}, {secret: alipay-keys, path: /public}]}`, "receiver.secretMounts[1].secret is alipay-keys, which has a private key"},
		"its next private key":        {`config: ` + quoted(strings.Replace(string(read(t, "../example/bridge.yaml")), "private_key_file: ", "next_private_key_file: /keys/kafka/next.pem\n    private_key_file: ", 1)) + "\nreceiver: {secretMounts: [{secret: kafka-bridge, path: /keys/kafka}]}", "receiver.secretMounts[0].secret is kafka-bridge, which has a private key"},
		"another port":                {with(`":8086"`, `":8443"`), `notify.listen in receiver.config is ":8443"; set it to ":8086"`},
		"the loopback":                {with(`":8086"`, `"127.0.0.1:8086"`), `notify.listen in receiver.config is "127.0.0.1:8086"`},
		"no port":                     {`receiver: {config: ""}`, `notify.listen in config is ""; set it to ":8086"`},
		"a secret in the settings":    {`receiver: {secretMounts: [{secret: a, path: /etc/bridge/keys}]}`, "receiver.secretMounts[0].path is /etc/bridge/keys; use a folder outside"},
		"memory in bytes":             {`receiver: {resources: {limits: {memory: 1000000000}}}`, "receiver.resources.limits.memory is 1e+09; write it in Mi or Gi"},
		"none":                        {`receiver: {replicas: 0}`, "at '/receiver/replicas': minimum"},
		"no host":                     {`receiver: {ingress: {host: ""}}`, "receiver.ingress.host is empty; set it to the host of notify_url"},
		"no certificate":              {`receiver: {ingress: {tlsSecret: ""}}`, "receiver.ingress.tlsSecret is empty; set it"},
		"YAML in a host":              {`receiver: {ingress: {host: "a], x: [b"}}`, "at '/receiver/ingress/host'"},
	} {
		var more map[string]any
		if err := yaml.Unmarshal([]byte(c.values), &more); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err := render(loadChart(t), loader.MergeMaps(values(t, "receiver"), more))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v\nwant an error with %q", name, err, c.want)
		}
	}
}

// TestReceiverNotes: NOTES.txt warns where notifications would wait, be limited or reach private keys.
func TestReceiverNotes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(v, receiver map[string]any)
		want   string
	}{
		"as in the example": {func(_, _ map[string]any) {}, ""},
		"one":               {func(_, r map[string]any) { r["replicas"] = 1 }, "WARNING: one receiver:"},
		"no proxies": {func(_, r map[string]any) {
			r["config"] = strings.Replace(r["config"].(string), "trusted_proxies", "x", 1)
		}, "WARNING: notify.trusted_proxies is empty:"},
		"a registry like any web server": {func(_, r map[string]any) {
			r["config"] = strings.Replace(r["config"].(string), "example.com:8081", "example.com", 1)
		}, "WARNING: networkPolicy.registry.to is empty, and the registry has port 443:"},
		"a registry on 443 at a known address": {func(v, r map[string]any) {
			r["config"] = strings.Replace(r["config"].(string), "example.com:8081", "example.com", 1)
			v["networkPolicy"] = map[string]any{"registry": map[string]any{"to": []any{map[string]any{"ipBlock": map[string]any{"cidr": "192.0.2.8/32"}}}}}
		}, ""},
		"in the instances": {func(v, r map[string]any) { v["config"], r["enabled"] = r["config"], false }, "WARNING: receiver.enabled is false:"},
	} {
		v := values(t, "receiver")
		c.change(v, v["receiver"].(map[string]any))
		files, err := render(loadChart(t), v)
		if err != nil {
			t.Fatal(err)
		}
		if got := files["bridge/templates/NOTES.txt"]; strings.Count(got, "WARNING") > min(1, len(c.want)) || !strings.Contains(got, c.want) {
			t.Errorf("%s: want %q:\n%s", name, c.want, got)
		}
	}
}

// TestN1_ReceiverStartsWithoutKeys: with the files that a receiver's pod has, none of them a private key, the bridge accepts
// the settings that the pod gets, and starts with the arguments that the pod has.
func TestN1_ReceiverStartsWithoutKeys(t *testing.T) {
	all, dir := objects(t, mustRender(t, "receiver")), t.TempDir()
	keys := filepath.Join(dir, "keys")
	run(t, nil, bridge(t), "simulate", "--out", filepath.Join(dir, "simulator"), "--no-serve")
	writeKey(t, filepath.Join(keys, "alipay"), "", "alipay-public.pem")
	write(t, filepath.Join(keys, "kafka"), "ca.crt", read(t, filepath.Join(dir, "simulator/keys/tls.crt")))
	write(t, filepath.Join(keys, "kafka"), "password", []byte("secret"))
	text := at[string](t, find(t, all, "ConfigMap", "-receiver"), "data", "bridge.yaml")
	for _, port := range []string{":8086", ":8088", ":9464"} {
		if !strings.Contains(text, `"`+port+`"`) {
			t.Errorf("the settings do not open %s", port)
		}
		text = strings.Replace(text, `"`+port+`"`, `"127.0.0.1:0"`, 1)
	}
	write(t, dir, "bridge.yaml", []byte(strings.ReplaceAll(text, "/keys/", keys+"/")+"admin: {listen: \"\"}\n"))
	args := slices.Clone(pods(t, all)["pay-bridge-receiver"].Spec.Containers[0].Args)
	checkFlags(t, "receiver", args)
	for i := range args {
		args[i] = strings.Replace(args[i], "/etc/bridge/", dir+"/", 1)
	}
	cmd := exec.CommandContext(t.Context(), bridge(t), args...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if said.WriteString(lines.Text() + "\n"); strings.Contains(lines.Text(), `"bridge starts"`) {
			return
		}
	}
	t.Errorf("it did not start:\n%s", said.String())
}
