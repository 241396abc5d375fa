package kafka

import (
	"cmp"
	"fmt"
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
)

// ACL is one thing that the bridge must be allowed to do. Read and Write bring Describe
// along. IdempotentWrite is not needed: a transactional producer has its transactional id.
type ACL struct {
	Resource  string `json:"resource"`
	Name      string `json:"name"`
	Operation string `json:"operation"`
}

func (a ACL) String() string { return fmt.Sprintf("%s on %s %s", a.Operation, a.Resource, a.Name) }

// NeededACLs are all that `run` needs with these settings, and nothing else: another slot has
// transactional ids of its own.
func NeededACLs(c config.Config) []ACL {
	var out []ACL
	pipeline := func(group string, inputs []config.Input) {
		for _, in := range inputs {
			out = append(out, ACL{ResourceTopic, in.Name, OpRead}, ACL{ResourceTopic, in.DeadLetters, OpWrite})
		}
		if len(inputs) > 0 {
			out = append(out, ACL{ResourceGroup, group, OpRead}, ACL{ResourceTransactionalID, TransactionalID(group, c.Kafka.Slot), OpWrite})
		}
	}
	pipeline(c.Kafka.Group, c.Topics.Inputs)
	pipeline(c.Kafka.QueriesGroup(), c.Topics.Queries)
	for _, name := range []string{c.Topics.Results, c.Topics.Snapshots, c.Topics.Observations, c.Topics.Journal} {
		out = append(out, ACL{ResourceTopic, name, OpWrite})
	}
	slices.SortFunc(out, func(a, b ACL) int {
		return cmp.Or(strings.Compare(a.Operation, b.Operation), strings.Compare(a.Resource, b.Resource), strings.Compare(a.Name, b.Name))
	})
	return slices.Compact(out) // inputs may share a topic of dead letters
}

// TransactionalID is stable per slot.
func TransactionalID(group, slot string) string { return group + "-" + slot }

// Command is the line that allows it.
func (a ACL) Command(c config.Config, principal string) string {
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --command-config admin.properties --add --allow-principal %s --operation %s --%s %s",
		c.Kafka.Brokers[0], quoted(Principal(c, principal)), a.Operation, a.Resource, a.Name)
}

// RemovalCommand is the command that takes an ACL away.
func RemovalCommand(c config.Config, a kadm.DescribedACL) string {
	host := ""
	if a.Host != "*" {
		host = " --allow-host " + quoted(a.Host)
	}
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --command-config admin.properties --remove --allow-principal %s%s --operation %s --resource-pattern-type %s --%s %s",
		c.Kafka.Brokers[0], quoted(a.Principal), host, operationName(a.Operation), strings.ToLower(a.Pattern.String()), strings.ReplaceAll(strings.ToLower(a.Type.String()), "_", "-"), quoted(a.Name))
}

// operationName is an operation as kafka-acls.sh takes it: AlterConfigs.
func operationName(op kadm.ACLOperation) string {
	var b strings.Builder
	for word := range strings.SplitSeq(op.String(), "_") {
		b.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return b.String()
}

// quoted makes one word for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
