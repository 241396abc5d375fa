package kafka

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"alipay-kafka-bridge/internal/config"
)

// Kinds of resources and operations, as kafka-acls.sh writes them.
const (
	ResourceTopic           = "topic"
	ResourceGroup           = "group"
	ResourceTransactionalID = "transactional-id"
	OpRead                  = "Read"
	OpWrite                 = "Write"
	OpDescribeConfigs       = "DescribeConfigs"
)

// ACL is one permission that the bridge needs. Read and Write include Describe; the retention of inputs needs DescribeConfigs. IdempotentWrite is not
// needed: a transactional producer has its transactional id.
type ACL struct {
	Resource  string `json:"resource"`
	Name      string `json:"name"`
	Operation string `json:"operation"`
}

func (a ACL) String() string { return fmt.Sprintf("%s on %s %s", a.Operation, a.Resource, a.Name) }

// written are the roles of the topics that the parts of a process write.
var written = map[string][]string{
	"calls":   {"results", "snapshots", "observations", "journal"},
	"queries": {"results", "snapshots", "observations", "journal"},
	"status":  {"observations", "status", "sweep", "journal"},
	"notify":  {"notifications", "observations"},
}

// NeededACLs are the permissions that `run` needs with these settings, or `run --only` with these parts, and no
// others. Another slot has transactional ids of its own.
func NeededACLs(c config.Config, only ...string) []ACL {
	runs := func(part string) bool { return len(only) == 0 || slices.Contains(only, part) }
	var out []ACL
	group := func(name string) {
		out = append(out, ACL{ResourceGroup, name, OpRead}, ACL{ResourceTransactionalID, TransactionalID(name, c.Kafka.Slot), OpWrite})
	}
	reads := func(part, name string, inputs []config.Input) {
		if !runs(part) || len(inputs) == 0 {
			return
		}
		group(name)
		for _, in := range inputs {
			out = append(out, ACL{ResourceTopic, in.Name, OpRead}, ACL{ResourceTopic, in.Name, OpDescribeConfigs}, ACL{ResourceTopic, in.DeadLetters, OpWrite})
		}
	}
	reads("calls", c.Kafka.Group, c.Topics.Inputs)
	reads("queries", c.Kafka.QueriesGroup(), c.Topics.Queries)
	if runs("queries") {
		group(c.Kafka.SweepGroup())
		out = append(out, ACL{ResourceTopic, c.Topics.Sweep, OpRead})
	}
	if runs("status") {
		group(c.Kafka.StatusGroup())
		out = append(out, ACL{ResourceTopic, c.Topics.Observations, OpRead}, ACL{ResourceTopic, c.Topics.Status, OpRead}) // its state is restored from there
	}
	for _, o := range c.Topics.Outputs() {
		if slices.ContainsFunc(slices.Collect(maps.Keys(written)), func(part string) bool { return runs(part) && slices.Contains(written[part], o.Role) }) {
			out = append(out, ACL{ResourceTopic, o.Name, OpWrite})
		}
	}
	if c.Delivery.AuditEvery > 0 && (runs("calls") && len(c.Topics.Inputs) > 0 || runs("queries") && len(c.Topics.Inputs) == 0 && len(c.Topics.Queries) > 0) {
		out = append(out, auditACLs(c)...)
	}
	slices.SortFunc(out, func(a, b ACL) int {
		return cmp.Or(strings.Compare(a.Operation, b.Operation), strings.Compare(a.Resource, b.Resource), strings.Compare(a.Name, b.Name))
	})
	return slices.Compact(out) // inputs may share a topic for dead letters
}

// auditACLs are what the audit reads: the positions of all groups, and all outcomes. The instance that reads the first topic audits.
func auditACLs(c config.Config) []ACL {
	out := []ACL{{ResourceTopic, c.Topics.Results, OpRead}, {ResourceTopic, c.Topics.Journal, OpRead}}
	for group, inputs := range map[string][]config.Input{c.Kafka.Group: c.Topics.Inputs, c.Kafka.QueriesGroup(): c.Topics.Queries} {
		for _, in := range inputs {
			out = append(out, ACL{ResourceGroup, group, OpRead}, ACL{ResourceTopic, in.Name, OpRead}, ACL{ResourceTopic, in.DeadLetters, OpRead})
		}
	}
	return out
}

// TransactionalID is the transactional id of a slot, the same after a restart.
func TransactionalID(group, slot string) string { return group + "-" + slot }

// Command is the command that creates the ACL.
func (a ACL) Command(c config.Config, principal string) string {
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --command-config admin.properties --add --allow-principal %s --operation %s --%s %s",
		c.Kafka.Brokers[0], quoted(Principal(c, principal)), a.Operation, a.Resource, a.Name)
}

// RemovalCommand is the command that removes an ACL.
func RemovalCommand(c config.Config, a kadm.DescribedACL) string {
	host := ""
	if a.Host != "*" {
		host = " --allow-host " + quoted(a.Host)
	}
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --command-config admin.properties --remove --allow-principal %s%s --operation %s --resource-pattern-type %s --%s %s",
		c.Kafka.Brokers[0], quoted(a.Principal), host, operationName(a.Operation), strings.ToLower(a.Pattern.String()), strings.ReplaceAll(strings.ToLower(a.Type.String()), "_", "-"), quoted(a.Name))
}

// operationName is the name of an operation for kafka-acls.sh, such as AlterConfigs.
func operationName(op kadm.ACLOperation) string {
	var b strings.Builder
	for word := range strings.SplitSeq(op.String(), "_") {
		b.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return b.String()
}

// quoted quotes a text as one word for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
