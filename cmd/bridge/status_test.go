package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/output"
)

const adminToken = "0123456789abcdef0123456789abcdef"

// instance is an admin port with this status, which asks for a token.
func instance(t *testing.T, s admin.Status) string {
	t.Helper()
	s.Verdict = admin.Judge(&s)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+adminToken {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(s)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

var asOf = time.Date(2026, 12, 1, 3, 12, 7, 0, time.UTC)

func calm() admin.Status {
	return admin.Status{
		AsOf: asOf, Instance: admin.Instance{Slot: "one", Version: "v1", Started: asOf.Add(-time.Hour), Ready: true},
		Pipelines: []admin.Pipeline{{Name: "calls", Running: 2, Finished: 40}},
		Topics:    []admin.Topic{{Name: "order-events", Lag: map[string]int64{"calling": 2}}},
	}
}

func troubledInstance() admin.Status {
	s := calm()
	s.Instance.Slot = "two"
	s.Apps = []admin.App{{Name: "main", Breakers: []admin.Breaker{{Pipeline: "calls", Method: "alipay.trade.create", State: "open", Since: asOf.Add(-12 * time.Minute), Error: "SYSTEM_ERROR"}}}}
	s.Topics[0].Lag["breaker"] = 2
	s.Waiting = []admin.Waiting{
		{Account: "店铺-一号", OrderNo: "T2026\x1b[31m", Method: "alipay.trade.create", Topic: "order-events", Partition: 3, Offset: 77, Since: asOf.Add(-11 * time.Minute), Cause: "breaker", Attempts: 4, Class: "TRANSIENT", Code: "ACQ.SYSTEM_ERROR", Behind: 2},
		{Account: "shop", OrderNo: "T2", Topic: "order-events", Since: asOf.Add(-5 * time.Second), Cause: "person", Class: "MISCONFIGURED", Next: asOf.Add(30 * time.Second), Doubt: asOf.Add(-time.Minute)},
	}
	return s
}

// ask runs a command against instances, with the token in a file.
func ask(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(adminToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	root := rootCommand()
	root.SetArgs(append(args, "--token-file", token))
	root.SetOut(&o)
	root.SetErr(&e)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		code = command.ExitCode(err)
		_, _ = io.WriteString(&e, err.Error())
	}
	return o.String(), e.String(), code
}

func TestStatusCommand(t *testing.T) {
	one, two := instance(t, calm()), instance(t, troubledInstance())
	out, _, code := ask(t, "status", "-a", one, "-o", "table")
	if code != 0 || !strings.Contains(out, "one       fine   none           2        0        40  1 h 0 min") || !strings.Contains(out, "one: All is well: 40 events finished") {
		t.Errorf("%d:\n%s", code, out)
	}
	out, errs, code := ask(t, "status", "-a", one+","+two, "-o", "table")
	if code != output.ExitFound || !strings.Contains(out, "two: Waiting for Alipay: alipay.trade.create of app main fails, for 12 min (SYSTEM_ERROR). 2 events wait") || !strings.Contains(errs, "1 finding") {
		t.Errorf("%d:\n%s%s", code, out, errs)
	}
	out, _, _ = ask(t, "status", "-a", one+","+two)
	if want := "one\tfine\tnone\t2\t0\t0\t40\t1 h 0 min\tv1\t\t" + one + "\n"; !strings.HasPrefix(out, want) || strings.Count(out, "\n") != 2 {
		t.Errorf("on a pipe:\n%q, want %q", out, want)
	}
	out, _, _ = ask(t, "status", "-a", one+","+two, "-o", "jsonl")
	var s admin.Status
	if err := json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &s); err != nil || s.Instance.Slot != "one" || strings.Count(out, "\n") != 2 {
		t.Errorf("JSON lines: %v\n%s", err, out)
	}
}

// What some instances say is printed although others cannot be asked.
func TestStatusOfSome(t *testing.T) {
	one := instance(t, calm())
	const address = "127.0.0.1:1" // no one listens there
	out, errs, code := ask(t, "status", "-a", one, "-a", address, "-o", "table")
	if code != command.ExitUnreachable || !strings.Contains(out, "one: All is well") || !strings.Contains(errs, address+" cannot be asked") || !strings.Contains(errs, "admin.listen") {
		t.Errorf("%d:\n%s%s", code, out, errs)
	}
	if _, errs, code := ask(t, "status", "-a", "nonsense"); code != command.ExitUsage || !strings.Contains(errs, `"nonsense" is not valid; use host:port`) {
		t.Errorf("%d: %s", code, errs)
	}
	if _, errs, code := ask(t, "stuck", "-a", one, "--limit", "0"); code != command.ExitUsage || !strings.Contains(errs, "1 to 10000") {
		t.Errorf("%d: %s", code, errs)
	}
}

// Names of any width stay in their columns, and hostile ones stay text.
func TestStuckCommand(t *testing.T) {
	two := instance(t, troubledInstance())
	out, errs, code := ask(t, "stuck", "-a", two, "-o", "table")
	want := `ACCOUNT    ORDER            WAITS FOR          SINCE  TRIES  ANSWER            NEXT
店铺-一号  T2026\u001b[31m  breaker           11 min      4  ACQ.SYSTEM_ERROR     -
shop       T2               person, in doubt     5 s      0  MISCONFIGURED     30 s
`
	if code != output.ExitFound || !strings.HasPrefix(errs, "\nACQ.SYSTEM_ERROR TRANSIENT: Alipay or the network failed, and a repeat is harmless\nMISCONFIGURED: a key, token, permission, contract or settlement is not right\n\ntwo: Waiting for Alipay") {
		t.Errorf("%d: %s", code, errs)
	}
	for i, line := range strings.Split(out, "\n") {
		if w := strings.Split(want, "\n"); i < len(w) && line != w[i] {
			t.Errorf("got  %q\nwant %q", line, w[i])
		}
	}
	out, _, _ = ask(t, "stuck", "-a", two, "--account", "shop")
	if out != "shop\tT2\tperson, in doubt\t5 s\t0\tMISCONFIGURED\t30 s\t0\t\torder-events/0@0\ttwo\n" {
		t.Errorf("on a pipe: %q", out)
	}
	out, _, _ = ask(t, "stuck", "-a", two, "-o", "json")
	var rows []stuckRow
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 2 || rows[0].OrderNo != "T2026\x1b[31m" || rows[0].Instance != "two" || strings.Contains(out, "\x1b") {
		t.Errorf("%v\n%s", err, out)
	}
	out, errs, code = ask(t, "stuck", "-a", instance(t, calm()), "-o", "table")
	if out != "" || errs != "No event waits.\n" || code != 0 {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	stopped := calm()
	stopped.Partitions = []admin.Partition{{Topic: "order-events", State: "stopped", Reason: "moved"}}
	_, errs, _ = ask(t, "stuck", "-a", instance(t, stopped), "-o", "table")
	if !strings.HasPrefix(errs, "No event that was read waits.\n\n") || !strings.Contains(errs, "A partition is stopped") {
		t.Errorf("of a stopped partition: %s", errs)
	}
	out, _, code = ask(t, "stuck", "-a", instance(t, calm()), "-o", "json")
	if out != "[]\n" || code != 0 {
		t.Errorf("%d: %s", code, out)
	}
}

func TestHealthCommand(t *testing.T) {
	var p admin.Probes
	server := httptest.NewServer(p.Handler())
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	run := func(args ...string) (string, error) {
		var o bytes.Buffer
		root := rootCommand()
		root.SetArgs(append([]string{"health", "-a", address}, args...))
		root.SetOut(&o)
		root.SetErr(io.Discard)
		return o.String(), root.ExecuteContext(t.Context())
	}
	if _, err := run(); err == nil || command.ExitCode(err) != command.ExitFailed || !strings.Contains(err.Error(), "ready: not ready; `bridge status` says why") {
		t.Errorf("not ready: %v", err)
	}
	if _, err := run("live"); err != nil {
		t.Errorf("live: %v", err)
	}
	p.Ready(true)
	if _, err := run("ready"); err != nil {
		t.Errorf("ready: %v", err)
	}
	if _, err := run("dead"); command.ExitCode(err) != command.ExitUsage {
		t.Errorf("dead: %v", err)
	}
	address = "127.0.0.1:1" // no one listens there
	if _, err := run(); command.ExitCode(err) != command.ExitUnreachable || errors.Unwrap(err) == nil {
		t.Errorf("gone: %v", err)
	}
}
