package inspect_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/inspect"
)

const (
	appID  = "2021000000000001"
	seller = "2088000000000001"
)

func explainNotification(t *testing.T, key *rsa.PublicKey, file []byte) (gateway.Explanation, int) {
	t.Helper()
	v, err := gateway.NewVerifier(gateway.VerifierOptions{AlipayKey: key, AppID: appID, SellerIDs: []string{seller}})
	if err != nil {
		t.Fatal(err)
	}
	captured, err := inspect.ReadCapture(file)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	return inspect.Explain(inspect.ReadingsOfNotification(captured), inspect.RepairsOfNotification, func(body []byte) gateway.Explanation {
		tries++
		return v.Explain(body, nil)
	}), tries
}

func explainAnswer(t *testing.T, key *rsa.PublicKey, file []byte) gateway.Explanation {
	t.Helper()
	captured, err := inspect.ReadCapture(file)
	if err != nil {
		t.Fatal(err)
	}
	o := gateway.OpenAPIOptions{AlipayKey: key}
	return inspect.Explain(inspect.ReadingsOfAnswer(captured), inspect.RepairsOfAnswer, func(body []byte) gateway.Explanation {
		e, err := o.Explain(alipay.MethodTradeQuery, 200, body, nil)
		if err != nil {
			t.Fatal(err)
		}
		return e
	})
}

// Captures as people had them: each is good when read rightly, or its damage is named.
func TestCapturesOfPeople(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", "captures", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key, err := keys.ParsePublic(read("alipay-public.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		verified bool
		reason   string
	}{
		"n-good":                 {true, "signed by Alipay"},
		"n-line-feed-at-the-end": {true, "the file ends in a line feed that is not the body's"},
		"n-decoded-before":       {true, "decoded before it was captured"},
		"n-json-of-a-log":        {true, "this is JSON, not the raw body"},
		"n-route-parameter":      {false, `good without the parameter "s"`},
		"n-gbk-as-utf-8":         {false, "converted from GBK to UTF-8"},
		"n-html-034":             {false, "escaped for HTML"},
		"a-good":                 {true, "signed by Alipay"},
		"a-written-anew":         {false, `written anew by a JSON library: \/ became /`},
		"a-chunked":              {true, "in chunks"},
		"a-node-null":            {true, "not one JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			var e gateway.Explanation
			if strings.HasPrefix(name, "n-") {
				e, _ = explainNotification(t, key, read(name))
			} else {
				e = explainAnswer(t, key, read(name))
			}
			if e.Verified != tt.verified || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("verified %v, %q, want %v, %q", e.Verified, e.Reason, tt.verified, tt.reason)
			}
		})
	}
}

// signedForm signs a notification with a key of this test.
func signedForm(t *testing.T, key *rsa.PrivateKey) map[string]string {
	t.Helper()
	p := map[string]string{
		"gmt_create": "2026-11-20 10:05:02", "charset": "utf-8", "subject": "Oolong + jasmine / 10% \u8336", "body": "two\nlines",
		"notify_id": "1", "fund_bill_list": `[{"amount":"12.50","fundChannel":"ALIPAYACCOUNT"}]`, "notify_type": "trade_status_sync",
		"trade_status": "TRADE_SUCCESS", "app_id": appID, "seller_id": seller, "out_trade_no": "A1", "total_amount": "12.50", "trade_no": "T1",
		"passback_params": "ref%3D7%26tier%3Dgold",
	}
	var parts []string
	for name, value := range p {
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts)
	digest := sha256.Sum256([]byte(strings.Join(parts, "&")))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	p["sign_type"], p["sign"] = "RSA2", base64.StdEncoding.EncodeToString(sig)
	return p
}

func form(p map[string]string) string {
	v := url.Values{}
	for name, value := range p {
		v.Set(name, value)
	}
	return v.Encode()
}

func printedWith(p map[string]string, before, format, between, after string) string {
	var parts []string
	for name, value := range p {
		parts = append(parts, fmt.Sprintf(format, name, value))
	}
	slices.Sort(parts)
	return before + strings.Join(parts, between) + after
}

// What tools and frameworks do to a notification.
func TestDamagedNotifications(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := signedForm(t, key)
	with := func(name, value string) map[string]string {
		p := map[string]string{}
		for n, v := range good {
			p[n] = v
		}
		if p[name] = value; value == "" {
			delete(p, name)
		}
		return p
	}
	all := func(change func(string) string) map[string]string {
		p := map[string]string{}
		for n, v := range good {
			p[n] = change(v)
		}
		return p
	}
	object, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	inLog, err := json.Marshal(map[string]any{"level": "info", "body": form(good)})
	if err != nil {
		t.Fatal(err)
	}
	arrays := map[string]any{}
	for n, v := range good {
		arrays[n] = []string{v}
	}
	lists, err := json.Marshal(map[string]any{"params": arrays})
	if err != nil {
		t.Fatal(err)
	}
	multi := "--xyz\r\n"
	for n, v := range good {
		multi += `Content-Disposition: form-data; name="` + n + "\"\r\n\r\n" + v + "\r\n--xyz\r\n"
	}
	multi = strings.TrimSuffix(multi, "\r\n") + "--\r\n"
	for _, tt := range []struct {
		name, file string
		verified   bool
		reason     string
	}{
		{"good", form(good), true, "signed by Alipay"},
		{"a URL", "https://shop.example.com/notify?" + form(good), true, "this is a URL"},
		{"a request line", "GET /notify?" + form(good) + " HTTP/1.1\r\nHost: shop\r\n\r\n", true, "in the URL"},
		{"a byte order mark", "\ufeff" + form(good), true, "byte order mark"},
		{"line feeds of Windows", form(good) + "\r\n", true, "line feed"},
		{"headers without a first line", "Host: shop\nContent-Type: application/x-www-form-urlencoded\n\n" + form(good), true, "headers in front"},
		{"curl -v", "> POST /notify HTTP/1.1\n> Host: shop\n>\n} [120 bytes data]\n" + form(good) + "\n* Connection #0 to host shop left intact\n", true, "curl -v"},
		{"chunks", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(form(good)), form(good)), true, "in chunks"},
		{"encoded twice", url.QueryEscape(form(good)), true, "encoded for URLs"},
		{"each value encoded twice", form(all(url.QueryEscape)), true, "encoded for URLs twice"},
		{"JSON", string(object), true, "this is JSON"},
		{"a body in JSON of a log", string(inLog), true, "text inside JSON"},
		{"JSON with lists", string(lists), true, "this is JSON"},
		{"multipart", multi, true, "multipart"},
		{"print_r", printedWith(good, "Array\n(\n", "    [%s] => %s", "\n", "\n)\n"), true, "printed array"},
		{"var_export", printedWith(good, "array (\n", "  '%s' => '%s',", "\n", "\n)"), true, "printed array"},
		{"a dict of Python", printedWith(with("body", "one line"), "{", "'%s': '%s'", ", ", "}"), false, ""},
		{"a map of Java", printedWith(good, "{", "%s=%s", ", ", "}"), true, "printed array"},
		{"url.Values of Go", printedWith(good, "map[", "%s:[%s]", " ", "]"), true, "printed array"},
		{"lines", printedWith(good, "", "%s=%s", "\n", "\n"), true, "on lines"},
		{"separators escaped", strings.ReplaceAll(form(good), "&", "&amp;"), true, "&amp;"},
		{"+ became a blank", form(all(func(v string) string { return strings.ReplaceAll(v, "+", " ") })), false, "+ between blanks became a blank"},
		{"+ of the sign became a blank", form(with("sign", strings.ReplaceAll(good["sign"], "+", " "))), false, "sign cleared of blanks"},
		{"the sign was broken into lines", form(with("sign", good["sign"][:76]+"\n"+good["sign"][76:])), false, "sign cleared of"},
		{"a parameter was added", form(with("_route_", "/notify")), false, `without the parameter "_route_"`},
		{"one value was decoded", form(with("passback_params", "ref=7&tier=gold")), false, `"passback_params" as it was before its value was decoded once too often`},
		{"one value was trimmed", form(with("gmt_create", good["gmt_create"]+" ")), false, `"gmt_create" as it was before its value was padded`},
		{"HTML &#34;", form(all(func(v string) string { return strings.ReplaceAll(v, `"`, "&#34;") })), false, "escaped for HTML"},
		{"HTML &#x22;", form(all(func(v string) string { return strings.ReplaceAll(v, `"`, "&#x22;") })), false, "escaped for HTML"},
		{"HTML twice", form(all(func(v string) string { return html.EscapeString(html.EscapeString(v)) })), false, "escaped for HTML twice"},
		{"backslashes", form(all(func(v string) string { return strings.ReplaceAll(v, `"`, `\"`) })), false, "escaped with backslashes"},
		{"Latin-1", form(all(latin)), false, "read as Latin-1"},
		{"JSON with blanks", form(with("fund_bill_list", `[{"amount": "12.50", "fundChannel": "ALIPAYACCOUNT"}]`)), false, "written anew as JSON, with blanks"},
		{"added and escaped", form(map2(all(func(v string) string { return strings.ReplaceAll(v, `"`, "&quot;") }), "s", "/x")), false, `without the parameter "s", and with another damage`},
		{"another amount", form(with("total_amount", "99.00")), false, "at least one byte was changed"},
		{"a parameter is missing", form(with("trade_no", "")), false, "at least one byte was changed"},
		{"another amount, in JSON", strings.Replace(string(object), `"12.50"`, `"99.00"`, 1), false, "this is JSON, not the raw body; read so"},
		{"nothing", "", false, "empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, tries := explainNotification(t, &key.PublicKey, []byte(tt.file))
			if e.Verified != tt.verified || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("verified %v, %q, want %v, %q", e.Verified, e.Reason, tt.verified, tt.reason)
			}
			if tries > 3001 {
				t.Errorf("%d tries", tries)
			}
		})
	}
}

func map2(p map[string]string, name, value string) map[string]string {
	p[name] = value
	return p
}

// latin reads the bytes of UTF-8 as Latin-1.
func latin(v string) string {
	var b strings.Builder
	for i := range len(v) {
		b.WriteRune(rune(v[i]))
	}
	return b.String()
}

// What tools do to an answer.
func TestDamagedAnswers(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	node := `{"code":"10000","msg":"Success","out_trade_no":"A1","trade_no":"T1","trade_status":"TRADE_SUCCESS","total_amount":"12.50","buyer_user_id":"2088000000000077","buyer_logon_id":"a***@x.com","store_name":"` + "\u8336" + `","qr":"https:\/\/qr.example.com"}`
	digest := sha256.Sum256([]byte(node))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	good := `{"alipay_trade_query_response":` + node + `,"sign":"` + base64.StdEncoding.EncodeToString(sig) + `"}`
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	pretty := strings.NewReplacer(`":"`, `": "`, `","`, `", "`).Replace(strings.ReplaceAll(good, `\/`, "/"))
	for _, tt := range []struct {
		name, file string
		verified   bool
		reason     string
	}{
		{"good", good, true, "signed by Alipay"},
		{"a line feed", good + "\n", true, ""},
		{"a byte order mark", "\ufeff" + good, true, "byte order mark"},
		{"curl -v", "* Trying 127.0.0.1\n> POST /gateway.do HTTP/1.1\n> \n< HTTP/1.1 200 OK\n< \n{ [5 bytes data]\n" + good + "\n* Connection #0 left intact\n", true, "curl -v"},
		{"a text in JSON", string(text), true, "text inside JSON"},
		{"a text in a log line", `{"msg":"answer","body":` + string(text) + `}`, true, "text inside JSON"},
		{"blanks and slashes", pretty, false, `blanks were added, and \/ became /`},
		{"u escapes", strings.ReplaceAll(good, "\u8336", `\u8336`), false, "characters became \\u escapes"},
		{"escaped for HTML", strings.ReplaceAll(good, `"`, "&quot;"), false, "escaped for HTML"},
		{"another amount", strings.Replace(good, "12.50", "99.00", 1), false, "at least one byte was changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if e := explainAnswer(t, &key.PublicKey, []byte(tt.file)); e.Verified != tt.verified || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("verified %v, %q, want %v, %q", e.Verified, e.Reason, tt.verified, tt.reason)
			}
		})
	}
}
