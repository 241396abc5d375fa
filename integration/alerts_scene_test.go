//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// scene is a bridge with several apps, and what watches it. Drills that do not disturb each other
// share one.
type scene struct {
	*environment
	*monitoring

	t    *testing.T
	port map[string]string // of the metrics, by slot
	post map[string]string // of the notifications, by slot
	apps map[string]standalone.GeneratedApp
	sent context.Context // ends before the servers do
	cl   *kgo.Client
}

// newScene makes the topics and settings of a bridge. Each app has one account,
// shop-NAME; more are further settings of apps by name. The app hk is one of AlipayHK, and the input queries one of queries.
func newScene(t *testing.T, slots, inputs, apps []string, more map[string]string) *scene {
	t.Helper()
	s := &scene{t: t, environment: &environment{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(brokers)}, security: fmt.Sprintf("brokers: [%q]", brokers)}, port: map[string]string{}, post: map[string]string{}, apps: map[string]standalone.GeneratedApp{}}
	s.dir, s.prefix = t.TempDir(), fmt.Sprintf("it-%d-", time.Now().UnixNano())
	ports := freePorts(t, 2*len(slots))
	for i, slot := range slots {
		s.port[slot], s.post[slot] = ports[2*i], ports[2*i+1]
	}
	var classic []simulator.App
	var hk []simulator.HKApp
	var settings, accounts, names strings.Builder
	for i, name := range apps {
		file := func(kind, text string) string {
			must(t, os.WriteFile(filepath.Join(s.dir, name+"-"+kind), []byte(text), 0o600))
			return name + "-" + kind
		}
		if name == "hk" {
			app, err := standalone.GenerateHKApp(name)
			must(t, err)
			hk = append(hk, app.App)
			fmt.Fprintf(&settings, "  hk: {kind: alipayhk, environment: simulator, url: URL, client_id: hk, private_key_file: %s, platform_keys: {\"1\": %s}%s}\n",
				file("private", app.MerchantPrivate), file("public", app.PlatformPublic), more[name])
			fmt.Fprintf(&accounts, "  shop-hk: {app: hk, channel: HK}\n")
		} else {
			id := fmt.Sprintf("20210000000000%02d", i)
			app, err := standalone.GenerateApp(id, simulator.Merchant{Name: "renewed", SellerID: "2088000000000777", AppAuthToken: renewedToken})
			must(t, err)
			classic = append(classic, app.App)
			s.apps[name] = app
			fmt.Fprintf(&settings, "  %s: {kind: openapi, environment: simulator, url: URL, app_id: %q, private_key_file: %s, alipay_public_key_file: %s%s}\n",
				name, id, file("private", app.MerchantPrivate), file("public", app.AlipayPublic), more[name])
			token := ""
			if name == "partner" {
				token = ", app_auth_token_file: " + file("token", renewedToken)
			}
			fmt.Fprintf(&accounts, "  shop-%s: {app: %s, channel: TRADE, auth_app_id: %q%s}\n", name, name, id, token)
		}
		fmt.Fprintf(&names, ", shop-%s", name)
	}
	address := s.serve(classic, hk, 20*time.Millisecond)
	var topics strings.Builder
	queries := ""
	for _, in := range inputs {
		if in == "queries" {
			queries = fmt.Sprintf("  queries: [{name: %s, accounts: [%s]}]\n", s.topic(in), names.String()[2:])
			continue
		}
		fmt.Fprintf(&topics, "    - {name: %s, accounts: [%s]}\n", s.topic(in), names.String()[2:])
	}
	s.settings = filepath.Join(s.dir, "bridge.yaml")
	must(t, os.WriteFile(s.settings, fmt.Appendf(nil, `kafka: {%[1]s, group: %[2]sgroup, start: earliest}
registry: {url: %[3]q}
topics:
  inputs:
%[4]s  results: %[2]sresults
  snapshots: %[2]ssnapshots
  observations: %[2]sobservations
  notifications: %[2]snotifications
  status: %[2]sstatus
  sweep: %[2]ssweep
  journal: %[2]sjournal
  partitions: 2
apps:
%[5]saccounts:
%[6]sprobes: {listen: ""}
admin: {listen: ""}
metrics: {listen: "127.0.0.1:${METRICS_PORT}"}
notify: {listen: "127.0.0.1:${NOTIFY_PORT}"}
`+auditSettings, s.security, s.prefix, registry, topics.String()+queries, strings.ReplaceAll(settings.String(), "URL", address), accounts.String()), 0o600))
	s.env, s.sent = []string{"METRICS_PORT=0", "NOTIFY_PORT=0", "STATE_DIRECTORY=" + s.dir}, t.Context()
	s.command("topics", "create", "--yes", "-c", s.settings)
	s.cl = s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	return s
}

// watch starts what watches the bridges that run. Before, nothing would be an alert.
func (s *scene) watch(slots ...string) {
	s.t.Helper()
	for _, slot := range slots {
		s.up(s.port[slot])
	}
	var ports []string
	for _, slot := range slices.Sorted(maps.Keys(s.port)) {
		ports = append(ports, s.port[slot])
	}
	s.monitoring = monitor(s.t, ports...)
	// Prometheus takes seconds before its first scrape.
	await(s.t, "a scrape of all instances", patience, func() bool {
		series, _ := s.query("bridge_build_info")
		return len(series) == len(slots) && !slices.ContainsFunc(s.firing(false), func(a string) bool { return strings.HasPrefix(a, "BridgeAbsent ") })
	})
	s.phase = time.Now()
}

// replace replaces a file as a whole: the bridge may read it at any time.
func (s *scene) replace(file string, text []byte) {
	s.t.Helper()
	must(s.t, os.WriteFile(file+".new", text, 0o600))
	must(s.t, os.Rename(file+".new", file))
}

// up waits until a port serves metrics.
func (s *scene) up(port string) {
	s.t.Helper()
	await(s.t, "metrics on port "+port, patience, func() bool {
		res, err := http.Get("http://127.0.0.1:" + port + "/metrics")
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil
	})
}

// bridge starts the bridge on a slot.
func (s *scene) bridge(slot string) *process {
	return s.run(slot, "METRICS_PORT="+s.port[slot], "NOTIFY_PORT="+s.post[slot])
}

// instance is a label of all series of a slot.
func (s *scene) instance(slot string) string { return "instance=127.0.0.1:" + s.port[slot] }

// event is an event of an app's account, for an order of its own.
func event(app, no string) order.Event {
	at := time.Now().UTC().Truncate(time.Millisecond)
	ev := order.Event{
		ID: order.EventID(app + no), Type: order.TypeCreated, OccurredAt: at, OrderNo: alipay.OutTradeNo(app + no), Account: order.Account("shop-" + app),
		Channel: order.ChannelAccount, Total: &alipay.Money{Minor: 1000, Currency: "CNY"}, Subject: "tea", BuyerUserID: "2088102146225135",
	}
	if app == "hk" {
		ev.Type, ev.Total.Currency, ev.OrderCreatedAt, ev.BuyerUserID = order.TypePaid, "HKD", &at, "2160123456789012"
		ev.TradeNo = alipay.TradeNo("2026" + no)
	}
	return ev
}

// produce sends an event to a partition of an input, as if it had been produced at that time.
func (s *scene) produce(input string, partition int32, ev order.Event, at time.Time) {
	value, err := asked(s.sent, func() ([]byte, error) { return s.codec.EncodeEvent(s.sent, s.topic(input), ev) })
	if err != nil {
		if s.sent.Err() == nil {
			s.t.Errorf("encode: %v", err)
		}
		return
	}
	r := &kgo.Record{Topic: s.topic(input), Partition: partition, Key: []byte(ev.OrderNo), Value: value, Timestamp: at}
	s.cl.Produce(s.sent, r, func(_ *kgo.Record, err error) {
		if err != nil && s.sent.Err() == nil {
			s.t.Errorf("send: %v", err)
		}
	})
}

// flow sends events of an app, each produced so long ago, until the test ends or stop is called.
func (s *scene) flow(app string, every, age time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(s.sent)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.produce("events", int32(n%2), event(app, fmt.Sprintf("%06d", n)), time.Now().Add(-age))
			}
		}
	}()
	stop = func() { cancel(); <-done }
	s.t.Cleanup(stop)
	return stop
}

// repeatResult publishes a result of the bridge a second time.
func (s *scene) repeatResult() {
	s.t.Helper()
	cl := s.client(kgo.ConsumeTopics(s.topic("results")), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()))
	ctx, cancel := context.WithTimeout(s.sent, time.Minute)
	defer cancel()
	fetches := cl.PollRecords(ctx, 1)
	must(s.t, ctx.Err())
	r := fetches.Records()[0]
	must(s.t, s.cl.ProduceSync(s.sent, &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}).FirstErr())
}

// commitForeign commits a position that the bridge did not write.
func (s *scene) commitForeign(group, input string, partition int32) {
	s.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(s.topic(input), partition, 0, -1)
	must(s.t, kadm.NewClient(s.cl).CommitAllOffsets(s.sent, s.prefix+group, offsets))
}

// strangers write what is no observation and one of a trade that was not created here, and post forged notifications
// for an app's account.
func (s *scene) strangers(slot, app string) {
	s.t.Helper()
	topic := s.topic("observations")
	must(s.t, s.cl.ProduceSync(s.sent, &kgo.Record{Topic: topic, Key: []byte("shop-" + app + "/o"), Value: []byte("no observation")}).FirstErr())
	r, err := records.NewEncoder(s.codec, records.Topics{Observations: topic}, nil).Observation(s.sent, order.Observation{
		Account: order.Account("shop-" + app), Environment: "simulator", Channel: order.ChannelTrade, OrderNo: "elsewhere", TradeNo: "2026elsewhere",
		Kind: order.ObservedInNotification, CauseID: "n", AlipayStatus: string(alipay.TradeSuccess), ObservedAt: time.Now(), Total: &alipay.Money{Minor: 100, Currency: "CNY"},
	})
	must(s.t, err)
	must(s.t, s.cl.ProduceSync(s.sent, r).FirstErr())
	body := url.Values{"app_id": {s.apps[app].App.ID}, "notify_id": {"1"}, "trade_status": {"TRADE_SUCCESS"}, "sign_type": {"RSA2"}, "sign": {"AAAA"}}
	for range 40 {
		answer, err := http.PostForm("http://127.0.0.1:"+s.post[slot]+"/notify/shop-"+app, body)
		must(s.t, err)
		_ = answer.Body.Close()
	}
}
