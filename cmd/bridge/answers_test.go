package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/schemas"
)

// printed is what a command line printed, on both channels, and its exit code. Errors are printed as
// the program prints them.
func printed(ctx context.Context, t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(&o)
	root.SetErr(&e)
	if ran, err := root.ExecuteContextC(ctx); err != nil {
		code = command.ReportError(&e, ran, args, err)
	}
	return o.String(), e.String(), code
}

// Every command prints in JSON what its schema says, and in YAML the same.
func TestAnswersObeyTheirContracts(t *testing.T) {
	cluster, err := localkafka.Start(localkafka.Options{})
	apptest.NoError(t, err)
	defer cluster.Close()
	dir, err := simulated()
	apptest.NoError(t, err)
	settings := filepath.Join(dir, "bridge.yaml")
	at := []string{"--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL()}
	registry := at[2:]
	var probes admin.Probes
	probes.Ready(true)
	probing := httptest.NewServer(probes.Handler())
	defer probing.Close()
	v := newVectors(t)
	event := v.write(t, "event.json", []byte(`{"event_id":"e1","event_type":"CREATED","channel":"TRADE","occurred_at":"2026-11-01T09:17:00Z","order_no":"T1","trade_no":"2","subject":"订单","total":{"currency":"CNY","minor":8800},"buyer_user_id":"2088102146225135"}`))
	token := v.write(t, "token", []byte(adminToken))
	asked := func(s admin.Status) []string { return []string{"-a", instance(t, s), "--token-file", token} }
	broken := folderOf(t, "order.avsc", changed(t, minorIsLong, strings.Replace(minorIsLong, "long", "double", 1)))
	silent := changed(t, `"name": "subject"`, `"name": "title", "default": ""`)

	for _, tt := range []struct {
		contract string
		args     []string
		code     int
		stream   bool
	}{
		{"topics-create", slices.Concat([]string{"topics", "create", "--dry-run"}, at), 3, false},
		{"topics-create", slices.Concat([]string{"topics", "create", "--yes"}, at), 0, false},
		{"topics-create", slices.Concat([]string{"topics", "create", "--dry-run"}, at), 0, false},
		{"audit", slices.Concat([]string{"audit"}, at), 0, false},
		{"version", []string{"version"}, 0, false},
		{"schemas-register", slices.Concat([]string{"schemas", "register"}, registry), 0, false},
		{"schemas-check", slices.Concat([]string{"schemas", "check"}, registry), 0, false},
		{"schemas-check", []string{"schemas", "check", "--folder", broken}, 3, false},
		{"schemas-check", []string{"schemas", "check", "--folder", folderOf(t, "order.avsc", silent)}, 0, false},
		{"schemas-list", []string{"schemas", "list"}, 0, false},
		{"check", []string{"check", "-c", settings, "--offline"}, 0, false},
		{"check", []string{"check", "-c", "../../internal/config/testdata/bad/unknown_key.yaml"}, 3, false},
		{"check-acls", []string{"check", "-c", settings, "--acls", "--slot", "b"}, 0, false},
		{"explain", []string{"explain", "ACQ.TRADE_HAS_SUCCESS"}, 0, false},
		{"explain", []string{"explain", "bridge_stalled"}, 0, false},
		{"explain-kinds", []string{"explain"}, 0, false},
		{"health", []string{"health", "-a", strings.TrimPrefix(probing.URL, "http://")}, 0, false},
		{"inspect", []string{"inspect", "response", "--method", "alipay.trade.query", "--alipay-key", v.file("alipay.pub"), v.write(t, "answer", v.answers["query_ok"])}, 0, false},
		{"inspect", []string{"inspect", "response", "--method", "alipay.trade.query", "--alipay-key", v.file("app.pub"), v.write(t, "answer", v.answers["query_ok"])}, 3, false},
		{"inspect-request", []string{"inspect", "request", event}, 0, false},
		{"status", append([]string{"status"}, asked(calm())...), 0, false},
		{"status", append([]string{"status"}, asked(troubledInstance())...), 3, false},
		{"stuck", append([]string{"stuck"}, asked(calm())...), 0, false},
		{"stuck", append([]string{"stuck"}, asked(troubledInstance())...), 3, false},
		{"tail", slices.Concat([]string{"tail", "events", "--to-end"}, at), 0, true},
		{"tail", slices.Concat([]string{"tail", "dead-letters", "--to-end"}, at), 0, true},
	} {
		if tt.stream {
			writeSome(t, cluster, v, at)
		}
		if tt.contract == "audit" {
			begun(t, cluster)
		}
		out, errs, code := printed(t.Context(), t, append(tt.args, "-o", "json")...)
		if code != tt.code {
			t.Errorf("%q: exit %d, want %d: %s", tt.args, code, tt.code, errs)
		}
		if code != 0 {
			obeys(t, "error", errs)
		} else if errs != "" {
			t.Errorf("%q: %q on standard error, where a program expects errors", tt.args, errs)
		}
		values := []string{out}
		if tt.stream {
			values = strings.Split(strings.TrimSpace(out), "\n")
		}
		for _, value := range values {
			obeys(t, tt.contract, value)
		}
		if tt.stream || tt.contract == "topics-create" || tt.contract == "audit" { // these change with each run
			continue
		}
		asYAML, _, _ := printed(t.Context(), t, append(tt.args, "-o", "yaml")...)
		sameValue(t, tt.contract, out, asYAML)
	}
}

// begun commits an offset of the group that has its default name.
func begun(t *testing.T, cluster *localkafka.Cluster) {
	t.Helper()
	cl, err := kgo.NewClient(cluster.ClientOptions()...)
	apptest.NoError(t, err)
	defer cl.Close()
	var at kadm.Offsets
	at.AddOffset("order-events", 0, 0, -1)
	apptest.NoError(t, kadm.NewClient(cl).CommitAllOffsets(t.Context(), "alipay-kafka-bridge", at))
}

func writeSome(t *testing.T, cluster *localkafka.Cluster, v vectors, at []string) {
	t.Helper()
	events := v.write(t, "events.jsonl", []byte(`{"event_id":"e1","event_type":"CREATED","occurred_at":"2026-01-01T00:00:00Z","order_no":"订单-1"}`+"\n"))
	_, errs, code := printed(t.Context(), t, append([]string{"send", events, "--progress", "none"}, at...)...)
	if code != 0 || errs != "1 event sent to order-events\n" {
		t.Errorf("send: exit %d: %q", code, errs)
	}
	cl, err := kgo.NewClient(cluster.ClientOptions()...)
	apptest.NoError(t, err)
	defer cl.Close()
	letter := &kgo.Record{Topic: "order-events.dlq", Key: []byte("k\xff"), Value: []byte("junk"), Headers: []kgo.RecordHeader{{Key: "dead-reason", Value: []byte("undecodable")}}}
	apptest.NoError(t, cl.ProduceSync(t.Context(), letter).FirstErr())
}

func sameValue(t *testing.T, name, asJSON, asYAML string) {
	t.Helper()
	var a, b any
	apptest.NoError(t, json.Unmarshal([]byte(asJSON), &a))
	if err := yaml.Unmarshal([]byte(asYAML), &b); err != nil {
		t.Errorf("%s: %v\n%s", name, err, asYAML)
		return
	}
	want, _ := json.Marshal(a)
	got, _ := json.Marshal(b)
	var again any
	apptest.NoError(t, json.Unmarshal(got, &again))
	if got, _ = json.Marshal(again); !bytes.Equal(got, want) {
		t.Errorf("%s: YAML has another value\n%s\n%s", name, got, want)
	}
}

// An error is one object where the answer is JSON, also if the flag stands behind what is wrong; else it
// is a sentence that names the help of its command.
func TestErrorsAsJSON(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want command.Failure
	}{
		{[]string{"topics", "create", "--partitions", "0", "-o", "json"}, command.Failure{Error: "--partitions 0: use a number from 1 to 10000", Code: "usage", Hint: "see bridge topics create --help", Exit: 2}},
		{[]string{"status", "--addrss", "x", "-ojsonl"}, command.Failure{Error: "unknown flag: --addrss; did you mean --address?", Code: "usage", Hint: "see bridge status --help", Exit: 2}},
		{[]string{"status", "--addrss", "x", "-o", "json"}, command.Failure{Error: "unknown flag: --addrss; did you mean --address?", Code: "usage", Hint: "see bridge status --help", Exit: 2}},
		{[]string{"tail", "--output=json"}, command.Failure{Error: "TOPIC is missing", Code: "usage", Hint: "see bridge tail --help", Exit: 2}},
		{[]string{"schemas", "check", "--folder", "testdata/none", "-o", "json"}, command.Failure{Error: "lstat testdata/none: no such file or directory", Code: "failed", Exit: 1}},
		{[]string{"check", "-c", "../../internal/config/testdata/bad/unknown_key.yaml", "-o", "json"}, command.Failure{Error: "5 findings", Code: "found", Exit: 3}},
	} {
		_, errs, code := printed(t.Context(), t, tt.args...)
		var got command.Failure
		if err := json.Unmarshal([]byte(errs), &got); err != nil || got != tt.want || code != tt.want.Exit {
			t.Errorf("%q: exit %d, %v\n%s", tt.args, code, err, errs)
		}
	}
	if _, errs, _ := printed(t.Context(), t, "topics", "create", "--partitions", "0"); errs != "bridge: --partitions 0: use a number from 1 to 10000\nsee bridge topics create --help\n" {
		t.Errorf("as text: %q", errs)
	}
	_, errs, code := printed(t.Context(), t, "status", "-a", "127.0.0.1:1", "-o", "json")
	if code != command.ExitUnreachable || !strings.Contains(errs, `connection refused","code":"unreachable","hint":"is `) {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// Who types almost the right word learns which it is.
func TestDidYouMean(t *testing.T) {
	for want, args := range map[string][]string{
		`bridge has no command "rnu"; did you mean run?`:            {"rnu"},
		`bridge topics has no command "crate"; did you mean create`: {"topics", "crate"},
		`one of text, json, jsonl, yaml, help; did you mean json?`:  {"explain", "-o", "jsn"},
		`table, wide, tsv, json, jsonl, yaml, help; did you mean w`: {"stuck", "-o", "wid"},
		`did you mean always?`:   {"stuck", "--color", "allways"},
		`did you mean plain?`:    {"send", "--progress", "plane"},
		`did you mean outage?`:   {"demo", "--faults", "outtage"},
		`did you mean earliest?`: {"tail", "results", "--from", "earlyest"},
		`did you mean KOUBEI?`:   {"inspect", "request", "--channel", "KUBEI", "x"},
		`did you mean --to-end?`: {"tail", "results", "--to-ende"},
	} {
		out, errs, code := printed(t.Context(), t, args...)
		if code != command.ExitUsage || !strings.Contains(errs, want) || out != "" {
			t.Errorf("%q: exit %d: %s%s", args, code, errs, out)
		}
	}
	s := troubledInstance()
	s.Accounts = []admin.Account{{Name: "shop"}, {Name: "shop-hk"}}
	if _, errs, code := ask(t, "stuck", "-a", instance(t, s), "--account", "sopp"); code != command.ExitUsage || !strings.Contains(errs, "they have shop, shop-hk; did you mean shop?") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// -o help needs no argument and no server, and says of each field what it means.
func TestHelpAboutFields(t *testing.T) {
	withAnswer := 0
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			each(sub)
		}
		if c.Flags().Lookup("output") == nil || c.Name() == "version" {
			return
		}
		withAnswer++
		path := strings.Fields(c.CommandPath())[1:]
		out, errs, code := printed(t.Context(), t, append(path, "-o", "help")...)
		if code != 0 || out == "" || errs != "" {
			t.Errorf("%q: exit %d: %s%s", path, code, out, errs)
		}
		for line := range strings.Lines(out) {
			if cells := strings.Split(strings.TrimSpace(line), "\t"); len(cells) != 3 || slices.Contains(cells, "") || strings.HasSuffix(cells[2], "; ") {
				t.Errorf("%q: %q", path, line)
			}
		}
	}
	each(rootCommand())
	if withAnswer < 14 {
		t.Errorf("only %d commands explain their fields", withAnswer)
	}
	out, _, _ := printed(t.Context(), t, "stuck", "-o", "help")
	for _, want := range []string{"ORDER\ttable\torder number\n", "BEHIND\twide\tlater events", "[].order_no\tjson\tstring; order number\n", "[].since\tjson\ttime; since when\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out, _, _ := printed(t.Context(), t, "explain", "-o", "help"); !strings.Contains(out, "[].see[]\tjson\tobject; ") || strings.Contains(out, "see[].see") {
		t.Errorf("an entry within an entry:\n%s", out)
	}
}

// Pages of help that are about no command.
func TestHelpTopics(t *testing.T) {
	for topic, want := range map[string][]string{
		"exit-codes":  {"\n  0 ", "\n  1 ", "\n  2 ", "\n  3 ", "\n  4 ", "\n  130 ", "\n  143 "},
		"environment": {"NO_COLOR", "FORCE_COLOR", "TERM", "GOMEMLIMIT"},
		"formatting":  append(output.Reports(), output.ColourModes()...),
	} {
		out, _, code := printed(t.Context(), t, "help", topic)
		for _, w := range want {
			if code != 0 || !strings.Contains(out, w) {
				t.Errorf("%s does not say %q:\n%s", topic, w, out)
			}
		}
		for line := range strings.Lines(out) {
			if len(line) > 81 {
				t.Errorf("%s: a line is longer than a terminal: %q", topic, line)
			}
		}
	}
}

// Shells complete the values of flags and arguments.
func TestCompletion(t *testing.T) {
	dir, err := simulated()
	apptest.NoError(t, err)
	settings := filepath.Join(dir, "bridge.yaml")
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"tail", "-c", settings, ""}, []string{"results", "dead-letters", "order-events"}},
		{[]string{"send", "-c", settings, "--topic", ""}, []string{"order-events"}},
		{[]string{"schemas", "check", "results", ""}, []string{"events"}},
		{[]string{"stuck", "-c", settings, "--account", ""}, []string{"shop-trade", "shop-hk"}},
		{[]string{"inspect", "response", "-c", settings, "--account", ""}, []string{"shop-trade"}},
		{[]string{"explain", ""}, []string{"BridgeLate", "undecided", "ACQ.TRADE_HAS_SUCCESS"}},
		{[]string{"stuck", "-o", ""}, output.Lists()},
		{[]string{"check", "-o", ""}, output.Reports()},
		{[]string{"stuck", "--color", ""}, output.ColourModes()},
		{[]string{"demo", "--faults", ""}, []string{"outage", "lost"}},
		{[]string{"run", "-c", ""}, []string{"yaml", "yml"}},
	} {
		out, _, _ := printed(t.Context(), t, append([]string{"__complete"}, tt.args...)...)
		words := strings.FieldsFunc(out, func(r rune) bool { return r == '\n' || r == '\t' })
		for _, w := range tt.want {
			if !slices.Contains(words, w) {
				t.Errorf("%q: no %s in %q", tt.args, w, words)
			}
		}
	}
	out, _, _ := printed(t.Context(), t, "__complete", "schemas", "check", "results", "")
	if slices.Contains(strings.Split(out, "\n"), "results") {
		t.Error("a topic that is named already is offered again")
	}
}

// Each exit code of bridge help exit-codes, where a server is needed.
func TestExitCodesWithServers(t *testing.T) {
	cluster, err := localkafka.Start(localkafka.Options{Topics: []localkafka.Topic{{Name: "order-events", Schema: schemas.OrderEvent}}})
	apptest.NoError(t, err)
	defer cluster.Close()
	all, err := localkafka.Start(localkafka.Options{Topics: topicsOfSettings(config.Default().Topics)})
	apptest.NoError(t, err)
	defer all.Close()
	const closed = "127.0.0.1:1"
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{"tail", "events", "--brokers", closed, "--registry", cluster.RegistryURL()}, command.ExitUnreachable},
		{[]string{"topics", "create", "--yes", "--brokers", closed, "--registry", cluster.RegistryURL()}, command.ExitUnreachable},
		{[]string{"schemas", "check", "--registry", "http://" + closed}, command.ExitUnreachable},
		{[]string{"schemas", "register", "--registry", "http://" + closed}, command.ExitUnreachable},
		{[]string{"stuck", "-a", closed}, command.ExitUnreachable},
		{[]string{"health", "-a", closed}, command.ExitUnreachable},
		{[]string{"audit", "--brokers", all.Addrs()[0], "--registry", all.RegistryURL()}, command.ExitFailed}, // nothing is committed
		{[]string{"tail", "events", "--to-end", "--key", "x", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL()}, output.ExitFound},
		{[]string{"tail", "events", "--to-end", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL()}, 0},
		{[]string{"tail", "reslts", "--to-end", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL()}, command.ExitFailed},
		{[]string{"tail", "no-such-topic", "--to-end", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL()}, command.ExitFailed},
	} {
		if _, errs, code := printed(t.Context(), t, tt.args...); code != tt.want || tt.args[1] == "reslts" && !strings.Contains(errs, "did you mean results?") {
			t.Errorf("%q: exit %d, want %d: %s", tt.args, code, tt.want, errs)
		}
	}
}

// To stop a tail that follows is no interruption; it says how much it showed, unless it is to be quiet.
func TestTailSaysHowMuchItShowed(t *testing.T) {
	cluster, err := localkafka.Start(localkafka.Options{Topics: []localkafka.Topic{{Name: "any"}}})
	apptest.NoError(t, err)
	defer cluster.Close()
	writeInTransactions(t, cluster, "any", time.Now(), &kgo.Record{Key: []byte("a"), Value: []byte("x")}, &kgo.Record{Key: []byte("b"), Value: []byte("x")})
	at := []string{"tail", "any", "--progress", "none", "--brokers", cluster.Addrs()[0], "--registry", cluster.RegistryURL()} // which a slow machine would show
	if _, errs, code := printed(t.Context(), t, append(at, "--to-end", "--key", "b")...); code != 0 || errs != "1 record shown, 1 not chosen, 1 not decoded\n" {
		t.Errorf("exit %d: %q", code, errs)
	}
	if _, errs, code := printed(t.Context(), t, append(at, "--to-end", "-q")...); code != 0 || errs != "" {
		t.Errorf("quiet: exit %d: %q", code, errs)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stops := &stopping{stop: func() { cancel(errors.New("stopped")) }}
	root := rootCommand()
	root.SetArgs(at)
	root.SetOut(stops)
	var said bytes.Buffer
	root.SetErr(&said)
	if err := root.ExecuteContext(ctx); err != nil || said.String() != "2 records shown, 2 not decoded\n" {
		t.Errorf("%v, %q", err, said.String())
	}
}

// stopping stops after the second line.
type stopping struct {
	lines int
	stop  func()
}

func (s *stopping) Write(p []byte) (int, error) {
	if s.lines += bytes.Count(p, []byte("\n")); s.lines == 2 {
		s.stop()
	}
	return io.Discard.Write(p)
}
