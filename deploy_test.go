package repo_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
)

// TestFilesOfTheChartAreCopies: Helm packs only what is in the folder of the chart, and a link in it is lost where a
// checkout knows no links.
func TestFilesOfTheChartAreCopies(t *testing.T) {
	const copies = "deploy/helm/bridge/files/"
	sources, err := filepath.Glob("deploy/grafana/*.json")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, source := range append(sources, "deploy/prometheus/alerts.yaml") {
		want, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		file := copies + filepath.Base(source)
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not a copy of %s (%v); run make dashboards", file, source, err)
		}
		if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s is not a regular file (%v)", file, err)
		}
	}
}

// strimzi is a topic or a user of deploy/kafka.
type strimzi struct {
	Metadata struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Spec struct {
		Partitions    int               `yaml:"partitions"`
		Config        map[string]string `yaml:"config"`
		Authorization struct {
			ACLs []struct {
				Resource struct {
					Type    string `yaml:"type"`
					Name    string `yaml:"name"`
					Pattern string `yaml:"patternType"`
				} `yaml:"resource"`
				Operations []string `yaml:"operations"`
			} `yaml:"acls"`
		} `yaml:"authorization"`
	} `yaml:"spec"`
}

func strimziObjects(t *testing.T, file string) []strimzi {
	t.Helper()
	var all []strimzi
	for d := yaml.NewDecoder(bytes.NewReader(read(t, file))); ; {
		var o strimzi
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if o.Metadata.Name != "" {
			all = append(all, o)
		}
	}
}

// The topics for Strimzi are those that `bridge topics create` creates.
func TestStrimziTopics(t *testing.T) {
	c := config.Default()
	var got, want []string
	for _, o := range strimziObjects(t, "deploy/kafka/topics.yaml") {
		got = append(got, fmt.Sprint(o.Metadata.Name, o.Spec.Partitions, o.Spec.Config))
	}
	for _, topic := range kafka.Topics(c.Topics) {
		want = append(want, fmt.Sprint(topic.Name, c.Topics.Partitions, topic.Configs()))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("deploy/kafka/topics.yaml has\n%s\nbridge topics create creates\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// grant is one ACL of a user.
type grant struct {
	user    string
	prefix  bool
	allowed kafka.ACL
}

func (g grant) String() string { return fmt.Sprintf("%s: %s, prefix %v", g.user, g.allowed, g.prefix) }

// scriptGrants are the ACLs that deploy/kafka/acls.sh creates.
func scriptGrants(t *testing.T) map[grant]bool {
	t.Helper()
	out := map[grant]bool{}
	for line := range strings.Lines(string(read(t, "deploy/kafka/acls.sh"))) {
		w := strings.Fields(line)
		if len(w) < 6 || w[0] != "allow" {
			continue
		}
		for r := range slices.Chunk(w[4:], 2) {
			g := grant{w[1], w[3] == "prefixed", kafka.ACL{Resource: strings.TrimPrefix(r[0], "--"), Name: r[1], Operation: w[2]}}
			if out[g] {
				t.Errorf("twice: %s", g)
			}
			out[g] = true
		}
	}
	return out
}

// The script and the users for Strimzi grant the same.
func TestStrimziUsers(t *testing.T) {
	got := map[grant]bool{}
	kinds := map[string]string{"topic": kafka.ResourceTopic, "group": kafka.ResourceGroup, "transactionalId": kafka.ResourceTransactionalID}
	for _, o := range strimziObjects(t, "deploy/kafka/users.yaml") {
		for _, a := range o.Spec.Authorization.ACLs {
			for _, op := range a.Operations {
				got[grant{o.Metadata.Name, a.Resource.Pattern == "prefix", kafka.ACL{Resource: kinds[a.Resource.Type], Name: a.Resource.Name, Operation: op}}] = true
			}
		}
	}
	if want := scriptGrants(t); !maps.Equal(got, want) {
		t.Errorf("users.yaml grants\n%s\nacls.sh grants\n%s", lines(got), lines(want))
	}
}

func lines(m map[grant]bool) string {
	var all []string
	for g := range m {
		all = append(all, g.String())
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// The instances get what run needs, for any slot, and nothing else. No one else may write what the
// bridge writes (security C1), or use its transactional ids: but receivers what they receive (security N1), and
// operators the decisions of accept and erase.
func TestACLs(t *testing.T) {
	c := config.Default()
	c.Kafka.Slot = "bridge-0"
	want := map[grant]bool{}
	for _, a := range kafka.NeededACLs(c) {
		prefix := a.Resource == kafka.ResourceTransactionalID
		if prefix {
			if a.Name = kafka.TransactionalID(c.Kafka.Group, ""); !strings.HasPrefix(kafka.TransactionalID(c.Kafka.QueriesGroup(), c.Kafka.Slot), a.Name) {
				t.Fatalf("%s is no prefix of the transactional ids of the queries", a.Name)
			}
		}
		want[grant{"bridge", prefix, a}] = true
	}
	all := scriptGrants(t)
	got := maps.Clone(all)
	maps.DeleteFunc(got, func(g grant, _ bool) bool { return g.user != "bridge" })
	if !maps.Equal(got, want) {
		t.Errorf("the instances are allowed\n%s\nrun needs\n%s", lines(got), lines(want))
	}
	maps.DeleteFunc(all, func(g grant, _ bool) bool { return g.user == "bridge" })
	for _, topic := range kafka.Topics(c.Topics) {
		may := func(op string) (users []string) {
			for g := range all {
				if g.allowed == (kafka.ACL{Resource: kafka.ResourceTopic, Name: topic.Name, Operation: op}) {
					users = append(users, g.user)
				}
			}
			slices.SortFunc(users, cmp.Compare[string])
			return users
		}
		writers, readers := []string(nil), []string{"bridge-operator"}
		switch {
		case topic.IsInput():
			writers = []string{"bridge-operator", "shop"}
		case topic.Role == "observations":
			writers = []string{"bridge-operator", "bridge-receiver"}
		case topic.Role == "notifications":
			writers = []string{"bridge-receiver"}
		}
		if slices.Contains([]string{"results", "snapshots", "notifications", "status"}, topic.Role) {
			readers = append(readers, "shop-results")
		}
		for op, want := range map[string][]string{"Write": writers, "Read": readers, "Create": {"bridge-installer"}, "Describe": {"bridge-installer"}, "DescribeConfigs": {"bridge-operator"}, "Alter": nil, "Delete": nil, "All": nil} {
			if got := may(op); !slices.Equal(got, want) {
				t.Errorf("%s on %s: %q, want %q", op, topic.Name, got, want)
			}
		}
	}
	receives := map[grant]bool{}
	for _, a := range kafka.NeededACLs(c, "notify") {
		receives[grant{"bridge-receiver", false, a}] = true
	}
	got = maps.Clone(all)
	maps.DeleteFunc(got, func(g grant, _ bool) bool { return g.user != "bridge-receiver" })
	if !maps.Equal(got, receives) {
		t.Errorf("receivers are allowed\n%s\nthey need\n%s", lines(got), lines(receives))
	}
	for g := range all {
		if g.prefix && g.user != "shop-results" || g.allowed.Resource == kafka.ResourceTransactionalID || g.allowed.Name == "*" {
			t.Errorf("too much: %s", g)
		}
	}
}
