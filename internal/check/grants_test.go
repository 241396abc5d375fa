package check

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
)

// checkWithACLs checks a Kafka that lists these ACLs to every question that they match: kfake
// itself knows neither patterns nor a cluster without ACLs.
func checkWithACLs(t *testing.T, environment config.Environment, acls ...kadm.DescribedACL) Report {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	apptest.NoError(t, err)
	defer cluster.Close()
	cluster.ControlKey(int16(kmsg.DescribeACLs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		r := req.(*kmsg.DescribeACLsRequest)
		resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
		for _, a := range acls {
			if a.Type == r.ResourceType && (r.PermissionType == kmsg.ACLPermissionTypeAny || r.PermissionType == a.Permission) && covers(a, *r.ResourceName) {
				resp.Resources = append(resp.Resources, kmsg.DescribeACLsResponseResource{
					ResourceType: a.Type, ResourceName: a.Name, ResourcePatternType: a.Pattern,
					ACLs: []kmsg.DescribeACLsResponseResourceACL{{Principal: a.Principal, Host: a.Host, Operation: a.Operation, PermissionType: a.Permission}},
				})
			}
		}
		return resp, nil, true
	})
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka: {brokers: ['"+cluster.ListenAddrs()[0]+"'], slot: s, start: earliest}\n")
	app := cfg.Apps["main"]
	app.Environment = environment
	cfg.Apps["main"] = app
	c := &checker{cfg: cfg}
	c.kafka(t.Context())
	return c.Report
}

// covers is how Kafka matches a pattern with a name.
func covers(a kadm.DescribedACL, name string) bool {
	return a.Name == "*" || a.Name == name || a.Pattern == kadm.ACLPatternPrefixed && strings.HasPrefix(name, a.Name)
}

// topicACL is an ACL of Kafka for topics.
func topicACL(principal, name string, pattern kadm.ACLPattern, op kadm.ACLOperation) kadm.DescribedACL {
	return kadm.DescribedACL{Principal: principal, Host: "*", Type: kmsg.ACLResourceTypeTopic, Name: name, Pattern: pattern, Operation: op, Permission: kmsg.ACLPermissionTypeAllow}
}

// TestC1_EachGrantIsReportedOnce: one grant matches many of our topics, and is taken away once, by a
// command that kafka-acls.sh understands.
func TestC1_EachGrantIsReportedOnce(t *testing.T) {
	here := topicACL(anyPrincipal, "*", kadm.ACLPatternLiteral, kadm.OpAlterConfigs)
	here.Host = "10.0.0.1"
	f := checkWithACLs(t, config.Simulator, here,
		topicACL(anyPrincipal, "*", kadm.ACLPatternLiteral, kadm.OpAlterConfigs),
		topicACL(anyPrincipal, "alipay-", kadm.ACLPatternPrefixed, kadm.OpWrite),
		topicACL("User:shop", "alipay-", kadm.ACLPatternPrefixed, kadm.OpWrite))
	var got []string
	for _, text := range f.texts() {
		if grant, command, ok := strings.Cut(text, "; kafka-acls.sh --"); ok && strings.HasPrefix(grant, "acl_too_wide: ") {
			got = append(got, strings.TrimPrefix(grant, "acl_too_wide: ")+command[strings.Index(command, " --remove"):])
		}
	}
	want := `everyone is allowed ALTER_CONFIGS on topic * --remove --allow-principal 'User:*' --allow-host '10.0.0.1' --operation AlterConfigs --resource-pattern-type literal --topic '*'
everyone is allowed ALTER_CONFIGS on topic * --remove --allow-principal 'User:*' --operation AlterConfigs --resource-pattern-type literal --topic '*'
everyone is allowed WRITE on topic alipay-* --remove --allow-principal 'User:*' --operation Write --resource-pattern-type prefixed --topic 'alipay-'`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if notes := strings.Join(f.Notes, "\n"); strings.Count(notes, "User:shop is allowed") != 1 {
		t.Errorf("notes = %s", notes)
	}
}

// TestC1_GrantsWithAPurpose: who has just what an operator or a receiver needs is noted as such.
func TestC1_GrantsWithAPurpose(t *testing.T) {
	write := func(principal, topic string) kadm.DescribedACL {
		return topicACL("User:"+principal, topic, kadm.ACLPatternLiteral, kadm.OpWrite)
	}
	f := checkWithACLs(t, config.Simulator,
		write("operator", "trade-observations"), write("receiver", "trade-observations"), write("receiver", "alipay-notifications"),
		write("more", "trade-observations"), write("more", "trade-status"), write("less", "alipay-notifications"))
	var got []string
	for _, n := range f.Notes {
		if strings.HasPrefix(n, "User:") {
			got = append(got, n)
		}
	}
	want := `User:less is allowed WRITE on topic alipay-notifications
User:more is allowed WRITE on topic trade-observations, WRITE on topic trade-status
User:operator is allowed WRITE on topic trade-observations, as operators need for bridge accept and bridge erase
User:receiver is allowed WRITE on topic alipay-notifications, WRITE on topic trade-observations, as receivers of notifications need`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// TestC1_NoACL: an authorizer without any ACL for an output may let everyone write it. One that
// denies or allows guards it, whomever it is about.
func TestC1_NoACL(t *testing.T) {
	const says = "not protected by an ACL, so everyone may write if allow.everyone.if.no.acl.found is true"
	deny := topicACL("User:shop", "*", kadm.ACLPatternLiteral, kadm.OpWrite)
	deny.Permission = kmsg.ACLPermissionTypeDeny
	for _, tt := range []struct {
		name        string
		environment config.Environment
		acls        []kadm.DescribedACL
		found, note string
	}{
		{"production", config.Production, nil, "alipay-notifications, alipay-results, alipay-snapshots, bridge-journal, bridge-sweep, order-events.dlq, trade-observations, trade-status: " + says + "; create", ""},
		{"elsewhere", config.Simulator, nil, "", "trade-observations, trade-status: " + says},
		{"one is guarded", config.Production, []kadm.DescribedACL{topicACL("User:shop", "alipay-results", kadm.ACLPatternLiteral, kadm.OpRead)}, "alipay-snapshots, bridge-journal", ""},
		{"all are allowed to one principal", config.Production, []kadm.DescribedACL{topicACL("User:shop", "*", kadm.ACLPatternLiteral, kadm.OpRead)}, "", ""},
		{"all are denied to one principal", config.Production, []kadm.DescribedACL{deny}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := checkWithACLs(t, tt.environment, tt.acls...)
			found, notes := strings.Join(f.texts(), "\n"), strings.Join(f.Notes, "\n")
			if strings.Contains(found, says) != (tt.found != "") || !strings.Contains(found, tt.found) {
				t.Errorf("want %q, found:\n%s", tt.found, found)
			}
			if strings.Contains(notes, says) != (tt.note != "") || !strings.Contains(notes, tt.note) {
				t.Errorf("want %q, notes:\n%s", tt.note, notes)
			}
		})
	}
}
