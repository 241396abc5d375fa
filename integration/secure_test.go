//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

func (f *fortress) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "./kafka.sh", args...)
	_, port, _ := strings.Cut(f.address, ":")
	cmd.Env = append(os.Environ(), "KAFKA_SECURE="+f.dir, "KAFKA_PORT="+port, "KAFKA_CONTROLLER_PORT=")
	return cmd
}

func (f *fortress) script(t *testing.T, args ...string) {
	t.Helper()
	if out, err := f.command(t.Context(), args...).CombinedOutput(); err != nil {
		t.Fatalf("kafka.sh %v: %v\n%s", args, err, out)
	}
}

// check runs bridge check and returns its findings, one a line, and its exit code. Its notes go
// to tw.notes.
func (tw *town) check(more ...string) (lines []string, code int) {
	tw.t.Helper()
	path, err := binary()
	must(tw.t, err)
	cmd := exec.CommandContext(tw.t.Context(), path, append([]string{"check", "-c", tw.settings}, more...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tw.t.Fatalf("check: %v\n%s", err, stderr.String())
	}
	tw.notes = nil
	for line := range strings.Lines(string(out)) {
		if note, is := strings.CutPrefix(line, "note: "); is {
			tw.notes = append(tw.notes, note)
		} else {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines, cmd.ProcessState.ExitCode()
}

// allowed is one line of check --acls.
type allowed struct{ operation, resource, name, line string }

func parseACL(t *testing.T, line string) allowed {
	t.Helper()
	words := strings.Fields(line)
	i := slices.Index(words, "--operation")
	if i < 0 || len(words) != i+4 {
		t.Fatalf("no ACL: %s", line)
	}
	return allowed{words[i+1], strings.TrimPrefix(words[i+2], "--"), words[i+3], line}
}

func (a allowed) builder(t *testing.T) *kadm.ACLBuilder {
	t.Helper()
	b := kadm.NewACLs().Allow("User:bridge").AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral)
	b.Operations(map[string]kadm.ACLOperation{"Read": kadm.OpRead, "Write": kadm.OpWrite}[a.operation])
	switch a.resource {
	case "topic":
		return b.Topics(a.name)
	case "group":
		return b.Groups(a.name)
	case "transactional-id":
		return b.TransactionalIDs(a.name)
	}
	t.Fatalf("no resource: %s", a.line)
	return nil
}

// TestSecuredBroker: TLS with our certificate, SCRAM, an authorizer. The bridge does its whole
// job with exactly the ACLs that check prints; a password is changed under way; each ACL that
// is taken away is found and named.
func TestSecuredBroker(t *testing.T) {
	f := newFortress(t)
	tw := &town{t: t, kafka: f.options(t), security: f.by("SCRAM-SHA-512", "admin")}
	gateway := tw.simulate(10 * time.Millisecond)
	tw.write(gateway, 4)
	tw.command("topics", "create", "--yes", "-c", tw.settings)
	tw.security = f.by("SCRAM-SHA-512", "bridge")
	tw.write(gateway, 4)
	adm := kadm.NewClient(tw.client())

	var acls []allowed
	for line := range strings.Lines(tw.command("check", "--acls", "-c", tw.settings)) {
		acls = append(acls, parseACL(t, strings.TrimSpace(line)))
	}
	if lines, code := tw.check(); code != 3 || len(lines) != len(acls) {
		t.Fatalf("without any ACL: exit %d, want 3 and %d findings:\n%s", code, len(acls), strings.Join(lines, "\n"))
	}
	// Kafka's own tool takes the lines as they are.
	for _, a := range acls {
		words := strings.Fields(strings.ReplaceAll(a.line, "'", ""))
		f.script(t, append([]string{"tool", "acls"}, words[slices.Index(words, "--add"):]...)...)
	}
	if lines, code := tw.check(); code != 0 {
		t.Fatalf("with all ACLs: exit %d:\n%s", code, strings.Join(lines, "\n"))
	}

	events := orders(400)
	tw.send(events[:200])
	p := tw.run("a")
	await(t, "it works", time.Minute, func() bool { return tw.sim.Totals().Executions >= 100 })
	f.change(t, adm, "bridge", "changed under way")
	<-time.After(6 * time.Second) // the broker ends sessions after 5 s: all of them begin anew
	tw.send(events[200:])
	wantEachOnce(t, events, tw.results(len(events), time.Minute))
	p.stop(t)
	tw.executions()
	if n := strings.Count(p.log.String(), "AUTHORIZATION_FAILED") + strings.Count(p.log.String(), "AUTHENTICATION_FAILED"); n != 0 {
		t.Errorf("the log has %d refusals:\n%s", n, p.log)
	}

	// Without kafka.start the committed positions are looked at, too; what may not be seen of
	// them is reported with the ACLs.
	text, err := os.ReadFile(tw.settings)
	must(t, err)
	before, after, found := bytes.Cut(text, []byte(" start: earliest,"))
	if !found {
		t.Fatal("the settings have no start")
	}
	must(t, os.WriteFile(tw.settings, append(slices.Clone(before), after...), 0o600))
	for _, a := range acls {
		tw.takeAway(adm, a)
	}
	// What may be seen may still not be used.
	describe := kadm.NewACLs().Allow("User:bridge").AllowHosts("*").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpDescribe)
	_, err = adm.CreateACLs(t.Context(), describe.Topics(tw.prefix).Groups(tw.prefix).TransactionalIDs(tw.prefix))
	must(t, err)
	kinds := map[string]bool{}
	for _, a := range acls {
		if kind := a.operation + a.resource; !kinds[kind] {
			kinds[kind] = true
			tw.takeAway(adm, a)
		}
	}
	if lines, code := tw.check(); code != 0 {
		t.Errorf("with all ACLs again: exit %d:\n%s", code, strings.Join(lines, "\n"))
	}
	tw.others(f, adm)
	tw.otherWaysIn(f, gateway)
}

// others: whoever may see the ACLs is told who else may write the outputs, by whatever pattern.
func (tw *town) others(f *fortress, adm *kadm.Client) {
	t := tw.t
	t.Helper()
	create := func(principal string, pattern kadm.ACLPattern, op kadm.ACLOperation, of func(*kadm.ACLBuilder) *kadm.ACLBuilder) {
		created, err := adm.CreateACLs(t.Context(), of(kadm.NewACLs().Allow(principal).AllowHosts("*").ResourcePatternType(pattern).Operations(op)))
		must(t, err)
		must(t, created[0].Err)
	}
	create("User:bridge", kadm.ACLPatternLiteral, kadm.OpDescribe, func(b *kadm.ACLBuilder) *kadm.ACLBuilder { return b.Clusters() })
	create("User:shop", kadm.ACLPatternLiteral, kadm.OpWrite, func(b *kadm.ACLBuilder) *kadm.ACLBuilder { return b.Topics("*") })
	create("User:*", kadm.ACLPatternPrefixed, kadm.OpAll, func(b *kadm.ACLBuilder) *kadm.ACLBuilder { return b.TransactionalIDs(tw.prefix) })
	lines, code := tw.check()
	want := "everyone is allowed ALL on transactional-id " + tw.prefix + "*; kafka-acls.sh"
	if code != 3 || len(lines) != 1 || !strings.HasPrefix(lines[0], want) {
		t.Errorf("exit %d, found\n%s\nwant\n%s", code, strings.Join(lines, "\n"), want)
	}
	if notes := strings.Join(tw.notes, "\n"); !strings.Contains(notes, "User:shop is allowed WRITE on topic *") {
		t.Errorf("notes:\n%s", notes)
	}
	// What check prints takes it away.
	words := strings.Fields(strings.ReplaceAll(lines[0], "'", ""))
	f.script(t, append([]string{"tool", "acls", "--force"}, words[slices.Index(words, "--remove"):]...)...)
	if lines, code := tw.check(); code != 0 {
		t.Errorf("without it: exit %d:\n%s", code, strings.Join(lines, "\n"))
	}
}

// takeAway takes an ACL away, wants check to name it and nothing else, and gives it back.
func (tw *town) takeAway(adm *kadm.Client, a allowed) {
	t := tw.t
	t.Helper()
	deleted, err := adm.DeleteACLs(t.Context(), a.builder(t))
	must(t, err)
	if len(deleted) != 1 || len(deleted[0].Deleted) != 1 {
		t.Fatalf("%s: deleted %+v", a.line, deleted)
	}
	want := a.operation + " on " + a.resource + " " + a.name + " is not allowed; " + a.line
	if lines, code := tw.check(); code != 3 || len(lines) != 1 || lines[0] != want {
		t.Errorf("exit %d, found\n%s\nwant\n%s", code, strings.Join(lines, "\n"), want)
	}
	created, err := adm.CreateACLs(t.Context(), a.builder(t))
	must(t, err)
	must(t, created[0].Err)
}

// TestCheckOnOpenBroker: where everything may be looked at, nothing is left unsaid, and what is
// wrong is found.
func TestCheckOnOpenBroker(t *testing.T) {
	tw := newTown(t, 2, 0)
	if out := tw.command("check", "-c", tw.settings); out != "nothing found\n" {
		t.Errorf("found:\n%s", out)
	}
	adm, forever := kadm.NewClient(tw.client()), "-1"
	_, err := adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &forever}}, tw.topic("results"))
	must(t, err)
	_, err = adm.DeleteTopics(t.Context(), tw.topic("journal"))
	must(t, err)
	lines, code := tw.check()
	if text := strings.Join(lines, "\n"); code != 3 || len(lines) != 2 || !strings.Contains(text, "results has retention.ms=-1") || !strings.Contains(text, "journal does not exist; create it with bridge topics create") {
		t.Errorf("exit %d:\n%s", code, text)
	}
}

// otherWaysIn: the other mechanisms with the same rights, another cluster, and a wrong password.
func (tw *town) otherWaysIn(f *fortress, gateway string) {
	t := tw.t
	t.Helper()
	f.put(t, "first.password", f.first)
	f.token(t, "bridge")
	for name, security := range map[string]string{
		"PLAIN":         f.security("mechanism: PLAIN, user: bridge, password_file: " + f.dir + "/first.password"),
		"SCRAM-SHA-256": f.security("mechanism: SCRAM-SHA-256, user: bridge, password_file: " + f.dir + "/first.password"),
		"OAUTHBEARER":   f.security("mechanism: OAUTHBEARER, token_file: " + f.dir + "/token"),
	} {
		tw.security = security
		tw.write(gateway, 4)
		if lines, code := tw.check(); code != 0 {
			t.Errorf("%s: exit %d:\n%s", name, code, strings.Join(lines, "\n"))
		}
	}
	f.put(t, "second.password", "changed under way")
	right := f.security("mechanism: SCRAM-SHA-512, user: bridge, password_file: " + f.dir + "/second.password")
	tw.security = strings.Replace(right, "cluster_id: 4L6g", "cluster_id: 5L6g", 1)
	tw.write(gateway, 4)
	if lines, code := tw.check(); code != 3 || len(lines) != 1 || !strings.Contains(lines[0], "but kafka.cluster_id is") {
		t.Errorf("another cluster: exit %d:\n%s", code, strings.Join(lines, "\n"))
	}
	p := tw.run("a")
	if err := p.wait(); err == nil || !strings.Contains(p.log.String(), "another cluster than but kafka.cluster_id is") {
		t.Errorf("run on another cluster: %v\n%s", err, p.log)
	}
	tw.security = f.security("mechanism: SCRAM-SHA-512, user: bridge, password_file: " + f.dir + "/first.password")
	tw.write(gateway, 4)
	if lines, code := tw.check(); code != 3 || len(lines) != 1 || !strings.Contains(lines[0], "SASL_AUTHENTICATION_FAILED") {
		t.Errorf("an old password: exit %d:\n%s", code, strings.Join(lines, "\n"))
	}
}
