package alipay_test

import (
	"crypto/rsa"
	"strings"
	"testing"
	"testing/synctest"

	"alipay-kafka-bridge/internal/alipay"
)

const hkSuccess = `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"orderId":"1"}`

// TestDownloadsOutliveNewFiles: a certificate that was downloaded and is trusted needs no second
// download when the files are read anew; one that the new root bundle does not vouch for does.
func TestDownloadsOutliveNewFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPKI(t)
		g := &rotated{t: t, sn: leafSN(t, p.next), chain: p.next, status: 200}
		app := certApp(t, p, g, nil)
		call := func() error {
			_, err := app.Client(alipay.Merchant{}).Do(t.Context(), aQuery())
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
		err := app.UseKeys(hkApp(t, silent, func(o *alipay.HKOptions) {
			o.PlatformKeys = map[string]*rsa.PublicKey{}
			for _, v := range tt.versions {
				o.PlatformKeys[v] = &hkKey(t, "platform_rsa_v"+v).PublicKey
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Client(alipay.Merchant{}).Do(t.Context(), anHKSync()); alipay.ClassOf(err) != tt.want {
			t.Errorf("keys of versions %v: %v", tt.versions, err)
		}
	}
}

// TestHKAnswerOfAnotherOrder: a signed and fresh success that was given to one order is not
// believed for another (security G3), also after keys were replaced.
func TestHKAnswerOfAnotherOrder(t *testing.T) {
	app := hkApp(t, hkSigned(t, 200, hkSuccess, "valid", hkNow))
	call := func(no alipay.OutTradeNo) error {
		r := anHKSync()
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
