package gateway_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// The tokens of these tests; nothing may ever show them.
const (
	tokenCanary = "201510BBcanary0a1b2c3d4e5f6071829"
	agentCanary = "agent-canary-0a1b2c3d4e5f"
)

// printed is v in every way in which a value ends in a log, a file or a message.
func printed(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
		fmt.Fprintf(&b, verb+"\n", []any{v})
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("x", "v", v)
	}
	j, err := json.Marshal(v)
	if err != nil && !strings.Contains(err.Error(), "unsupported type") { // functions in options
		t.Fatal(err)
	}
	b.Write(j)
	return b.String()
}

// TestSecretsDoNotPrint: every type that holds a key or a token.
func TestSecretsDoNotPrint(t *testing.T) {
	signer := keys.NewRSASigner(ourKey())
	m := alipay.Merchant{AppAuthToken: tokenCanary, NotifyURL: "https://merchant.example/n", AgentToken: agentCanary}
	app := openAPI(t, silent)
	hk := hkApp(t, silent)
	const aesText = "MDEyMzQ1Njc4OWFiY2RlZg=="
	aes, err := encryption.ParseAESKey([]byte(aesText))
	if err != nil {
		t.Fatal(err)
	}
	options := gateway.OpenAPIOptions{URL: "https://x", AppID: "1", Signer: signer, NextSigner: signer, AES: aes, AlipayKey: &theirKey().PublicKey}
	encryption := gateway.HKEncryption{OurKeys: map[string]crypto.Decrypter{"1": ourKey()}}
	keyOptions := keys.Options{VaultToken: tokenCanary}
	coded := openAPI(t, silent, func(o *gateway.OpenAPIOptions) { o.AES, o.NextSigner = aes, keys.NewRSASigner(nextKey()) })
	verifier, err := gateway.NewVerifier(gateway.VerifierOptions{AppID: "1", AuthAppID: "2", AlipayKey: &theirKey().PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	key := ourKey()
	remote, err := keys.Verifying(&remoteSigner{key: key})
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{
		tokenCanary, agentCanary, hex.EncodeToString([]byte(tokenCanary)),
		key.D.String(), key.D.Text(16), key.Primes[0].String(), key.Primes[0].Text(16),
		aesText, "0123456789abcdef", hex.EncodeToString([]byte("0123456789abcdef")), "48 49 50 51",
	}
	for name, v := range map[string]any{
		"Signer": signer, "App": app, "HK": hk, "Client": app.Client(m), "Merchant": m, "*Merchant": &m, "options": options, "*options": &options,
		"HKOptions": gateway.HKOptions{Signer: signer, Encrypt: &encryption}, "HKEncryption": encryption, "*HKEncryption": &encryption,
		"AESKey": aes, "AESKey value": *aes, "KeyOptions": keyOptions, "*KeyOptions": &keyOptions, "App with AES": coded,
		"Verifier": verifier, "remote signer": remote,
	} {
		t.Run(name, func(t *testing.T) {
			text := printed(t, v)
			for _, s := range secrets {
				if strings.Contains(text, s) {
					t.Errorf("shows a secret: %.200q", text)
				}
			}
		})
	}
	if s := m.String(); !strings.Contains(s, "<hidden>") || !strings.Contains(s, "merchant.example") {
		t.Errorf("String() = %q", s)
	}
}

// echo is a gateway that gives back everything it was sent, in every text of its answer.
func echo(t *testing.T, m alipay.Method, code, subCode string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text, _ := json.Marshal(html.EscapeString(r.RequestURI + " " + string(body) + " " + fmt.Sprint(r.Header)))
		node := fmt.Sprintf(`{"code":%q,"sub_code":%q,"msg":%s,"sub_msg":%s,"echo":%s,%s}`, code, subCode, text, text, text, numbers(m))
		answering(200, signedAnswer(t, m, node))(w, r)
	}
}

// TestCallsDoNotLeak: in every fault, neither token nor signature nor URL appears in the
// error, the reply or the span.
func TestCallsDoNotLeak(t *testing.T) {
	malformed := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s \x01: x\r\n\r\n", body)
		_ = c.Close()
	}
	for name, h := range map[string]http.HandlerFunc{
		"success":           echo(t, alipay.MethodTradeCreate, "10000", ""),
		"invalid signature": echo(t, alipay.MethodTradeCreate, "40002", "isv.invalid-signature"),
		"bad parameter":     echo(t, alipay.MethodTradeCreate, "40002", "isv.invalid-parameter"),
		"token expired":     echo(t, alipay.MethodTradeCreate, "20001", "aop.app-auth-token-time-out"),
		"refused":           echo(t, alipay.MethodTradeCreate, "40004", "ACQ.INVALID_PARAMETER"),
		"502":               answering(502, "<html>"),
		"html":              answering(200, "<html>"),
		"malformed":         malformed,
		"unreachable":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
			app := openAPI(t, h, func(o *gateway.OpenAPIOptions) {
				if o.Tracer = tracer; h == nil {
					broken(&net.OpError{Op: "dial", Err: errors.New("connection refused")})(o)
				}
			})
			rep, err := app.Client(alipay.Merchant{AppAuthToken: tokenCanary}).Do(t.Context(), alipaytest.Create())
			var b strings.Builder
			fmt.Fprintf(&b, "%v\n%+v\n%s\n%s\n", err, rep, rep.Body, printed(t, rep))
			for _, s := range spans.Ended() {
				fmt.Fprintf(&b, "%s %v %v %v\n", s.Name(), s.Attributes(), s.Status(), s.Events())
			}
			for _, secret := range []string{tokenCanary, "sign=", "gateway.do?", "app_id="} {
				if strings.Contains(b.String(), secret) {
					t.Errorf("%q appears in %.600q", secret, b.String())
				}
			}
		})
	}
}

// TestSpanOfAnAttempt: one client span, with where, what and class, and no more.
func TestSpanOfAnAttempt(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	for _, tt := range []struct {
		node   string
		want   string
		status codes.Code
	}{
		{`{"code":"10000",` + numbers(alipay.MethodTradeQuery) + `}`, "DONE", codes.Unset},
		{`{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST","sub_msg":"secret words"}`, "REJECTED", codes.Unset},
		{`{"code":"20000","sub_code":"isp.unknow-error"}`, "TRANSIENT", codes.Error},
	} {
		t.Run(tt.want, func(t *testing.T) {
			app := openAPI(t, answering(200, signedAnswer(t, alipay.MethodTradeQuery, tt.node)), func(o *gateway.OpenAPIOptions) { o.Tracer = tracer })
			_, _ = app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
			ended := spans.Ended()
			s := ended[len(ended)-1]
			got := map[string]string{}
			for _, a := range s.Attributes() {
				got[string(a.Key)] = a.Value.String()
			}
			if s.Name() != "alipay.trade.query" || s.SpanKind() != trace.SpanKindClient || got["alipay.class"] != tt.want || s.Status().Code != tt.status {
				t.Errorf("span %s %v %v %v", s.Name(), s.SpanKind(), got, s.Status())
			}
			if got["server.address"] != "gateway.test" || got["server.port"] != "80" || got["http.response.status_code"] != "200" {
				t.Errorf("attributes %v", got)
			}
			if code := regexp.MustCompile(`^{"code":"(\d+)"(?:,"sub_code":"([^"]+)")?`).FindStringSubmatch(tt.node); got["alipay.code"] != code[1] || got["alipay.sub_code"] != code[2] {
				t.Errorf("attributes %v, want the codes of %v", got, code)
			}
			if _, empty := got["alipay.trace_id"]; empty {
				t.Error("an attribute without a value")
			}
			if strings.Contains(fmt.Sprint(got, s.Status()), "secret words") {
				t.Error("a text of Alipay is in the span")
			}
		})
	}
	app := openAPI(t, silent, func(o *gateway.OpenAPIOptions) { o.Tracer = tracer })
	_, _ = app.Client(alipay.Merchant{}).Do(t.Context(), &alipay.TradeCreate{}) // not valid, not sent
	if n := len(spans.Ended()); n != 3 {
		t.Errorf("%d spans for 3 attempts that were sent", n)
	}
}

// TestForeignTextIsTamed: control and direction characters of an answer reach no terminal.
func TestForeignTextIsTamed(t *testing.T) {
	for text, want := range map[string]string{
		"plain":               "plain",
		"\u7cfb\u7edf":        "\u7cfb\u7edf",
		"a\x1b]52;c\x07b\r\n": `a\u001b]52;c\u0007b\u000d\u000a`,
		"\u202eevil\u200b":    `\u202eevil\u200b`,
		"\u0085\x7f\xff":      `\u0085\u007f\ufffd`,
	} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			if got := gateway.Sanitize(text, 256); got != want {
				t.Errorf("Foreign(%q) = %q, want %q", text, got, want)
			}
		})
	}
	for text, want := range map[string]string{
		strings.Repeat("x", 256): strings.Repeat("x", 256), strings.Repeat("x", 257): strings.Repeat("x", 256) + "...",
		"\x1f \x7e\x7f": `\u001f ~\u007f`,
	} {
		if got := gateway.Sanitize(text, 256); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, r := range []rune{0x1f, 0x7f, 0x80, 0x9f, 0x061c, 0x200b, 0x200f, 0x2028, 0x202e, 0x2060, 0x206f, 0xfeff, 0xfffd} {
		if got, want := gateway.Sanitize("\u5b57"+string(r), 256), fmt.Sprintf("\u5b57\\u%04x", r); got != want {
			t.Errorf("%U became %q", r, got)
		}
	}
	for _, r := range []rune{0x20, 0x7e, 0xa0, 0x200a, 0x2010, 0x2027, 0x202f, 0x205f, 0x2070} {
		if got := gateway.Sanitize("\u5b57"+string(r), 256); got != "\u5b57"+string(r) {
			t.Errorf("%U became %q", r, got)
		}
	}
	if got := gateway.Sanitize(strings.Repeat("\u5b57", 300), 256); got != strings.Repeat("\u5b57", 256)+"..." {
		t.Errorf("300 characters became %q", got)
	}
}
