package standalone

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// A page must not read or control the simulator: neither one of another origin, nor one whose name was bound
// to this machine after it was loaded.
func TestAdminPortIsNotForPages(t *testing.T) {
	sim, err := simulator.New(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := adminHandler(sim, "simulator.test")
	for _, tt := range []struct {
		name, method, url, origin string
		want                      int
	}{
		{"a client here", "GET", "http://127.0.0.1:8091/trades", "", http.StatusOK},
		{"by name", "GET", "http://localhost:8091/trades", "", http.StatusOK},
		{"by IPv6", "GET", "http://[::1]:8091/trades", "", http.StatusOK},
		{"by the name of its address", "GET", "http://simulator.test:8091/trades", "", http.StatusOK},
		{"by the address of the connection", "GET", "http://192.0.2.7:8091/trades", "", http.StatusOK},
		{"by another address", "GET", "http://192.0.2.8:8091/trades", "", http.StatusMisdirectedRequest},
		{"a name that was bound anew", "GET", "http://evil.example:8091/trades", "http://evil.example:8091", http.StatusMisdirectedRequest},
		{"a name that was bound anew changes nothing", "POST", "http://evil.example:8091/outage/start", "http://evil.example:8091", http.StatusMisdirectedRequest},
		{"a name with this machine's in it", "GET", "http://localhost.evil.example:8091/trades", "", http.StatusMisdirectedRequest},
		{"a page of another origin reads", "GET", "http://127.0.0.1:8091/trades", "http://evil.example", http.StatusForbidden},
		{"a page of another origin writes", "POST", "http://127.0.0.1:8091/outage/start", "http://evil.example", http.StatusForbidden},
		{"a page of no origin", "GET", "http://127.0.0.1:8091/trades", "null", http.StatusForbidden},
		{"another port is another origin", "GET", "http://127.0.0.1:8091/trades", "http://127.0.0.1:3000", http.StatusForbidden},
		{"its own origin", "POST", "http://127.0.0.1:8091/outage/stop", "http://127.0.0.1:8091", http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.url, nil)
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 8091})))
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
		})
	}
}

// TestAdminPlaysBuyerAndMerchant: what a person needs to bring about any notification by hand.
func TestAdminPlaysBuyerAndMerchant(t *testing.T) {
	app, err := GenerateApp("2021000000000001")
	if err != nil {
		t.Fatal(err)
	}
	sim, err := simulator.New(simulator.Options{Apps: []simulator.App{app.App}})
	if err != nil {
		t.Fatal(err)
	}
	h := adminHandler(sim, "")
	const order = `{out_trade_no: o1, total: "88.88", notify_url: "http://127.0.0.1:1/", steps: [{after: 1h, do: refund, amount: "1.00"}]}`
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/trades", order, http.StatusOK},
		{"POST", "/trades", order, http.StatusConflict},
		{"POST", "/trades", `{out_trade_no: o2, total: "1.00", colour: red}`, http.StatusBadRequest},
		{"POST", "/trades", `{out_trade_no: o2, total: "1.00", steps: [{do: earthquake}]}`, http.StatusConflict},
		{"POST", "/notifications/faults", `[{kind: late, delay: 30h, times: 3}, {kind: gbk, probability: 1}]`, http.StatusOK},
		{"POST", "/notifications/faults", `[{kind: late}, {kind: earthquake}]`, http.StatusBadRequest},
		{"POST", "/trades/o1/pay?amount=0.01&currency=HKD&seller=2088000000000666", "", http.StatusOK},
		{"POST", "/trades/o1/pay_second", "", http.StatusOK},
		{"POST", "/trades/o1/foreign", "", http.StatusOK},
		{"POST", "/trades/o1/close?seller=1", "", http.StatusConflict},
		{"DELETE", "/notifications/faults", "", http.StatusOK},
	} {
		r := httptest.NewRequest(tt.method, "http://localhost"+tt.path, strings.NewReader(tt.body))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != tt.want {
			t.Errorf("%s %s %s: %d, want %d: %s", tt.method, tt.path, tt.body, w.Code, tt.want, w.Body)
		}
	}
	sim.Advance(time.Hour)
	first := sim.Trades()[0]
	if first.Total != 1 || first.Refunded != 0 || first.Currency != "HKD" || first.SellerID != "2088000000000666" {
		t.Errorf("the first trade: %+v", first)
	}
	all := sim.Notifications()
	if len(all) != 3 || len(sim.Trades()) != 3 {
		t.Fatalf("%d notifications, %d trades", len(all), len(sim.Trades()))
	}
	for _, n := range all {
		if n.Shift != -30*time.Hour || n.Params["charset"] != "GBK" {
			t.Errorf("%+v: the faults did not act", n)
		}
	}
}
