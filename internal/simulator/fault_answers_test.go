package simulator_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// post sends a signed query of o_1 over a real connection.
func post(ctx context.Context, t *testing.T, url string) (*http.Response, error) {
	t.Helper()
	query, body := form("alipay.trade.query", `{"out_trade_no":"o_1"}`, nil, generated().app.MerchantKey)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/gateway.do?"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	return http.DefaultClient.Do(r)
}

func TestTCPReset(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	s := httptest.NewServer(b.sim)
	defer s.Close()
	b.sim.AddFault(simulator.TCPReset(""))
	if resp, err := post(t.Context(), t, s.URL); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("answer %v, %v, want a reset", resp, err)
	}
}

// TestTimeoutHolds: there is no answer until the caller disconnects, and no effect.
func TestTimeoutHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newHarness(t, simulator.Options{Now: time.Now})
		b.sim.AddFault(simulator.Timeout("alipay.trade.create"))
		query, body := form("alipay.trade.create", `{"out_trade_no":"o_1","total_amount":"1.00","subject":"s","buyer_id":"2088102146225135"}`, nil, generated().app.MerchantKey)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/gateway.do?"+query, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
		began := time.Now()
		func() {
			defer func() {
				if got, ok := recover().(error); !ok || !errors.Is(got, http.ErrAbortHandler) {
					t.Errorf("recovered %v", got)
				}
			}()
			b.sim.ServeHTTP(httptest.NewRecorder(), r)
		}()
		if got := time.Since(began); got != 15*time.Second || b.sim.Tally("o_1").Executions != 0 {
			t.Errorf("held for %s, %+v", got, b.sim.Tally("o_1"))
		}
	})
}

func TestTruncatedAndSlowBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newHarness(t, simulator.Options{Now: time.Now, Trades: []simulator.Trade{{OutTradeNo: "o_1", Total: 100}}})
		ask := func() []byte {
			query, body := form("alipay.trade.query", `{"out_trade_no":"o_1"}`, nil, generated().app.MerchantKey)
			raw, err := io.ReadAll(b.send(query, body, "application/x-www-form-urlencoded;charset=utf-8").Body)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		b.sim.AddFault(simulator.Truncated(""))
		if raw := ask(); json.Valid(raw) || len(raw) == 0 {
			t.Errorf("truncated: %q", raw)
		}
		b.sim.AddFault(simulator.SlowBody("", 20*time.Second))
		began := time.Now()
		raw := ask()
		if took := time.Since(began); !json.Valid(raw) || took < 20*time.Second || took > 22*time.Second {
			t.Errorf("slow: %q after %s", raw, took)
		}
	})
}

// TestReplayedAnswer: an earlier, validly signed answer comes again.
func TestReplayedAnswer(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	b.sim.AddFault(simulator.Replayed("alipay.trade.query").Skip(1))
	b.call("alipay.trade.create", order("o_1"), nil)
	byNo := map[string]any{"out_trade_no": "o_1"}
	b.call("alipay.trade.query", byNo, nil)
	if err := b.sim.Pay("o_1"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"TRADE_SUCCESS", "WAIT_BUYER_PAY", "TRADE_SUCCESS"} {
		if got := b.call("alipay.trade.query", byNo, nil); got.fields["trade_status"] != want || !got.signed {
			t.Errorf("status %v (signed %v), want %s", got.fields["trade_status"], got.signed, want)
		}
	}
}

// TestAnswersThatSayLess: both gateways, before and after the effect: the answer leaves the outcome open.
func TestAnswersThatSayLess(t *testing.T) {
	for _, tt := range []struct {
		fault       simulator.Fault
		result      string
		withOrderID bool
		executions  int
	}{
		{simulator.Accepted("").AfterEffect(), "ACCEPTED/A", false, 1},
		{simulator.Accepted(""), "ACCEPTED/A", false, 0},
		{simulator.NoOrderID(""), "SUCCESS/S", false, 1},
		{simulator.Unavailable(""), "UNKNOWN_EXCEPTION/U", false, 0},
		{simulator.Unavailable("").AfterEffect(), "UNKNOWN_EXCEPTION/U", false, 1},
		{simulator.Skewed("", time.Hour), "SUCCESS/S", true, 1},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			b := newHarness(t, simulator.Options{Faults: []simulator.Fault{tt.fault}})
			got := b.hk(hkBody("m_1", b.now))
			if got.result != tt.result || (got.orderID != "") != tt.withOrderID || !got.signed {
				t.Errorf("HK: %+v", got)
			}
			if n := b.sim.Tally("m_1").Executions; n != tt.executions {
				t.Errorf("HK: %d executions, want %d", n, tt.executions)
			}
			if at, _ := time.Parse(time.RFC3339, got.header.Get("Response-Time")); strings.HasPrefix(tt.fault.String(), "skewed") && !at.Equal(b.now.Add(time.Hour)) {
				t.Errorf("HK: Response-Time %s", at)
			}
		})
	}
	b := newHarness(t, simulator.Options{Faults: []simulator.Fault{simulator.Accepted(""), simulator.NoOrderID("")}})
	if got := b.call("alipay.trade.create", order("o_1"), nil); got.code != "10003" || !got.signed {
		t.Errorf("accepted: %+v", got)
	}
	query, body := form("alipay.trade.create", `{"out_trade_no":"o_2","total_amount":"1.00","subject":"s","buyer_id":"2088102146225135"}`, nil, generated().app.MerchantKey)
	got := b.read(b.send(query, body, "application/x-www-form-urlencoded;charset=utf-8"), &generated().app.App.SigningKey.PublicKey, crypto.SHA256)
	if got.code != "10000" || len(got.fields) != 2 || !got.signed {
		t.Errorf("without numbers: %+v", got)
	}
}
