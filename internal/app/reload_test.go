package app

import (
	"context"
	"crypto/rsa"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/schemas"
)

// reloading is an app of each kind, built of real files, at a simulator whose keys change, with
// a reloader over them.
type reloading struct {
	t       *testing.T
	dir     string
	sim     atomic.Pointer[simulator.Simulator]
	log     apptest.Buffer
	service *Service
	hup     chan os.Signal
	shop    *gateway.Client
}

// Names of these tests' apps.
const (
	reloadApp   = "2021000000000001"
	reloadHKApp = "hk-client"
)

const reloadSettings = `
kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s}
registry: {folder: .}
topics: {inputs: [{accounts: [shop, kong], default_account: shop}]}
apps:
  main: {kind: openapi, environment: simulator, url: 'http://127.0.0.1:1', app_id: '2021000000000001', private_key_file: own.pem, alipay_public_key_file: alipay.pub}
  hk: {kind: alipayhk, environment: simulator, url: 'http://127.0.0.1:1', client_id: hk-client, key_version: '1', private_key_file: hk.pem, platform_keys: {'1': hk1.pub, '2': hk2.pub}}
accounts:
  shop: {app: main, channel: TRADE, app_auth_token_file: token}
  kong: {app: hk}
`

// newReloading is for a bubble: half a minute passes at once.
func newReloading(t *testing.T, text string) *reloading {
	t.Helper()
	r := &reloading{t: t, dir: t.TempDir(), hup: make(chan os.Signal)}
	r.write("bridge.yaml", text)
	r.write("own.pem", apptest.PrivatePEM(apptest.OwnKey()))
	r.write("alipay.pub", apptest.PublicPEM(&apptest.PlatformKey().PublicKey))
	r.write("hk.pem", apptest.PrivatePEM(apptest.OwnKey()))
	r.write("hk1.pub", apptest.PublicPEM(&apptest.PlatformKey().PublicKey))
	r.write("hk2.pub", apptest.PublicPEM(&apptest.PlatformKey().PublicKey))
	r.write("token", "token-of-today")
	r.gateway(apptest.OwnKey(), apptest.PlatformKey(), "1", "token-of-today")
	pipe := simulator.NewPipe()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.sim.Load().ServeHTTP(w, q) })}
	go func() { _ = srv.Serve(pipe) }()
	t.Cleanup(func() { _ = srv.Close() })

	path := filepath.Join(r.dir, "bridge.yaml")
	src, c, err := config.Open(path, os.LookupEnv)
	apptest.NoError(t, err)
	apptest.NoError(t, os.CopyFS(r.dir, schemas.FS))
	log := slog.New(slog.NewTextHandler(&r.log, nil))
	r.service, err = New(t.Context(), c, Options{Log: log, Dial: pipe.DialContext})
	apptest.NoError(t, err)
	t.Cleanup(r.service.Close)
	r.shop = r.service.client("shop", r.service.accounts["shop"])
	reloader := newReloader(Settings{path: path, source: src, Config: c}, r.service, new(slog.LevelVar))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { reloader.run(ctx, r.hup) })
	t.Cleanup(func() { stop(); wg.Wait() })
	synctest.Wait()
	return r
}

// gateway replaces the simulator by one that knows these keys.
func (r *reloading) gateway(merchant, alipays *rsa.PrivateKey, version, token string) {
	r.t.Helper()
	sim, err := simulator.New(simulator.Options{
		Apps: []simulator.App{{ID: reloadApp, SellerID: "2088000000000000", PublicKey: &merchant.PublicKey, SigningKey: alipays,
			Merchants: []simulator.Merchant{{Name: "shop", SellerID: "2088000000000001", AppAuthToken: token}}}},
		HKApps: []simulator.HKApp{{ClientID: reloadHKApp, MerchantKeys: map[string]*rsa.PublicKey{"1": &merchant.PublicKey}, PlatformKey: alipays, PlatformKeyVersion: version}},
	})
	apptest.NoError(r.t, err)
	r.sim.Store(sim)
}

func (r *reloading) write(name, text string) {
	r.t.Helper()
	apptest.NoError(r.t, os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600))
}

// later lets the time pass within which files are read again.
func (r *reloading) later() { time.Sleep(rereadEvery); synctest.Wait() }

// classes are what calls of both apps come to: a signed "no such trade" and a signed success
// are both believed.
func (r *reloading) classes() string {
	_, classic := r.shop.Do(r.t.Context(), &alipay.TradeQuery{OutTradeNo: "T1"})
	sync := hkOrder()
	sync.CreateTime, sync.ModifyTime = time.Now(), time.Now()
	_, hk := r.service.apps["hk"].Client(alipay.Merchant{}).Do(r.t.Context(), sync)
	return alipay.ClassOf(classic).String() + " " + alipay.ClassOf(hk).String()
}

// Both sides change their keys while calls go on: half a minute after the files changed the new
// keys are in use, and what a bad file holds never is (security Y3).
func TestY3_RotatedFilesAreInUseWithinHalfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)))
		r := newReloading(t, reloadSettings)
		step := func(what, want string) {
			t.Helper()
			if got := r.classes(); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
			if said := r.log.Take(); strings.Contains(said, "PRIVATE") || strings.Contains(said, strings.Split(apptest.PrivatePEM(apptest.LaterKey()), "\n")[2]) {
				t.Errorf("%s: a key in the log: %s", what, said)
			}
		}
		step("at the start", "REJECTED DONE")

		r.gateway(apptest.LaterKey(), apptest.PlatformKey(), "1", "token-of-today")
		step("Alipay knows our new key", "MISCONFIGURED MISCONFIGURED")
		r.write("own.pem", apptest.PrivatePEM(apptest.LaterKey()))
		r.write("hk.pem", apptest.PrivatePEM(apptest.LaterKey()))
		r.later()
		if said := r.log.Take(); strings.Count(said, "keys were replaced") != 2 || strings.Count(said, keys.Fingerprint(&apptest.LaterKey().PublicKey)) != 2 {
			t.Errorf("said %s", said)
		}
		step("our files have it too", "REJECTED DONE")

		r.gateway(apptest.LaterKey(), apptest.OwnKey(), "2", "token-of-today")
		step("Alipay signs with a new key", "UNTRUSTED UNTRUSTED")
		r.write("alipay.pub", apptest.PublicPEM(&apptest.OwnKey().PublicKey))
		r.write("hk2.pub", apptest.PublicPEM(&apptest.OwnKey().PublicKey))
		r.later()
		step("our files have that too", "REJECTED DONE")

		for what, bad := range map[string]string{"junk": "junk", "Alipay's own": apptest.PrivatePEM(apptest.OwnKey()), "the public half": apptest.PublicPEM(&apptest.LaterKey().PublicKey)} {
			r.write("own.pem", bad)
			r.log.Take()
			r.later()
			r.later()
			if said := r.log.Take(); strings.Count(said, "level=ERROR") != 1 || !strings.Contains(said, "stay") {
				t.Errorf("%s: said %s", what, said)
			}
			step(what, "REJECTED DONE")
		}
		r.write("own.pem", apptest.PrivatePEM(apptest.LaterKey()))
		r.later()
		step("fixed", "REJECTED DONE")
	})
}

// A token that was renewed is in use half a minute later, also in calls that began before.
func TestRenewedTokenIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)))
		r := newReloading(t, reloadSettings)
		r.gateway(apptest.OwnKey(), apptest.PlatformKey(), "1", "token-of-tomorrow")
		if got := r.classes(); got != "MISCONFIGURED DONE" {
			t.Errorf("with the old token: %s", got)
		}
		r.log.Take()
		r.write("token", strings.Repeat("tomorrow", 6)) // a mistake: the one before stays in force, and no event is refused for it
		r.later()
		if said := r.log.Take(); !strings.Contains(said, "48 characters") || strings.Contains(said, "tomorrow") || strings.Contains(said, "were replaced") {
			t.Errorf("a token that is too long: said %s", said)
		}
		if got := r.classes(); got != "MISCONFIGURED DONE" {
			t.Errorf("with a token that is too long: %s", got)
		}
		r.write("token", "token-of-tomorrow")
		r.later()
		said := r.log.Take()
		if !strings.Contains(said, "tokens were replaced") || !strings.Contains(said, "accounts.shop.app_auth_token_file") || strings.Contains(said, "tomorrow") {
			t.Errorf("said %s", said)
		}
		if got := r.classes(); got != "REJECTED DONE" {
			t.Errorf("with the new one: %s", got)
		}
	})
}

// reread is SIGHUP after an edit of the settings; it returns the log.
func (r *reloading) reread(settings string) string {
	r.t.Helper()
	r.write("bridge.yaml", settings)
	r.log.Take()
	r.hup <- syscall.SIGHUP
	synctest.Wait()
	return r.log.Take()
}

const permissive = `
  shop: {app: main, channel: TRADE, app_auth_token_file: token, allow_violated: true, extra: [a, b], extra_money: true, payees: {seller_id: ['1', '2'], org_pid: ['3']}, notify_url: 'http://127.0.0.1/n', auth_app_id: '9'}
  kong: {app: hk}
`

// What a reload takes, what it leaves to a restart, and how it says so: permissions are taken
// away at once and never given (security Y6).
func TestY6_ReloadTakesPermissionsAwayAndGivesNone(t *testing.T) {
	head, _, _ := strings.Cut(reloadSettings, "accounts:\n  shop")
	start := head + "accounts:" + permissive
	for _, tt := range []struct{ name, edit, changed, waiting string }{
		{"nothing", "|", "[]", ""},
		{"how long can be paid", "channel: TRADE|channel: TRADE, defaults: {timeout_express: 5m}, expires_as: timeout_express, business_params_as: object",
			"[accounts.shop.business_params_as accounts.shop.defaults.timeout_express accounts.shop.expires_as]", ""},
		{"fewer calls", "channel: TRADE|channel: TRADE, mapping: [{events: [CREATED], skip: no}]", "[accounts.shop.mapping]", ""},
		{"a call more", "channel: TRADE|channel: TRADE, mapping: [{channel: CREDIT, events: [OVERDUE], call: alipay.trade.create}]", "[]", "[accounts.shop.mapping]"},
		{"a skip and a call more", "channel: TRADE|channel: TRADE, mapping: [{events: [PAID], skip: no}, {channel: CREDIT, events: [OVERDUE], call: alipay.trade.create}]", "[]", "[accounts.shop.mapping]"},
		{"another channel", "channel: TRADE|channel: CREDIT", "[]", "[accounts.shop.channel]"},
		{"a store, whose account is paid first", "channel: TRADE|channel: TRADE, defaults: {store_id: S1}", "[]", "[accounts.shop.defaults.store_id]"},
		{"another product", "channel: TRADE|channel: TRADE, defaults: {product_code: JSAPI_PAY}", "[]", "[accounts.shop.defaults.product_code]"},
		{"another token file", "app_auth_token_file: token|app_auth_token_file: token2", "[]", "[accounts.shop.app_auth_token_file]"},
		{"no token", "app_auth_token_file: token, |", "[]", "[accounts.shop.app_auth_token_file]"},
		{"an agent's token", "kong: {app: hk}|kong: {app: hk, agent_token_file: token2}", "[]", "[accounts.kong.agent_token_file]"},
		{"stores that may be paid", "seller_id: ['1', '2']|seller_id: ['1', '2'], store_id: [S1], alipay_store_id: ['1']", "[]", "[accounts.shop.payees.alipay_store_id accounts.shop.payees.store_id]"},
		{"fewer payees", "['1', '2'], org_pid: ['3']|['2']", "[accounts.shop.payees.org_pid accounts.shop.payees.seller_id]", ""},
		{"more payees", "['1', '2'], org_pid: ['3']|['1', '9'], merchant_id: ['4']", "[accounts.shop.payees.org_pid accounts.shop.payees.seller_id]", "[accounts.shop.payees.merchant_id accounts.shop.payees.seller_id]"},
		{"permissions withdrawn", "allow_violated: true, extra: [a, b], extra_money: true|extra: [a, c]", "[accounts.shop.allow_violated accounts.shop.extra accounts.shop.extra_money]", "[accounts.shop.extra]"},
		{"another default account", "default_account: shop|default_account: kong", "[]", "[topics.inputs[0].default_account]"},
		{"another seller", "channel: TRADE,|channel: TRADE, seller_id: '2088000000000009',", "[]", "[accounts.shop.seller_id]"},
		{"a member more, where money passes", "extra: [a, b]|extra: [a, b, c]", "[]", "[accounts.shop.extra]"},
		{"an account less", "  kong: {app: hk}\n||shop, kong|shop", "[accounts.kong topics.inputs[0].accounts]", ""},
		{"an account more", "  kong: {app: hk}\n|  kong: {app: hk}\n  new: {app: main, channel: TRADE}\n", "[]", "[accounts.new]"},
		{"an account less in a topic", "[shop, kong], default_account: shop|[kong]", "[topics.inputs[0].accounts topics.inputs[0].default_account]", ""},
		{"another merchant for notifications", "auth_app_id: '9'|auth_app_id: '8', seller_emails: [a@example.com], accept_foreign_orders: true", "[]", "[accounts.shop.accept_foreign_orders accounts.shop.auth_app_id accounts.shop.seller_emails]"},
		{"another ceiling of new orders", "auth_app_id: '9'|auth_app_id: '9', new_orders_per_day: 5", "[]", "[accounts.shop.new_orders_per_day]"},
		{"another address for notifications", "127.0.0.1/n|127.0.0.1/m", "[]", "[accounts.shop.notify_url]"},
		{"another gateway and key", "127.0.0.1:1', app_id|127.0.0.1:2', app_id", "[]", "[apps.main.url]"},
		{"another key file", "alipay.pub|hk1.pub", "[]", "[apps.main.alipay_public_key_file]"},
		{"another broker", "9092|9093", "[]", "[kafka.brokers[0]]"},
		{"an app of another kind", "shop: {app: main, channel: TRADE, app_auth_token_file: token, allow_violated: true, extra: [a, b], extra_money: true, payees: {seller_id: ['1', '2'], org_pid: ['3']}, notify_url: 'http://127.0.0.1/n', auth_app_id: '9'}|shop: {app: hk}",
			"[]", "[accounts.shop.allow_violated accounts.shop.app accounts.shop.app_auth_token_file accounts.shop.auth_app_id accounts.shop.channel accounts.shop.extra accounts.shop.extra_money accounts.shop.notify_url accounts.shop.payees.org_pid accounts.shop.payees.seller_id]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReloading(t, start)
				r.write("token2", "token-of-another-merchant")
				edited := strings.NewReplacer(strings.Split(tt.edit, "|")...).Replace(start)
				if edited == start && tt.name != "nothing" {
					t.Fatalf("%s: changes nothing", tt.name)
				}
				said := r.reread(edited)
				if got := between(said, "changed="); got != tt.changed {
					t.Errorf("%s: changed %s, want %s", tt.name, got, tt.changed)
				}
				if got := between(said, "settings="); got != tt.waiting {
					t.Errorf("%s: left to a restart: %s, want %s", tt.name, got, tt.waiting)
				}
				if again := r.reread(edited); between(again, "changed=") != "[]" || between(again, "settings=") != tt.waiting {
					t.Errorf("%s: a second time it says %s", tt.name, again)
				}
			})
		})
	}
}

// between returns the value of a key in a line of the text log.
func between(said, key string) string {
	_, rest, ok := strings.Cut(said, key)
	if !ok {
		return ""
	}
	if rest, quoted := strings.CutPrefix(rest, `"`); quoted {
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	return strings.Fields(rest)[0]
}

// A file with faults changes nothing, and every fault is logged with its line.
func TestY6_BrokenSettingsChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReloading(t, reloadSettings)
		said := r.reread(strings.NewReplacer("channel: TRADE", "channel: TRADES", "app: hk}", "app: kh}", "token}", "missing}").Replace(reloadSettings))
		for _, want := range []string{"the previous settings stay in force", "setting=accounts.shop.channel", "setting=accounts.kong.app", "setting=accounts.shop.app_auth_token_file", "line=9"} {
			if !strings.Contains(said, want) {
				t.Errorf("no %q in %s", want, said)
			}
		}
		if strings.Contains(said, "changed=") {
			t.Errorf("said %s", said)
		}
		if said := r.reread(": :"); !strings.Contains(said, "not valid YAML") {
			t.Errorf("said %s", said)
		}
		if said := r.reread(reloadSettings); strings.Contains(said, "ERROR") || between(said, "changed=") != "[]" {
			t.Errorf("fixed: %s", said)
		}
	})
}

// Certificates and keys that end are logged 30, 14 and 3 days before and at their end, once each.
func TestY3_EndsAreLoggedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReloading(t, reloadSettings)
		end := time.Now().Add(40 * 24 * time.Hour)
		main, err := gateway.NewOpenAPI(gateway.OpenAPIOptions{URL: "http://127.0.0.1:1", AppID: reloadApp, Signer: keys.NewRSASigner(apptest.OwnKey()), AlipayKey: &apptest.PlatformKey().PublicKey,
			MoreKeys: []gateway.AlipayKey{{Key: &apptest.LaterKey().PublicKey, Until: end}}})
		apptest.NoError(t, err)
		watcher := newReloader(Settings{source: new(config.Source)}, &Service{apps: map[string]*gateway.App{"main": main}, o: r.service.o}, new(slog.LevelVar))
		logged := map[int]string{}
		for day := range 45 {
			watcher.warnOfEnds(time.Now().Add(time.Duration(day) * 24 * time.Hour))
			if said := r.log.Take(); said != "" {
				logged[40-day] = between(said, "level=")
			}
		}
		if want := map[int]string{30: "WARN", 14: "WARN", 3: "WARN", 0: "ERROR"}; !maps.Equal(logged, want) {
			t.Errorf("logged %v, want %v", logged, want)
		}
	})
}

// Without a token the app is who is paid, and its environment whose money it is: an account
// stays where it was (security Y6).
func TestY6_AnAccountKeepsItsApp(t *testing.T) {
	app := func(environment config.Environment, id string) config.App {
		return config.App{Kind: config.OpenAPI, Environment: environment, AppID: id}
	}
	now := config.Config{Apps: map[string]config.App{"main": app(config.Sandbox, "1"), "other": app(config.Sandbox, "2")}}
	edited := config.Config{Apps: map[string]config.App{"main": app(config.Production, "1"), "other": app(config.Sandbox, "2")}}
	old := config.Account{App: "main"}
	for name, tt := range map[string]struct {
		read config.Account
		file config.Config
	}{
		"another app":         {config.Account{App: "other", ExpiresAs: "timeout_express"}, now},
		"another environment": {config.Account{App: "main", ExpiresAs: "timeout_express"}, edited},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mergeAccount(old, tt.read, now, tt.file); len(config.Changes(oneAccount(old), oneAccount(got))) > 0 {
				t.Errorf("%s: %+v", name, got)
			}
		})
	}
}

func oneAccount(a config.Account) config.Config {
	return config.Config{Accounts: map[string]config.Account{"shop": a}}
}

// A signer that is in trouble for a moment does not keep new files out for ever; an operator
// finds one line in the log.
func TestFilesThatFailAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReloading(t, reloadSettings)
		r.write("own.pem", apptest.PrivatePEM(apptest.PlatformKey())) // Alipay's own key is refused when the app is built
		r.later()
		r.later()
		if said := r.log.Take(); strings.Count(said, "level=ERROR") != 1 {
			t.Errorf("said %s", said)
		}
		r.write("own.pem", apptest.PrivatePEM(apptest.OwnKey()))
		r.later()
		r.log.Take()
		r.write("own.pem", apptest.PrivatePEM(apptest.PlatformKey()))
		r.later()
		if said := r.log.Take(); strings.Count(said, "level=ERROR") != 1 {
			t.Errorf("put in a second time, said %s", said)
		}
	})
}

// Connections are made with roots that are read once: the log says so.
func TestANewCAFileNeedsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		apptest.NoError(t, os.WriteFile(filepath.Join(dir, "ca.PEM"), []byte(apptest.NewAuthority(t).PEM), 0o600))
		r := newReloading(t, strings.Replace(reloadSettings, "app_id:", "ca_file: '"+filepath.Join(dir, "ca.PEM")+"', app_id:", 1))
		apptest.NoError(t, os.WriteFile(filepath.Join(dir, "ca.PEM"), []byte(apptest.NewAuthority(t).PEM), 0o600))
		r.later()
		r.later()
		if said := r.log.Take(); strings.Count(said, "needs a restart") != 1 || strings.Contains(said, "keys were replaced") {
			t.Errorf("said %s", said)
		}
	})
}

// A reload may make fewer calls of events, never more: rows that skip are added, none is lost or moved.
func TestY6_OnlySkipsMore(t *testing.T) {
	create, skip, other := config.Row{Call: config.CallCreate, Channel: "CREDIT"}, config.Row{Skip: "no"}, config.Row{Skip: "never"}
	for name, tt := range map[string]struct {
		old, read []config.Row
		want      bool
	}{
		"none":              {nil, nil, true},
		"a skip more":       {nil, []config.Row{skip}, true},
		"a skip in front":   {[]config.Row{create}, []config.Row{skip, create}, true},
		"a skip less":       {[]config.Row{skip}, nil, false},
		"another skip":      {[]config.Row{skip}, []config.Row{other}, false},
		"a call less":       {[]config.Row{create}, nil, false},
		"a call more":       {[]config.Row{skip}, []config.Row{skip, create}, false},
		"in another order":  {[]config.Row{skip, create}, []config.Row{create, skip}, false},
		"a skip at the end": {[]config.Row{create}, []config.Row{create, skip}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := onlySkipsMore(tt.old, tt.read); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestTheLogLevelFollowsTheFile: a level that the file names is in force, and logged.
func TestTheLogLevelFollowsTheFile(t *testing.T) {
	var log apptest.Buffer
	level := new(slog.LevelVar)
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))
	r := &reloader{log: logger, level: level}
	now, read := config.Default(), config.Default()
	r.useLogLevel(&now, read)
	read.Telemetry.LogLevel = "debug"
	r.useLogLevel(&now, read)
	logger.Debug("details")
	if said := log.Take(); strings.Count(said, "the log level was changed") != 1 || !strings.Contains(said, "details") || now.Telemetry.LogLevel != "debug" {
		t.Errorf("%s: %s", now.Telemetry.LogLevel, said)
	}
}
