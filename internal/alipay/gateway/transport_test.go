package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

// silent reads the request and never answers.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// broken runs a network that does not reach the gateway.
func broken(err error) func(*gateway.OpenAPIOptions) {
	return func(o *gateway.OpenAPIOptions) {
		o.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
}

// TestTransportEvents: the rows of errors.json on calls without a usable answer. By the design
// an unsigned success is Untrusted for every method, where the vectors say query_first or human.
func TestTransportEvents(t *testing.T) {
	v := alipaytest.Load[alipaytest.ErrorTable](t, "openapi/errors.json")
	for _, c := range v.Transport {
		for _, m := range v.Methods(c.Method) {
			want, handler := classOf(t, c.Reaction, ""), silent
			change := func(o *gateway.OpenAPIOptions) { o.Timeout = 50 * time.Millisecond }
			switch c.Event {
			case "dns_failure":
				change = broken(&net.DNSError{Err: "no such host", Name: "gateway.test"})
			case "tls_failure": // the gateway speaks plain HTTP
				change = func(o *gateway.OpenAPIOptions) { o.URL = "https://gateway.test/gateway.do" }
			case "timeout_after_send":
			case "success_not_signed":
				want = alipay.Untrusted
				handler = answering(200, `{"`+nodeName(m)+`":{"code":"10000","msg":"Success",`+numbers(m)+`}}`)
			default:
				t.Fatalf("event %q is not known", c.Event)
			}
			synctest.Test(t, func(t *testing.T) { // a busy machine may need longer than the time-out
				app := openAPI(t, handler, change)
				_, err := app.Client(alipay.Merchant{}).Do(t.Context(), ofMethod(t, m))
				if got := alipay.ClassOf(err); got != want {
					t.Errorf("%s %s: class = %v, want %v (%v)", c.Event, m, got, want, err)
				}
			})
		}
	}
	t.Logf("openapi/errors.json: %d transport rows", len(v.Transport))
}

// TestNotSentIsToldFromMaybeArrived: only what certainly did not arrive may be repeated blindly.
func TestNotSentIsToldFromMaybeArrived(t *testing.T) {
	hangUp := func(after func(net.Conn)) func(*gateway.OpenAPIOptions) {
		return func(o *gateway.OpenAPIOptions) {
			o.DialContext = func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() { after(theirs); _ = theirs.Close() }()
				return ours, nil
			}
		}
	}
	for _, tt := range []struct {
		name          string
		change        func(*gateway.OpenAPIOptions)
		create, query alipay.Class
	}{
		{"refused", broken(errors.New("connection refused")), alipay.Transient, alipay.Transient},
		{"hung up before a byte was read", hangUp(func(net.Conn) {}), alipay.Ambiguous, alipay.Transient},
		{"hung up after the first bytes", hangUp(func(c net.Conn) { _, _ = c.Read(make([]byte, 64)) }), alipay.Ambiguous, alipay.Transient},
		{"answered no HTTP", hangUp(func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); _, _ = c.Write([]byte("hello\r\n\r\n")) }), alipay.Ambiguous, alipay.Transient},
		{"cut in the body", hangUp(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 8192))
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"alipay"))
		}), alipay.Ambiguous, alipay.Transient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for r, want := range map[alipay.Request]alipay.Class{alipaytest.Create(): tt.create, alipaytest.Query(): tt.query} {
				app := openAPI(t, silent, tt.change)
				_, err := app.Client(alipay.Merchant{}).Do(t.Context(), r)
				if got := alipay.ClassOf(err); got != want {
					t.Errorf("%s, %s: class = %v, want %v (%v)", tt.name, r.Method(), got, want, err)
				}
			}
		})
	}
}

// TestHTTPStatuses: what a status says of the call, and Retry-After.
func TestHTTPStatuses(t *testing.T) {
	for _, tt := range []struct {
		status        int
		retryAfter    string
		create, query alipay.Class
		pause         time.Duration
	}{
		{429, "7", alipay.Throttled, alipay.Throttled, 7 * time.Second},
		{429, "999999", alipay.Throttled, alipay.Throttled, 10 * time.Minute},
		{429, "-1", alipay.Throttled, alipay.Throttled, 0},
		{429, "soon", alipay.Throttled, alipay.Throttled, 0},
		{503, "Thu, 01 Jan 2026 00:00:30 GMT", alipay.Ambiguous, alipay.Transient, 30 * time.Second},
		{502, "", alipay.Ambiguous, alipay.Transient, 0},
		{408, "", alipay.Ambiguous, alipay.Transient, 0},
		{404, "", alipay.Misconfigured, alipay.Misconfigured, 0},
		{302, "", alipay.Misconfigured, alipay.Misconfigured, 0},
		{204, "", alipay.Ambiguous, alipay.Ambiguous, 0},
		{299, "", alipay.Ambiguous, alipay.Ambiguous, 0},
		{300, "", alipay.Misconfigured, alipay.Misconfigured, 0},
		{499, "", alipay.Misconfigured, alipay.Misconfigured, 0},
		{500, "", alipay.Ambiguous, alipay.Transient, 0},
	} {
		t.Run(fmt.Sprint(tt.status, " ", tt.retryAfter), func(t *testing.T) {
			for r, want := range map[alipay.Request]alipay.Class{alipaytest.Create(): tt.create, alipaytest.Query(): tt.query} {
				_, err := call(t, func(w http.ResponseWriter, req *http.Request) {
					w.Header().Set("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
					w.Header().Set("Location", "http://elsewhere.test/")
					if tt.retryAfter != "" {
						w.Header().Set("Retry-After", tt.retryAfter)
					}
					body := ""
					if tt.status != 204 { // a signed success that the status denies
						body = signedAnswer(t, r.Method(), `{"code":"10000",`+numbers(r.Method())+`}`)
					}
					answering(tt.status, body)(w, req)
				}, r)
				var e *alipay.Error
				if errors.As(err, &e); e == nil || e.Class != want || e.RetryAfter != tt.pause || e.HTTPStatus != tt.status {
					t.Errorf("%d, %s: %+v, want %v and %v", tt.status, r.Method(), e, want, tt.pause)
				}
				if e.Class == alipay.Misconfigured && e.Proof != alipay.ProofCanary {
					t.Errorf("%d alone stops the app", tt.status)
				}
			}
		})
	}
}

// TestAnswerIsBounded: an endless or compressed answer is none.
func TestAnswerIsBounded(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"2 MiB": answering(200, strings.Repeat("x", 2<<20)),
		"gzip": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			answering(200, "x")(w, r)
		},
		"headers of 128 KiB": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 128<<10))
			answering(200, "x")(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := call(t, h, alipaytest.Create()); alipay.ClassOf(err) != alipay.Ambiguous {
				t.Errorf("%v, want Ambiguous", err)
			}
		})
	}
}

// TestDeadlines: an attempt ends at its time-out, a connection that cannot be made before.
func TestDeadlines(t *testing.T) {
	for _, tt := range []struct {
		name string
		dial func(ctx context.Context, network, addr string) (net.Conn, error) // nil: a silent gateway
		want alipay.Class
		took time.Duration
	}{
		{"silent gateway", nil, alipay.Ambiguous, 15 * time.Second},
		{"no connection", func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }, alipay.Transient, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := openAPI(t, silent, func(o *gateway.OpenAPIOptions) {
					if tt.dial != nil {
						o.DialContext = tt.dial
					}
				})
				begin := time.Now()
				_, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Create())
				if got := alipay.ClassOf(err); got != tt.want || time.Since(begin) != tt.took {
					t.Errorf("class = %v after %v, want %v after %v (%v)", got, time.Since(begin), tt.want, tt.took, err)
				}
			})
		})
	}
}

// TestCancelledBeforeAndAfter: the caller's end of a call, before and after it was sent.
func TestCancelledBeforeAndAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := openAPI(t, silent)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := app.Client(alipay.Merchant{}).Do(ctx, alipaytest.Create())
		if alipay.ClassOf(err) != alipay.Transient || !errors.Is(err, context.Canceled) {
			t.Errorf("before: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = app.Client(alipay.Merchant{}).Do(ctx, alipaytest.Create())
		if alipay.ClassOf(err) != alipay.Ambiguous || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after: %v", err)
		}
	})
}

// TestConnectionsAreKept: no more connections than calls in flight, and all of them used again.
func TestConnectionsAreKept(t *testing.T) {
	const inFlight, rounds = 16, 10
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		pipe := serve(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(50 * time.Millisecond) // the gateway's work, in the bubble's time
			answering(200, "{}")(w, r)
		})
		pipe.dials = func() { dials.Add(1) }
		app := openAPI(t, silent, func(o *gateway.OpenAPIOptions) { o.DialContext, o.InFlight = pipe.dial, inFlight })
		c := app.Client(alipay.Merchant{})
		var wg sync.WaitGroup
		for range inFlight {
			wg.Go(func() {
				for range rounds {
					_, _ = c.Do(t.Context(), alipaytest.Query())
				}
			})
		}
		wg.Wait()
		if got := dials.Load(); got > inFlight {
			t.Errorf("%d connections for %d calls, %d at once", got, inFlight*rounds, inFlight)
		}
	})
}

// TestProxyOfTheEnvironmentIsIgnored: keys and orders take no detour. net/http reads the environment once, so that the
// addresses that are dialled show it only in a process that has made no call before.
func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	if openAPI(t, silent).UsesProxy() || hkApp(t, silent).UsesProxy() {
		t.Error("a proxy may be used")
	}
	t.Setenv("HTTP_PROXY", "http://proxy.test:1")
	t.Setenv("HTTPS_PROXY", "http://proxy.test:1")
	synctest.Test(t, func(t *testing.T) { // the time-out does not pass before the call has its connection
		var hosts []string
		pipe := serve(t, silent)
		_, _ = openAPI(t, silent, func(o *gateway.OpenAPIOptions) {
			o.DialContext = func(ctx context.Context, n, addr string) (net.Conn, error) {
				hosts = append(hosts, addr)
				return pipe.dial(ctx, n, addr)
			}
		}).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
		if len(hosts) != 1 || hosts[0] != "gateway.test:80" {
			t.Errorf("dialled %v", hosts)
		}
	})
}

// TestCauseOfTheEnd: a call that ends with its context says why that ended.
func TestCauseOfTheEnd(t *testing.T) {
	cause := errors.New("the partition was given away")
	ctx, cancel := context.WithCancelCause(t.Context())
	app := openAPI(t, func(w http.ResponseWriter, r *http.Request) {
		cancel(cause)
		<-r.Context().Done()
	})
	if _, err := app.Client(alipay.Merchant{}).Do(ctx, alipaytest.Query()); !errors.Is(err, cause) || strings.Count(err.Error(), cause.Error()) != 1 {
		t.Errorf("%v", err)
	}
}
