package test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPodFiles: in a root that has only what the pod has, with secrets of root that the group of the pod may
// read, the bridge, as the user of the pod, accepts settings and keys at the paths where the chart mounts them.
func TestPodFiles(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the root needs root")
	}
	all := objects(t, mustRender(t, "default"))
	pod := pods(t, all)["pay-bridge"].Spec
	group := *pod.SecurityContext.FSGroup
	root := t.TempDir()
	binary, err := os.ReadFile(bridge(t))
	if err != nil {
		t.Fatal(err)
	}
	write(t, root, "bridge", binary)
	if err := os.Chmod(filepath.Join(root, "bridge"), 0o555); err != nil {
		t.Fatal(err)
	}
	simulated := t.TempDir()
	run(t, nil, bridge(t), "simulate", "--out", simulated, "--no-serve")
	for _, m := range pod.Containers[0].VolumeMounts {
		dir := filepath.Join(root, m.MountPath)
		switch m.MountPath {
		case "/etc/bridge":
			write(t, dir, "bridge.yaml", []byte(at[string](t, find(t, all, "ConfigMap", "pay-bridge"), "data", "bridge.yaml")))
		case "/keys/alipay":
			writeKey(t, dir, "app-private.pem", "")
			writeKey(t, dir, "", "alipay-public.pem")
		case "/keys/kafka":
			write(t, dir, "ca.crt", read(t, filepath.Join(simulated, "keys/tls.crt")))
			write(t, dir, "password", []byte("secret"))
		case "/var/lib/bridge": // an empty folder that the group may write to
			if err := os.MkdirAll(dir, 0o770); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Chown(dir, 0, int(group)), os.Chmod(dir, 0o2770)); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("unexpected mount %s", m.MountPath)
		}
	}
	modes := map[string]os.FileMode{}
	for _, v := range pod.Volumes {
		modes[v.Name] = 0o644
		if v.Secret != nil {
			modes[v.Name] = os.FileMode(*v.Secret.DefaultMode)
		}
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		files, err := filepath.Glob(filepath.Join(root, m.MountPath, "*"))
		if err != nil || len(files) == 0 && m.Name != "state" {
			t.Fatalf("%s is empty: %v", m.MountPath, err)
		}
		for _, f := range files { // as the kubelet does
			if err := os.Chown(f, 0, int(group)); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(f, modes[m.Name]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, dir := range []string{"", "etc", "etc/bridge", "keys", "keys/alipay", "keys/kafka", "var", "var/lib"} {
		if err := os.Chmod(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := strings.TrimPrefix(pod.Containers[0].Args[1], "--config=")
	cmd := exec.CommandContext(t.Context(), "/bridge", "check", "--offline", "-c", config)
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{
		Uid: uint32(*pod.SecurityContext.RunAsUser), Gid: uint32(*pod.SecurityContext.RunAsGroup), Groups: []uint32{uint32(group)},
	}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
