package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

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

// quoted makes one word for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// printedACL is one line of check --acls -o json.
type printedACL struct {
	acl
	Principal string `json:"principal"`
	Command   string `json:"command"`
}

func printACLs(out io.Writer, c config.Config, principal string, asJSON bool) error {
	for _, a := range neededACLs(c) {
		line := a.command(c, principal)
		if asJSON {
			text, err := json.Marshal(printedACL{a, principalOf(c, principal), line})
			if err != nil {
				return err
			}
			line = string(text)
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}
