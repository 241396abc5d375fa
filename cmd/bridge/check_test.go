package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/output"
)

// TestCheckOnBrokenSettings: `bridge check` names the line of every fault that
// internal/config/testdata/bad has, what is wrong, and what would be right.
func TestCheckOnBrokenSettings(t *testing.T) {
	const bad = "../../internal/config/testdata/bad"
	names, err := filepath.Glob(bad + "/*.yaml")
	apptest.NoError(t, err)
	if len(names) < 20 {
		t.Fatalf("%d files", len(names))
	}
	dir := t.TempDir()
	t.Setenv("KEYS", dir)
	t.Setenv("SIXTY_FOUR", "64")
	t.Setenv("CANARY", "c4n4ry")
	for name, text := range map[string]string{
		"private.pem": apptest.PrivatePEM(apptest.OwnKey()), "client.pem": apptest.PrivatePEM(apptest.OwnKey()), "public.pem": apptest.PublicPEM(apptest.PlatformKey().Public()),
		"simulated.pem": config.SimulatorMark + "\n" + apptest.PrivatePEM(apptest.OwnKey()), "roots.pem": apptest.CertificatePEM("", &apptest.LaterKey().PublicKey),
		"loose.pem": apptest.PrivatePEM(apptest.OwnKey()), "many.pem": strings.Repeat(apptest.PublicPEM(apptest.PlatformKey().Public()), 17),
		"long.pem": strings.Repeat("x", 64<<10+1), "empty.pem": " \n", "token": "c4n4ry", "password": "c4n4ry", "mask": strings.Repeat("k", 32),
	} {
		apptest.WriteSecret(t, dir, name, text)
	}
	apptest.NoError(t, os.Chmod(filepath.Join(dir, "loose.pem"), 0o644))
	line := regexp.MustCompile(`^# want: line (\d+): `)
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			apptest.NoError(t, err)
			settings := apptest.WriteSecret(t, dir, "bridge.yaml", string(text))
			out, err := runBridge(t.Context(), t, "check", "-c", settings, "-o", "json", "--offline")
			if command.ExitCode(err) != output.ExitFound {
				t.Fatalf("exit %d: %v", command.ExitCode(err), err)
			}
			var got check.Report
			apptest.NoError(t, json.Unmarshal([]byte(out), &got))
			if len(got.Findings) != 1 {
				t.Fatalf("findings = %+v, want one", got.Findings)
			}
			f := got.Findings[0]
			if want := line.FindStringSubmatch(string(text)); want == nil || fmt.Sprint(f.Line) != want[1] {
				t.Errorf("line %d, want %q", f.Line, want)
			}
			if f.What == "" || f.Remedy == "" || f.Remedy == "fix this line" || strings.Contains(out, "c4n4ry") {
				t.Errorf("finding = %+v, want what and remedy, no secret", f)
			}
		})
	}
}

// TestCheckPrints: sentences for people on one line each, rows and data for scripts; what is foreign
// cannot break a line.
func TestCheckPrints(t *testing.T) {
	f := check.Report{Findings: []check.Finding{{ID: "no_start", Part: "kafka", What: "a\nb", Remedy: "do c"}, {ID: "setting_wrong", Part: "settings", Line: 7, Setting: "apps.main", What: "d", Remedy: "e"}}, Notes: []string{"not seen"}}
	for layout, want := range map[output.Layout]string{
		output.Text:  "note: not seen\nno_start: a b; do c\nline 7: apps.main: d; e\n",
		output.Table: "LEVEL  PART      WHAT      REMEDY  FINDING\nnote   -         not seen  -       -\nfail   kafka     a\\u000ab  do c    no_start\nfail   settings  d         e       setting_wrong\n",
		output.TSV:   "note\t\t\t\tnot seen\t\t\nfail\tkafka\t\t\ta\\u000ab\tdo c\tno_start\nfail\tsettings\t7\tapps.main\td\te\tsetting_wrong\n",
		output.JSONL: `{"findings":[{"id":"no_start","part":"kafka","what":"a\nb","remedy":"do c"},{"id":"setting_wrong","part":"settings","line":7,"setting":"apps.main","what":"d","remedy":"e"}],"notes":["not seen"]}` + "\n",
	} {
		var out bytes.Buffer
		o := checkFlags{out: command.Answer{Layout: layout, Columns: findingColumns}}
		c := &cobra.Command{}
		c.SetOut(&out)
		if err := o.report(c, f); command.ExitCode(err) != output.ExitFound || out.String() != want {
			t.Errorf("%s: exit %d, got\n%s\nwant\n%s", layout, command.ExitCode(err), out.String(), want)
		}
	}
	for layout, want := range map[output.Layout]string{output.Text: "nothing found\n", output.Table: ""} {
		var out, said bytes.Buffer
		o := checkFlags{out: command.Answer{Layout: layout}}
		c := &cobra.Command{}
		c.SetOut(&out)
		c.SetErr(&said)
		if err := o.report(c, check.Report{}); err != nil || out.String() != want || out.String()+said.String() != "nothing found\n" {
			t.Errorf("%s: %v, %q, %q", layout, err, out.String(), said.String())
		}
	}
}

// Each instance has transactional ids of its own, and another person gives the permissions.
func TestACLsOfAnotherSlot(t *testing.T) {
	dir, err := simulated()
	apptest.NoError(t, err)
	out, err := runBridge(t.Context(), t, "check", "-c", filepath.Join(dir, "bridge.yaml"), "--acls", "--slot", "b")
	if err != nil || !strings.Contains(out, "alipay-kafka-bridge-b") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestCheckOfAReceiver: it needs two permissions and no private key, and what run --only takes, check --only takes.
func TestCheckOfAReceiver(t *testing.T) {
	from, err := simulated()
	apptest.NoError(t, err)
	dir := t.TempDir()
	apptest.NoError(t, os.CopyFS(dir, os.DirFS(from)))
	file := filepath.Join(dir, "bridge.yaml")
	keys, err := filepath.Glob(filepath.Join(dir, "keys", "*"))
	apptest.NoError(t, err)
	for _, key := range keys {
		apptest.NoError(t, os.Chmod(key, 0o600))
		if strings.HasSuffix(key, "-private.pem") || strings.HasSuffix(key, ".token") {
			apptest.NoError(t, os.Remove(key))
		}
	}
	apptest.NoError(t, os.Chmod(file, 0o600))
	out, err := runBridge(t.Context(), t, "check", "-c", file, "--acls", "--only", "notify", "--principal", "User:bridge-receiver")
	if err != nil || strings.Count(out, "\n") != 2 || !strings.Contains(out, "--operation Write --topic alipay-notifications\n") || !strings.Contains(out, "'User:bridge-receiver'") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := runBridge(t.Context(), t, "check", "-c", file, "--offline", "--only", "notify"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := runBridge(t.Context(), t, "check", "-c", file, "--offline"); command.ExitCode(err) != output.ExitFound {
		t.Errorf("without --only: %v\n%s", err, out)
	}
	apptest.WriteSecret(t, filepath.Join(dir, "keys"), "alipay-public.pem", "no key")
	if out, err := runBridge(t.Context(), t, "check", "-c", file, "--offline", "--only", "notify"); command.ExitCode(err) != output.ExitFound {
		t.Errorf("a key that verifies nothing: %v\n%s", err, out)
	}
	for _, name := range []string{"check", "run"} {
		if _, err := runBridge(t.Context(), t, name, "-c", file, "--only", "notify,nothing"); command.ExitCode(err) != command.ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckEndsWithItsContext: a check that is interrupted while a broker keeps silent ends at
// once with the cause, and prints nothing that it found later.
func TestCheckEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	apptest.NoError(t, err)
	defer silent.Close()
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka: {brokers: ['"+silent.Addr().String()+"'], slot: s, start: earliest}\n")
	settings := filepath.Join(filepath.Dir(cfg.Apps["main"].PrivateKeyFile.Path), "bridge.yaml")
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	var out string
	ended := make(chan error, 1)
	go func() {
		var err error
		out, err = runBridge(ctx, t, "check", "-c", settings)
		ended <- err
	}()
	conn, err := silent.Accept()
	apptest.NoError(t, err)
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1)) // the question is there
	apptest.NoError(t, err)
	cancel(interrupted)
	select {
	case err := <-ended:
		if !errors.Is(err, interrupted) || command.ExitCode(err) != command.ExitFailed || out != "" {
			t.Errorf("err = %v, exit %d, printed %q; want the cause alone", err, command.ExitCode(err), out)
		}
	case <-time.After(20 * time.Second): // alone it would end after 30 s
		t.Error("the check goes on")
		<-ended
	}
}
