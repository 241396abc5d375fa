package handle_test

import (
	"context"
	"crypto/rsa"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/sight"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
	"alipay-kafka-bridge/schemas"
)

var (
	appKeys = sync.OnceValues(func() (standalone.GeneratedApp, error) { return standalone.GenerateApp("2021000000000001") })
	hkKeys  = sync.OnceValues(func() (standalone.GeneratedHKApp, error) { return standalone.GenerateHKApp("hk-client") })
)

// desk is a handler with everything real around it but Kafka: guard, client, simulator.
type desk struct {
	t       *testing.T
	sim     *simulator.Simulator
	codec   *order.Codec
	options handle.HandlerOptions
	handler *handle.Handler
	offset  int64
}

const (
	attemptTimeout = 15 * time.Second
	occurred       = "1999-12-31T20:00:00Z" // a bubble begins with the year 2000
)

func newDesk(t *testing.T, faults ...simulator.Fault) *desk {
	t.Helper()
	app, err := appKeys()
	must(t, err)
	hk, err := hkKeys()
	must(t, err)
	sim, err := simulator.New(simulator.Options{
		Apps: []simulator.App{app.App}, HKApps: []simulator.HKApp{hk.App}, Faults: faults,
		Latency: simulator.Latency{Fixed: 50 * time.Millisecond},
	})
	must(t, err)
	pipe := simulator.NewPipe()
	srv := &http.Server{Handler: sim}
	go func() { _ = srv.Serve(pipe) }()
	t.Cleanup(func() { _ = srv.Close() })

	main, err := gateway.NewOpenAPI(gateway.OpenAPIOptions{URL: "http://sim", AppID: app.App.ID, Signer: keys.NewRSASigner(app.MerchantKey), AlipayKey: &app.App.SigningKey.PublicKey, DialContext: pipe.DialContext})
	must(t, err)
	t.Cleanup(main.Close)
	kong, err := gateway.NewHK(gateway.HKOptions{URL: "http://sim", ClientID: hk.App.ClientID, Signer: keys.NewRSASigner(hk.MerchantKey), PlatformKeys: map[string]*rsa.PublicKey{"1": &hk.App.PlatformKey.PublicKey}, DialContext: pipe.DialContext})
	must(t, err)
	t.Cleanup(kong.Close)

	registry, err := avro.NewFolder(schemas.FS, 0)
	must(t, err)
	d := &desk{t: t, sim: sim, codec: order.NewCodec(registry)}
	guard := breaker.New(breaker.Options{MinAttempts: 3, MaxTrying: time.Minute, AttemptTimeout: attemptTimeout})
	account := func(name order.Account, app string, ch order.Channel, client *gateway.Client) *handle.Account {
		return handle.NewAccount(handle.Account{
			Name: name, App: app, Environment: "simulator", Supports: client.Supports, AttemptTimeout: attemptTimeout,
			Planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: ch}),
		}, func() sight.Call { return sight.Call{Call: guard.Call(client)} })
	}
	d.options = handle.HandlerOptions{
		Group: "g", Codec: d.codec,
		Inputs: map[string]handle.TopicAccounts{"in": {Accounts: []order.Account{"shop", "kong"}, Default: "shop"}},
		Accounts: map[order.Account]*handle.Account{
			"shop":  account("shop", "main", order.ChannelTrade, main.Client(alipay.Merchant{})),
			"kong":  account("kong", "hk", order.ChannelHK, kong.Client(alipay.Merchant{})),
			"other": account("other", "main", order.ChannelTrade, main.Client(alipay.Merchant{})),
		},
		Encoder: records.NewEncoder(d.codec, records.Topics{
			Results: "results", Snapshots: "snapshots", Observations: "observations", Journal: "journal",
			DeadLetters: map[string]string{"in": "in.dlq"},
		}, []string{"shop-header"}),
	}
	d.handler = handle.NewHandler(d.options)
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func yuan(minor int64) *alipay.Money { return &alipay.Money{Minor: minor, Currency: "CNY"} }

// created is an event that makes a trade.
func created(no string) order.Event {
	at, _ := time.Parse(time.RFC3339, occurred)
	return order.Event{
		ID: order.EventID("e-" + no), Type: order.TypeCreated, OccurredAt: at, OrderNo: alipay.OutTradeNo(no),
		Channel: order.ChannelAccount, Total: yuan(8888), Subject: "tea", BuyerUserID: "2088102146225135",
	}
}

// paidHK is an HK event.
func paidHK(no, id string, at time.Duration) order.Event {
	t0, _ := time.Parse(time.RFC3339, occurred)
	return order.Event{
		ID: order.EventID(id), Type: order.TypePaid, OccurredAt: t0.Add(at), OrderCreatedAt: &t0, OrderNo: alipay.OutTradeNo(no),
		Account: "kong", Channel: order.ChannelHK, TradeNo: "2026013122001", BuyerUserID: "2160123456789012",
		Total: &alipay.Money{Minor: 1000, Currency: "HKD"},
	}
}

func (d *desk) record(ev order.Event) *kgo.Record {
	d.t.Helper()
	value, err := d.codec.EncodeEvent(d.t.Context(), "in", ev)
	must(d.t, err)
	d.offset++
	return &kgo.Record{Topic: "in", Key: []byte(ev.OrderNo), Value: value, Offset: d.offset}
}

// came is the outcome of a record: its result and the topics of all records.
type came struct {
	facts look.Facts
	order.Result
	topics string
	skip   string
	dead   map[string]string
	err    error
}

func (d *desk) handle(ctx context.Context, in *kgo.Record) came {
	d.t.Helper()
	input := consume.Input{Record: in}
	task, err := d.handler.Prepare(ctx, input)
	must(d.t, err)
	out, err := task.Handle(ctx, input)
	c := came{skip: out.Skip, err: err}
	if task.Facts != nil {
		c.facts = task.Facts()
	}
	var topics []string
	for _, r := range out.Records {
		topics = append(topics, r.Topic)
		switch r.Topic {
		case "results":
			c.Result, err = d.codec.DecodeResult(ctx, r.Topic, r.Value)
			must(d.t, err)
		case "in.dlq":
			c.dead = map[string]string{"value": string(r.Value), "key": string(r.Key)}
			for _, h := range r.Headers {
				c.dead[h.Key] = string(h.Value)
			}
		}
	}
	c.topics = strings.Join(topics, " ")
	return c
}

func (d *desk) send(ev order.Event) came {
	d.t.Helper()
	return d.handle(d.t.Context(), d.record(ev))
}

// The request is lost before or after its effect, or its answer cannot be believed: one
// execution, one result, and never a second create without a query before it.
func TestUnknownOutcomeOfACreate(t *testing.T) {
	create := simulator.TradeCreate
	for _, tt := range []struct {
		name     string
		faults   []simulator.Fault
		want     simulator.Tally
		resolved order.ResolvedBy
	}{
		// The request never has an effect: asked twice, then sent again.
		{"lost before the effect", []simulator.Fault{simulator.CutBefore(create)}, simulator.Tally{Requests: 2, Executions: 1, Queries: 3}, order.ResolvedByReply},
		// The trade exists but we do not know.
		{"lost after the effect", []simulator.Fault{simulator.CutAfter(create)}, simulator.Tally{Requests: 1, Executions: 1, Queries: 1}, order.ResolvedByQuery},
		// A success without a signature.
		{"unsigned success", []simulator.Fault{simulator.Unsigned(create)}, simulator.Tally{Requests: 1, Executions: 1, Queries: 1}, order.ResolvedByQuery},
		{"signed with another key", []simulator.Fault{simulator.WrongKey(create)}, simulator.Tally{Requests: 1, Executions: 1, Queries: 1}, order.ResolvedByQuery},
		{"system error before", []simulator.Fault{simulator.SystemError(create)}, simulator.Tally{Requests: 2, Executions: 1, Queries: 3}, order.ResolvedByReply},
		{"system error after", []simulator.Fault{simulator.SystemError(create).AfterEffect()}, simulator.Tally{Requests: 1, Executions: 1, Queries: 1}, order.ResolvedByQuery},
		{"no answer in time, done", []simulator.Fault{simulator.Delay(create, time.Minute).AfterEffect()}, simulator.Tally{Requests: 1, Executions: 1, Queries: 1}, order.ResolvedByQuery},
		// The resolving query is lost too.
		{"query lost", []simulator.Fault{simulator.CutAfter(create), simulator.CutBefore(simulator.TradeQuery)}, simulator.Tally{Requests: 1, Executions: 1, Queries: 2}, order.ResolvedByQuery},
		{"gateway in trouble", []simulator.Fault{simulator.BadGateway(create)}, simulator.Tally{Requests: 2, Executions: 1, Queries: 3}, order.ResolvedByReply},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, tt.faults...)
				got := d.send(created("o1"))
				if got.err != nil || got.Outcome != order.OutcomeApplied || got.ResolvedBy != tt.resolved || got.TradeNo == "" {
					t.Errorf("result = %+v", got)
				}
				if tally := d.sim.Tally("o1"); tally != tt.want {
					t.Errorf("tally = %+v, want %+v", tally, tt.want)
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

// TestSearchesAreReported: each with its app and how long it took, also for what was refused with an unknown code and for
// what came too late; an answer that can be believed needs none.
func TestSearchesAreReported(t *testing.T) {
	const create = simulator.TradeCreate
	late := created("o1")
	expired := late.OccurredAt.Add(time.Second)
	late.ExpiresAt = &expired
	for name, tt := range map[string]struct {
		event    order.Event
		faults   []simulator.Fault
		searches int
		least    time.Duration
	}{
		"answered":     {created("o1"), nil, 0, 0},
		"lost":         {created("o1"), []simulator.Fault{simulator.CutBefore(create)}, 1, 3 * time.Second},
		"unknown code": {created("o1"), []simulator.Fault{simulator.Refuse(create, "ACQ.OF_TOMORROW")}, 1, attemptTimeout},
		"too late":     {late, nil, 1, attemptTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, tt.faults...)
				var took []time.Duration
				d.options.Resolved = func(app string, d time.Duration) {
					if app != "main" {
						t.Errorf("app %q", app)
					}
					took = append(took, d)
				}
				d.handler = handle.NewHandler(d.options)
				if tt.event.ExpiresAt != nil {
					time.Sleep(time.Until(*tt.event.ExpiresAt) + time.Hour)
				}
				d.send(tt.event)
				if len(took) != tt.searches || tt.searches > 0 && (took[0] < tt.least || took[0] > time.Minute) {
					t.Errorf("searches that took %v, want %d of at least %v", took, tt.searches, tt.least)
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

// "Not found" is believed only once the lost attempt cannot be under way any more.
func TestAbsenceIsBelievedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.CutBefore(simulator.TradeCreate))
		start := time.Now()
		d.send(created("o1"))
		var creates []time.Time
		for _, r := range d.sim.Journal().Requests {
			if r.Method == simulator.TradeCreate {
				creates = append(creates, r.At)
			}
		}
		if len(creates) != 2 || creates[1].Sub(start) < attemptTimeout+3*time.Second {
			t.Errorf("creates at %v, want the second after the first's deadline and two queries", creates)
		}
	})
}

// A trade under our number that is not what we asked for is never ours.
func TestConflictIsRejected(t *testing.T) {
	for name, change := range map[string]func(*order.Event){
		"other amount": func(e *order.Event) { e.Total = yuan(1) },
		"other buyer":  func(e *order.Event) { e.BuyerUserID = "2088000000000001" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.send(created("o1"))
				ev := created("o1")
				ev.ID = "e2"
				change(&ev)
				if got := d.send(ev); got.Outcome != order.OutcomeRejected {
					t.Errorf("result = %+v", got)
				}
				if tally := d.sim.Tally("o1"); tally.Executions != 1 {
					t.Errorf("tally = %+v", tally)
				}
			})
		})
	}
}

// A create that Alipay did for a previous owner of the event, paid since, is applied.
func TestOwnEarlierTradeIsApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.send(created("o1"))
		must(t, d.sim.Pay("o1"))
		got := d.send(created("o1"))
		if got.Outcome != order.OutcomeApplied || got.ResolvedBy != order.ResolvedByQuery {
			t.Errorf("result = %+v", got)
		}
		if !strings.Contains(got.topics, "snapshots") {
			t.Errorf("topics = %s, want the snapshot too", got.topics)
		}
	})
}

// Past its life an event is not sent, but a previous owner may have sent it in time.
func TestExpiredCreateIsAskedForFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		soon := time.Now().Add(time.Minute)
		sent, never := created("o1"), created("o2")
		sent.ExpiresAt, never.ExpiresAt = &soon, &soon
		d.send(sent)
		must(t, d.sim.Pay("o1")) // else the trade would be closed by now
		time.Sleep(2 * time.Minute)
		if got := d.send(sent); got.Outcome != order.OutcomeApplied || got.ResolvedBy != order.ResolvedByQuery {
			t.Errorf("sent in time: %+v", got)
		}
		if got := d.send(never); got.Outcome != order.OutcomeExpired || got.topics != "results" {
			t.Errorf("never sent: %+v", got)
		}
		if tally := d.sim.Tally("o2"); tally.Requests != 0 {
			t.Errorf("an expired create was sent: %+v", tally)
		}
	})
}

// Repeatable calls are simply repeated.
func TestRepeatableCallsAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.CutAfter(simulator.HKOrderSync))
		if got := d.send(paidHK("h1", "e1", 0)); got.Outcome != order.OutcomeApplied || got.Attempts != 2 {
			t.Errorf("result = %+v", got)
		}
		if tally := d.sim.Tally("h1"); tally.Executions != 1 || tally.Requests != 2 {
			t.Errorf("tally = %+v", tally)
		}
	})
}

// The budget ends in a result and a dead letter with the original bytes.
func TestExhausted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.Throttled(simulator.HKOrderSync).Always())
		in := d.record(paidHK("h1", "e1", 0))
		got := d.handle(t.Context(), in)
		if got.Outcome != order.OutcomeExhausted || got.CallClass != order.ClassThrottled || got.dead["dead-reason"] != "exhausted" {
			t.Errorf("result = %+v", got)
		}
		if got.dead["value"] != string(in.Value) || got.dead["key"] != "h1" || got.dead["dead-attempts"] == "0" {
			t.Errorf("dead letter = %v", got.dead)
		}
	})
}

// An event that is not newer than what AlipayHK took is reported, not sent.
func TestSupersededIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.send(paidHK("h1", "e1", time.Second))
		for name, ev := range map[string]order.Event{
			"equal time of another event": paidHK("h1", "e2", time.Second),
			"earlier":                     paidHK("h1", "e3", 0),
		} {
			if got := d.send(ev); got.Outcome != order.OutcomeSuperseded || got.topics != "results" {
				t.Errorf("%s: %+v", name, got)
			}
		}
		if got := d.send(paidHK("h1", "e1", time.Second)); got.Outcome != order.OutcomeApplied {
			t.Errorf("the same event again: %+v", got)
		}
		if got := d.send(paidHK("h1", "e4", 2*time.Second)); got.Outcome != order.OutcomeApplied {
			t.Errorf("a newer one: %+v", got)
		}
		older := paidHK("h1", "e5", time.Hour)
		older.Version = 7
		d.send(older)
		older.ID, older.Version, older.OccurredAt = "e6", 6, older.OccurredAt.Add(time.Hour)
		if got := d.send(older); got.Outcome != order.OutcomeSuperseded || got.Reason != "order_version" {
			t.Errorf("an older version: %+v", got)
		}
	})
}

// After a lost membership the same process reads events again that it sent before. They
// were sent in their order, so none of them is older than what came before it.
func TestReReadEventsAreNotSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		first, second := d.record(paidHK("h1", "e1", time.Second)), d.record(paidHK("h1", "e2", 2*time.Second))
		for range 2 {
			for _, in := range []*kgo.Record{first, second} {
				if got := d.handle(t.Context(), in); got.Outcome != order.OutcomeApplied {
					t.Errorf("%s: %s", got.EventID, got.Outcome)
				}
			}
		}
		if got := d.send(paidHK("h1", "e3", time.Second)); got.Outcome != order.OutcomeSuperseded {
			t.Errorf("an older event after them: %s", got.Outcome)
		}
	})
}

// A record has a defined end, no matter what is wrong with it: a result INVALID and a dead letter
// with the reason and the original bytes.
func TestBadRecordsHaveAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		unknown, foreign, money, typ := created("o1"), created("o2"), created("o3"), created("o4")
		unknown.Account, foreign.Account, money.Total, typ.Type = "nobody", "other", nil, order.TypeUnknown
		short := d.record(created("o5"))
		short.Value = short.Value[:20]
		id := d.record(created("o6"))
		id.Value = append([]byte{0, 0, 0, 9, 9}, id.Value[5:]...)
		wrong := d.record(created("o7"))
		wrong.Value, _ = d.codec.EncodeResult(t.Context(), "in", order.Result{FinishedAt: time.Now()})
		keyless := d.record(unknown)
		keyless.Key = nil
		for name, tt := range map[string]struct {
			in     *kgo.Record
			reason string
		}{
			"unknown account":        {d.record(unknown), "unknown_account"},
			"account of other topic": {d.record(foreign), "account_not_allowed"},
			"no amount":              {d.record(money), "invalid"},
			"unknown type":           {d.record(typ), "unknown_type"},
			"cut bytes":              {short, "undecodable"},
			"unknown schema id":      {id, "undecodable"},
			"other schema":           {wrong, "undecodable"},
			"not framed":             {&kgo.Record{Topic: "in", Value: []byte("{}")}, "undecodable"},
			"no key":                 {keyless, "unknown_account"},
		} {
			got := d.handle(t.Context(), tt.in)
			if got.err != nil || got.Outcome != order.OutcomeInvalid || got.Reason != tt.reason || got.dead["dead-reason"] != tt.reason || got.dead["value"] != string(tt.in.Value) {
				t.Errorf("%s: %+v", name, got)
			}
		}
		if total := d.sim.Totals(); total.Requests != 0 {
			t.Errorf("%+v: a refused event was sent", total)
		}
		keyless = d.record(created("o8"))
		keyless.Key = nil
		if got := d.handle(t.Context(), keyless); got.Outcome != order.OutcomeApplied {
			t.Errorf("a good event without a key: %+v", got)
		}
	})
}

// TestK9_FutureTime: one event of 2099 would silence its order at AlipayHK for ever.
func TestK9_FutureTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ahead, soon := paidHK("h1", "e1", 0), paidHK("h1", "e2", 0)
		ahead.OccurredAt, soon.OccurredAt = time.Now().Add(6*time.Minute), time.Now().Add(4*time.Minute)
		if got := d.send(ahead); got.Outcome != order.OutcomeInvalid || got.dead["dead-reason"] != "future_time" {
			t.Errorf("%+v", got)
		}
		if got := d.send(soon); got.Outcome != order.OutcomeApplied {
			t.Errorf("%+v", got)
		}
	})
}

// Mapped to nothing: no result, a reason for the journal.
func TestSkip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ev := created("o1")
		ev.Type = order.TypeShipped
		if got := newDesk(t).send(ev); got.skip == "" || got.topics != "" {
			t.Errorf("%+v", got)
		}
	})
}

// Who wants to see a result for every event gets one for those, too.
func TestSkippedResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.options.SkippedResults = true
		d.handler = handle.NewHandler(d.options)
		ev := created("o1")
		ev.Type = order.TypeShipped
		got := d.send(ev)
		if got.skip == "" || got.topics != "results" || got.Outcome != order.OutcomeSkipped || got.Reason != got.skip {
			t.Errorf("%+v", got)
		}
	})
}

// Permission missing: no outcome, the lane keeps the record.
func TestMisconfiguredHasNoOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.Refuse(simulator.TradeCreate, "ACQ.ACCESS_FORBIDDEN"))
		got := d.send(created("o1"))
		if alipay.ClassOf(got.err) != alipay.Misconfigured || got.topics != "" {
			t.Errorf("%+v", got)
		}
		// What an operator sees of an event that waits.
		if want := (look.Facts{Account: "shop", OrderNo: "o1", Method: "alipay.trade.create", Cause: look.Person, Attempts: 1, Class: "MISCONFIGURED", Code: "ACQ.ACCESS_FORBIDDEN"}); got.facts != want {
			t.Errorf("facts %+v, want %+v", got.facts, want)
		}
		if got = d.send(created("o1")); got.Outcome != order.OutcomeApplied {
			t.Errorf("once it is fixed: %+v", got)
		}
	})
}

// TestAProbeIsNoCall: an event that waits for a person does so while it is tried again, too; but at an open breaker
// it waits for Alipay.
func TestAProbeIsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		s := &script{t: t, steps: []step{{method: alipay.MethodTradeCreate, err: &alipay.Error{Class: alipay.Misconfigured}}}}
		d.options.Accounts["shop"] = handle.NewAccount(handle.Account{Name: "shop", App: "main", AttemptTimeout: attemptTimeout,
			Planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.ChannelTrade})}, func() *script { return s })
		d.handler = handle.NewHandler(d.options)
		in := consume.Input{Record: d.record(created("o1"))}
		task, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		_, _ = task.Handle(t.Context(), in)
		for _, tt := range []struct{ class, cause, want look.Cause }{
			{"MISCONFIGURED", look.Calling, look.Person}, {"MISCONFIGURED", look.Retry, look.Person}, {"MISCONFIGURED", "", look.Person},
			{"MISCONFIGURED", look.Breaker, look.Breaker}, {"TRANSIENT", look.Calling, look.Calling},
		} {
			s.shows = look.Facts{Class: string(tt.class), Cause: tt.cause}
			if got := task.Facts().Cause; got != tt.want {
				t.Errorf("%s, %s: %s, want %s", tt.class, tt.cause, got, tt.want)
			}
		}
	})
}

// Headers of the input pass only when listed, and never as ours.
func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		in := d.record(created("o1"))
		for _, h := range []string{"shop-header", "class", "event-id", "rewoundx", "dead-reason", "x"} {
			in.Headers = append(in.Headers, kgo.RecordHeader{Key: h, Value: []byte("theirs")})
		}
		in.Headers = append(in.Headers, kgo.RecordHeader{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")})
		input := consume.Input{Record: in}
		task, err := d.handler.Prepare(t.Context(), input)
		must(t, err)
		out, err := task.Handle(t.Context(), input)
		must(t, err)
		for _, r := range out.Records {
			got := map[string]string{}
			for _, h := range r.Headers {
				if got[h.Key] != "" {
					t.Errorf("%s: header %s twice", r.Topic, h.Key)
				}
				got[h.Key] = string(h.Value)
			}
			if got["shop-header"] != "theirs" || got["x"] != "" || got["dead-reason"] != "" || got["event-id"] != "e-o1" || !strings.HasPrefix(got["traceparent"], "00-4bf92f3577b34da6a3ce929d0e0e4736-") {
				t.Errorf("%s: headers %v", r.Topic, got)
			}
		}
	})
}

// An end of the context while waiting is no outcome.
func TestEndOfContextIsNoOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.CutBefore(simulator.TradeCreate))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if got := d.handle(ctx, d.record(created("o1"))); got.err == nil || got.topics != "" {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
	})
}

// A create that waited past its event's life is not sent any more.
func TestCreateIsNotSentAfterItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.Throttled(simulator.TradeCreate).Times(4))
		soon := time.Now().Add(200 * time.Millisecond)
		ev := created("o1")
		ev.ExpiresAt = &soon
		got := d.send(ev)
		if got.Outcome != order.OutcomeExpired {
			t.Error("sent after its life")
		}
	})
}

// A query that is refused says nothing of the create.
func TestUnknownOutcomeIsNeverARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.CutAfter(simulator.TradeCreate), simulator.Refuse(simulator.TradeQuery, "ACQ.SOMETHING_NEW"))
		got := d.send(created("o1"))
		if got.Outcome == order.OutcomeRejected {
			t.Error("the trade exists and the result says REJECTED")
		}
	})
}

// A handling that ended while it asked goes on with asking.
func TestCreateInDoubtIsAskedForFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.CutBefore(simulator.TradeCreate), simulator.Refuse(simulator.TradeQuery, "isv.insufficient-isv-permissions").WithCode("40006"))
		in := consume.Input{Record: d.record(created("o1"))}
		task, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		if _, err := task.Handle(t.Context(), in); alipay.ClassOf(err) != alipay.Misconfigured {
			t.Fatalf("err = %v", err)
		}
		if _, err := task.Handle(t.Context(), in); err != nil { // as the lane does after a pause
			t.Fatal(err)
		}
		var calls []simulator.Method
		for _, r := range d.sim.Journal().Requests {
			calls = append(calls, r.Method)
		}
		create, query := simulator.TradeCreate, simulator.TradeQuery
		if want := []simulator.Method{create, query, query, query, query, create}; !slices.Equal(calls, want) && !slices.Equal(calls, []simulator.Method{create, query, query, query, create}) {
			t.Errorf("calls = %v, want %v", calls, want)
		}
	})
}

// The next owner begins in time and waits past the end: what the previous one did is found.
func TestTradeOfAFormerOwnerIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		soon := time.Now().Add(2 * time.Second)
		ev := created("o1")
		ev.ExpiresAt = &soon
		if got := d.send(ev); got.Outcome != order.OutcomeApplied { // a previous owner, killed before it settled
			t.Fatal(got)
		}
		must(t, d.sim.Pay("o1"))
		d.sim.AddFault(simulator.Throttled(simulator.TradeCreate).Times(4))
		got := d.send(ev) // the next owner: begins in time, waits past expiry
		if got.Outcome != order.OutcomeApplied {
			t.Errorf("%s, but the trade exists and is paid", got.Outcome)
		}
	})
}

// An original that no topic would take is kept by place, length and hash.
func TestOversizedOriginal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		in := &kgo.Record{Topic: "in", Key: []byte("k"), Value: make([]byte, 1_020_000), Offset: 7}
		got := d.handle(t.Context(), in)
		if got.Outcome != order.OutcomeInvalid || got.dead["value"] != "" || got.dead["dead-length"] != "1020000" || len(got.dead["dead-sha256"]) != 64 || got.dead["dead-offset"] != "7" {
			t.Errorf("%+v", got)
		}
	})
}
