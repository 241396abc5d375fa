package standalone

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

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
