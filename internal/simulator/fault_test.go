package simulator_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// serve runs the simulator behind a pipe, inside a bubble.
func serve(t *testing.T, b *harness) *http.Client {
	t.Helper()
	pipe := simulator.NewPipe()
	server := &http.Server{Handler: b.sim}
	done := make(chan error, 1)
	go func() { done <- server.Serve(pipe) }()
	transport := &http.Transport{DialContext: pipe.DialContext, DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return &http.Client{Transport: transport}
}

// outcome makes a call and returns what the caller sees: the code with its sub_code, the HTTP status, or "error".
func outcome(t *testing.T, c *http.Client, r *http.Request) (got string, sig bool) {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		return "error", false
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, resp.Body)
		return http.StatusText(resp.StatusCode) + resp.Header.Get("Retry-After"), false
	}
	if r.URL.Path == simulator.HKPath {
		a := readHK(t, resp, simulator.HKPath, &generated().hk.App.PlatformKey.PublicKey)
		return a.result, a.signed
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "error", false
	}
	a := readClassic(t, raw, &generated().app.App.SigningKey.PublicKey, crypto.SHA256)
	return strings.TrimSpace(a.code + " " + a.sub), a.signed
}

// request returns a call of any method for the order o_1.
func request(ctx context.Context, method string) *http.Request {
	if method == string(simulator.HKOrderSync) {
		r := hkRequest(hkBody("o_1", time.Now()), time.Now(), generated().hk.MerchantKey)
		out, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://sim"+simulator.HKPath, r.Body)
		out.Header = r.Header
		return out
	}
	content := map[string]string{
		"alipay.trade.create":          `{"out_trade_no":"o_1","total_amount":"88.88","subject":"s","buyer_id":"2088102146225135"}`,
		"alipay.trade.query":           `{"out_trade_no":"o_1"}`,
		"alipay.trade.orderinfo.sync":  `{"trade_no":"2018061021001004680073956707","out_request_no":"r1","biz_type":"CREDIT_AUTH"}`,
		"koubei.trade.itemorder.query": `{"order_no":"o_1"}`,
	}[method]
	query, body := form(method, content, nil, generated().app.MerchantKey)
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://sim"+simulator.GatewayPath+"?"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	return r
}

// TestFaults: each fault, before and after the effect. The call is made twice; the fault acts once.
func TestFaults(t *testing.T) {
	const create, query, hk = simulator.TradeCreate, simulator.TradeQuery, simulator.HKOrderSync
	for _, tt := range []struct {
		name   string
		fault  simulator.Fault
		method simulator.Method
		want   string // of the first call; the second succeeds
		signed bool   // of the first call
		tally  simulator.Tally
		early  int // executions after the first call
	}{
		// The connection breaks before the effect: the second call is the first execution.
		{"lost before", simulator.CutBefore(create), create, "error", false, simulator.Tally{Requests: 2, Executions: 1}, 0},
		// The connection breaks although the trade exists: the second call finds it.
		{"lost after", simulator.CutAfter(create), create, "error", false, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"lost before, HK", simulator.CutBefore(hk), hk, "error", false, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"lost after, HK", simulator.CutAfter(hk), hk, "error", false, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"lost before, query", simulator.CutBefore(query), query, "error", false, simulator.Tally{Queries: 2}, 0},
		// A proxy answers in the gateway's place.
		{"502 before", simulator.BadGateway(create), create, "Bad Gateway", false, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"502 after", simulator.BadGateway(create).AfterEffect(), create, "Bad Gateway", false, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"429", simulator.TooManyRequests(create, 3*time.Second), create, "Too Many Requests3", false, simulator.Tally{Requests: 2, Executions: 1}, 0},
		// The gateway answers, but the answer does not say what happened.
		{"20000 before", simulator.Unavailable(create), create, "20000 isp.unknow-error", true, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"20000 after", simulator.Unavailable(create).AfterEffect(), create, "20000 isp.unknow-error", true, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"system error before", simulator.SystemError(create), create, "40004 ACQ.SYSTEM_ERROR", true, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"system error after", simulator.SystemError(create).AfterEffect(), create, "40004 ACQ.SYSTEM_ERROR", true, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"system error, Koubei", simulator.SystemError(""), simulator.ItemOrderQuery, "40004 SYSTEM_ERROR", true, simulator.Tally{Queries: 2}, 0},
		{"unknown before, HK", simulator.Unavailable(hk), hk, "UNKNOWN_EXCEPTION/U", true, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"unknown after, HK", simulator.SystemError(hk).AfterEffect(), hk, "UNKNOWN_EXCEPTION/U", true, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"throttled", simulator.Throttled(create), create, "40005 isv.app-call-limited", true, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"throttled, HK", simulator.Throttled(hk), hk, "REQUEST_TRAFFIC_EXCEED_LIMIT/U", true, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"named refusal", simulator.Refuse(create, "ACQ.TOTAL_FEE_EXCEED"), create, "40004 ACQ.TOTAL_FEE_EXCEED", true, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"named refusal, other code", simulator.Refuse(create, "isv.x").WithCode("40003"), create, "40003 isv.x", true, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"named refusal, HK", simulator.Refuse(hk, "PROCESS_FAIL"), hk, "PROCESS_FAIL/F", true, simulator.Tally{Requests: 2, Executions: 1}, 0},
		// The effect takes place and the answer cannot be trusted.
		{"unsigned", simulator.Unsigned(create), create, "10000", false, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"unsigned, HK", simulator.Unsigned(hk), hk, "SUCCESS/S", false, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"wrong key", simulator.WrongKey(create), create, "10000", false, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"wrong key, HK", simulator.WrongKey(hk), hk, "SUCCESS/S", false, simulator.Tally{Requests: 2, Executions: 1}, 1},
		// Faults for other requests.
		{"other method", simulator.CutBefore(query), create, "10000", true, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"other order", simulator.CutBefore(create).Order("o_2"), create, "10000", true, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"other app", simulator.CutBefore(create).App("x"), create, "10000", true, simulator.Tally{Requests: 2, Executions: 1}, 1},
		{"this order", simulator.CutBefore(create).Order("o_1").App(appID), create, "error", false, simulator.Tally{Requests: 2, Executions: 1}, 0},
		{"never", simulator.CutBefore(create).Times(0), create, "10000", true, simulator.Tally{Requests: 2, Executions: 1}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newHarness(t, simulator.Options{
					Now: time.Now, Faults: []simulator.Fault{tt.fault},
					ItemOrders: []simulator.ItemOrder{{OrderNo: "o_1", Status: "PAID"}},
				})
				c := serve(t, b)
				got, signed := outcome(t, c, request(t.Context(), string(tt.method)))
				if got != tt.want || signed != tt.signed {
					t.Errorf("first call = %s (signed %v), want %s (signed %v)", got, signed, tt.want, tt.signed)
				}
				if got := b.sim.Tally("o_1").Executions; got != tt.early {
					t.Errorf("executions after the first call = %d, want %d", got, tt.early)
				}
				got, signed = outcome(t, c, request(t.Context(), string(tt.method)))
				if ok := strings.HasPrefix(got, "10000") || got == "SUCCESS/S" || tt.method == query; !ok || !signed {
					t.Errorf("second call = %s (signed %v)", got, signed)
				}
				if got := b.sim.Tally("o_1"); got != tt.tally {
					t.Errorf("tally = %+v, want %+v", got, tt.tally)
				}
			})
		})
	}
}

func TestSwappedAnswerIsGenuineAndOfAnotherOrder(t *testing.T) {
	b := newHarness(t, simulator.Options{Faults: []simulator.Fault{simulator.Swapped("alipay.trade.create")}})
	b.call("alipay.trade.create", order("o_1"), nil) // no other answer yet: the fault does not act
	got := b.call("alipay.trade.create", order("o_2"), nil)
	if got.fields["out_trade_no"] != "o_1" || !got.signed {
		t.Errorf("answer = %v, signed %v", got.fields, got.signed)
	}
	if got := b.sim.Tally("o_2").Executions; got != 1 {
		t.Errorf("executions = %d", got)
	}
	if got := b.call("alipay.trade.create", order("o_2"), nil); got.fields["out_trade_no"] != "o_2" {
		t.Errorf("later answer = %v", got.fields)
	}
}

func TestCountSkipAndProbability(t *testing.T) {
	b := newHarness(t, simulator.Options{Faults: []simulator.Fault{simulator.Throttled("alipay.trade.query").Skip(1).Times(2)}})
	var got []string
	for range 5 {
		got = append(got, b.call("alipay.trade.query", map[string]any{"out_trade_no": "x"}, nil).code)
	}
	if want := "40004 40005 40005 40004 40004"; strings.Join(got, " ") != want {
		t.Errorf("codes = %v, want %s", got, want)
	}
	codesOf := func(seed uint64) string {
		b := newHarness(t, simulator.Options{Seed: seed, Faults: []simulator.Fault{simulator.Throttled("").Probability(0.5)}})
		var codes []string
		for range 40 {
			codes = append(codes, b.call("alipay.trade.query", map[string]any{"out_trade_no": "x"}, nil).code)
		}
		return strings.Join(codes, " ")
	}
	one, again, two := codesOf(1), codesOf(1), codesOf(2)
	if one != again || one == two {
		t.Errorf("seed 1: %s; again: %s; seed 2: %s", one, again, two)
	}
	if n := strings.Count(one, "40005"); n < 8 || n > 32 {
		t.Errorf("the fault acted on %d of 40 requests, with probability 0.5", n)
	}
}

// TestOutage: in an outage, by StartOutage or by a time window, nothing is read and nothing happens.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newHarness(t, simulator.Options{Now: time.Now, Faults: []simulator.Fault{simulator.Outage(time.Now().Add(time.Minute), time.Now().Add(2*time.Minute))}})
		c := serve(t, b)
		call := func() string {
			got, _ := outcome(t, c, request(t.Context(), "alipay.trade.create"))
			return got
		}
		var got []string
		b.sim.StartOutage()
		got = append(got, call())
		b.sim.StopOutage()
		got = append(got, call())
		time.Sleep(time.Minute)
		got = append(got, call())
		time.Sleep(time.Minute)
		got = append(got, call())
		if want := "error 10000 error 10000"; strings.Join(got, " ") != want {
			t.Errorf("calls = %v, want %s", got, want)
		}
		if got, want := b.sim.Totals(), (simulator.Tally{Requests: 4, Executions: 1}); got != want {
			t.Errorf("totals = %+v, want %+v", got, want)
		}
	})
}

// TestLatency: half of it passes before the effect. A caller who gives up in the first half has no
// execution; one who gives up in the second half has one.
func TestLatency(t *testing.T) {
	for _, tt := range []struct {
		name     string
		patience time.Duration
		want     string
		executed int
	}{
		{"patient", time.Minute, "10000", 1},
		{"gone before the effect", time.Second, "error", 0},
		{"gone after the effect", 3 * time.Second, "error", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newHarness(t, simulator.Options{Now: time.Now, Latency: simulator.Latency{Fixed: 4 * time.Second}})
				c := serve(t, b)
				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				defer cancel()
				began := time.Now()
				got, _ := outcome(t, c, request(ctx, "alipay.trade.create"))
				if took, want := time.Since(began), min(tt.patience, 4*time.Second); got != tt.want || took != want {
					t.Errorf("call = %s after %s, want %s after %s", got, took, tt.want, want)
				}
				synctest.Wait()
				if got := b.sim.Tally("o_1").Executions; got != tt.executed {
					t.Errorf("executions = %d, want %d", got, tt.executed)
				}
			})
		})
	}
}

func TestDelaysAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newHarness(t, simulator.Options{Now: time.Now, Faults: []simulator.Fault{
			simulator.Delay("alipay.trade.create", 5*time.Second), simulator.Delay("", 2*time.Second).AfterEffect(), simulator.CutAfter(""),
		}})
		c := serve(t, b)
		began := time.Now()
		got, _ := outcome(t, c, request(t.Context(), "alipay.trade.create"))
		if took := time.Since(began); got != "error" || took != 7*time.Second {
			t.Errorf("call = %s after %s", got, took)
		}
	})
}

func TestPipe(t *testing.T) {
	p := simulator.NewPipe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.DialContext(ctx, "", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("dial with a cancelled context: %v", err)
	}
	_ = p.Close()
	_ = p.Close()
	if _, err := p.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	if _, err := p.DialContext(t.Context(), "", ""); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial after close: %v", err)
	}
}
