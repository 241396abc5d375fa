package test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// run runs a command with more environment, and returns its output.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// tool returns the path that ../check.sh gives to a tool.
func tool(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s is not set; make chart sets it", variable)
	}
	return path
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bridge")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(dir, "bridge"), "./cmd/bridge")
	cmd.Dir, cmd.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0") // as for the image
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return stderr.String(), err
	}
	return filepath.Join(dir, "bridge"), nil
})

// bridge returns the binary of this checkout.
func bridge(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatalf("the bridge cannot be built: %v\n%s", err, path)
	}
	return path
}

// TestValidate: Kubernetes accepts every object, by the schemas of the oldest version that the chart is
// for and of the newest that kubectl-validate has, and by those of KEDA and the Prometheus operator.
func TestValidate(t *testing.T) {
	validate, crds := tool(t, "KUBECTL_VALIDATE"), tool(t, "CRDS")
	if min := loadChart(t).Metadata.KubeVersion; !strings.HasPrefix(min, ">=1.27.") {
		t.Errorf("the chart is for %s, and 1.27 is validated", min)
	}
	for _, scenario := range scenarios {
		dir := t.TempDir()
		files := mustRender(t, scenario)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if strings.HasSuffix(name, ".yaml") {
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), []byte(files[name]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, version := range []string{"1.27", "1.30"} {
			run(t, nil, validate, "--version", version, "--local-crds", crds, dir)
		}
	}
}

// TestRenderedSettings: the bridge accepts the settings as the pods get them, with the keys where the
// pods have them.
func TestRenderedSettings(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	run(t, nil, bridge(t), "simulate", "--out", filepath.Join(dir, "simulator"), "--no-serve")
	writeKey(t, filepath.Join(keys, "alipay"), "app-private.pem", "")
	writeKey(t, filepath.Join(keys, "alipay"), "", "alipay-public.pem")
	write(t, filepath.Join(keys, "kafka"), "ca.crt", read(t, filepath.Join(dir, "simulator/keys/tls.crt")))
	write(t, filepath.Join(keys, "kafka"), "password", []byte("secret"))
	all := objects(t, mustRender(t, "monitored"))
	for _, suffix := range []string{"pay-bridge", "pay-bridge-topics"} {
		text := at[string](t, find(t, all, "ConfigMap", suffix), "data", "bridge.yaml")
		file := filepath.Join(dir, suffix+".yaml")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "/keys/", keys+"/")), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, nil, bridge(t), "check", "--offline", "-c", file)
		printed := run(t, nil, bridge(t), "check", "--offline", "--print", "-c", file)
		if !strings.Contains(printed, ":8088") || strings.Contains(printed, "127.0.0.1:8088") || strings.Contains(printed, "127.0.0.1:9464") {
			t.Errorf("probes or metrics listen where the kubelet cannot reach them:\n%s", printed)
		}
	}
	for name, pod := range pods(t, all) {
		checkFlags(t, name, pod.Spec.Containers[0].Args)
	}
}

// checkFlags checks that the binary has the command of a container, with its flags.
func checkFlags(t *testing.T, container string, args []string) {
	t.Helper()
	words := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") })
	help := run(t, nil, bridge(t), append(slices.Clone(args[:words]), "--help")...)
	if usage := "bridge " + strings.Join(args[:words], " ") + " "; !strings.Contains(help, usage) {
		t.Errorf("%s: there is no command %s", container, usage)
	}
	for _, arg := range args[words:] {
		if flag, _, _ := strings.Cut(arg, "="); !strings.Contains(help, flag+" ") {
			t.Errorf("%s: bridge %s has no flag %s", container, strings.Join(args[:words], " "), flag)
		}
	}
}

// writeKey writes the halves of a new key whose names are not empty.
func writeKey(t *testing.T, dir, private, public string) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if private != "" {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		return
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func write(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
