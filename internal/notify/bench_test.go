package notify_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/notify"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/schemas"
)

// bare is the least that a receiver can do: it checks the same signature and makes the same body durable in both topics.
type bare struct {
	key    *rsa.PublicKey
	client *kgo.Client
}

func (h bare) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body := must(io.ReadAll(req.Body))
	form := must(url.ParseQuery(string(body)))
	var pairs []string
	for name := range form {
		if name != "sign" && name != "sign_type" {
			pairs = append(pairs, name+"="+form.Get(name))
		}
	}
	slices.Sort(pairs)
	sum := sha256.Sum256([]byte(strings.Join(pairs, "&")))
	if rsa.VerifyPKCS1v15(h.key, crypto.SHA256, sum[:], must(base64.StdEncoding.DecodeString(form.Get("sign")))) != nil {
		_, _ = io.WriteString(w, "fail")
		return
	}
	key := []byte(form.Get("out_trade_no"))
	if h.client.ProduceSync(req.Context(), &kgo.Record{Topic: notifications, Key: key, Value: body}, &kgo.Record{Topic: observations, Key: key, Value: body}).FirstErr() != nil {
		_, _ = io.WriteString(w, "fail")
		return
	}
	_, _ = io.WriteString(w, "success")
}

// load posts bodies from some senders and returns how long each took. With every, one begins each time it has passed.
func load(b *testing.B, address string, bodies [][]byte, every time.Duration) (took []time.Duration, all time.Duration) {
	const senders = 32
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	took = make([]time.Duration, len(bodies))
	next := make(chan int)
	var done sync.WaitGroup
	began := time.Now()
	for range senders {
		done.Go(func() {
			for i := range next {
				at := time.Now()
				if every > 0 {
					at = began.Add(time.Duration(i) * every) // waiting for a sender counts
				}
				resp := must(client.Post("http://"+address+"/notify/shop", "application/x-www-form-urlencoded", bytes.NewReader(bodies[i])))
				if answer := string(must(io.ReadAll(resp.Body))); answer != "success" {
					b.Errorf("answered %s", answer)
				}
				resp.Body.Close()
				took[i] = time.Since(at)
			}
		})
	}
	for i := range bodies {
		if every > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(i) * every)))
		}
		next <- i
	}
	close(next)
	done.Wait()
	all = time.Since(began)
	slices.Sort(took)
	return took, all
}

// BenchmarkReceiver compares the rate of the receiver with that of a bare handler, in turns, and measures how long an
// answer of each takes at 70 % of its rate.
func BenchmarkReceiver(b *testing.B) {
	kafka := must(localkafka.Start(localkafka.Options{Topics: []localkafka.Topic{
		{Name: notifications, Schema: schemas.TradeNotification}, {Name: observations, Schema: schemas.TradeObservation},
	}}))
	defer kafka.Close()
	registry := must(avro.NewRegistry(kafka.RegistryOptions()))
	defer registry.Close()
	receiver := must(notify.New(notify.Options{
		Codec: order.NewCodec(registry), Topics: notify.Topics{Notifications: notifications, Observations: observations}, Client: kafka.ClientOptions(),
		MaxConnections: 100, MaxPerAddress: 100, Grace: time.Second, Log: slog.New(slog.DiscardHandler),
	}))
	defer receiver.Close()
	receiver.UseAccounts(shop(nil))
	noError(b, receiver.Ready(b.Context()))
	cl := must(kgo.NewClient(append(kafka.ClientOptions(), kgo.ProducerLinger(0), kgo.RequiredAcks(kgo.AllISRAcks()))...))
	defer cl.Close()
	addresses := map[string]string{}
	for name, handler := range map[string]http.Handler{"bare": bare{&alipaysKey().PublicKey, cl}, "receiver": receiver} {
		l := must(net.Listen("tcp", "127.0.0.1:0"))
		server := &http.Server{Handler: handler}
		go func() { _ = server.Serve(l) }()
		defer server.Close()
		addresses[name] = l.Addr().String()
	}
	bodies := make([][]byte, 1000)
	for i := range bodies {
		bodies[i] = genuine(fmt.Sprint("ORD_", i))
	}
	spent := map[string]time.Duration{}
	for _, name := range []string{"bare", "receiver"} { // connections and code are warm
		load(b, addresses[name], bodies, 0)
	}
	b.ResetTimer()
	rounds := 0
	for range b.N {
		for range 5 {
			rounds++
			for _, name := range []string{"bare", "receiver"} {
				_, took := load(b, addresses[name], bodies, 0)
				spent[name] += took
			}
		}
	}
	b.StopTimer()
	rate := func(name string) float64 { return float64(rounds*len(bodies)) / spent[name].Seconds() }
	b.ReportMetric(rate("bare"), "bare/s")
	b.ReportMetric(rate("receiver"), "receiver/s")
	b.ReportMetric(rate("receiver")/rate("bare"), "ratio")
	for _, name := range []string{"bare", "receiver"} {
		took, _ := load(b, addresses[name], bodies, time.Duration(float64(time.Second)/(0.7*rate(name))))
		p50, p99 := took[len(took)/2], took[len(took)*99/100]
		b.ReportMetric(float64(p50.Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(p99)/float64(p50), name+"-p99/p50")
	}
	b.ReportMetric(0, "ns/op")
}
