package admin_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/admin"
)

// desk is an admin port whose status is s.
func desk(s *admin.Status, access admin.Access, pprof bool) (http.Handler, *slog.LevelVar) {
	level := new(slog.LevelVar)
	o := admin.Operators{Status: func(n int) admin.Status {
		out := *s
		out.Waiting = out.Waiting[:min(n, len(out.Waiting))]
		out.Verdict = admin.Judge(&out)
		return out
	}, Level: level, Log: slog.New(slog.DiscardHandler), Pprof: pprof}
	return access.Handler(o.Handler()), level
}

func do(h http.Handler, method, url, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestO2_WhoMayAsk: a page of another site reaches nothing, and without the token neither does anyone else.
func TestO2_WhoMayAsk(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	open, level := desk(well(), admin.Access{Hosts: []string{"bridge-0.example.com"}}, false)
	closed, _ := desk(well(), admin.Access{Token: func() (string, error) { return token, nil }}, false)
	broken, _ := desk(well(), admin.Access{Token: func() (string, error) { return "", errors.New("no file") }}, false)
	for _, tt := range []struct {
		name, method, host string
		h                  http.Handler
		header             []string
		want               int
	}{
		{"loopback", "GET", "127.0.0.1:8087", open, nil, 200},
		{"loopback, version 6", "GET", "[::1]:8087", open, nil, 200},
		{"localhost", "GET", "localhost:8087", open, nil, 200},
		{"a host of the settings", "GET", "Bridge-0.example.com:8087", open, nil, 200},
		{"a name that leads here by DNS", "GET", "evil.example:8087", open, nil, 421},
		{"the same without a port", "GET", "evil.example", open, nil, 421},
		{"a token", "GET", "127.0.0.1:8087", closed, []string{"Authorization", "Bearer " + token}, 200},
		{"no token", "GET", "127.0.0.1:8087", closed, nil, 401},
		{"another token", "GET", "127.0.0.1:8087", closed, []string{"Authorization", "Bearer " + token[:31] + "x"}, 401},
		{"a part of the token", "GET", "127.0.0.1:8087", closed, []string{"Authorization", "Bearer " + token[:31]}, 401},
		{"another scheme", "GET", "127.0.0.1:8087", closed, []string{"Authorization", "Basic " + token}, 401},
		{"an empty token", "GET", "127.0.0.1:8087", closed, []string{"Authorization", "Bearer "}, 401},
		{"a token file that cannot be read", "GET", "127.0.0.1:8087", broken, []string{"Authorization", "Bearer "}, 401},
	} {
		if w := do(tt.h, tt.method, "http://x/status.json", "", append(tt.header, "Host", tt.host)...); w.Code != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, w.Code, w.Body, tt.want)
		}
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"}} {
		if w := do(open, "POST", "http://127.0.0.1:8087/log-level", "debug", header...); w.Code != 403 || level.Level() != slog.LevelInfo {
			t.Errorf("%v: %d, the level is %s", header, w.Code, level.Level())
		}
	}
	w := do(closed, "GET", "http://127.0.0.1/status", "")
	if strings.Contains(w.Body.String(), token) {
		t.Error("the refusal shows the token")
	}
}

// TestO3_Page: a hostile order number stays text; the page has no script, and may load nothing.
func TestO3_Page(t *testing.T) {
	s := well()
	const hostile = "<script>alert(1)</script>\u202e\x1b[31m\"'&"
	s.Waiting = []admin.Waiting{{Account: hostile, OrderNo: hostile, Topic: hostile, Code: hostile, Since: ago(0), Cause: "retry"}}
	s.Accounts[0].StoppedSince, s.Accounts[0].Error = ago(1), hostile
	s.Changes = []admin.Change{{At: ago(0), Level: "WARN", Text: hostile}}
	s.Partitions[0].State, s.Partitions[0].Reason = "stopped", hostile
	s.DeadLetters = []admin.DeadLetter{{At: ago(time.Minute), Topic: hostile, Reason: "invalid", Account: hostile, Source: "in", Partition: 3, Offset: 77}}
	for i := range 25 {
		s.Notifications = append(s.Notifications, admin.Notifications{Account: fmt.Sprint("n", i), Taken: i, LastTaken: ago(time.Hour)})
	}
	s.Notifications[24].LastRefused, s.Notifications[24].LastRefusal = ago(time.Minute), "forged"
	s.TradeStatus = admin.TradeStatus{Partitions: 1, Held: 1, Orders: []admin.Order{{Account: hostile, OrderNo: hostile, State: "HELD", Anomalies: []string{"amount_mismatch"}, Since: ago(time.Minute)}}}
	h, _ := desk(s, admin.Access{}, false)
	w := do(h, "GET", "http://127.0.0.1/status", "")
	text := w.Body.String()
	if w.Code != 200 || strings.Contains(text, "<script") || strings.ContainsAny(text, "\u202e\x1b") || !strings.Contains(text, "&lt;script&gt;") {
		t.Errorf("%d:\n%s", w.Code, text)
	}
	for _, want := range []string{"n24</td>", "<b class=\"bad\">forged</b>", "and 5 more accounts", "1 order held, 0 unresolved", "amount_mismatch", "Last dead letters", "<b class=\"bad\">invalid</b>", "in/3@77"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	s.Notifications, s.TradeStatus, s.DeadLetters = nil, admin.TradeStatus{}, nil
	if text := do(h, "GET", "http://127.0.0.1/status", "").Body.String(); strings.Contains(text, "Notifications") || strings.Contains(text, "Trade status") || strings.Contains(text, "dead letters") {
		t.Error("the page speaks of parts that do not run here")
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Error(policy)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestStrip: the top of the page has what an operator asks first, and a start that waits is not called empty.
func TestStrip(t *testing.T) {
	s := well()
	s.Instance.EventsPerSecond = 12.5
	s.Topics = []admin.Topic{{Name: "in", Lag: map[string]int64{"ready": 1000, "unread": 500, "retry": 7, "calling": 3}}, {Name: "own", Internal: true, Lag: map[string]int64{"ready": 9}}}
	s.Oldest = []admin.Oldest{{Account: "shop", Cause: "retry", Since: ago(3 * time.Minute)}, {Account: "shop", Cause: "calling", Since: ago(time.Hour)}, {Account: "shop", Cause: "retry", Since: ago(time.Hour), Internal: true}}
	s.Doubts = []admin.Doubt{{Account: "shop", Calls: 2, Since: ago(time.Minute)}}
	s.Apps[0].Breakers[0].State, s.Apps[0].Breakers[0].Probe = "open", ago(-7*time.Second)
	h, _ := desk(s, admin.Access{}, false)
	text := regexp.MustCompile("<[^>]*>").ReplaceAllString(do(h, "GET", "http://127.0.0.1/status", "").Body.String(), "")
	for _, want := range []string{"12.5 events/s over a minute · 3 under way · 1,507 waiting, the longest for 3 min · caught up in about 2 min · 2 with an unknown outcome", "open alipay.trade.create (calls), probes in 7 s"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	s = well()
	s.Topics, s.Instance.WaitsFor, s.Instance.WaitSince = nil, "the brokers", ago(time.Minute)
	h, _ = desk(s, admin.Access{}, false)
	if text := do(h, "GET", "http://127.0.0.1/status", "").Body.String(); strings.Count(text, "Nothing was read yet.") != 2 || strings.Contains(text, "waits.</p>") {
		t.Error(text)
	}
}

// TestProgressing: it fails, with the reason, only where the bridge itself cannot go on. Alipay's outages are no reason.
func TestProgressing(t *testing.T) {
	for name, tt := range map[string]struct {
		break1 func(*admin.Status)
		code   int
	}{
		"all is well":          {func(*admin.Status) {}, 200},
		"Alipay fails":         {func(s *admin.Status) { s.Apps[0].Breakers[0].State = "open" }, 200},
		"it starts":            {func(s *admin.Status) { s.Instance.WaitsFor, s.Instance.WaitSince = "the brokers", ago(time.Second) }, 200},
		"the start takes long": {func(s *admin.Status) { s.Instance.WaitsFor, s.Instance.WaitSince = "the brokers", ago(time.Minute) }, 503},
		"no broker answers":    {func(s *admin.Status) { s.Pipelines[0].Trouble = "no broker answers" }, 503},
		"stalled":              {func(s *admin.Status) { s.Pipelines[0].Stalled = true }, 503},
	} {
		s := well()
		tt.break1(s)
		h, _ := desk(s, admin.Access{}, false)
		if w := do(h, "GET", "http://127.0.0.1/progressing", ""); w.Code != tt.code || (w.Body.String() == "ok\n") != (tt.code == 200) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body.String())
		}
	}
}

// TestO1_NoProfiles: profiles are served only if the settings say so, and nothing else is there.
func TestO1_NoProfiles(t *testing.T) {
	off, _ := desk(well(), admin.Access{}, false)
	on, _ := desk(well(), admin.Access{}, true)
	for path, want := range map[string][2]int{
		"/debug/pprof/": {404, 200}, "/debug/pprof/goroutine?debug=2": {404, 200}, "/debug/vars": {404, 404}, "/metrics": {404, 404}, "/x": {404, 404}, "/": {303, 303},
	} {
		for i, h := range []http.Handler{off, on} {
			if w := do(h, "GET", "http://127.0.0.1"+path, ""); w.Code != want[i] {
				t.Errorf("%s with pprof %v: %d", path, i == 1, w.Code)
			}
		}
	}
}

func TestParametersOfTheStatus(t *testing.T) {
	s := well()
	for i := range 200 {
		s.Waiting = append(s.Waiting, admin.Waiting{OrderNo: fmt.Sprint("o", i), Since: ago(0)})
	}
	h, level := desk(s, admin.Access{}, false)
	for url, want := range map[string]int{
		"/status.json": 200, "/status.json?waiting=0": 200, "/status.json?waiting=10000": 200, "/status.json?waiting=10001": 400, "/status.json?waiting=-1": 400, "/status.json?waiting=x": 400,
		"/status?refresh=0": 200, "/status?refresh=30": 200, "/status?refresh=1": 400, "/status?refresh=x": 400,
	} {
		if w := do(h, "GET", "http://127.0.0.1"+url, ""); w.Code != want {
			t.Errorf("%s: %d", url, w.Code)
		}
	}
	if w := do(h, "GET", "http://127.0.0.1/status?refresh=0", ""); strings.Contains(w.Body.String(), "http-equiv") {
		t.Error("the page loads itself again")
	}
	if n := strings.Count(do(h, "GET", "http://127.0.0.1/status.json", "").Body.String(), `"order_no"`); n != 100 {
		t.Errorf("%d events without a parameter", n)
	}
	for body, want := range map[string]int{"debug\n": 200, "error": 200, "trace": 400, "": 400, "INFO": 400, strings.Repeat("x", 1<<20): 400} {
		if w := do(h, "POST", "http://127.0.0.1/log-level", body); w.Code != want {
			t.Errorf("level %.10q: %d", body, w.Code)
		}
	}
	do(h, "POST", "http://127.0.0.1/log-level", "warn")
	if got := do(h, "GET", "http://127.0.0.1/log-level", "").Body.String(); got != "warn\n" || level.Level() != slog.LevelWarn {
		t.Errorf("the level is %q", got)
	}
}

// TestAsk: instances are asked at once; one that lies, is slow or gone says so, and the others answer.
func TestAsk(t *testing.T) {
	serve := func(h http.Handler) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := admin.Serve(l, h, slog.New(slog.DiscardHandler))
		t.Cleanup(func() { _ = s.Stop(t.Context()) })
		return s.Addr()
	}
	const token = "0123456789abcdef0123456789abcdef"
	good, _ := desk(well(), admin.Access{Token: func() (string, error) { return token, nil }}, false)
	text := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	addresses := []string{
		serve(good), "127.0.0.1:1", serve(text(200, "ok")), serve(text(200, "{}")), serve(text(302, "")), serve(text(200, `{"as_of":"`+strings.Repeat("x", 17<<20))), serve(text(500, "first\nsecond")),
	}
	got := admin.Client{Token: token}.Ask(t.Context(), addresses, 5)
	if got[0].Err != nil || got[0].Status.Instance.Slot != "one" {
		t.Errorf("%+v", got[0])
	}
	for i, want := range []string{"", "refused", "no status of a bridge", "no status of a bridge", "302", "no status of a bridge", "first"} {
		if i > 0 && (got[i].Err == nil || !strings.Contains(got[i].Err.Error(), want) || strings.Contains(got[i].Err.Error(), "second")) {
			t.Errorf("%d: %v, want %s", i, got[i].Err, want)
		}
	}
	if a := (admin.Client{}).Ask(t.Context(), addresses[:1], 5)[0]; a.Err == nil || !strings.Contains(a.Err.Error(), "401") || strings.Contains(a.Err.Error(), token) {
		t.Errorf("without a token: %v", a.Err)
	}
}

// BenchmarkPage: the page over 1,000 partitions and 10 accounts.
func BenchmarkPage(b *testing.B) {
	s := well()
	for i := range 1000 {
		s.Partitions = append(s.Partitions, admin.Partition{Topic: "order-events", Partition: int32(i), State: "open"})
	}
	s.Partitions, s.PartitionsOmitted = s.Partitions[:20], 982
	for i := range 10 {
		s.Accounts = append(s.Accounts, admin.Account{Name: fmt.Sprint("shop-", i), App: "main"})
	}
	for i := range 20 {
		s.Waiting = append(s.Waiting, admin.Waiting{OrderNo: fmt.Sprint("o", i), Since: ago(0)})
	}
	h, _ := desk(s, admin.Access{}, false)
	for b.Loop() {
		if w := do(h, "GET", "http://127.0.0.1/status", ""); !bytes.Contains(w.Body.Bytes(), []byte("</html>")) {
			b.Fatal(w.Code)
		}
	}
}

// Few ask for the status at a time; the others are told so at once.
func TestStatusHasPlaces(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	h := admin.Operators{Status: func(int) admin.Status {
		asked <- struct{}{}
		<-release
		return *well()
	}, Level: new(slog.LevelVar), Log: slog.New(slog.DiscardHandler)}.Handler()
	codes := make(chan int, 4)
	for range 4 {
		go func() { codes <- do(h, "GET", "http://127.0.0.1/status.json", "").Code }()
		<-asked
	}
	if w := do(h, "GET", "http://127.0.0.1/status", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("the fifth: %d", w.Code)
	}
	close(release)
	for range 4 {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("one of four: %d", code)
		}
	}
}

// A token never leaves this machine in clear.
func TestOthersAreAskedOverTLS(t *testing.T) {
	got := admin.Client{Token: "0123456789abcdef0123456789abcdef"}.Ask(t.Context(), []string{"bridge.invalid:1"}, 0)
	if got[0].Err == nil || !strings.Contains(got[0].Err.Error(), "https: dial tcp: ") {
		t.Errorf("err = %v", got[0].Err)
	}
}
