package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/output"
)

// vectors is what these tests need of the vectors of internal/alipay.
type vectors struct {
	dir     string // where files are written
	answers map[string][]byte
}

const vectorFolder = "../../internal/alipay/testdata/"

func readVector(t *testing.T, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(vectorFolder + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.ReplaceAll(b, []byte("<5d>"), []byte("-----")), v); err != nil {
		t.Fatal(err)
	}
}

func newVectors(t *testing.T) vectors {
	t.Helper()
	v := vectors{dir: t.TempDir(), answers: map[string][]byte{}}
	var answers struct {
		Cases []struct {
			ID   string
			HTTP struct {
				Body []byte `json:"body_b64"`
			}
		}
	}
	readVector(t, "openapi/responses.json", &answers)
	for _, c := range answers.Cases {
		v.answers[c.ID] = c.HTTP.Body
	}
	var keys struct {
		Keys map[string]struct {
			PKCS8 string `json:"pkcs8_pem"`
			SPKI  string `json:"spki_pem"`
		}
	}
	readVector(t, "openapi/keys.json", &keys)
	for name, k := range keys.Keys {
		v.write(t, name+".pub", []byte(k.SPKI))
		v.write(t, name+".key", []byte(k.PKCS8))
	}
	var certs struct {
		Root         string `json:"root_bundle"`
		Certificates map[string]struct{ PEM string }
		Trust        []struct{ ID, Chain string } `json:"trust_cases"`
	}
	readVector(t, "openapi/certs.json", &certs)
	v.write(t, "root.crt", []byte(certs.Root))
	for _, name := range []string{"app", "alipay_leaf"} {
		v.write(t, name+".crt", []byte(certs.Certificates[name].PEM))
	}
	for _, c := range certs.Trust {
		v.write(t, c.ID+".chain", []byte(c.Chain))
	}
	return v
}

// write makes a file and returns its name.
func (v vectors) write(t *testing.T, name string, b []byte) string {
	t.Helper()
	name = filepath.Join(v.dir, name)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func (v vectors) file(name string) string { return filepath.Join(v.dir, name) }

// inspect runs the command and returns what it printed and its exit code.
func runInspect(t *testing.T, stdin []byte, args ...string) (string, int) {
	t.Helper()
	c := rootCommand()
	var out bytes.Buffer
	c.SetIn(bytes.NewReader(stdin))
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(append([]string{"inspect"}, args...))
	if err := c.ExecuteContext(t.Context()); err != nil {
		return out.String() + err.Error(), command.ExitCode(err)
	}
	return out.String(), 0
}

// TestInspectExplainsTheUsualMistakes: each in words that an integrator can act on.
func TestInspectExplainsTheUsualMistakes(t *testing.T) {
	v := newVectors(t)
	v.answers["recoded"] = recoded(t, v)
	certMode := []string{"--app-cert", v.file("app.crt"), "--alipay-cert", v.file("alipay_leaf.crt"), "--root-cert", v.file("root.crt")}
	keyMode := []string{"--alipay-key", v.file("alipay.pub")}
	for _, tt := range []struct {
		name, answer, method string
		flags                []string
		want                 string
		code                 int
	}{
		{"good", "query_ok", "alipay.trade.query", keyMode, "verified\tyes\nclass\tDONE\ncode\t10000", 0},
		{"own key configured as Alipay's", "query_ok", "alipay.trade.query", []string{"--alipay-key", v.file("app.pub"), "--own-key", v.file("app.key")}, "public half of our own private key; configure the one Alipay shows", output.ExitFound},
		{"wrong charset", "recoded", "alipay.trade.query", append([]string{"--charset", "gbk"}, keyMode...), "good over the same text in GBK", output.ExitFound},
		{"changed byte", "tampered", "", keyMode, "at least one byte was changed", output.ExitFound},
		{"missing sign", "success_without_sign", "", keyMode, "the answer carries no sign", output.ExitFound},
		{"certificate not trusted", "cert_success_without_sn", "alipay.trade.create", append([]string{"--chain", v.file("merchant_class.chain")}, certMode...), "is not trusted: its issuer is not that of the installed Alipay certificate", output.ExitFound},
		{"signature refused", "err_invalid_signature", "alipay.trade.create", append([]string{"--request", v.write(t, "sent", []byte("POST /gateway.do?app_id=2021000000000001&charset=utf-8&method=alipay.trade.create&sign_type=RSA2&timestamp=2014-07-24+03%3A07%3A51&version=1.0&sign=x HTTP/1.1\r\n\r\n"))}, keyMode...), "changed: timestamp", 0},
		{"certificate mode", "cert_sn_first", "alipay.trade.create", certMode, "verified\tyes", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method := tt.method
			if method == "" { // as the node says
				method = methodOf(v.answers[tt.answer])
			}
			args := append([]string{"response", "--method", method}, append(tt.flags, v.write(t, "answer", v.answers[tt.answer]))...)
			if got, code := runInspect(t, nil, args...); !strings.Contains(got, tt.want) || code != tt.code {
				t.Errorf("%s: code %d, want %d\n%s", tt.name, code, tt.code, got)
			}
		})
	}
}

// recoded is an answer in GBK that was converted to UTF-8.
func recoded(t *testing.T, v vectors) []byte {
	t.Helper()
	utf8, err := simplifiedchinese.GBK.NewDecoder().Bytes(v.answers["gbk_query"])
	if err != nil {
		t.Fatal(err)
	}
	return utf8
}

// methodOf is the method that the node of an answer names.
func methodOf(answer []byte) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.Split(string(answer), `"`)[1], "_response"), "_", ".")
}

// hkCapture is an answer of AlipayHK with its headers, and the file of its request.
func hkCapture(t *testing.T, v vectors) (request string, answer []byte) {
	t.Helper()
	var answers struct {
		Cases []struct {
			Request struct {
				Path     string
				ClientID string `json:"client_id"`
			}
			Headers map[string]string
			Body    struct{ Base64 []byte }
		}
	}
	readVector(t, "alipayhk/response_signed_rsa256.json", &answers)
	c := answers.Cases[0]
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	for name, value := range c.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	b.WriteString("\r\n")
	b.Write(c.Body.Base64)
	return v.write(t, "request", []byte("POST "+c.Request.Path+" HTTP/1.1\nHost: open.alipay.hk\nClient-Id: "+c.Request.ClientID+"\n\n{}")), b.Bytes()
}

// notification is the body of one of the vectors.
func notification(t *testing.T, id string) []byte {
	t.Helper()
	var n struct {
		Cases []struct {
			ID      string
			Request struct {
				Body []byte `json:"body_b64"`
			}
		}
	}
	readVector(t, "openapi/notifications.json", &n)
	for _, c := range n.Cases {
		if c.ID == id {
			return c.Request.Body
		}
	}
	t.Fatalf("no notification %s", id)
	return nil
}

// TestInspectHK: an answer with its headers, under the right and the wrong key version.
func TestInspectHK(t *testing.T) {
	v := newVectors(t)
	var keys struct {
		Keys map[string]struct {
			SPKI string `json:"public_spki_pem"`
		}
	}
	readVector(t, "alipayhk/keys.json", &keys)
	key := v.write(t, "hk.pub", []byte(keys.Keys["platform_rsa_v1"].SPKI))
	request, answer := hkCapture(t, v)
	for version, want := range map[string]string{"1": "verified\tyes", "2": "names key version 1; configured are [2]"} {
		t.Run(version, func(t *testing.T) {
			got, code := runInspect(t, answer, "hk-response", "--request", request, "--platform-key", version+"="+key, "-")
			if !strings.Contains(got, want) || (code == 0) != (version == "1") {
				t.Errorf("version %s: code %d\n%s", version, code, got)
			}
		})
	}
}

// TestInspectNotification: as JSON, from standard input.
func TestInspectNotification(t *testing.T) {
	v := newVectors(t)
	want := map[string]string{"success_gbk": "DONE", "tampered_amount": "UNTRUSTED", "other_seller": "REJECTED"}
	for id, class := range want {
		got, code := runInspect(t, notification(t, id), "notification", "-o", "json", "--alipay-key", v.file("alipay.pub"), "--app-id", "2021000000000001", "--seller-id", "2088102146225135", "-")
		var e struct {
			Verified      bool
			Class, Reason string
		}
		if err := json.NewDecoder(strings.NewReader(got)).Decode(&e); err != nil || e.Class != class || e.Verified != (class == "DONE") || e.Reason == "" || (code == 0) != e.Verified {
			t.Errorf("%s: code %d, %v\n%s", id, code, err, got)
		}
	}
}

// TestInspectRequest: the plan and what is signed, without sending; the signature only for a
// gateway on this machine.
func TestInspectRequest(t *testing.T) {
	v := newVectors(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := v.write(t, "ours.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	event := []byte(`{"event_id":"e1","event_type":"CREATED","occurred_at":"2026-11-01T09:17:00Z","order_no":"T1","total":{"minor":8800,"currency":"CNY"},"subject":"Longjing","buyer_user_id":"2088102146225135"}`)
	got, code := runInspect(t, event, "request", "--key", keyFile, "-")
	for _, want := range []string{"method\talipay.trade.create", `"total_amount":"88.00"`, "to_sign\tapp_id=2021000000000001&biz_content=", "signed_request_sha256\t"} {
		if !strings.Contains(got, want) || code != 0 {
			t.Errorf("code %d, no %q in\n%s", code, want, got)
		}
	}
	if strings.Contains(got, "signature") {
		t.Errorf("the signature is shown:\n%s", got)
	}
	marked := v.write(t, "simulator.key", []byte(config.SimulatorMark+"\n"+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))))
	for _, args := range [][]string{{"--key", keyFile}, {"--key", marked}, {"--key", keyFile, "--gateway", "http://127.0.0.1:1/gateway.do"}} {
		if got, code := runInspect(t, event, append([]string{"request", "--show-signature", "-"}, args...)...); code != command.ExitUsage || !strings.Contains(got, "simulate") {
			t.Errorf("%v: code %d\n%s", args, code, got)
		}
	}
	if got, code := runInspect(t, event, "request", "--key", marked, "--show-signature", "--gateway", "http://127.0.0.1:1/gateway.do", "-o", "jsonl", "-"); code != 0 || !strings.Contains(got, `"signature":"`) {
		t.Errorf("code %d\n%s", code, got)
	}
	hk := []byte(`{"event_id":"e2","event_type":"PAID","channel":"HK","occurred_at":"2026-11-01T09:17:00Z","order_created_at":"2026-11-01T09:00:00Z","order_no":"T1","trade_no":"2","buyer_user_id":"2160120051483575"}`)
	if got, code := runInspect(t, hk, "request", "--key", keyFile, "-"); code != 0 || !strings.Contains(got, "to_sign\tPOST /api/open/alipay/v1/merchant/order/sync") {
		t.Errorf("code %d\n%s", code, got)
	}
	skipped := bytes.Replace(event, []byte("CREATED"), []byte("SHIPPED"), 1)
	if got, code := runInspect(t, skipped, "request", "-"); code != 0 || !strings.Contains(got, "skipped\t") {
		t.Errorf("code %d\n%s", code, got)
	}
}
