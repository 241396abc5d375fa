package check

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

	"alipay-kafka-bridge/internal/kafka"
)

// anyPrincipal is the principal of an ACL for all users.
const anyPrincipal = "User:*"

// otherPrincipals reports who else may write our outputs, or use our groups and transactional ids: a
// permission that is too wide allows forged results (security C1). A permission for everyone is a
// finding; one for a principal that the operator named is a note.
func (c *checker) otherPrincipals(ctx context.Context, adm *kadm.Client, topics kadm.TopicDetails) {
	described, err := adm.DescribeACLs(ctx, c.ownResources())
	for _, d := range described {
		err = errors.Join(err, d.Err)
	}
	switch {
	case errors.Is(err, kerr.SecurityDisabled):
		if c.production() {
			c.add(noAuthorizer, "the cluster has no authorizer: anyone who can connect to it may write results", "set authorizer.class.name on the brokers, and "+c.createACLs())
		}
		return
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		c.note("who else may write the outputs was not checked: this principal may not Describe the cluster")
		return
	case err != nil:
		c.add(kafkaHidesACLs, "list ACLs: "+err.Error(), "check the brokers")
		return
	}
	c.reportGrants(described)
	c.reportTopicsWithoutACL(topics, described)
}

// reportTopicsWithoutACL reports outputs that we may write although no ACL is about them. Either
// everyone may write them, which is a setting of the brokers that we cannot read, or we are a super
// user.
func (c *checker) reportTopicsWithoutACL(topics kadm.TopicDetails, described kadm.DescribeACLsResults) {
	var open []string
	for _, d := range described {
		if d.Type == kmsg.ACLResourceTypeTopic && len(d.Described) == 0 {
			open = append(open, *d.Name)
		}
	}
	open = slices.DeleteFunc(open, func(name string) bool { return !mayUse(topics[name], kafka.OpWrite) })
	switch what := strings.Join(open, ", ") + ": not protected by an ACL, so everyone may write if allow.everyone.if.no.acl.found is true"; {
	case len(open) == 0:
	case c.production():
		c.add(topicUnguarded, what, c.createACLs())
	default:
		c.note("%s", what)
	}
}

// reportGrants reports each permission once: a prefix or a wildcard matches many of our names.
func (c *checker) reportGrants(described kadm.DescribeACLsResults) {
	reported, named := map[kadm.DescribedACL]bool{}, map[string][]string{}
	for _, d := range described {
		for _, a := range d.Described {
			if reported[a] || !isSensitive(a) || a.Principal == kafka.Principal(c.cfg, c.principal) {
				continue
			}
			reported[a] = true
			if a.Principal == anyPrincipal {
				c.add(aclTooWide, "everyone is allowed "+describeACL(a), kafka.RemovalCommand(c.cfg, a))
			} else if !slices.Contains(named[a.Principal], describeACL(a)) {
				named[a.Principal] = append(named[a.Principal], describeACL(a))
			}
		}
	}
	for _, principal := range slices.Sorted(maps.Keys(named)) {
		c.note("%s is allowed %s%s", principal, strings.Join(named[principal], ", "), c.purpose(named[principal]))
	}
}

// purpose says what grants are for, if they are just what that needs: deploy/kafka gives them.
func (c *checker) purpose(grants []string) string {
	decide, receive := "WRITE on topic "+c.cfg.Topics.Observations, "WRITE on topic "+c.cfg.Topics.Notifications
	switch slices.Sort(grants); {
	case slices.Equal(grants, []string{decide}):
		return ", as operators need for bridge accept and bridge erase"
	case slices.Equal(grants, []string{receive, decide}):
		return ", as receivers of notifications need"
	}
	return ""
}

// createACLs is what to do where there are no ACLs.
func (c *checker) createACLs() string {
	if len(c.only) > 0 {
		return "create the ACLs that bridge check --acls --only " + c.only.String() + " prints"
	}
	return "create the ACLs that bridge check --acls prints"
}

// ownResources selects all ACLs on resources that only the bridge uses, also those that deny.
func (c *checker) ownResources() *kadm.ACLBuilder {
	names := map[string][]string{}
	for _, a := range c.needed() {
		if a.Resource != kafka.ResourceTopic || a.Operation == kafka.OpWrite {
			names[a.Resource] = append(names[a.Resource], a.Name)
		}
	}
	return kadm.NewACLs().Topics(names[kafka.ResourceTopic]...).Groups(names[kafka.ResourceGroup]...).TransactionalIDs(names[kafka.ResourceTransactionalID]...).
		ResourcePatternType(kadm.ACLPatternMatch).Allow().AllowHosts().Deny().DenyHosts().Operations(kadm.OpAny)
}

// isSensitive reports whether an ACL allows what only the bridge should do.
func isSensitive(a kadm.DescribedACL) bool {
	if a.Permission != kmsg.ACLPermissionTypeAllow {
		return false
	}
	switch a.Operation {
	case kadm.OpAll, kadm.OpWrite, kadm.OpDelete, kadm.OpAlter, kadm.OpAlterConfigs:
		return true
	case kadm.OpRead: // of a group: moving its offsets
		return a.Type == kmsg.ACLResourceTypeGroup
	}
	return false
}

// describeACL describes an ACL in words.
func describeACL(a kadm.DescribedACL) string {
	s := fmt.Sprintf("%s on %s %s", a.Operation, strings.ReplaceAll(strings.ToLower(a.Type.String()), "_", "-"), a.Name)
	if a.Pattern == kadm.ACLPatternPrefixed {
		s += "*"
	}
	return s
}
