package app

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// TestSuccessorOfAlipaysCertificate: settings alone connect an app in certificate mode. When
// Alipay signs with its next certificate, calls go on, and the log asks the operator to install it.
func TestSuccessorOfAlipaysCertificate(t *testing.T) {
	ca, err := standalone.NewAuthority()
	apptest.NoError(t, err)
	made, err := standalone.GenerateApp(reloadApp)
	apptest.NoError(t, err)
	made, err = ca.Certify(made)
	apptest.NoError(t, err)
	sim, err := simulator.New(simulator.Options{Apps: []simulator.App{made.App}, Faults: []simulator.Fault{simulator.Rotated(simulator.TradeQuery).Skip(1).Always()}})
	apptest.NoError(t, err)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)

	dir := t.TempDir()
	for name, text := range map[string]string{"own.pem": made.MerchantPrivate, "app.crt": made.App.Certs.App, "alipay.crt": made.App.Certs.Alipay, "root.crt": made.App.Certs.Roots} {
		apptest.WriteSecret(t, dir, name, text)
	}
	text := apptest.OpenAPIApp + "    url: " + server.URL + "\n    mode: certificate\n    private_key_file: DIR/own.pem\n    app_cert_file: DIR/app.crt\n    alipay_cert_file: DIR/alipay.crt\n    alipay_root_cert_file: DIR/root.crt\n"
	var said apptest.Buffer
	app, err := NewAlipayApp(t.Context(), apptest.LoadSettings(t, strings.ReplaceAll(text, "DIR", dir), "").Apps["main"], Options{Log: slog.New(slog.NewTextHandler(&said, nil))})
	apptest.NoError(t, err)
	t.Cleanup(app.Close)
	for n := range 4 {
		if _, err := app.Client(alipay.Merchant{}).Do(t.Context(), &alipay.TradeQuery{OutTradeNo: "T1"}); alipay.ClassOf(err) != alipay.Rejected { // no such trade
			t.Errorf("call %d: %v", n, err)
		}
	}
	if log := said.Take(); strings.Count(log, "install it as alipay_cert_file") != 1 || strings.Count(log, "level=") != 1 {
		t.Errorf("said %s", log)
	}
	if n := len(app.Ends()); n != 3 {
		t.Errorf("%d certificates, want the app's and two of Alipay's", n)
	}
}
