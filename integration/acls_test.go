//go:build integration

package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TestACLsOfDeploy: with the ACLs of deploy/kafka/acls.sh, which it applies with Kafka's own tool, everyone can
// do their work on a broker with an authorizer, and not that of the others.
func TestACLsOfDeploy(t *testing.T) {
	f := newSecureBroker(t)
	e := &environment{t: t, kafka: f.options(t)}
	gateway, notify := e.simulate(10*time.Millisecond), freeAddress(t)
	// as makes the settings those of a user, with the default names of topics and group.
	as := func(user string) {
		f.writeToken(t, user)
		must(t, os.Rename(filepath.Join(f.dir, "token"), filepath.Join(f.dir, user+".token")))
		e.security = f.security("mechanism: OAUTHBEARER, token_file: " + f.dir + "/" + user + ".token")
		text := strings.NewReplacer("group: "+e.prefix+"group, ", "", e.prefix+"events", "order-events", e.prefix+"results", "alipay-results",
			e.prefix+"snapshots", "alipay-snapshots", e.prefix+"observations", "trade-observations", e.prefix+"journal", "bridge-journal",
			e.prefix+"notifications", "alipay-notifications", e.prefix+"status", "trade-status", e.prefix+"sweep", "bridge-sweep",
			"  results:", "  queries: [{name: alipay-queries, accounts: [shop-trade]}]\n  results:",
			"shop-trade: {app: main, ", `shop-trade: {app: main, auth_app_id: "2021000000000001", notify_url: "http://`+notify+`/notify/shop-trade", `).Replace(e.yaml(gateway, 4))
		text += fmt.Sprintf("status: {folder: %q}\nnotify: {listen: %q}\n", filepath.Join(e.dir, "store"), notify)
		e.settings = filepath.Join(e.dir, user+".yaml")
		must(t, os.WriteFile(e.settings, []byte(text), 0o600))
	}
	path, err := binary()
	must(t, err)
	refused := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), path, append(args, "-c", e.settings)...)
		cmd.Stdin = strings.NewReader(anEvent)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "AUTHORIZATION_FAILED") {
			t.Errorf("%s: bridge %s: %v\n%s\nwant it refused", e.settings, strings.Join(args, " "), err, out)
		}
	}

	as("bridge-installer")
	refused("topics", "create", "--yes")
	f.applyACLs(t)
	e.command("topics", "create", "--yes", "-c", e.settings)
	refused("send")

	as("bridge")
	e.checkSays("with the ACLs", nothing)
	refused("send")
	p := e.start("bridge-7", "calls,queries,status")
	await(t, "the bridge has read its keys", patience, func() bool { return p.logged("bridge starts") })

	as("bridge-receiver")
	must(t, os.Rename(filepath.Join(e.dir, "private.pem"), filepath.Join(e.dir, "unreadable.pem"))) // it needs none
	receiver := e.start("bridge-7", "notify")
	await(t, "notifications are received", patience, func() bool { return receiver.logged("notifications are received") })
	must(t, os.Rename(filepath.Join(e.dir, "unreadable.pem"), filepath.Join(e.dir, "private.pem")))
	refused("send")

	as("shop")
	send := exec.CommandContext(t.Context(), path, "send", "-c", e.settings)
	send.Stdin = strings.NewReader(anEvent)
	if out, err := send.CombinedOutput(); err != nil {
		t.Fatalf("shop: send: %v\n%s", err, out)
	}
	await(t, "the event is handled", patience, func() bool { return e.sim.Totals().Executions == 1 })
	must(t, e.sim.Pay("TACL1"))
	await(t, "the notification is taken", patience, func() bool {
		for _, n := range e.sim.Notifications() {
			if n.Done {
				return true
			}
			if len(n.Deliveries) > 0 { // it failed, and the next one is due only in minutes
				must(t, e.sim.SendAgain(n.ID))
			}
		}
		e.sim.Deliver(t.Context())
		return false
	})
	receiver.stop(t)
	p.stop(t)
	refused("tail", "events", "--to-end")
	as("bridge-receiver")
	refused("tail", "notifications", "--to-end")
	as("bridge-installer")
	refused("tail", "results", "--to-end")
	as("bridge")
	refused("tail", "notifications", "--to-end") // it may read results, for its audit, and observations
	p = e.start("bridge-7", "calls,queries,status")

	as("shop-results")
	if out := e.command("tail", "results", "--to-end", "-o", "json", "-c", e.settings); !strings.Contains(out, "TACL1") {
		t.Errorf("the result is not there:\n%s", out)
	}
	refused("tail", "journal", "--to-end")
	refused("send")

	as("bridge-operator")
	for _, role := range []string{"results", "snapshots", "observations", "journal", "dead-letters", "events", "queries"} {
		e.command("tail", role, "--to-end", "-c", e.settings)
	}
	left, err := kadm.NewClient(e.client()).FetchOffsets(t.Context(), "alipay-kafka-bridge")
	must(t, err)
	if len(left) == 0 {
		t.Error("the bridge has used another group")
	}
	if out := e.command("erase", "shop-trade/TACL1", "--yes", "-c", e.settings); !strings.Contains(out, "shop-trade/TACL1 is forgotten") {
		t.Errorf("erase:\n%s", out)
	}
	p.stop(t)
}

// anEvent is an order event for bridge send.
const anEvent = `{"event_id":"acl-1","event_type":"CREATED","occurred_at":"2026-11-01T08:35:00Z","order_no":"TACL1","account":"shop-trade","total":{"minor":4500,"currency":"CNY"},"subject":"tea","buyer_user_id":"2088100000000252"}` + "\n"

// applyACLs runs deploy/kafka/acls.sh. kafka.sh adds the addresses by itself.
func (f *secureBroker) applyACLs(t *testing.T) {
	t.Helper()
	here, err := os.Getwd()
	must(t, err)
	f.writeFile(t, "kafka-acls.sh", "#!/bin/sh\nshift 4\nexec "+here+"/kafka.sh tool acls \"$@\"\n")
	must(t, os.Chmod(filepath.Join(f.dir, "kafka-acls.sh"), 0o700))
	cmd := f.command(t.Context())
	cmd.Path, cmd.Args = "../deploy/kafka/acls.sh", []string{"acls.sh", f.address, "admin.properties"}
	cmd.Env = append(cmd.Env, "KAFKA_ACLS="+filepath.Join(f.dir, "kafka-acls.sh"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("acls.sh: %v\n%s", err, out)
	}
}
