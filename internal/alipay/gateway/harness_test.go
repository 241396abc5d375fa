package gateway_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// newKey makes a key; ourKey and theirKey are made once per run.
func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

var (
	ourKey   = sync.OnceValue(newKey) // the merchant's
	theirKey = sync.OnceValue(newKey) // Alipay's
)

// sign signs as Alipay does, written apart from the code under test.
func sign(t testing.TB, key *rsa.PrivateKey, text []byte) string {
	t.Helper()
	digest := sha256.Sum256(text)
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// signedAnswer is the answer of the classic gateway with this node.
func signedAnswer(t testing.TB, m alipay.Method, node string) string {
	return `{"` + nodeName(m) + `":` + node + `,"sign":"` + sign(t, theirKey(), []byte(node)) + `"}`
}

func nodeName(m alipay.Method) string { return strings.ReplaceAll(string(m), ".", "_") + "_response" }

// pipeNet is a network without sockets, so that tests can run in a synctest bubble.
type pipeNet struct {
	conns  chan net.Conn
	closed chan struct{}
	dials  func() // called for every dial
}

func (p *pipeNet) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipeNet) Close() error   { close(p.closed); return nil }
func (p *pipeNet) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipeNet) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if p.dials != nil {
		p.dials()
	}
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs a gateway until the test ends and returns the network that leads to it.
func serve(t testing.TB, h http.HandlerFunc) *pipeNet {
	t.Helper()
	p := &pipeNet{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: h, ErrorLog: nil}
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(p) })
	t.Cleanup(func() { _ = s.Close(); wg.Wait() })
	return p
}

// openAPI returns an app whose gateway is h.
func openAPI(t testing.TB, h http.HandlerFunc, change ...func(*gateway.OpenAPIOptions)) *gateway.App {
	t.Helper()
	o := gateway.OpenAPIOptions{
		URL: "http://gateway.test/gateway.do", AppID: "2021000000000001",
		Signer: keys.NewRSASigner(ourKey()), AlipayKey: &theirKey().PublicKey,
		DialContext: serve(t, h).dial,
	}
	for _, c := range change {
		c(&o)
	}
	app, err := gateway.NewOpenAPI(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	return app
}

// answering answers every request with a body.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// call makes one call through a fresh app.
func call(t testing.TB, h http.HandlerFunc, r alipay.Request) (alipay.Reply, error) {
	t.Helper()
	return openAPI(t, h).Client(alipay.Merchant{}).Do(t.Context(), r)
}

func ofMethod(t testing.TB, m alipay.Method) alipay.Request {
	t.Helper()
	for _, r := range alipaytest.Classic() {
		if r.Method() == m {
			return r
		}
	}
	t.Fatalf("no request of %s", m)
	return nil
}

// numbers are the members that every success of a method has, with the numbers of its request.
func numbers(m alipay.Method) string {
	switch m {
	case alipay.MethodTradeCreate:
		return `"out_trade_no":"ORD_1","trade_no":"2015042321001004720200028594"`
	case alipay.MethodTradeQuery:
		return `"out_trade_no":"ORD_1","trade_no":"2015042321001004720200028594","trade_status":"TRADE_SUCCESS","total_amount":"88.88"`
	case alipay.MethodOrderInfoSync:
		return `"out_trade_no":"ORD_1","trade_no":"2018061021001004680073956707","buyer_user_id":"2088101117955611"`
	}
	return `"order_no":"20170427000000001000000001","out_order_no":"ORD_1","partner_id":"20180000000001","status":"CLOSE",
		"buyer_id":"2088102164040745","biz_product":"ONLINE_TRADE_PAY","gmt_create":"2016-09-29 00:00:00","gmt_modified":"2016-09-29 00:00:00",
		"total_amount":25,"real_pay_amount":20,"deliver_seller_real_amount":5,"item_order_vo":[{"item_order_no":"1","sku_id":"2","quantity":2,"price":10}]`
}
