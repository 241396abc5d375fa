package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/integrity"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/status"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/internal/status/store"
	"alipay-kafka-bridge/internal/telemetry"
	"alipay-kafka-bridge/internal/timeline"
	"alipay-kafka-bridge/schemas"
)

const (
	orderTrace = "0af7651916cd43dd8448eb211c80319c"
	sealKey    = "0123456789abcdef0123456789abcdef"
	shop       = "shop-trade" // the default account of the inputs
)

// shopWorld is a Kafka with the topics of the bridge and records of the account shop-trade.
type shopWorld struct {
	t        *testing.T
	topics   config.Topics
	cluster  *localkafka.Cluster
	codec    *order.Codec
	encoder  *records.Encoder
	keys     *integrity.Keys
	client   *kgo.Client
	settings string
	at       time.Time // of the next record
}

func newShopWorld(t *testing.T) *shopWorld {
	t.Helper()
	dir, err := simulated()
	apptest.NoError(t, err)
	cfg, err := config.LoadPublic(filepath.Join(dir, "bridge.yaml"), os.LookupEnv)
	apptest.NoError(t, err)
	w := &shopWorld{t: t, topics: cfg.Topics, at: time.Now().Add(-time.Hour).Truncate(time.Second)}
	var topics []localkafka.Topic
	for _, m := range kafka.Topics(cfg.Topics) {
		topics = append(topics, localkafka.Topic{Name: m.Name, Schema: m.Schema, Configs: m.Configs()})
	}
	w.cluster, err = localkafka.Start(localkafka.Options{Topics: topics})
	apptest.NoError(t, err)
	t.Cleanup(w.cluster.Close)
	own := t.TempDir()
	text, err := os.ReadFile(filepath.Join(dir, "bridge.yaml"))
	apptest.NoError(t, err)
	apptest.WriteSecret(t, own, "integrity", sealKey)
	edited := strings.NewReplacer(localBroker, w.cluster.Addrs()[0], localRegistry, w.cluster.RegistryURL()).Replace(string(text)) + "\nintegrity: {key_file: integrity}\n"
	w.settings = apptest.WriteSecret(t, own, "bridge.yaml", edited)
	registry, err := avro.NewRegistry(w.cluster.RegistryOptions())
	apptest.NoError(t, err)
	t.Cleanup(registry.Close)
	w.codec = order.NewCodec(registry)
	w.keys, err = integrity.New(sealKey)
	apptest.NoError(t, err)
	w.encoder = records.NewEncoder(w.codec, records.Topics{
		Results: cfg.Topics.Results, Snapshots: cfg.Topics.Snapshots, Observations: cfg.Topics.Observations, Journal: cfg.Topics.Journal,
		DeadLetters: map[string]string{"order-events": "order-events.dlq"},
	}, nil).WithKeys(w.keys)
	w.client, err = kgo.NewClient(append(w.cluster.ClientOptions(), kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int {
		keyed := kgo.StickyKeyPartitioner(nil).ForTopic("")
		return func(r *kgo.Record, n int) int { return keyed.Partition(r, n) }
	})))...)
	apptest.NoError(t, err)
	t.Cleanup(w.client.Close)
	return w
}

// put writes records, each a second later than the one before.
func (w *shopWorld) put(all ...*kgo.Record) *kgo.Record {
	w.t.Helper()
	for _, r := range all {
		w.at = w.at.Add(time.Second)
		r.Timestamp = w.at
		apptest.NoError(w.t, w.client.ProduceSync(w.t.Context(), r).FirstErr())
	}
	return all[0]
}

func (w *shopWorld) traced() context.Context {
	return telemetry.Extract(w.t.Context(), &kgo.Record{Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-" + orderTrace + "-b7ad6b7169203331-01")}}})
}

// must is for what only a mistake of the test can break.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// event writes an event of an order, with a key.
func (w *shopWorld) event(id, no, key string) records.Input {
	w.t.Helper()
	value, err := w.codec.EncodeEvent(w.t.Context(), "order-events", order.Event{ID: order.EventID(id), Type: order.TypeCreated, OccurredAt: w.at, OrderNo: alipay.OutTradeNo(no), BuyerUserID: "2088102146225135"})
	apptest.NoError(w.t, err)
	return records.Input{Record: w.put(&kgo.Record{Topic: "order-events", Key: []byte(key), Value: value})}
}

func (w *shopWorld) result(in records.Input, no string, more func(*order.Result)) {
	w.t.Helper()
	r := order.Result{
		EventID: "e-1", EventType: order.TypeCreated, Account: shop, OrderNo: alipay.OutTradeNo(no), Outcome: order.OutcomeApplied, Code: "10000", Attempts: 2,
		ResolvedBy: order.ResolvedByQuery, FinishedAt: w.at, Origin: order.Origin{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset},
	}
	if more != nil {
		more(&r)
	}
	w.put(must(w.encoder.Result(w.traced(), in, order.Handling{}, r))...)
}

func (w *shopWorld) status(no string, version int64, s state.State, tradeNo string) {
	w.t.Helper()
	v := state.Status{Account: shop, Environment: "simulator", Channel: order.ChannelTrade, OrderNo: alipay.OutTradeNo(no), TradeNo: alipay.TradeNo(tradeNo), Version: version, State: s, Cause: order.ObservedInResult, CauseID: "e-1", ObservedAt: w.at, Total: &alipay.Money{Minor: 8800, Currency: "CNY"}}
	value, err := state.NewCodec(w.codec).Encode(w.t.Context(), w.topics.Status, v)
	apptest.NoError(w.t, err)
	w.put(&kgo.Record{Topic: w.topics.Status, Key: []byte(v.Key()), Value: value})
}

// timelineOf runs bridge order with JSON.
func (w *shopWorld) timelineOf(args ...string) []timeline.Order {
	w.t.Helper()
	out, errs, code := printed(w.t.Context(), w.t, append([]string{"order", "-c", w.settings, "-o", "json"}, args...)...)
	if code != 0 {
		w.t.Fatalf("%q: exit %d: %s", args, code, errs)
	}
	obeys(w.t, "order", out)
	var all []timeline.Order
	apptest.NoError(w.t, json.Unmarshal([]byte(out), &all))
	return all
}

func kindsOf(o timeline.Order) string {
	var kinds []string
	for _, i := range o.Items {
		kinds = append(kinds, i.Kind)
	}
	return strings.Join(kinds, " ")
}

// TestOrderTellsWhatTopicsHave: all kinds of records of an order, also its number with a slash, and none of another.
func TestOrderTellsWhatTopicsHave(t *testing.T) {
	w := newShopWorld(t)
	const no = "a/1"
	in := w.event("e-1", no, no)
	w.event("e-other", "a/2", "a/2")
	w.result(in, no, nil)
	w.put(must(w.encoder.Snapshot(w.traced(), in, order.Snapshot{EventID: "e-1", Account: shop, OrderNo: no, Status: "TRADE_SUCCESS", ObservedAt: w.at, BuyerLogonID: "buyer@example.com"}))[0])
	notification, err := w.codec.Encode(t.Context(), w.topics.Notifications, avro.MustCodec(schemas.TradeNotification), func(out *avro.Writer) {
		out.Text("notify_id", "n-1")
		out.Time("received_at", w.at)
		out.Text("account", shop)
		out.Text("order_no", no)
		out.Text("trade_status", "TRADE_SUCCESS")
		order.WriteMoney(out, "total_amount", &alipay.Money{Minor: 8000, Currency: "CNY"})
	})
	apptest.NoError(t, err)
	w.put(&kgo.Record{Topic: w.topics.Notifications, Key: []byte(shop + "/" + no), Value: notification})
	w.status(no, 1, state.Paid, "T-1")
	w.status("a/3", 1, state.Paid, "T-10")
	w.put(must(w.encoder.Observation(t.Context(), order.Observation{Account: shop, OrderNo: no, Kind: order.Unresolved, CauseID: "sweep", Version: 1, ObservedAt: w.at})))
	w.put(must(w.encoder.Observation(t.Context(), order.Observation{Account: shop, OrderNo: no, Kind: order.ObservedInResult, CauseID: "e-1", ObservedAt: w.at})))
	ask, err := w.codec.EncodeEvent(t.Context(), w.topics.Sweep, order.Event{ID: "q-1", Type: order.TypeQueryRequested, OccurredAt: w.at, Account: shop, OrderNo: no})
	apptest.NoError(t, err)
	w.put(&kgo.Record{Topic: w.topics.Sweep, Key: []byte(shop + "/" + no), Value: ask})
	elsewhere := w.event("e-2", no, "another key")
	w.put(&kgo.Record{Topic: w.topics.Results, Key: []byte(shop + "/a/2"), Value: []byte("of another order")})
	w.result(elsewhere, no, func(r *order.Result) { r.EventID = "e-2" })
	dead := w.event("e-3", no, no)
	w.put(w.encoder.DeadLetter(t.Context(), dead, records.DeadLetter{Reason: "exhausted", Error: "evil \x1b[31m"}))
	skipped := w.event("e-4", no, no)
	w.put(must(w.encoder.Journal(t.Context(), order.JournalEntry{Topic: "order-events", Partition: skipped.Partition, WrittenAt: w.at, Skipped: []order.SkippedRange{{First: skipped.Offset, Last: skipped.Offset, Reason: "superseded"}}})))

	all := w.timelineOf(no)
	if len(all) != 1 {
		t.Fatalf("%d orders", len(all))
	}
	o := all[0]
	if got, want := kindsOf(o), "event result snapshot notification status decision query event result event dead-letter event skip"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if o.Account != shop || o.OrderNo != no || o.State != "PAID" || o.Version != 1 || o.Means != "paid; refunds are possible" {
		t.Errorf("%s: %s %d %q %q %q", kindsOf(o), o.State, o.Version, o.Means, o.Do, o.Anomalies)
	}
	if got := o.Items[1]; got.TraceID != orderTrace || !strings.Contains(got.Text, "APPLIED of CREATED e-1, code 10000, 2 attempts, resolved by a query") || len(got.Record) == 0 {
		t.Errorf("result %+v", got)
	}
	for _, i := range o.Items {
		if (i.Kind == timeline.Event || i.Kind == timeline.DeadLetter) && i.Record != nil {
			t.Errorf("%s shows what no one has masked: %s", i.Kind, i.Record)
		}
	}
	if got := o.Items[3].Text; got != "TRADE_SUCCESS, total 80.00 CNY, id n-1" {
		t.Error(got)
	}
	if last := o.Items[len(o.Items)-1]; !strings.Contains(last.Text, "superseded, no call for "+o.Items[len(o.Items)-2].Place()) {
		t.Error(last.Text)
	}
	table, errs, code := printed(t.Context(), t, "order", no, "-c", w.settings, "-o", "table")
	if code != 0 || !strings.Contains(table, shop+"/a/1 is PAID, version 1: paid; refunds are possible.\n") || strings.Contains(table, "\x1b") || strings.Contains(table, "2088102146225135") {
		t.Errorf("%d %s\n%s", code, errs, table)
	}
	var narrow bytes.Buffer
	apptest.NoError(t, output.List(output.New(&narrow, output.Table, false).Cut(80), orderColumns, timeline.Rows(all), all))
	for line := range strings.Lines(narrow.String()) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if got := w.timelineOf("T-1"); len(got) != 1 || got[0].OrderNo != no { // no order has it
		t.Errorf("%d orders", len(got))
	}
	if got := w.timelineOf("--trade", "T-1"); len(got) != 1 || len(got[0].Items) != len(o.Items) {
		t.Errorf("%d orders", len(got))
	}
}

// TestOrderFindsWhatIsOld: trade status is older than --since; an event with another key and no outcome needs --all.
func TestOrderFindsWhatIsOld(t *testing.T) {
	w := newShopWorld(t)
	w.at = time.Now().Add(-400 * time.Hour).Truncate(time.Second)
	w.event("e-1", "1", "1")
	w.status("1", 7, state.Finished, "T-1")
	if got := w.timelineOf("1"); len(got) != 1 || kindsOf(got[0]) != "status" || got[0].Version != 7 {
		t.Errorf("%d orders", len(got))
	}
	if got := w.timelineOf("1", "--since", "500h"); len(got) != 1 || kindsOf(got[0]) != "event status" {
		t.Errorf("%d orders", len(got))
	}
	w.at = time.Now().Add(-time.Hour)
	w.event("e-2", "2", "another")
	_, errs, code := printed(t.Context(), t, "order", "2", "-c", w.settings)
	if code != output.ExitFound || !strings.Contains(errs, "--all finds events with another key") {
		t.Errorf("%d %s", code, errs)
	}
	if got := w.timelineOf("2", "--all"); len(got) != 1 || kindsOf(got[0]) != "event" || !strings.Contains(got[0].Do, "bridge stuck") {
		t.Errorf("%d orders", len(got))
	}
	w.event("e-3", "3", "tenant/3") // it looks like the key of an account
	if got := w.timelineOf("3", "--all"); len(got) != 1 || got[0].Account != shop || kindsOf(got[0]) != "event" {
		t.Errorf("%d orders", len(got))
	}
}

func TestWrongArgumentsOfOrders(t *testing.T) {
	w := newShopWorld(t)
	for _, tt := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"order"}, command.ExitUsage, "NUMBER is missing"},
		{[]string{"order", "", "-c", w.settings}, command.ExitUsage, "NUMBER is empty"},
		{[]string{"order", "1", "-c", w.settings, "--account", "shop-trad"}, command.ExitUsage, "did you mean"},
		{[]string{"order", "1"}, command.ExitUsage, "no account is known"},
		{[]string{"order", "1", "-c", w.settings, "--since", "yesterday"}, command.ExitUsage, "--since yesterday"},
		{[]string{"order", "n\x1b[31mo", "-c", w.settings}, output.ExitFound, `no topic has a record of order or trade "n\x1b[31mo"`},
		{[]string{"accept", "1", "-c", w.settings, "--yes"}, command.ExitUsage, "use ACCOUNT/ORDER"},
		{[]string{"accept", "/1", "-c", w.settings, "--yes"}, command.ExitUsage, "use ACCOUNT/ORDER"},
		{[]string{"accept", "shop/1", "-c", w.settings, "--yes"}, command.ExitUsage, "no account \"shop\""},
		{[]string{"accept", shop + "/1", "-c", w.settings, "--yes"}, output.ExitFound, "has no trade status"},
		{[]string{"erase", shop + "/1", "-c", w.settings, "--yes"}, output.ExitFound, "no topic has a record"},
	} {
		_, errs, code := printed(t.Context(), t, tt.args...)
		if code != tt.code || !strings.Contains(errs, tt.text) {
			t.Errorf("%q: exit %d, %s", tt.args, code, errs)
		}
	}
}

// bridge runs the pipeline of trade status until the test ends, or stop is called.
func (w *shopWorld) bridge() (stop func()) {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(w.t.Output(), nil))
	folder := w.t.TempDir()
	p, err := status.New(status.Options{
		Topics: status.Topics{Observations: w.topics.Observations, Status: w.topics.Status, Sweep: w.topics.Sweep}, Group: "g", Client: w.cluster.ClientOptions(),
		OpenStore: func() (*store.Store, error) { return store.Open(folder, store.Options{Group: "g", Log: log}) }, Codec: w.codec, Encoder: w.encoder, Keys: w.keys, Foreign: func(order.Account) bool { return false },
		Schedule: state.DefaultSchedule, Keep: state.DefaultRetention, Rate: 10, Stale: time.Hour, Tracer: noop.Tracer{}, Log: log, Now: time.Now,
	})
	apptest.NoError(w.t, err)
	tx, err := produce.NewTransactor(produce.TransactorOptions{Client: w.cluster.ClientOptions(), Group: "g", TransactionalID: "g-a", ManualTopics: []string{w.topics.Status}})
	apptest.NoError(w.t, err)
	e, err := consume.New(p.Prepare, tx, consume.Options{
		Client: w.cluster.ClientOptions(), Group: "g", Topics: []string{w.topics.Observations}, Start: consume.Start{Earliest: true}, Log: log,
		Refuse: p.Refuse, RefuseBare: p.RefuseBare, Journal: p.Journal, Hooks: consume.Hooks{Assigned: p.Assigned, Settled: p.Settled, Dropped: p.Dropped},
	})
	apptest.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.Run(ctx); err != nil {
			w.t.Error(err)
		}
		p.Close()
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(stop)
	return stop
}

// held makes a HELD trade: of 88 yuan another amount was paid.
func (w *shopWorld) held(no string) {
	w.t.Helper()
	o := order.Observation{
		Account: shop, Environment: "simulator", Channel: order.ChannelTrade, OrderNo: alipay.OutTradeNo(no), TradeNo: "T-1", Kind: order.ObservedInResult, CauseID: "e-1", CreateEventID: "e-1",
		Outcome: order.OutcomeApplied, Total: &alipay.Money{Minor: 8800, Currency: "CNY"}, SellerID: "2088", ObservedAt: w.at,
	}
	paid := o
	paid.Kind, paid.CauseID, paid.CreateEventID, paid.Outcome, paid.AlipayStatus = order.ObservedInNotification, "n-1", "", "", "TRADE_SUCCESS"
	paid.Total, paid.PaidAt = &alipay.Money{Minor: 8000, Currency: "CNY"}, &w.at
	w.put(must(w.encoder.Observation(w.t.Context(), o)), must(w.encoder.Observation(w.t.Context(), paid)))
	w.await(no, "HELD")
}

// observations is how many records the topic of observations has.
func (w *shopWorld) observations() (n int64) {
	w.t.Helper()
	ends, err := kadm.NewClient(w.client).ListEndOffsets(w.t.Context(), "trade-observations")
	apptest.NoError(w.t, err)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// await waits until the newest trade status has a state.
func (w *shopWorld) await(no, want string) timeline.Order {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); time.Now().Before(until); <-tick.C {
		var all []timeline.Order
		if out, _, code := printed(w.t.Context(), w.t, "order", no, "-c", w.settings, "-o", "json"); code == 0 {
			apptest.NoError(w.t, json.Unmarshal([]byte(out), &all))
		}
		if len(all) == 1 && all[0].State == want {
			return all[0]
		}
	}
	w.t.Fatalf("%s is not %s", no, want)
	return timeline.Order{}
}

// answered runs a command whose question is answered with a text; before the answer it calls meanwhile.
func (w *shopWorld) answered(answer string, meanwhile func(), args ...string) (out, errs string, code int) {
	w.t.Helper()
	var o, e bytes.Buffer
	root := rootCommand()
	root.SetArgs(append(args, "-c", w.settings))
	root.SetOut(&o)
	root.SetErr(&e)
	root.SetIn(answering{strings.NewReader(answer), sync.OnceFunc(meanwhile)})
	ran, err := root.ExecuteContextC(w.t.Context())
	if err != nil {
		code = command.ReportError(&e, ran, args, err)
	}
	return o.String(), e.String(), code
}

type answering struct {
	r    *strings.Reader
	once func()
}

func (a answering) Read(p []byte) (int, error) {
	a.once()
	return a.r.Read(p)
}

// TestAcceptReleasesAHeldTrade: after a question, with the version that was shown, and with who and why.
func TestAcceptReleasesAHeldTrade(t *testing.T) {
	w := newShopWorld(t)
	w.bridge()
	w.held("a/1")
	if o := w.await("a/1", "HELD"); !strings.Contains(o.Do, "amount_mismatch: compare with the order") || !strings.Contains(o.Do, "bridge accept -c "+w.settings+" shop-trade/a/1") || !slices.Equal(o.Anomalies, []string{state.AmountMismatch}) {
		t.Errorf("%s: %s %d %q %q %q", kindsOf(o), o.State, o.Version, o.Means, o.Do, o.Anomalies)
	}
	_, errs, code := w.answered("\n", func() {}, "accept", shop+"/a/1")
	for _, want := range []string{"is HELD, version 2", "amount_mismatch: another total was paid than the create's", "total 88.00 CNY", "trade number T-1", "accepted, consumers see it as PAID, version 3: paid; refunds are possible", "continue? [y/N]", "not confirmed"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in %s", want, errs)
		}
	}
	if code != command.ExitFailed {
		t.Errorf("exit %d", code)
	}
	written := w.observations()
	if out, _, code := w.answered("", func() {}, "accept", shop+"/a/1", "--dry-run"); code != output.ExitFound || !strings.Contains(out, "consumers see it as PAID, version 3") || strings.Contains(out, "continue?") {
		t.Errorf("dry run: exit %d\n%s", code, out)
	}
	for _, what := range []string{"accept", "erase"} {
		out, errs, code := w.answered("", func() {}, what, shop+"/a/1", "--dry-run", "--yes", "-o", "json")
		if code != output.ExitFound || !strings.Contains(errs, "nothing was decided") {
			t.Errorf("%s: exit %d: %s", what, code, errs)
		}
		obeys(t, what, out)
		if d := (timeline.Decided{}); json.Unmarshal([]byte(out), &d) != nil || d.Decided || d.Before != "HELD" || d.Version != 2 {
			t.Errorf("%s: %s", what, out)
		}
	}
	if n := w.observations(); n != written {
		t.Errorf("dry runs wrote %d records", n-written)
	}
	if got := w.await("a/1", "HELD"); got.Version != 2 {
		t.Errorf("version %d without a yes", got.Version)
	}
	out, errs, code := w.answered("", func() {}, "accept", shop+"/a/1", "--yes", "--reason", "old\tprice", "-o", "json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	obeys(t, "accept", out)
	var d timeline.Decided
	apptest.NoError(t, json.Unmarshal([]byte(out), &d))
	if !d.Answered || d.State != "PAID" || d.Version != 3 || !strings.HasSuffix(d.By, ": old?price") {
		t.Errorf("%+v", d)
	}
	if o := w.await("a/1", "PAID"); kindsOf(o) != "status status decision status" || len(o.Anomalies) != 0 {
		t.Errorf("%s: %s %d %q %q %q", kindsOf(o), o.State, o.Version, o.Means, o.Do, o.Anomalies)
	}
	_, errs, code = w.answered("", func() {}, "accept", shop+"/a/1", "--yes")
	if code != output.ExitFound || !strings.Contains(errs, "is PAID, version 3: there is nothing to accept") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// otherSeller is a notification that names another seller for order 1.
func (w *shopWorld) otherSeller() {
	other := order.Observation{Account: shop, Environment: "simulator", Channel: order.ChannelTrade, OrderNo: "1", TradeNo: "T-1", Kind: order.ObservedInNotification, CauseID: "n-2", AlipayStatus: "TRADE_SUCCESS", SellerID: "2099", ObservedAt: w.at}
	w.put(must(w.encoder.Observation(w.t.Context(), other)))
}

// TestAcceptIsAboutWhatWasShown: a trade that changes while the operator thinks is not accepted.
func TestAcceptIsAboutWhatWasShown(t *testing.T) {
	w := newShopWorld(t)
	w.bridge()
	w.held("1")
	_, errs, code := w.answered("y\n", w.otherSeller, "accept", shop+"/1")
	if code != output.ExitFound || !strings.Contains(errs, "changed meanwhile to version 3, HELD; nothing was accepted") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if o := w.await("1", "HELD"); !slices.Equal(o.Anomalies, []string{state.AmountMismatch, state.SellerMismatch}) {
		t.Errorf("%s: %s %d %q %q %q", kindsOf(o), o.State, o.Version, o.Means, o.Do, o.Anomalies)
	}
}

// TestEraseIsAboutWhatWasShown: an order that changes while the operator thinks is not forgotten, nor by the same
// decision later.
func TestEraseIsAboutWhatWasShown(t *testing.T) {
	w := newShopWorld(t)
	w.bridge()
	w.held("1")
	_, errs, code := w.answered("y\n", w.otherSeller, "erase", shop+"/1")
	if code != output.ExitFound || !strings.Contains(errs, "changed meanwhile to version 3, HELD; nothing was forgotten; run bridge erase") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if o := w.await("1", "HELD"); o.Version != 3 {
		t.Errorf("%s: %s %d", kindsOf(o), o.State, o.Version)
	}
}

// TestEraseForgetsAndSaysWhatRemains: a tombstone, and until when each topic has records of the order.
func TestEraseForgetsAndSaysWhatRemains(t *testing.T) {
	w := newShopWorld(t)
	w.bridge()
	dead := w.event("e-1", "1", "1")
	w.put(w.encoder.DeadLetter(t.Context(), dead, records.DeadLetter{Reason: "exhausted"}))
	w.held("1")
	out, errs, code := w.answered("y\n", func() {}, "erase", shop+"/1")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if !strings.Contains(errs, "its trade status will be forgotten") || !strings.Contains(errs, "[y/N]") {
		t.Error(errs)
	}
	until := dead.Timestamp.Add(7 * 24 * time.Hour).UTC().Format(time.RFC3339)
	for _, want := range []string{shop + "/1 is forgotten\n", "order-events has 1 record, until " + until + " (retention.ms)", "order-events.dlq has 1 record", "trade-status has 3 records", "(max.compaction.lag.ms and delete.retention.ms)", "trade-observations has 3 records", "not erased: Alipay's own records"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, errs, code = w.answered("", func() {}, "erase", shop+"/1", "--yes", "-o", "json")
	obeys(t, "erase", out)
	var d timeline.Decided
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != 0 || d.Decided || len(d.Remains) != 4 {
		t.Errorf("%v, exit %d: %s\n%s", err, code, errs, out)
	}
	if o := w.timelineOf("1")[0]; o.State != "" || !strings.HasPrefix(o.Means, "forgotten") {
		t.Errorf("%s %s", o.State, o.Means)
	}
}
