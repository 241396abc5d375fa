package app

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/notify"
	"alipay-kafka-bridge/internal/sight"
)

var notifySettings = strings.Replace(lifeSettings, "shop: {app: main, channel: TRADE}", "shop: {app: main, channel: TRADE, seller_id: '2088000000000000'}", 1) + "notify: {listen: 'localhost:8086'}\n"

// notification is a genuine one for the account shop, signed with this key.
func notification(key *rsa.PrivateKey, no string) string {
	form := url.Values{
		"app_id": {"2021000000000001"}, "seller_id": {"2088000000000000"}, "notify_type": {"trade_status_sync"}, "charset": {"utf-8"}, "notify_id": {"n-" + no}, "out_trade_no": {no},
		"notify_time": {time.Now().In(time.FixedZone("", 8*60*60)).Format(time.DateTime)}, "trade_no": {"t-" + no}, "trade_status": {"TRADE_SUCCESS"}, "total_amount": {"88.88"},
	}
	var pairs []string
	for name, value := range form {
		pairs = append(pairs, name+"="+value[0])
	}
	slices.Sort(pairs)
	sum := sha256.Sum256([]byte(strings.Join(pairs, "&")))
	sign, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	form.Set("sign", base64.StdEncoding.EncodeToString(sign))
	return form.Encode()
}

// notify posts a notification and returns the answer; empty: no one listens.
func (w *world) notify(body string) string {
	w.t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: w.network.DialContext, DisableKeepAlives: true}}
	resp, err := client.Post("http://localhost:8086/notify/shop", "application/x-www-form-urlencoded", strings.NewReader(body))
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	apptest.NoError(w.t, err)
	return string(b)
}

// TestN1_OnlyNotify: a process with the receiver alone starts where no private key exists, becomes ready, takes
// notifications, reads Alipay's new key by itself, and stops in order. It joins no group.
func TestN1_OnlyNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apptest.NoError(t, os.Remove(filepath.Join(w.dir, "own.pem")))
		w.startKafka()
		p := w.start(notifySettings, "notify")
		time.Sleep(20 * time.Second)
		if ready := w.probe("/readyz"); ready != 200 {
			t.Errorf("ready: %d\n%s", ready, p.log.Take())
		}
		if answer := w.notify(notification(apptest.PlatformKey(), "1")); answer != "success" {
			t.Errorf("answered %q", answer)
		}
		if answer := w.notify(notification(apptest.LaterKey(), "2")); answer != "fail" {
			t.Errorf("another key: answered %q", answer)
		}
		apptest.WriteSecret(t, w.dir, "alipay.pub", apptest.PublicPEM(&apptest.LaterKey().PublicKey))
		time.Sleep(time.Minute)
		if answer := w.notify(notification(apptest.LaterKey(), "3")); answer != "success" {
			t.Errorf("after the change of the key: answered %q\n%s", answer, p.log.Take())
		}
		p.reload <- os.Interrupt
		synctest.Wait()
		if said := p.log.Take(); strings.Contains(said, "level=ERROR") || !strings.Contains(said, "accounts were reloaded") {
			t.Errorf("read again, the log says %s", said)
		}
		if groups := w.kafka.Kafka().GroupInfo("alipay-kafka-bridge"); groups != nil {
			t.Errorf("it has a group: %v", groups)
		}
		w.kafka.Close()
		time.Sleep(time.Minute)
		if ready := w.probe("/readyz"); ready != 503 {
			t.Errorf("without brokers, ready: %d", ready)
		}
		p.stop()
		if err := <-p.ended; err != nil {
			t.Error(err)
		}
	})
}

// TestNotifyBesideCalls: without --only, the process does all that the settings describe.
func TestNotifyBesideCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(notifySettings)
		w.send("T1", "shop")
		w.wantResults("T1=APPLIED")
		if answer := w.notify(notification(apptest.PlatformKey(), "T1")); answer != "success" {
			t.Errorf("answered %q", answer)
		}
		p.stop()
		if err := <-p.ended; err != nil {
			t.Error(err)
		}
	})
}

// TestOnlyCalls: the other parts do not run.
func TestOnlyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(notifySettings, "calls")
		w.send("T1", "shop")
		w.wantResults("T1=APPLIED")
		if answer := w.notify(notification(apptest.PlatformKey(), "T1")); answer != "" {
			t.Errorf("answered %q", answer)
		}
		p.stop()
		if err := <-p.ended; err != nil {
			t.Error(err)
		}
	})
}

// TestOnlyRefuses: what is not there to run is said.
func TestOnlyRefuses(t *testing.T) {
	var only PartList
	if err := only.Set("calls,notifications"); err == nil || !strings.Contains(err.Error(), "notify") || only != nil {
		t.Errorf("%v, %v", only, err)
	}
	if err := only.Set("notify,calls"); err != nil || len(only) != 2 || only.String() != "notify,calls" {
		t.Errorf("%v, %v", only, err)
	}
	c := apptest.LoadSettings(t, apptest.ClosedPortApp, "registry: {url: 'http://127.0.0.1:1'}\n")
	if _, err := New(t.Context(), c, Options{Only: []string{"notify"}}); err == nil || !strings.Contains(err.Error(), "notify.listen") {
		t.Errorf("%v", err)
	}
}

// TestNotifyPortTaken: a process whose only part cannot listen ends and says why.
func TestNotifyPortTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		l, err := w.network.Listen("tcp", "localhost:8086")
		apptest.NoError(t, err)
		defer l.Close()
		p := w.start(notifySettings, "notify")
		if err := <-p.ended; err == nil || !strings.Contains(err.Error(), "notify.listen localhost:8086") {
			t.Errorf("%v", err)
		}
	})
}

// TestN9_CertificateIsReadAgain: TLS 1.2 at least, HTTP/1.1 alone, and a new certificate needs no restart; a broken one changes
// nothing.
func TestN9_CertificateIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, authority := t.TempDir(), apptest.NewAuthority(t)
		issue := func(name string) {
			cert, key := authority.Issue(t, name, time.Now().Add(time.Hour))
			apptest.WriteSecret(t, dir, "cert.pem", cert)
			apptest.WriteSecret(t, dir, "key.pem", key)
		}
		issue("first.example")
		s := &Service{o: Options{}.withDefaults()}
		s.cfg.Notify.CertFile = config.File{Path: filepath.Join(dir, "cert.pem")}
		s.cfg.Notify.KeyFile = config.SecretFile{Path: filepath.Join(dir, "key.pem")}
		secure, err := s.notifyTLS()
		apptest.NoError(t, err)
		if secure.MinVersion != tls.VersionTLS12 || !slices.Equal(secure.NextProtos, []string{"http/1.1"}) {
			t.Errorf("TLS %x, protocols %v", secure.MinVersion, secure.NextProtos)
		}
		names := func() string {
			c, err := secure.GetCertificate(nil)
			apptest.NoError(t, err)
			return fmt.Sprint(c.Leaf.Subject, c.Leaf.SerialNumber)
		}
		before := names()
		issue("second.example")
		if now := names(); now != before {
			t.Error("the files are read for each connection")
		}
		time.Sleep(certificateAge)
		after := names()
		if after == before {
			t.Errorf("still %s", after)
		}
		apptest.WriteSecret(t, dir, "cert.pem", "nonsense")
		time.Sleep(certificateAge)
		if now := names(); now != after {
			t.Errorf("a broken file: %s", now)
		}
	})
}

// TestVerdictsAreMetrics: the words are those of the table, and each account has each of them before the first notification.
func TestVerdictsAreMetrics(t *testing.T) {
	var words []string
	for _, v := range notify.Verdicts() {
		words = append(words, string(v))
	}
	if !slices.Equal(words, metrics.Verdicts()) {
		t.Errorf("%v, the table has %v", words, metrics.Verdicts())
	}
	set, err := sight.Metrics(apptest.LoadSettings(t, apptest.ClosedPortApp, ""), nil)
	apptest.NoError(t, err)
	families, err := set.Gatherer().Gather()
	apptest.NoError(t, err)
	for _, f := range families {
		if f.GetName() == metrics.Notifications.Prometheus() && len(f.GetMetric()) == len(words) {
			return
		}
	}
	t.Error("the counter is not there at 0")
}
