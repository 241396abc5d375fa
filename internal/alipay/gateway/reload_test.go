package gateway_test

import (
	"context"
	"crypto/rsa"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

const hkSuccess = `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"orderId":"1"}`

// TestDownloadsOutliveNewFiles: a certificate that was downloaded and is trusted needs no second
// download when the files are read again, unless the new root bundle does not lead to it.
func TestDownloadsOutliveNewFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPKI(t)
		g := &rotated{t: t, sn: leafSN(t, p.next), chain: p.next, status: 200}
		app := certApp(t, p, g, nil)
		call := func() error {
			_, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
			return err
		}
		if err := call(); err != nil {
			t.Fatal(err)
		}
		if err := app.UseKeys(certApp(t, p, g, nil)); err != nil {
			t.Fatal(err)
		}
		if err := call(); err != nil || g.downloads.Load() != 1 {
			t.Errorf("%v, %d downloads", err, g.downloads.Load())
		}
		if n := len(app.Ends()); n != 3 {
			t.Errorf("%d certificates, want the app's, Alipay's and the downloaded one", n)
		}
		_, other := issue(t, "Other R1", 1, &caKey().PublicKey, nil, true)
		p.root = other
		if err := app.UseKeys(certApp(t, p, g, nil)); err != nil {
			t.Fatal(err)
		}
		if err := call(); alipay.ClassOf(err) != alipay.Untrusted {
			t.Errorf("under another root: %v", err)
		}
	})
}

// TestHKKeysAreReplaced: the platform's keys by version, and ours.
func TestHKKeysAreReplaced(t *testing.T) {
	app := hkApp(t, hkSigned(t, 200, hkSuccess, "valid", hkNow))
	for _, tt := range []struct {
		versions []string
		want     alipay.Class
	}{
		{[]string{"2"}, alipay.Untrusted}, {[]string{"1", "2"}, alipay.Done},
	} {
		err := app.UseKeys(hkApp(t, silent, func(o *gateway.HKOptions) {
			o.PlatformKeys = map[string]*rsa.PublicKey{}
			for _, v := range tt.versions {
				o.PlatformKeys[v] = &hkKey(t, "platform_rsa_v"+v).PublicKey
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync()); alipay.ClassOf(err) != tt.want {
			t.Errorf("keys of versions %v: %v", tt.versions, err)
		}
	}
}

// TestHKAnswerOfAnotherOrder: a signed and fresh success that was given to one order is not
// believed for another (security G3), also after keys were replaced.
func TestHKAnswerOfAnotherOrder(t *testing.T) {
	app := hkApp(t, hkSigned(t, 200, hkSuccess, "valid", hkNow))
	call := func(no alipay.OutTradeNo) error {
		r := alipaytest.HKOrderSync()
		r.MerchantBizNo = no
		rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), r)
		if (err == nil) != (rep.HKOrderID == "1") {
			t.Errorf("order %s: order id %q, %v", no, rep.HKOrderID, err)
		}
		return err
	}
	for range 2 {
		if err := call("A"); err != nil {
			t.Fatal(err)
		}
	}
	if err := call("B"); alipay.ClassOf(err) != alipay.Untrusted || !strings.Contains(err.Error(), "another order") {
		t.Errorf("%v", err)
	}
	if err := app.UseKeys(hkApp(t, silent)); err != nil {
		t.Fatal(err)
	}
	if err := call("B"); alipay.ClassOf(err) != alipay.Untrusted {
		t.Errorf("after a reload: %v", err)
	}
}

// A process starts after Alipay changed over, with the files as they were. Once the operator
// swaps them, as the alert says, the other key is in use.
func TestSwappedFilesHelpAKeyThatWasNeverAccepted(t *testing.T) {
	g := &keyedGateway{t: t, key: &nextKey().PublicKey}
	app := rotating(t, g)
	call := func() alipay.Class {
		_, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
		return alipay.ClassOf(err)
	}
	if got := call(); got != alipay.Misconfigured {
		t.Fatalf("at the start: %v", got)
	}
	err := app.UseKeys(openAPI(t, g.ServeHTTP, func(o *gateway.OpenAPIOptions) {
		o.Signer, o.NextSigner = keys.NewRSASigner(nextKey()), keys.NewRSASigner(ourKey())
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := call(); got != alipay.Done {
		t.Errorf("after the files were swapped: %v", got)
	}
}

// hooked runs something when a call has begun.
type hooked struct {
	noop.Tracer
	begun func()
}

func (h *hooked) Start(ctx context.Context, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	if f := h.begun; f != nil {
		h.begun = nil
		f()
	}
	return h.Tracer.Start(ctx, name, o...)
}

// TestACallKeepsToItsKeys: a call that has begun with the previous keys ends with them.
func TestACallKeepsToItsKeys(t *testing.T) {
	g := &keyedGateway{t: t, key: &ourKey().PublicKey}
	tracer := &hooked{}
	app := openAPI(t, g.ServeHTTP, func(o *gateway.OpenAPIOptions) { o.Tracer = tracer })
	tracer.begun = func() {
		if err := app.UseKeys(openAPI(t, silent, func(o *gateway.OpenAPIOptions) { o.Signer = keys.NewRSASigner(nextKey()) })); err != nil {
			t.Error(err)
		}
	}
	if _, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query()); alipay.ClassOf(err) != alipay.Done {
		t.Errorf("%v", err)
	}
}
