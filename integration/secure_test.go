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

func (f *secureBroker) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "./kafka.sh", args...)
	_, port, _ := strings.Cut(f.address, ":")
	cmd.Env = append(os.Environ(), "KAFKA_SECURE="+f.dir, "KAFKA_PORT="+port, "KAFKA_CONTROLLER_PORT=")
	return cmd
}

func (f *secureBroker) script(t *testing.T, args ...string) {
	t.Helper()
	if out, err := f.command(t.Context(), args...).CombinedOutput(); err != nil {
		t.Fatalf("kafka.sh %v: %v\n%s", args, err, out)
	}
}

// check runs `bridge check` and returns its findings, one for each line, and its exit code. It keeps
// the notes in e.notes.
func (e *environment) check(more ...string) (lines []string, code int) {
	e.t.Helper()
	path, err := binary()
	must(e.t, err)
	cmd := exec.CommandContext(e.t.Context(), path, append([]string{"check", "-c", e.settings}, more...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		e.t.Fatalf("check: %v\n%s", err, stderr.String())
	}
	e.notes = nil
	for line := range strings.Lines(string(out)) {
		if note, is := strings.CutPrefix(line, "note: "); is {
			e.notes = append(e.notes, note)
		} else {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines, cmd.ProcessState.ExitCode()
}

// checkSays repeats check until it says what it should: a change is answered before the broker has published it.
func (e *environment) checkSays(what string, ok func(lines []string, code int) bool) {
	e.t.Helper()
	var lines []string
	code := -1
	defer func() {
		if e.t.Failed() {
			e.t.Logf("%s: check: exit %d:\n%s\nnotes:\n%s", what, code, strings.Join(lines, "\n"), strings.Join(e.notes, "\n"))
		}
	}()
	await(e.t, what, patience, func() bool {
		lines, code = e.check()
		return ok(lines, code)
	})
}

// finds is what checkSays expects if there is one finding that begins so.
func finds(beginning string) func(lines []string, code int) bool {
	return func(lines []string, code int) bool {
		return code == 3 && len(lines) == 1 && strings.HasPrefix(lines[0], beginning)
	}
}

// nothing is what checkSays expects if there is no finding.
func nothing(_ []string, code int) bool { return code == 0 }

// acl is one line of `bridge check --acls`.
type acl struct{ operation, resource, name, line string }

func parseACL(t *testing.T, line string) acl {
	t.Helper()
	words := strings.Fields(line)
	i := slices.Index(words, "--operation")
	if i < 0 || len(words) != i+4 {
		t.Fatalf("not an ACL: %s", line)
	}
	return acl{words[i+1], strings.TrimPrefix(words[i+2], "--"), words[i+3], line}
}

func (a acl) builder(t *testing.T) *kadm.ACLBuilder {
	t.Helper()
	b := kadm.NewACLs().Allow("User:bridge").AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral)
	b.Operations(map[string]kadm.ACLOperation{"Read": kadm.OpRead, "Write": kadm.OpWrite, "DescribeConfigs": kadm.OpDescribeConfigs}[a.operation])
	switch a.resource {
	case "topic":
		return b.Topics(a.name)
	case "group":
		return b.Groups(a.name)
	case "transactional-id":
		return b.TransactionalIDs(a.name)
	}
	t.Fatalf("unknown resource: %s", a.line)
	return nil
}

// TestSecuredBroker: TLS with a client certificate, SCRAM, an authorizer. The bridge works with
// exactly the ACLs that `bridge check` prints; a password is changed while it runs; each ACL that is
// removed is found and named.
func TestSecuredBroker(t *testing.T) {
	f := newSecureBroker(t)
	e := &environment{t: t, kafka: f.options(t), security: f.securityFor("SCRAM-SHA-512", "admin")}
	gateway := e.simulate(10 * time.Millisecond)
	e.write(gateway, 4)
	e.command("topics", "create", "--yes", "-c", e.settings)
	e.security = f.securityFor("SCRAM-SHA-512", "bridge")
	e.write(gateway, 4)
	adm := kadm.NewClient(e.client())

	var acls []acl
	for line := range strings.Lines(e.command("check", "--acls", "-c", e.settings)) {
		acls = append(acls, parseACL(t, strings.TrimSpace(line)))
	}
	findings := 0 // a topic that may not be seen is one finding
	for _, a := range acls {
		if a.operation != "DescribeConfigs" {
			findings++
		}
	}
	if lines, code := e.check(); code != 3 || len(lines) != findings {
		t.Fatalf("without any ACL: exit %d, want 3 and %d findings:\n%s", code, findings, strings.Join(lines, "\n"))
	}
	// Kafka's own tool accepts the lines as they are.
	for _, a := range acls {
		words := strings.Fields(strings.ReplaceAll(a.line, "'", ""))
		f.script(t, append([]string{"tool", "acls"}, words[slices.Index(words, "--add"):]...)...)
	}
	e.checkSays("with all ACLs", nothing)

	events := orders(400)
	e.send(events[:200])
	p := e.run("a")
	await(t, "it works", patience, func() bool { return e.sim.Totals().Executions >= 100 })
	f.changePassword(t, adm, "bridge", "changed under way")
	<-time.After(6 * time.Second) // the broker ends sessions after 5 s: all of them authenticate again
	e.send(events[200:])
	checkEachOnce(t, events, e.results(len(events)))
	p.stop(t)
	e.checkExecutions()
	if n := strings.Count(p.log.String(), "AUTHORIZATION_FAILED") + strings.Count(p.log.String(), "AUTHENTICATION_FAILED"); n != 0 {
		t.Errorf("the log has %d authorization or authentication errors:\n%s", n, p.log)
	}

	// Without kafka.start the committed positions are looked at, too; what may not be seen of
	// them is reported with the ACLs.
	text, err := os.ReadFile(e.settings)
	must(t, err)
	before, after, found := bytes.Cut(text, []byte(" start: earliest,"))
	if !found {
		t.Fatal("the settings have no start")
	}
	must(t, os.WriteFile(e.settings, append(slices.Clone(before), after...), 0o600))
	for _, a := range acls {
		e.checkWithout(adm, a)
	}
	// The right to describe is not the right to use.
	describe := kadm.NewACLs().Allow("User:bridge").AllowHosts("*").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpDescribe)
	_, err = adm.CreateACLs(t.Context(), describe.Topics(e.prefix).Groups(e.prefix).TransactionalIDs(e.prefix))
	must(t, err)
	kinds := map[string]bool{}
	for _, a := range acls {
		if kind := a.operation + a.resource; !kinds[kind] {
			kinds[kind] = true
			e.checkWithout(adm, a)
		}
	}
	e.checkSays("with all ACLs again", nothing)
	e.checkForeignACLs(f, adm)
	e.checkOtherMechanisms(f, gateway)
}

// checkForeignACLs checks that a user who may see the ACLs learns who else may write the outputs, by
// any pattern.
func (e *environment) checkForeignACLs(f *secureBroker, adm *kadm.Client) {
	t := e.t
	t.Helper()
	create := func(principal string, pattern kadm.ACLPattern, op kadm.ACLOperation, of func(*kadm.ACLBuilder) *kadm.ACLBuilder) {
		created, err := adm.CreateACLs(t.Context(), of(kadm.NewACLs().Allow(principal).AllowHosts("*").ResourcePatternType(pattern).Operations(op)))
		must(t, err)
		must(t, created[0].Err)
	}
	create("User:bridge", kadm.ACLPatternLiteral, kadm.OpDescribe, func(b *kadm.ACLBuilder) *kadm.ACLBuilder { return b.Clusters() })
	create("User:shop", kadm.ACLPatternLiteral, kadm.OpWrite, func(b *kadm.ACLBuilder) *kadm.ACLBuilder { return b.Topics("*") })
	create("User:*", kadm.ACLPatternPrefixed, kadm.OpAll, func(b *kadm.ACLBuilder) *kadm.ACLBuilder { return b.TransactionalIDs(e.prefix) })
	var finding string
	everyone := finds("acl_too_wide: everyone is allowed ALL on transactional-id " + e.prefix + "*; kafka-acls.sh")
	e.checkSays("who else may write", func(lines []string, code int) bool {
		finding = strings.Join(lines, "\n")
		return everyone(lines, code) && strings.Contains(strings.Join(e.notes, "\n"), "User:shop is allowed WRITE on topic *")
	})
	// The command in the finding removes it.
	words := strings.Fields(strings.ReplaceAll(finding, "'", ""))
	f.script(t, append([]string{"tool", "acls", "--force"}, words[slices.Index(words, "--remove"):]...)...)
	e.checkSays("without it", nothing)
}

// checkWithout removes an ACL, expects one finding that names it, and adds it again.
func (e *environment) checkWithout(adm *kadm.Client, a acl) {
	t := e.t
	t.Helper()
	deleted, err := adm.DeleteACLs(t.Context(), a.builder(t))
	must(t, err)
	if len(deleted) != 1 || len(deleted[0].Deleted) != 1 {
		t.Fatalf("%s: deleted %+v", a.line, deleted)
	}
	want := "acl_missing: " + a.operation + " on " + a.resource + " " + a.name + " is not allowed; " + a.line
	e.checkSays(want, func(lines []string, code int) bool { return finds(want)(lines, code) && lines[0] == want })
	created, err := adm.CreateACLs(t.Context(), a.builder(t))
	must(t, err)
	must(t, created[0].Err)
}

// TestCheckOnOpenBroker: with the right to see everything, check finds nothing in a correct set-up,
// and finds what is wrong in another.
func TestCheckOnOpenBroker(t *testing.T) {
	e := newEnvironment(t, 2, 0)
	if out := e.command("check", "-c", e.settings); out != "nothing found\n" {
		t.Errorf("found:\n%s", out)
	}
	adm, forever := kadm.NewClient(e.client()), "-1"
	_, err := adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &forever}}, e.topic("results"))
	must(t, err)
	e.deleteTopic(e.topic("journal"))
	e.checkSays("what is wrong", func(lines []string, code int) bool {
		text := strings.Join(lines, "\n")
		return code == 3 && len(lines) == 2 && strings.Contains(text, "results has retention.ms=-1") && strings.Contains(text, "journal does not exist; create it with bridge topics create")
	})
}

// checkOtherMechanisms checks the other mechanisms with the same rights, another cluster, and a wrong
// password.
func (e *environment) checkOtherMechanisms(f *secureBroker, gateway string) {
	t := e.t
	t.Helper()
	f.writeFile(t, "first.password", f.firstPassword)
	f.writeToken(t, "bridge")
	for name, security := range map[string]string{
		"PLAIN":         f.security("mechanism: PLAIN, user: bridge, password_file: " + f.dir + "/first.password"),
		"SCRAM-SHA-256": f.security("mechanism: SCRAM-SHA-256, user: bridge, password_file: " + f.dir + "/first.password"),
		"OAUTHBEARER":   f.security("mechanism: OAUTHBEARER, token_file: " + f.dir + "/token"),
	} {
		e.security = security
		e.write(gateway, 4)
		if lines, code := e.check(); code != 0 {
			t.Errorf("%s: exit %d:\n%s", name, code, strings.Join(lines, "\n"))
		}
	}
	f.writeFile(t, "second.password", "changed under way")
	right := f.security("mechanism: SCRAM-SHA-512, user: bridge, password_file: " + f.dir + "/second.password")
	e.security = strings.Replace(right, "cluster_id: 4L6g", "cluster_id: 5L6g", 1)
	e.write(gateway, 4)
	if lines, code := e.check(); code != 3 || len(lines) != 1 || !strings.Contains(lines[0], "but kafka.cluster_id is") {
		t.Errorf("another cluster: exit %d:\n%s", code, strings.Join(lines, "\n"))
	}
	p := e.run("a")
	if err := p.wait(); err == nil || !strings.Contains(p.log.String(), "but kafka.cluster_id is") {
		t.Errorf("run on another cluster: %v\n%s", err, p.log)
	}
	e.security = f.security("mechanism: SCRAM-SHA-512, user: bridge, password_file: " + f.dir + "/first.password")
	e.write(gateway, 4)
	if lines, code := e.check(); code != 3 || len(lines) != 1 || !strings.Contains(lines[0], "SASL_AUTHENTICATION_FAILED") {
		t.Errorf("an old password: exit %d:\n%s", code, strings.Join(lines, "\n"))
	}
}
