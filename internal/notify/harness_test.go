package notify_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/notify"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/schemas"
)

const (
	notifications = "alipay-notifications"
	observations  = "trade-observations"
	seller        = "2088102146225135"
	address       = "localhost:8443"

	buyer = "2088777766660007" // of every notification that a test makes
)

// alipaysKey signs what tests send.
var alipaysKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said is a log that is read while it is written.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// world is a receiver with its Kafka, on a network in memory.
type world struct {
	t        testing.TB
	network  *kfake.VirtualNetwork
	kafka    *localkafka.Cluster
	receiver *notify.Receiver
	log      said
	client   *http.Client
	stop     context.CancelFunc
	served   chan error // gets one value when Serve returns

	faults *kfake.FaultHandle

	mu       sync.Mutex
	health   health           // of the brokers; guarded by mu
	links    []net.Conn       // to them; guarded by mu
	from     string           // the address of new connections; guarded by mu
	verdicts []notify.Verdict // guarded by mu
	refused  []string         // guarded by mu
}

// start starts a receiver of one account, shop. change may change its options.
func start(t testing.TB, change func(*notify.Options)) *world {
	t.Helper()
	w := &world{t: t, network: &kfake.VirtualNetwork{}, served: make(chan error, 1), from: "192.0.2.1:5000"}
	w.kafka = must(localkafka.Start(localkafka.Options{Network: w.network, Topics: []localkafka.Topic{
		{Name: notifications, Schema: schemas.TradeNotification}, {Name: observations, Schema: schemas.TradeObservation},
	}}))
	registry := must(avro.NewRegistry(w.kafka.RegistryOptions()))
	o := notify.Options{
		Codec: order.NewCodec(registry), Topics: notify.Topics{Notifications: notifications, Observations: observations}, Client: append(w.kafka.ClientOptions(), kgo.Dialer(w.dialBroker)),
		MaxConnections: 100, MaxPerAddress: 50, Grace: 5 * time.Second,
		Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Answered: func(_ context.Context, _ order.Account, v notify.Verdict, _ time.Duration) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.verdicts = append(w.verdicts, v)
		},
		Refused: func(limit string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.refused = append(w.refused, limit)
		},
	}
	if change != nil {
		change(&o)
	}
	w.receiver = must(notify.New(o))
	w.receiver.UseAccounts(shop(nil))
	noError(t, w.receiver.Ready(t.Context()))
	l := senders{must(w.network.Listen("tcp", address)), w}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	go func() { w.served <- w.receiver.Serve(ctx, l) }()
	w.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return w.network.DialContext(ctx, network, address)
	}}}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		stop()
		w.served <- <-w.served
		w.receiver.Close()
		registry.Close()
		w.kafka.Close()
	})
	return w
}

// health is how brokers behave.
type health int

const (
	well   health = iota
	silent        // what is sent to them is lost
	gone          // connections break, and no new one can be made
)

// brokers changes how the brokers behave; well also ends what else is wrong with them.
func (w *world) brokers(h health) {
	if w.faults != nil && h == well {
		w.faults.Remove()
	}
	w.mu.Lock()
	links := w.links
	if w.health = h; h == silent {
		links = nil
	}
	w.mu.Unlock()
	for _, c := range links {
		_ = c.Close()
	}
}

func (w *world) dialBroker(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.health == gone {
		return nil, errors.New("no broker")
	}
	c, err := w.network.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.links = append(w.links, c)
	return link{c, w}, nil
}

// link is a connection to a broker.
type link struct {
	net.Conn
	w *world
}

func (l link) Write(p []byte) (int, error) {
	l.w.mu.Lock()
	lost := l.w.health == silent
	l.w.mu.Unlock()
	if lost {
		return len(p), nil
	}
	return l.Conn.Write(p)
}

// connectFrom sets the address that new connections come from.
func (w *world) connectFrom(ip string) {
	w.client.CloseIdleConnections()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from = ip
}

// senders gives connections in memory an address.
type senders struct {
	net.Listener
	w *world
}

func (l senders) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return sentFrom{c, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(l.w.from))}, nil
}

type sentFrom struct {
	net.Conn
	from net.Addr
}

func (c sentFrom) RemoteAddr() net.Addr { return c.from }

// shop is an account whose notifications tests sign; change may change it.
func shop(change func(*gateway.VerifierOptions, *notify.Account)) map[order.Account]*notify.Account {
	o := gateway.VerifierOptions{AppID: "1", AlipayKey: &alipaysKey().PublicKey, SellerIDs: []string{seller}}
	a := &notify.Account{Name: "shop", Environment: "simulator", Channel: order.ChannelTrade}
	if change != nil {
		change(&o, a)
	}
	a.Verifier = must(gateway.NewVerifier(o))
	return map[order.Account]*notify.Account{"shop": a}
}

// post sends a body to a path, and returns status and answer.
func (w *world) post(path string, body []byte, header ...string) (int, string) {
	w.t.Helper()
	req := must(http.NewRequestWithContext(context.Background(), http.MethodPost, "http://notify.example"+path, bytes.NewReader(body)))
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return w.send(req)
}

func (w *world) send(req *http.Request) (int, string) {
	w.t.Helper()
	resp, err := w.client.Do(req)
	noError(w.t, err)
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body)))
}

// last is what became of the last request.
func (w *world) last() notify.Verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.verdicts) == 0 {
		return ""
	}
	return w.verdicts[len(w.verdicts)-1]
}

// params are the parameters of a genuine notification.
func params(no string, change func(map[string]string)) map[string]string {
	p := map[string]string{
		"app_id": "1", "seller_id": seller, "notify_type": "trade_status_sync", "charset": "utf-8", "notify_id": "n-" + no,
		"notify_time": time.Now().In(time.FixedZone("", 8*60*60)).Format(time.DateTime), "out_trade_no": no, "trade_no": "t-" + no, "trade_status": "TRADE_SUCCESS",
		"total_amount": "88.88", "buyer_pay_amount": "88.88", "gmt_payment": "2026-01-01 10:00:05", "refund_fee": "1.00",
		"buyer_id": buyer, "buyer_logon_id": "canary.login@example.com", "passback_params": "canaryPassback", "receiver": "canaryStreet",
		"voucher_detail_list": `[{"name":"canaryVoucher","amount":"1.00"}]`, "fund_bill_list": `[{"amount":"88.88","fundChannel":"ALIPAYACCOUNT"}]`,
	}
	if change != nil {
		change(p)
	}
	return p
}

// signed signs parameters as Alipay does, apart from the code under test.
func signed(key *rsa.PrivateKey, p map[string]string) []byte {
	var pairs []string
	form := url.Values{"sign_type": {"RSA2"}}
	for name, value := range p {
		pairs = append(pairs, name+"="+value)
		form.Set(name, value)
	}
	slices.Sort(pairs)
	sum := sha256.Sum256([]byte(strings.Join(pairs, "&")))
	form.Set("sign", base64.StdEncoding.EncodeToString(must(rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]))))
	return []byte(form.Encode())
}

func genuine(no string) []byte { return signed(alipaysKey(), params(no, nil)) }

// published reads what a topic holds.
func (w *world) published(topic string) []*kgo.Record {
	w.t.Helper()
	want := 0
	for p := range int32(8) {
		want += int(w.kafka.Kafka().PartitionInfo(topic, p).HighWatermark)
	}
	if want == 0 {
		return nil
	}
	cl := must(kgo.NewClient(append(w.kafka.ClientOptions(), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...))
	defer cl.Close()
	var out []*kgo.Record
	for len(out) < want {
		out = append(out, cl.PollFetches(context.Background()).Records()...)
	}
	return out
}

// decoded is a notification as a reader sees it.
func (w *world) decoded(r *kgo.Record) (m map[string]any) {
	w.t.Helper()
	registry := must(avro.NewRegistry(w.kafka.RegistryOptions()))
	defer registry.Close()
	_, text, err := order.NewCodec(registry).JSON(context.Background(), r.Topic, r.Value)
	noError(w.t, err)
	noError(w.t, json.Unmarshal(text, &m))
	return m
}

func (w *world) observation(r *kgo.Record) order.Observation {
	w.t.Helper()
	registry := must(avro.NewRegistry(w.kafka.RegistryOptions()))
	defer registry.Close()
	return must(order.NewCodec(registry).DecodeObservation(context.Background(), r.Topic, r.Value))
}

// vectors reads a file of the vectors of the classic gateway.
func vectors[T any](t testing.TB, name string) (v T) {
	t.Helper()
	noError(t, json.Unmarshal(must(os.ReadFile("../alipay/testdata/openapi/"+name)), &v))
	return v
}
