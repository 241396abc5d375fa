package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// everybody is Kafka's principal of an ACL for all.
const everybody = "User:*"

// others tells who else may write our outputs, or use our groups and transactional ids: one
// grant too wide forges results (security C1). That everybody may is a finding; whom the
// operator named is a note.
func (c *checker) others(ctx context.Context, adm *kadm.Client, topics kadm.TopicDetails) {
	described, err := adm.DescribeACLs(ctx, c.ours())
	for _, d := range described {
		err = errors.Join(err, d.Err)
	}
	switch {
	case errors.Is(err, kerr.SecurityDisabled):
		if c.production() {
			c.add(partACLs, "the cluster has no authorizer: whoever reaches it may write results", "set authorizer.class.name on the brokers, and allow what bridge check --acls prints")
		}
		return
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		c.note("who else may write the outputs was not looked at: this principal may not Describe the cluster")
		return
	case err != nil:
		c.add(partACLs, "list of ACLs: "+err.Error(), "look at the brokers")
		return
	}
	c.granted(described)
	c.unguarded(topics, described)
}

// unguarded tells the outputs that we may write though no ACL is about them. Whether everybody
// may is a setting of the brokers that they show nobody; that we are a super user is the other
// reading.
func (c *checker) unguarded(topics kadm.TopicDetails, described kadm.DescribeACLsResults) {
	var open []string
	for _, d := range described {
		if d.Type == kmsg.ACLResourceTypeTopic && len(d.Described) == 0 {
			open = append(open, *d.Name)
		}
	}
	open = slices.DeleteFunc(open, func(name string) bool { return !mayUse(topics[name], aclWrite) })
	switch what := strings.Join(open, ", ") + ": guarded by no ACL: open to everybody if allow.everyone.if.no.acl.found is true"; {
	case len(open) == 0:
	case c.production():
		c.add(partACLs, what, "allow what bridge check --acls prints")
	default:
		c.note("%s", what)
	}
}

// granted tells each grant once: a prefix or a wildcard matches many of our names.
func (c *checker) granted(described kadm.DescribeACLsResults) {
	told, named := map[kadm.DescribedACL]bool{}, map[string][]string{}
	for _, d := range described {
		for _, a := range d.Described {
			if told[a] || !powerful(a) || a.Principal == principalOf(c.cfg, c.principal) {
				continue
			}
			told[a] = true
			if a.Principal == everybody {
				c.add(partACLs, "everybody is allowed "+grant(a), c.removal(a))
			} else if !slices.Contains(named[a.Principal], grant(a)) {
				named[a.Principal] = append(named[a.Principal], grant(a))
			}
		}
	}
	for _, principal := range slices.Sorted(maps.Keys(named)) {
		c.note("%s is allowed %s", principal, strings.Join(named[principal], ", "))
	}
}

// removal is the command that takes an ACL away.
func (c *checker) removal(a kadm.DescribedACL) string {
	host := ""
	if a.Host != "*" {
		host = " --allow-host " + quoted(a.Host)
	}
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --command-config admin.properties --remove --allow-principal %s%s --operation %s --resource-pattern-type %s --%s %s",
		c.cfg.Kafka.Brokers[0], quoted(a.Principal), host, operationName(a.Operation), strings.ToLower(a.Pattern.String()), strings.ReplaceAll(strings.ToLower(a.Type.String()), "_", "-"), quoted(a.Name))
}

// operationName is an operation as kafka-acls.sh takes it: AlterConfigs.
func operationName(op kadm.ACLOperation) string {
	var b strings.Builder
	for word := range strings.SplitSeq(op.String(), "_") {
		b.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return b.String()
}

// ours selects every ACL on what is the bridge's alone, also those that deny: any ACL guards.
func (c *checker) ours() *kadm.ACLBuilder {
	names := map[string][]string{}
	for _, a := range neededACLs(c.cfg) {
		if a.Resource != aclTopic || a.Operation == aclWrite {
			names[a.Resource] = append(names[a.Resource], a.Name)
		}
	}
	return kadm.NewACLs().Topics(names[aclTopic]...).Groups(names[aclGroup]...).TransactionalIDs(names[aclTransaction]...).
		ResourcePatternType(kadm.ACLPatternMatch).Allow().AllowHosts().Deny().DenyHosts().Operations(kadm.OpAny)
}

// powerful says whether an ACL lets somebody do what the bridge alone should do.
func powerful(a kadm.DescribedACL) bool {
	if a.Permission != kmsg.ACLPermissionTypeAllow {
		return false
	}
	switch a.Operation {
	case kadm.OpAll, kadm.OpWrite, kadm.OpDelete, kadm.OpAlter, kadm.OpAlterConfigs:
		return true
	case kadm.OpRead: // of a group is to move its offsets
		return a.Type == kmsg.ACLResourceTypeGroup
	}
	return false
}

// grant is an ACL in words.
func grant(a kadm.DescribedACL) string {
	s := fmt.Sprintf("%s on %s %s", a.Operation, strings.ReplaceAll(strings.ToLower(a.Type.String()), "_", "-"), a.Name)
	if a.Pattern == kadm.ACLPatternPrefixed {
		s += "*"
	}
	return s
}
