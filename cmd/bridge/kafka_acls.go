package main

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
	aclTopic       = "topic"
	aclGroup       = "group"
	aclTransaction = "transactional-id"
	aclRead        = "Read"
	aclWrite       = "Write"
)

// acl is one thing that the bridge must be allowed to do. Read and Write bring Describe
// along. IdempotentWrite is not needed: a transactional producer has its transactional id.
type acl struct {
	Resource  string `json:"resource"`
	Name      string `json:"name"`
	Operation string `json:"operation"`
}

func (a acl) String() string { return fmt.Sprintf("%s on %s %s", a.Operation, a.Resource, a.Name) }

// neededACLs are all that `run` needs with these settings, and nothing else: another slot has
// transactional ids of its own.
func neededACLs(c config.Config) []acl {
	var out []acl
	pipeline := func(group string, inputs []config.Input) {
		for _, in := range inputs {
			out = append(out, acl{aclTopic, in.Name, aclRead}, acl{aclTopic, in.DeadLetters, aclWrite})
		}
		if len(inputs) > 0 {
			out = append(out, acl{aclGroup, group, aclRead}, acl{aclTransaction, transactionalID(group, c.Kafka.Slot), aclWrite})
		}
	}
	pipeline(c.Kafka.Group, c.Topics.Inputs)
	pipeline(c.Kafka.QueriesGroup(), c.Topics.Queries)
	for _, name := range []string{c.Topics.Results, c.Topics.Snapshots, c.Topics.Observations, c.Topics.Journal} {
		out = append(out, acl{aclTopic, name, aclWrite})
	}
	slices.SortFunc(out, func(a, b acl) int {
		return cmp.Or(strings.Compare(a.Operation, b.Operation), strings.Compare(a.Resource, b.Resource), strings.Compare(a.Name, b.Name))
	})
	return slices.Compact(out) // inputs may share a topic of dead letters
}

// transactionalID is stable per slot.
func transactionalID(group, slot string) string { return group + "-" + slot }

// command is the line that allows it.
func (a acl) command(c config.Config, principal string) string {
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --command-config admin.properties --add --allow-principal %s --operation %s --%s %s",
		c.Kafka.Brokers[0], quoted(principalOf(c, principal)), a.Operation, a.Resource, a.Name)
}

// removalCommand is the command that takes an ACL away.
func removalCommand(c config.Config, a kadm.DescribedACL) string {
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
