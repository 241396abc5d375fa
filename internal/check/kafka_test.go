package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/schemas"
)

// guarded is a Kafka with an authorizer, where the bridge has what the settings need.
type guarded struct {
	cfg   config.Config
	admin *kadm.Client
	only  app.PartList

	producer *kgo.Client // of the administrator
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.ClusterID("right"),
		kfake.Superuser(config.Scram256, "admin", "admin"), kfake.User(config.Scram256, "bridge", "bridge"))
	apptest.NoError(t, err)
	t.Cleanup(cluster.Close)
	dir := t.TempDir()
	apptest.WriteSecret(t, dir, "password", "bridge")
	settings := fmt.Sprintf("kafka: {brokers: ['%s'], slot: s, start: earliest, cluster_id: right, sasl: {mechanism: SCRAM-SHA-256, user: bridge, password_file: %s/password}}\n",
		cluster.ListenAddrs()[0], dir)
	g := &guarded{cfg: apptest.LoadSettings(t, apptest.ClosedPortApp, settings)}
	apptest.WriteSecret(t, dir, "password-of-admin", "admin")
	admin := g.cfg.Kafka
	admin.SASL.User, admin.SASL.PasswordFile.Path = "admin", dir+"/password-of-admin"
	opts, err := kafka.ClientOptions(admin, nil, slog.New(slog.DiscardHandler))
	apptest.NoError(t, err)
	cl, err := kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	apptest.NoError(t, err)
	t.Cleanup(cl.Close)
	g.admin, g.producer = kadm.NewClient(cl), cl
	for _, topic := range kafka.Topics(g.cfg.Topics) {
		apptest.NoError(t, kafka.CreateTopic(t.Context(), g.admin, topic, g.cfg.Topics))
	}
	for _, a := range kafka.NeededACLs(g.cfg) {
		_, err := g.admin.CreateACLs(t.Context(), builder(a))
		apptest.NoError(t, err)
	}
	return g
}

func builder(a kafka.ACL) *kadm.ACLBuilder {
	b := kadm.NewACLs().Allow("User:bridge").AllowHosts().ResourcePatternType(kadm.ACLPatternLiteral)
	b.Operations(map[string]kadm.ACLOperation{kafka.OpRead: kadm.OpRead, kafka.OpWrite: kadm.OpWrite, kafka.OpDescribeConfigs: kadm.OpDescribeConfigs}[a.Operation])
	switch a.Resource {
	case kafka.ResourceTopic:
		return b.Topics(a.Name)
	case kafka.ResourceGroup:
		return b.Groups(a.Name)
	}
	return b.TransactionalIDs(a.Name)
}

// patience is a net below waits for what certainly comes, on however busy a machine.
const patience = 5 * time.Minute

func (g *guarded) check(t *testing.T) Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := &checker{cfg: g.cfg, only: g.only, now: time.Now(), within: 10 * time.Millisecond}
	c.kafka(ctx)
	return c.Report
}

// TestCheckFindsEveryMissingACL: each one that is taken away is named with the command that
// gives it back. What only an administrator may see is a note.
func TestCheckFindsEveryMissingACL(t *testing.T) {
	g := newGuarded(t)
	f := g.check(t)
	wantFound(t, f)
	if len(f.Notes) != 3 {
		t.Errorf("notes = %q, want one for others, one for topics and one for brokers", f.Notes)
	}
	g.takeEach(t)
	// What may be seen may still not be used. Groups are left to the real broker: kfake asks
	// for rights only where a group exists.
	describe := kadm.NewACLs().Allow("User:bridge").AllowHosts().ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpDescribe)
	_, err := g.admin.CreateACLs(t.Context(), describe.Topics("order", "alipay", "trade", "bridge").TransactionalIDs("alipay"))
	apptest.NoError(t, err)
	g.takeEach(t)
	wantFound(t, g.check(t))
	g.restarts(t)
	g.takeEach(t)
	g.cfg.Kafka.ClusterID = "other"
	wantFound(t, g.check(t), `belong to cluster "right", but kafka.cluster_id is "other"`)
}

// TestCheckOfParts: with what some parts need, nothing is found for them, and each permission that is taken away is.
func TestCheckOfParts(t *testing.T) {
	for _, part := range []string{"notify", "status", "queries"} {
		t.Run(part, func(t *testing.T) {
			g := newGuarded(t)
			g.only = app.PartList{part}
			needed := kafka.NeededACLs(g.cfg, part)
			for _, a := range kafka.NeededACLs(g.cfg) {
				if !slices.Contains(needed, a) {
					_, err := g.admin.DeleteACLs(t.Context(), builder(a))
					apptest.NoError(t, err)
				}
			}
			wantFound(t, g.check(t))
			g.takeEach(t)
		})
	}
}

// restarts leaves committed offsets, as a bridge that ran before, and takes kafka.start away.
func (g *guarded) restarts(t *testing.T) {
	t.Helper()
	g.runBridge(t)
	g.cfg.Kafka.Start = ""
	wantFound(t, g.check(t))
}

// runBridge lets a bridge commit where it begins.
func (g *guarded) runBridge(t *testing.T) {
	t.Helper()
	apptest.NoError(t, os.CopyFS(filepath.Dir(g.cfg.Apps["main"].PrivateKeyFile.Path), schemas.FS))
	service, err := app.New(t.Context(), g.cfg, app.Options{})
	apptest.NoError(t, err)
	defer service.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx, func(bool) {}) }()
	for group, inputs := range map[string][]config.Input{g.cfg.Kafka.Group: g.cfg.Topics.Inputs, g.cfg.Kafka.QueriesGroup(): g.cfg.Topics.Queries} {
		for _, in := range inputs {
			for had := kadm.OffsetResponses(nil); len(had[in.Name]) < g.cfg.Topics.Partitions && ctx.Err() == nil; {
				had, err = g.admin.FetchOffsets(ctx, group)
				if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
					t.Fatal(err)
				}
			}
		}
	}
	apptest.NoError(t, ctx.Err())
	cancel()
	apptest.NoError(t, <-ended)
}

// joinWithoutReading adds a member to the group that commits nothing, until it leaves.
func (g *guarded) joinWithoutReading(t *testing.T) (leave func()) {
	t.Helper()
	opts, err := kafka.ClientOptions(g.cfg.Kafka, nil, slog.New(slog.DiscardHandler))
	apptest.NoError(t, err)
	joined := make(chan struct{}, 1)
	cl, err := kgo.NewClient(append(opts, kgo.ConsumerGroup(g.cfg.Kafka.Group), kgo.ConsumeTopics(g.cfg.Topics.Inputs[0].Name), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			select {
			case joined <- struct{}{}:
			default:
			}
		}))...)
	apptest.NoError(t, err)
	t.Cleanup(cl.Close)
	select {
	case <-joined:
	case <-time.After(patience):
		t.Fatal("the member did not join")
	}
	return cl.Close
}

// TestCheckFindsStoppedPartitions: positions that the bridge did not write, and records that were
// deleted before they were read.
func TestCheckFindsStoppedPartitions(t *testing.T) {
	g := newGuarded(t)
	g.runBridge(t)
	wantFound(t, g.check(t))
	topic := g.cfg.Topics.Inputs[0].Name
	var records []*kgo.Record
	for range 10 {
		records = append(records, &kgo.Record{Topic: topic, Partition: 2, Value: []byte("x")})
	}
	apptest.NoError(t, g.producer.ProduceSync(t.Context(), records...).FirstErr())
	if f := g.check(t); len(f.Findings) != 0 || !strings.Contains(strings.Join(f.Notes, "\n"), "up to 10 records wait, and no instance runs") {
		t.Errorf("records wait:\n%s", f.Text())
	}
	leave := g.joinWithoutReading(t)
	wantFound(t, g.check(t), "nothing_committed: group alipay-kafka-bridge committed nothing within 10ms: up to 10 records wait, members: 1; check again in a minute")
	leave()
	var deleted kadm.Offsets
	deleted.Add(kadm.Offset{Topic: topic, Partition: 2, At: 4})
	got, err := g.admin.DeleteRecords(t.Context(), deleted)
	apptest.NoError(t, errors.Join(err, got.Error()))
	lost := "partition order-events/2 is stopped: the records 0 to 3 were deleted before group alipay-kafka-bridge read them; find out"
	wantFound(t, g.check(t), lost)
	var moved kadm.Offsets
	moved.Add(kadm.Offset{Topic: topic, Partition: 1, At: 7, LeaderEpoch: -1})
	committed, err := g.admin.CommitOffsets(t.Context(), g.cfg.Kafka.Group, moved)
	apptest.NoError(t, errors.Join(err, committed.Error()))
	wantFound(t, g.check(t), "partition order-events/1 is stopped: the bridge did not write the committed position 7 of group alipay-kafka-bridge", lost)
}

// takeEach takes each ACL away, wants it found, and gives it back.
func (g *guarded) takeEach(t *testing.T) {
	t.Helper()
	for _, a := range kafka.NeededACLs(g.cfg, g.only...) {
		deleted, err := g.admin.DeleteACLs(t.Context(), builder(a))
		apptest.NoError(t, err)
		if len(deleted) != 1 || len(deleted[0].Deleted) != 1 {
			t.Fatalf("deleted %+v", deleted)
		}
		wantFound(t, g.check(t), a.String()+" is not allowed; "+a.Command(g.cfg, ""))
		_, err = g.admin.CreateACLs(t.Context(), builder(a))
		apptest.NoError(t, err)
	}
}

// TestC1_WhoElseMayWrite: what everyone may do with what is ours is a finding, what a named
// principal may do a note. Reading our outputs is neither. Prefixes and wildcards are left to
// the real broker: kfake matches names alone.
func TestC1_WhoElseMayWrite(t *testing.T) {
	g := newGuarded(t)
	allow := func(principal string, pattern kadm.ACLPattern, op kadm.ACLOperation) *kadm.ACLBuilder {
		return kadm.NewACLs().Allow(principal).AllowHosts().ResourcePatternType(pattern).Operations(op)
	}
	_, err := g.admin.CreateACLs(t.Context(), allow("User:bridge", kadm.ACLPatternLiteral, kadm.OpDescribe).Clusters())
	apptest.NoError(t, err)
	quiet := g.check(t)
	wantFound(t, quiet)
	for _, tt := range []struct {
		acl         *kadm.ACLBuilder
		found, note string
	}{
		{allow("User:shop", kadm.ACLPatternLiteral, kadm.OpRead).Topics("alipay-results"), "", ""},
		{allow("User:shop", kadm.ACLPatternLiteral, kadm.OpWrite).Topics("order-events"), "", ""}, // a producer
		{allow("User:shop", kadm.ACLPatternLiteral, kadm.OpAll).Topics("bridge-journal"), "", "User:shop is allowed ALL on topic bridge-journal"},
		{allow("User:shop", kadm.ACLPatternLiteral, kadm.OpRead).Groups("alipay-kafka-bridge"), "", "READ on group alipay-kafka-bridge"},
		{allow("User:*", kadm.ACLPatternLiteral, kadm.OpWrite).Topics("alipay-results"), "everyone is allowed WRITE on topic alipay-results; kafka-acls.sh", ""},
		{allow("User:*", kadm.ACLPatternLiteral, kadm.OpWrite).TransactionalIDs("alipay-kafka-bridge-s"), "everyone is allowed WRITE on transactional-id alipay-kafka-bridge-s;", ""},
	} {
		_, err := g.admin.CreateACLs(t.Context(), tt.acl)
		apptest.NoError(t, err)
		f := g.check(t)
		if tt.found == "" {
			wantFound(t, f)
		} else if !strings.Contains(f.Text(), tt.found) {
			t.Errorf("no finding says %q:\n%s", tt.found, f.Text())
		}
		if notes := strings.Join(f.Notes, "\n"); tt.note == "" && notes != strings.Join(quiet.Notes, "\n") || !strings.Contains(notes, tt.note) {
			t.Errorf("notes = %s, want %q", notes, tt.note)
		}
		_, err = g.admin.DeleteACLs(t.Context(), tt.acl)
		apptest.NoError(t, err)
	}
}

// TestC1_NoAuthorizer: Kafka's default lets everyone write everything. Where money is real that
// is a finding.
func TestC1_NoAuthorizer(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	apptest.NoError(t, err)
	defer cluster.Close()
	cluster.ControlKey(int16(kmsg.DescribeACLs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
		resp.ErrorCode = kerr.SecurityDisabled.Code
		return resp, nil, true
	})
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka: {brokers: ['"+cluster.ListenAddrs()[0]+"'], slot: s, start: earliest}\n")
	for environment, want := range map[config.Environment]bool{config.Production: true, config.Simulator: false} {
		a := cfg.Apps["main"]
		a.Environment = environment
		cfg.Apps["main"] = a
		c := &checker{cfg: cfg}
		c.kafka(t.Context())
		if got := strings.Contains(c.Text(), "the cluster has no authorizer: anyone who can connect to it may write results; set"); got != want {
			t.Errorf("%s: found = %v, want %v:\n%s", environment, got, want, c.Text())
		}
	}
}

// TestCheckFindsTopicConfigs: each wrong layout or configuration is named with what would be
// right.
func TestCheckFindsTopicConfigs(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	apptest.NoError(t, err)
	defer cluster.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	apptest.NoError(t, err)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka: {brokers: ['"+cluster.ListenAddrs()[0]+"'], slot: s, start: earliest}\n")
	cfg.Topics.Partitions, cfg.Topics.Replication = 3, 2
	for _, m := range kafka.Topics(cfg.Topics) {
		apptest.NoError(t, kafka.CreateTopic(t.Context(), adm, m, cfg.Topics))
	}
	check := func() Report {
		c := &checker{cfg: cfg, now: time.Now()}
		c.kafka(t.Context())
		return c.Report
	}
	wantFound(t, check())
	for _, tt := range []struct{ topic, key, value, want string }{
		{"order-events", "cleanup.policy", "compact", "cleanup.policy=compact"},
		{"alipay-results", "cleanup.policy", "compact,delete", "cleanup.policy=compact,delete"},
		{"alipay-results", "retention.ms", "-1", "retention.ms=-1: it holds personal data; kafka-configs.sh"},
		{"alipay-results", "retention.ms", "2678400000", "--add-config retention.ms=2592000000"},
		{"alipay-results", "retention.ms", "86400000", ""},
		{"order-events", "retention.ms", "-1", ""},
		{"bridge-journal", "retention.ms", "86400000", "the journal is the only record of skipped events"},
		{"bridge-journal", "retention.ms", "-1", ""},
		{"trade-status", "cleanup.policy", "delete", "cleanup.policy=delete: the state of orders would be deleted"},
		{"trade-status", "retention.ms", "-1", ""},
		{"order-events.dlq", "max.message.bytes", "100000", "the bridge writes batches up to 1000012"},
		{"order-events", "max.message.bytes", "100000", ""},
		{"order-events", "max.message.bytes", "33554432", "stops its partition"},
		{"trade-observations", "min.insync.replicas", "3", "with 2 replicas nothing can be written"},
	} {
		set := func(op kadm.IncrementalOp, value *string) {
			_, err := adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: op, Name: tt.key, Value: value}}, tt.topic)
			apptest.NoError(t, err)
		}
		was := ""
		for _, c := range kafka.Topics(cfg.Topics) {
			if c.Name == tt.topic {
				was = c.Configs()[tt.key]
			}
		}
		set(kadm.SetConfig, &tt.value)
		if tt.want == "" {
			wantFound(t, check())
		} else {
			wantFound(t, check(), "topic "+tt.topic+" has "+tt.key+"="+tt.value)
			wantFound(t, check(), tt.want)
		}
		if was != "" {
			set(kadm.SetConfig, &was)
		} else {
			set(kadm.DeleteConfig, nil)
		}
	}
	for _, name := range []string{cfg.Topics.Status, cfg.Topics.Observations} { // one after the other
		_, err := adm.UpdatePartitions(t.Context(), 5, name)
		apptest.NoError(t, err)
		if name == cfg.Topics.Status {
			wantFound(t, check(), "topic trade-status has 5 partitions, but topic trade-observations has 3: the state of an order would not be found; give both")
		} else {
			wantFound(t, check())
		}
	}
	cfg.Topics.Partitions, cfg.Topics.Replication = 4, 0
	if got := check(); len(got.Findings) != 7 || !strings.Contains(got.Text(), "topic bridge-journal has 3 partitions, but topics.partitions is 4") {
		t.Errorf("found:\n%s", got.Text())
	}
	cfg.Topics.Partitions, cfg.Kafka.Start = 3, ""
	_, err = adm.DeleteTopic(t.Context(), "alipay-snapshots")
	apptest.NoError(t, err)
	app := cfg.Apps["main"]
	app.Environment = config.Production
	cfg.Apps["main"] = app
	got := check()
	for _, want := range []string{"topic alipay-snapshots does not exist; create it with bridge topics create", "topic alipay-results has 2 replicas instead of 3", "min.insync.replicas=1: a record that only one broker", "group alipay-kafka-bridge has no committed offsets; set kafka.start"} {
		if !strings.Contains(got.Text(), want) {
			t.Errorf("no finding says %q:\n%s", want, got.Text())
		}
	}
	// One of two inputs was added after the group began.
	cfg.Topics.Inputs = append(cfg.Topics.Inputs, config.Input{Name: "alipay-results", DeadLetters: cfg.Topics.Inputs[0].DeadLetters})
	var begun kadm.Offsets
	begun.Add(kadm.Offset{Topic: cfg.Topics.Inputs[0].Name, At: 1})
	if _, err := adm.CommitOffsets(t.Context(), cfg.Kafka.Group, begun); err != nil {
		t.Fatal(err)
	}
	if got := check(); !strings.Contains(got.Text(), "group alipay-kafka-bridge has no committed offsets for alipay-results; set kafka.start") {
		t.Errorf("found:\n%s", got.Text())
	}
}

// TestCheckFindsSmallMetadata: a broker that cannot take our positions would stop everything.
func TestCheckFindsSmallMetadata(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	apptest.NoError(t, err)
	defer cluster.Close()
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		r := req.(*kmsg.DescribeConfigsRequest)
		if r.Resources[0].ResourceType != kmsg.ConfigResourceTypeBroker {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		answer := kmsg.NewDescribeConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = kmsg.ConfigResourceTypeBroker, r.Resources[0].ResourceName
		entry := kmsg.NewDescribeConfigsResponseResourceConfig()
		entry.Name, entry.Value = "offset.metadata.max.bytes", kmsg.StringPtr("1024")
		answer.Configs = append(answer.Configs, entry)
		resp.Resources = append(resp.Resources, answer)
		return resp, nil, true
	})
	c := &checker{cfg: apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka: {brokers: ['"+cluster.ListenAddrs()[0]+"'], slot: s, start: earliest}\n")}
	c.kafka(t.Context())
	if text := c.Text(); !strings.Contains(text, "has offset.metadata.max.bytes=1024, but the bridge needs 4096; set it") {
		t.Error(text)
	}
}

// TestCheckFindsThatThereAreNoTransactions: the cluster is asked in the way of run, and the finding is
// one line.
func TestCheckFindsThatThereAreNoTransactions(t *testing.T) {
	for name, tt := range map[string]struct {
		fault *kfake.Fault
		want  string
	}{
		"a cluster with transactions":         {nil, ""},
		"no coordinator":                      {&kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable}, "transaction.state.log.replication.factor"},
		"a coordinator that is being created": {&kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: 2}, ""},
		"transactions are refused":            {&kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.UnsupportedVersion}, "UNSUPPORTED_VERSION"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			apptest.NoError(t, err)
			defer cluster.Close()
			cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka: {brokers: ['"+cluster.ListenAddrs()[0]+"'], slot: s, start: earliest}\n")
			if tt.fault != nil {
				tt.fault.TxnID, tt.fault.Count = "alipay-kafka-bridge-s", cmp.Or(tt.fault.Count, -1)
				cluster.Fault(*tt.fault)
			}
			c := &checker{cfg: cfg}
			c.kafka(t.Context())
			var found []string
			for _, f := range c.Findings {
				if strings.Contains(f.What, "transaction") {
					found = append(found, f.What)
				}
			}
			if tt.want == "" && len(found) > 0 || tt.want != "" && (len(found) != 1 || !strings.Contains(found[0], tt.want)) {
				t.Errorf("found %q, want %q", found, tt.want)
			}
		})
	}
}
