package alipay_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

func keyPEM(t testing.TB, k *rsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestKeyFilesAreWatched: new keys come into use within half a minute; a bad file and a file
// that is touched change nothing.
func TestKeyFilesAreWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		current, next := filepath.Join(t.TempDir(), "current"), filepath.Join(t.TempDir(), "next")
		write := func(name string, text []byte) {
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Error(err)
			}
			time.Sleep(31 * time.Second)
			synctest.Wait()
		}
		g := &keyedGateway{t: t, key: &ourKey().PublicKey}
		app := openAPI(t, g.ServeHTTP)
		ctx, cancel := context.WithCancel(t.Context())
		var (
			wg    sync.WaitGroup
			heard []error
		)
		wg.Go(func() {
			_ = app.WatchSigners(ctx, alipay.KeyFiles{Current: "file:" + current, Next: "file:" + next, Changed: func(err error) { heard = append(heard, err) }})
		})
		defer wg.Wait()
		defer cancel()
		works := func() bool {
			_, err := app.Client(alipay.Merchant{}).Do(t.Context(), aQuery())
			return err == nil
		}
		synctest.Wait() // it has read the files as they are: there are none
		write(current, keyPEM(t, ourKey()))
		if !works() || len(heard) != 1 || heard[0] != nil {
			t.Fatalf("heard %v", heard)
		}
		write(current, keyPEM(t, ourKey())) // touched
		write(next, []byte("junk"))
		if !works() || len(heard) != 2 || heard[1] == nil {
			t.Fatalf("heard %v", heard)
		}
		write(next, keyPEM(t, nextKey()))
		write(current, keyPEM(t, theirKey())) // Alipay's key
		if !works() || len(heard) != 4 || heard[2] != nil || heard[3] == nil {
			t.Fatalf("heard %v", heard)
		}
		// The prepared key is in use once Alipay refuses the old one.
		g.setKey(&nextKey().PublicKey)
		if works() || !works() {
			t.Error("the next key is not in use")
		}
		write(current, keyPEM(t, nextKey()))
		if err := os.Remove(next); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if !works() || heard[len(heard)-1] != nil {
			t.Errorf("heard %v", heard)
		}
	})
}
