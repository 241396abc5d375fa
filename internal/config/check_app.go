package config

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/config/fault"
	"alipay-kafka-bridge/internal/config/published"
)

// The gateways' hosts (alipay.trade.create, "request address"; AlipayHK Synchronize Order).
const (
	productionHost   = "openapi.alipay.com"
	productionHostHK = "open.alipay.hk"
	sandboxDomain    = "alipaydev.com"
	sandboxHost      = "openapi-sandbox.dl.alipaydev.com"
)

func (c *Config) checkApps(fs *fault.Findings) {
	if len(c.Apps) == 0 && !fs.HasFault("apps") {
		fs.Add("apps", "is missing; set it to at least one app")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Apps)) {
		path := "apps." + name
		checkName(fs, path, name)
		a := c.Apps[name]
		if fs.OneOf(path+".kind", string(a.Kind), string(OpenAPI), string(AlipayHK)) {
			a.checkKind(fs, path)
		}
		if fs.OneOf(path+".environment", string(a.Environment), string(Production), string(Sandbox), string(Simulator)) {
			a.checkURL(fs, path, c.TrustedHosts)
			a.checkMarks(fs, path)
		}
		a.checkLimits(fs, path)
		a.Breaker.check(fs, path+".breaker")
		a.Retry.check(fs, path+".retry")
	}
}

func checkName(fs *fault.Findings, path, name string) {
	if !nameForm.MatchString(name) {
		fs.Add(path, "is not a valid name; use lower-case letters, digits and dashes")
	}
}

func checkForeign(fs *fault.Findings, path string, owner Kind) {
	if fs.Given(path) {
		fs.Add(path, "belongs to kind %s; remove it", owner)
	}
}

func (a App) checkKind(fs *fault.Findings, path string) {
	a.checkOwnKeys(fs, path)
	if a.Kind == AlipayHK {
		for _, key := range openAPIKeys {
			checkForeign(fs, path+"."+key, OpenAPI)
		}
		fs.Required(path+".client_id", a.ClientID == "", "the Client-Id that AlipayHK gave")
		fs.Required(path+".platform_keys", len(a.PlatformKeys)+len(a.PlatformECKeys) == 0 && !fs.HasFault(path+".platform_keys"), "AlipayHK's public key files by version")
		fs.Word(path+".client_id", a.ClientID)
		fs.Word(path+".key_version", a.KeyVersion)
		for version, f := range a.PlatformKeys {
			checkPublicKey(fs, path+".platform_keys."+version, f)
		}
		a.checkHK(fs, path)
		return
	}
	for _, key := range hkKeys {
		checkForeign(fs, path+"."+key, AlipayHK)
	}
	fs.Required(path+".app_id", a.AppID == "", "the app's number at Alipay")
	fs.Word(path+".app_id", a.AppID)
	a.checkMode(fs, path)
	a.checkCoding(fs, path)
}

func checkPrivateKey(fs *fault.Findings, path string, f SecretFile) {
	if strings.Contains(f.Text.Reveal(), "PUBLIC KEY-----") {
		fs.Add(path, "%s has a public key; use our private key", f.Path)
	}
}

func checkPublicKey(fs *fault.Findings, path string, f File) {
	if strings.Contains(f.Text, "PRIVATE KEY-----") {
		fs.Add(path, "%s has a private key; use the public key of the other side", f.Path)
	}
}

// checkURL compares the address of the gateway with the environment (security G1).
func (a App) checkURL(fs *fault.Findings, path string, trusted []string) {
	path += ".url"
	if a.URL == "" {
		fs.Required(path, true, "the address of the gateway, such as "+a.usualURL())
		return
	}
	u, ok := fs.Address(path, a.URL)
	if !ok {
		return
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	live := host == productionHost || host == productionHostHK
	switch {
	case a.Environment == Simulator:
		checkSimulatorURL(fs, path, u, live || sandbox(host))
	case u.Scheme != "https":
		fs.Add(path, "uses http; use https")
	case a.Environment == Sandbox && live:
		fs.Add(path, "is %s, where money is real; use Alipay's sandbox, or set environment to production", host)
	case a.Environment == Production && sandbox(host):
		fs.Add(path, "is %s, a sandbox; use %s, or set environment to sandbox", host, a.usualURL())
	case a.Environment == Production && !live && !slices.Contains(trusted, host):
		fs.Add(path, "goes to %s, which does not belong to Alipay; use %s, or list the host under trusted_hosts", host, a.usualURL())
	case a.Environment == Production && live && (host == productionHostHK) != (a.Kind == AlipayHK):
		fs.Add(path, "is %s, the gateway of the other kind of app; use %s", host, a.usualURL())
	}
}

func checkSimulatorURL(fs *fault.Findings, path string, u *url.URL, alipays bool) {
	switch {
	case alipays:
		fs.Add(path, "is %s, Alipay itself; use the address of the simulator, or another environment", u.Hostname())
	case u.Scheme != "https" && !fault.Loopback(u.Hostname()):
		fs.Add(path, "uses http to %s; use https (http only on this machine)", u.Hostname())
	}
}

func sandbox(host string) bool {
	return host == sandboxDomain || strings.HasSuffix(host, "."+sandboxDomain) || strings.Contains(host, "sandbox")
}

// usualURL is the address that this app probably needs.
func (a App) usualURL() string {
	switch {
	case a.Environment == Simulator:
		return "http://127.0.0.1:8090"
	case a.Kind == AlipayHK:
		return "https://" + productionHostHK
	case a.Environment == Sandbox:
		return "https://" + sandboxHost + "/gateway.do"
	}
	return "https://" + productionHost + "/gateway.do"
}

// checkMarks refuses keys of the simulator and of tests, except in environment simulator.
func (a App) checkMarks(fs *fault.Findings, path string) {
	if a.Environment == Simulator {
		return
	}
	for key, text := range a.keyTexts() {
		if owner := published.By(text); owner != "" {
			fs.Add(path+key, "is a key of %s, which is not secret; use a key for %s, or set environment to simulator", owner, a.Environment)
		}
	}
}

// keyTexts returns the contents of all key and certificate files of the app, by setting.
func (a App) keyTexts() map[string]string {
	keys := map[string]string{
		".private_key_file": a.PrivateKeyFile.Text.Reveal(), ".next_private_key_file": a.NextPrivateKeyFile.Text.Reveal(),
		".aes_key_file": a.AESKeyFile.Text.Reveal(), ".alipay_public_key_file": a.AlipayPublicKeyFile.Text,
		".app_cert_file": a.AppCertFile.Text, ".alipay_cert_file": a.AlipayCertFile.Text, ".alipay_root_cert_file": a.AlipayRootCertFile.Text,
		".ca_file": a.CAFile.Text,
	}
	for i, k := range a.MoreAlipayKeys {
		keys[fault.Index(".more_alipay_keys", i)+".file"] = k.File.Text
	}
	for at, files := range map[string]map[string]File{
		".platform_keys.": a.PlatformKeys, ".platform_ec_keys.": a.PlatformECKeys, ".encrypt.platform_keys.": a.Encrypt.PlatformKeys,
	} {
		for version, f := range files {
			keys[at+version] = f.Text
		}
	}
	for version, f := range a.Encrypt.OurKeys {
		keys[".encrypt.our_keys."+version] = f.Text.Reveal()
	}
	return keys
}

func (a App) checkLimits(fs *fault.Findings, path string) {
	fs.Number(path+".in_flight", a.InFlight, 1, 4096)
	fs.Rate(path, a.Rate, a.Burst)
	fs.Number(path+".queries.in_flight", a.Queries.InFlight, 1, 4096)
	fs.Rate(path+".queries", a.Queries.Rate, a.Queries.Burst)
	fs.Duration(path+".connect_timeout", a.ConnectTimeout, 100*time.Millisecond, time.Minute)
	fs.Duration(path+".timeout", a.Timeout, 500*time.Millisecond, 5*time.Minute)
	fs.Duration(path+".idle_timeout", a.IdleTimeout, time.Second, 10*time.Minute)
}

func (b Breaker) check(fs *fault.Findings, path string) {
	fs.Number(path+".consecutive", b.Consecutive, 1, 100_000)
	if !(b.Ratio > 0 && b.Ratio <= 1) {
		fs.Add(path+".ratio", "is %s; use more than 0 and up to 1", fs.Quoted(path+".ratio"))
	}
	fs.Number(path+".min_requests", b.MinRequests, 1, 100_000)
	fs.Duration(path+".window", b.Window, time.Second, time.Hour)
	fs.Duration(path+".open", b.Open, 100*time.Millisecond, time.Hour)
	fs.Number(path+".half_open", b.HalfOpen, 1, 4096)
	fs.Duration(path+".ramp", b.Ramp, time.Millisecond, time.Hour)
}

func (r Retry) check(fs *fault.Findings, path string) {
	fs.Duration(path+".back_off", r.BackOff, time.Millisecond, time.Hour)
	fs.Duration(path+".back_off_max", r.BackOffMax, r.BackOff, time.Hour)
	fs.Duration(path+".throttled_back_off", r.ThrottledBackOff, time.Millisecond, time.Hour)
	fs.Duration(path+".throttled_back_off_max", r.ThrottledBackOffMax, r.ThrottledBackOff, time.Hour)
	fs.Number(path+".min_attempts", r.MinAttempts, 1, 1000)
	fs.Duration(path+".max_trying", r.MaxTrying, time.Millisecond, 30*24*time.Hour)
	fs.Duration(path+".not_found_pause", r.NotFoundPause, time.Millisecond, 10*time.Minute)
}
