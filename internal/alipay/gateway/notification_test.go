package gateway_test

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/form"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

// notificationVectors is testdata/openapi/notifications.json.
type notificationVectors struct {
	About       string
	MadeWith    string `json:"made_with"`
	Verdicts    map[string]string
	Variants    map[string]string
	VerifyOrder []string `json:"trade_notification_verify_order"`
	Context     struct {
		AppID        string   `json:"app_id"`
		SellerIDs    []string `json:"seller_ids"`
		SellerEmails []string `json:"seller_emails"`
		Orders       map[string]struct {
			Total string `json:"total_amount"`
		}
		Note string
	}
	Cases []notificationCase
}

type notificationCase struct {
	ID, Note string
	Request  struct {
		Method      string `json:"http_method"`
		URL         string
		ContentType string `json:"content_type"`
		Body        []byte `json:"body_b64"`
		Text        string `json:"body_text"`
	}
	VerifyWith string `json:"verify_with"`
	Expect     struct {
		Verdict, Reason, Variant, Meaning string
		Reply                             string            `json:"reply_body"`
		SignContent                       []byte            `json:"sign_content_b64"`
		SignText                          string            `json:"sign_content_text"`
		Decoded                           map[string]string `json:"decoded"`
		VerifyNote                        string            `json:"verify_with_note"`
	}
	NodeSDK json.RawMessage `json:"official_node_sdk"`
}

func (v notificationVectors) verifier(t testing.TB, keyVectors alipaytest.OpenAPIKeys, name string) *gateway.Verifier {
	t.Helper()
	o := gateway.VerifierOptions{
		AppID: v.Context.AppID, AlipayKey: alipaytest.PublicKey(t, keyVectors, name), SellerIDs: v.Context.SellerIDs, SellerEmails: v.Context.SellerEmails,
	}
	if name == "alipay1024" { // the vectors' receiver for sign_type RSA
		o.SignType, o.AllowWeak = alipay.SignRSA, true
	}
	ver, err := gateway.NewVerifier(o)
	if err != nil {
		t.Fatal(err)
	}
	return ver
}

// TestNotificationVectors: verdict, answer and decoded parameters of each. Repeats, orders and
// amounts are left to the receiver and the status pipeline.
func TestNotificationVectors(t *testing.T) {
	v := alipaytest.Load[notificationVectors](t, "openapi/notifications.json")
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	verdicts := map[string]int{}
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			verdicts[c.Expect.Verdict]++
			n, err := v.verifier(t, keyVectors, c.VerifyWith).Notification(c.Request.Body)
			got, reply := "accept", alipay.NotificationTaken
			switch {
			case errors.Is(err, gateway.ErrNotOurs):
				got, reply = "reject_business", alipay.NotificationRefused
			case errors.Is(err, gateway.ErrForged):
				got, reply = "reject", alipay.NotificationRefused
			case err != nil:
				t.Errorf("%v is neither", err)
			case !n.IsTrade():
				got = "other_type"
			}
			if want := c.Expect.Verdict; got != want && (got != "accept" || want != "duplicate" && want != "judged_later") || reply != c.Expect.Reply {
				t.Errorf("%s (%v), want %s (%s)", got, err, c.Expect.Verdict, c.Expect.Reason)
			}
			if err == nil {
				c.check(t, n)
			}
		})
	}
	t.Logf("openapi/notifications.json: %d cases, %v", len(v.Cases), verdicts)
}

func (c notificationCase) check(t *testing.T, n alipay.Notification) {
	t.Helper()
	want := maps.Clone(c.Expect.Decoded)
	delete(want, "sign")
	delete(want, "sign_type")
	if !maps.Equal(n.Params, want) {
		t.Errorf("%s: parameters %v, want %v", c.ID, n.Params, want)
	}
	if len(n.Unparsed) > 0 || n.ID != want["notify_id"] || string(n.Status) != want["trade_status"] || n.Subject != want["subject"] {
		t.Errorf("%s: %+v", c.ID, n)
	}
	if n.IsTrade() && (n.TotalAmount == nil || n.TotalAmount.Minor != 8888 || want["fund_bill_list"] != "" && n.FundBills[0].FundChannel != "ALIPAYACCOUNT") {
		t.Errorf("%s: total %v, fund bills %v", c.ID, n.TotalAmount, n.FundBills)
	}
	if c.ID == "closed_full_refund" && (n.RefundFee.Minor != 8888 || !n.RefundTime.Equal(time.Date(2026, 1, 2, 1, 0, 0, 123e6, time.UTC)) || n.OutBizNo != "RF1") {
		t.Errorf("%s: %+v", c.ID, n)
	}
}

// notify signs parameters as Alipay does for a trade notification, apart from the code under
// test, and returns the body.
func notify(t testing.TB, key *rsa.PrivateKey, params map[string]string) []byte {
	t.Helper()
	var pairs []string
	form := url.Values{"sign_type": {"RSA2"}}
	for name, value := range params {
		pairs = append(pairs, name+"="+value)
		form.Set(name, value)
	}
	slices.Sort(pairs)
	form.Set("sign", sign(t, key, []byte(strings.Join(pairs, "&"))))
	return []byte(form.Encode())
}

func tradeParams(change func(map[string]string)) map[string]string {
	p := map[string]string{
		"app_id": "1", "seller_id": "2088102146225135", "notify_type": "trade_status_sync", "charset": "utf-8", "notify_id": "n",
		"out_trade_no": "ORD_1", "trade_no": "2", "trade_status": "TRADE_SUCCESS", "total_amount": "88.88",
	}
	if change != nil {
		change(p)
	}
	return p
}

// TestMerchantChecks: a genuine notification of another merchant, or of none, is not ours.
func TestMerchantChecks(t *testing.T) {
	set := func(kv ...string) func(map[string]string) {
		return func(p map[string]string) {
			for i := 0; i < len(kv); i += 2 {
				if p[kv[i]] = kv[i+1]; kv[i+1] == "" {
					delete(p, kv[i])
				}
			}
		}
	}
	bySeller := gateway.VerifierOptions{SellerIDs: []string{"2088102146225135"}, SellerEmails: []string{"shop@example.com"}}
	byEmail := gateway.VerifierOptions{SellerEmails: []string{"shop@example.com"}}
	byAuth := gateway.VerifierOptions{AuthAppID: "9"}
	for _, tt := range []struct {
		name   string
		o      gateway.VerifierOptions
		change func(map[string]string)
		want   error
	}{
		{"ours", bySeller, nil, nil},
		{"no app id", bySeller, set("app_id", ""), gateway.ErrNotOurs},
		{"another app id", bySeller, set("app_id", "2"), gateway.ErrNotOurs},
		{"another seller", bySeller, set("seller_id", "2088000000000000"), gateway.ErrNotOurs},
		{"another seller under our address", bySeller, set("seller_id", "2088000000000000", "seller_email", "shop@example.com"), gateway.ErrNotOurs},
		{"no seller", bySeller, set("seller_id", ""), gateway.ErrNotOurs},
		{"the address instead of the id", bySeller, set("seller_id", "", "seller_email", "shop@example.com"), nil},
		{"by address", byEmail, set("seller_email", "shop@example.com"), nil},
		{"no address", byEmail, nil, gateway.ErrNotOurs},
		{"by authorised app", byAuth, set("auth_app_id", "9"), nil},
		{"another authorised app", byAuth, set("auth_app_id", "8"), gateway.ErrNotOurs},
		{"no authorised app", byAuth, nil, gateway.ErrNotOurs},
		{"an authorised app that does not matter", bySeller, set("auth_app_id", "8"), nil},
		{"another type for another seller", bySeller, set("notify_type", "open_app_auth_notify", "seller_id", "2088000000000000", "auth_app_id", "8"), nil},
		{"another type for another authorised app", byAuth, set("notify_type", "open_app_auth_notify", "auth_app_id", "8"), nil},
		{"another type for another app", bySeller, set("notify_type", "open_app_auth_notify", "app_id", "2"), gateway.ErrNotOurs},
		{"an unknown charset", bySeller, set("charset", "big5"), gateway.ErrForged},
		{"bytes of another charset", bySeller, set("subject", "\xff\xfe"), gateway.ErrForged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.AppID, tt.o.AlipayKey = "1", &theirKey().PublicKey
			v, err := gateway.NewVerifier(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Notification(notify(t, theirKey(), tradeParams(tt.change))); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	// What names another merchant costs no verification: whoever made its signature.
	for name, tt := range map[string]struct {
		o      gateway.VerifierOptions
		change func(map[string]string)
		want   error
	}{
		"another seller": {bySeller, set("seller_id", "2088000000000000"), gateway.ErrNotOurs}, "another authorised app": {byAuth, set("auth_app_id", "8"), gateway.ErrNotOurs},
		"ours": {bySeller, nil, gateway.ErrForged},
	} {
		tt.o.AppID, tt.o.AlipayKey = "1", &theirKey().PublicKey
		v, err := gateway.NewVerifier(tt.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Notification(notify(t, ourKey(), tradeParams(tt.change))); !errors.Is(err, tt.want) {
			t.Errorf("%s, signed by a stranger: %v, want %v", name, err, tt.want)
		}
	}
	for name, o := range map[string]gateway.VerifierOptions{
		"no merchant": {AppID: "1", AlipayKey: &theirKey().PublicKey},
		"no app":      {AlipayKey: &theirKey().PublicKey, AuthAppID: "9"},
		"no key":      {AppID: "1", AuthAppID: "9"},
		"SHA-1":       {AppID: "1", AuthAppID: "9", AlipayKey: &theirKey().PublicKey, SignType: alipay.SignRSA},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := gateway.NewVerifier(o); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// TestNotificationReading: what cannot be read exactly is said, and fails nothing.
func TestNotificationReading(t *testing.T) {
	v, err := gateway.NewVerifier(gateway.VerifierOptions{AppID: "1", AlipayKey: &theirKey().PublicKey, SellerIDs: []string{"2088102146225135"}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := v.Notification(notify(t, theirKey(), tradeParams(func(p map[string]string) {
		p["total_amount"], p["trans_currency"], p["gmt_create"], p["refund_fee"] = "100.50", "JPY", "yesterday", "1.00"
		p["fund_bill_list"], p["passback_params"] = `[{"amount":"8.88","fundChannel":"PCREDIT"},3]`, "a%3Db%26c"
	})))
	if err != nil {
		t.Fatal(err)
	}
	if n.TotalAmount != nil || n.CreateTime != nil || n.RefundFee == nil || n.PassbackParams != "a=b&c" || len(n.FundBills) != 1 {
		t.Errorf("%+v", n)
	}
	for _, name := range []string{"total_amount", "gmt_create", "fund_bill_list[1]"} {
		t.Run(name, func(t *testing.T) {
			if n.Unparsed[name] == "" {
				t.Errorf("is not in unparsed %v", n.Unparsed)
			}
		})
	}
}

// TestNotificationsOfCertificates: the named certificate must be known; nothing is downloaded.
func TestNotificationsOfCertificates(t *testing.T) {
	p := newPKI(t)
	certs, err := certs.New(certs.Options{App: p.app, Alipay: p.alipay, Root: p.root})
	if err != nil {
		t.Fatal(err)
	}
	v, err := gateway.NewVerifier(gateway.VerifierOptions{AppID: "1", Certificates: certs, SellerIDs: []string{"2088102146225135"}})
	if err != nil {
		t.Fatal(err)
	}
	named := func(sn string) func(map[string]string) {
		return func(m map[string]string) { m["alipay_cert_sn"] = sn }
	}
	try := func(key *rsa.PrivateKey, change func(map[string]string)) error {
		_, err := v.Notification(notify(t, key, tradeParams(change)))
		return err
	}
	if err := try(theirKey(), nil); err != nil {
		t.Errorf("no certificate named: %v", err)
	}
	if err := try(theirKey(), named(leafSN(t, p.alipay))); err != nil {
		t.Errorf("the installed one: %v", err)
	}
	if err := try(nextKey(), named(leafSN(t, p.next))); !errors.Is(err, gateway.ErrUnknownCertificate) || !errors.Is(err, gateway.ErrForged) {
		t.Errorf("an unknown one: %v", err)
	}
	if err := certs.Add(p.next); err != nil {
		t.Fatal(err)
	}
	if err := try(nextKey(), named(leafSN(t, p.next))); err != nil {
		t.Errorf("one that was handed on: %v", err)
	}
	if err := try(ourKey(), named(leafSN(t, p.next))); !errors.Is(err, gateway.ErrForged) {
		t.Errorf("another key: %v", err)
	}
}

// TestNotificationsAreBounded: what is too long or too many is refused before any signature.
func TestNotificationsAreBounded(t *testing.T) {
	v, err := gateway.NewVerifier(gateway.VerifierOptions{AppID: "1", AlipayKey: &theirKey().PublicKey, AuthAppID: "9"})
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"65 KiB":         "a=" + strings.Repeat("x", 65<<10),
		"101 parameters": strings.Repeat("&", 100),
		"a long sign":    "app_id=1&sign=" + strings.Repeat("AAAA", 1000),
		"no name twice":  "&",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := v.Notification([]byte(body)); !errors.Is(err, gateway.ErrForged) {
				t.Errorf("%v", err)
			}
		})
	}
}

// FuzzNotification: a changed body verifies only if it has the same content.
func FuzzNotification(f *testing.F) {
	v := alipaytest.Load[notificationVectors](f, "openapi/notifications.json")
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](f, "openapi/keys.json")
	ver := v.verifier(f, keyVectors, "alipay")
	genuine := map[string]bool{}
	for _, c := range v.Cases {
		f.Add(c.Request.Body)
		genuine[string(c.Expect.SignContent)] = true
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := ver.Notification(body); err != nil {
			return
		}
		for _, text := range signedTexts(body) {
			if genuine[text] {
				return
			}
		}
		t.Errorf("verified: %q", body)
	})
}

// signedTexts are the texts that a notification may have signed.
func signedTexts(body []byte) (texts []string) {
	params, err := form.Parse(body)
	if err != nil {
		return nil
	}
	for _, v := range params.Variants() {
		texts = append(texts, string(params.SignedText(v)))
	}
	return texts
}
