//go:build vault

package gateway_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// vaultStub is the part of Vault's transit engine that signing needs.
type vaultStub struct {
	t      testing.TB
	status atomic.Int32 // 0: works
	flip   atomic.Bool  // signatures have a wrong bit
	slow   atomic.Bool  // does not answer
}

func (v *vaultStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if v.slow.Load() {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices that we left only after that
		<-r.Context().Done()
		return
	}
	if n := int(v.status.Load()); n != 0 {
		http.Error(w, r.Header.Get("X-Vault-Token"), n)
		return
	}
	if r.Header.Get("X-Vault-Token") != tokenCanary {
		http.Error(w, "permission denied", http.StatusForbidden)
		return
	}
	if r.Method == http.MethodGet && r.URL.Path == "/v1/transit/keys/app" {
		der, _ := x509.MarshalPKIXPublicKey(&ourKey().PublicKey)
		public, _ := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
		fmt.Fprintf(w, `{"data":{"latest_version":3,"keys":{"3":{"public_key":%s}}}}`, public)
		return
	}
	var q struct {
		Input     []byte
		Prehashed bool
		Algorithm string `json:"signature_algorithm"`
		Version   int    `json:"key_version"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.URL.Path != "/v1/transit/sign/app/sha2-256" || !q.Prehashed || q.Algorithm != "pkcs1v15" || q.Version != 3 {
		v.t.Errorf("%s %+v %v", r.URL.Path, q, err)
	}
	sig, err := rsa.SignPKCS1v15(rand.Reader, ourKey(), crypto.SHA256, q.Input)
	if err != nil {
		v.t.Error(err)
	}
	if v.flip.Load() {
		sig[9] ^= 1
	}
	fmt.Fprintf(w, `{"data":{"signature":"vault:v3:%s"}}`, base64.StdEncoding.EncodeToString(sig))
}

// TestVault: a whole call with a key that never leaves Vault; slow, failing and faulty answers
// of it send nothing, and the token shows nowhere.
func TestVault(t *testing.T) {
	stub := &vaultStub{t: t}
	srv := httptest.NewServer(stub)
	t.Cleanup(srv.Close)
	uri := "vault://" + strings.TrimPrefix(srv.URL, "http://") + "/transit/app"
	signer, err := keys.OpenSigner(t.Context(), uri, keys.Options{VaultToken: tokenCanary})
	if err != nil {
		t.Fatal(err)
	}
	g := &keyedGateway{t: t, key: &ourKey().PublicKey, text: func(s string) string { t.Error("a faulty signature was sent"); return s }}
	app := openAPI(t, g.ServeHTTP, func(o *gateway.OpenAPIOptions) { o.Signer, o.Timeout = signer, 2*time.Second })
	if err := app.CheckSigner(t.Context()); err != nil {
		t.Fatal(err)
	}
	call := func() error {
		_, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]func(on bool){
		"faulty":  stub.flip.Store,
		"slow":    stub.slow.Store,
		"failing": func(on bool) { stub.status.Store(map[bool]int32{true: 503}[on]) },
		"sealed":  func(on bool) { stub.status.Store(map[bool]int32{true: 400}[on]) },
	} {
		t.Run(name, func(t *testing.T) {
			fault(true)
			err := call()
			if alipay.ClassOf(err) != alipay.Transient || !errors.Is(err, keys.ErrSigner) || strings.Contains(err.Error(), tokenCanary) {
				t.Errorf("%v", err)
			}
			fault(false)
		})
	}
	if strings.Contains(printed(t, signer)+printed(t, keys.Options{VaultToken: tokenCanary}), tokenCanary) {
		t.Error("the token prints")
	}
	for _, bad := range []string{"vault:app", "vault://x", "vault://x/app", "vault://u:p@x/transit/app", "vault://127.0.0.1:1/transit/app"} {
		if _, err := keys.OpenSigner(t.Context(), bad, keys.Options{VaultToken: tokenCanary}); err == nil || strings.Contains(err.Error(), tokenCanary) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := keys.OpenSigner(t.Context(), uri, keys.Options{VaultToken: "wrong"}); err == nil {
		t.Error("a wrong token opened the key")
	}
}
