package config

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The gateways' hosts (alipay.trade.create, "request address"; AlipayHK Synchronize Order).
const (
	productionHost   = "openapi.alipay.com"
	productionHostHK = "open.alipay.hk"
	sandboxDomain    = "alipaydev.com"
	sandboxHost      = "openapi-sandbox.dl.alipaydev.com"
)

func (c *Config) checkApps(fs *findings) {
	if len(c.Apps) == 0 && !fs.hasFault("apps") {
		fs.add("apps", "is missing; want at least one app")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Apps)) {
		path := "apps." + name
		checkName(fs, path, name)
		a := c.Apps[name]
		if fs.oneOf(path+".kind", string(a.Kind), string(OpenAPI), string(AlipayHK)) {
			a.checkKind(fs, path)
		}
		if fs.oneOf(path+".environment", string(a.Environment), string(Production), string(Sandbox), string(Simulator)) {
			a.checkURL(fs, path, c.TrustedHosts)
			a.checkMarks(fs, path)
		}
		a.checkLimits(fs, path)
		a.Breaker.check(fs, path+".breaker")
		a.Retry.check(fs, path+".retry")
	}
}

func checkName(fs *findings, path, name string) {
	if !nameForm.MatchString(name) {
		fs.add(path, "is no name; want lower-case letters, digits and dashes")
	}
}

func checkForeign(fs *findings, path string, owner Kind) {
	if fs.given(path) {
		fs.add(path, "belongs to kind %s; leave it out", owner)
	}
}

func (a App) checkKind(fs *findings, path string) {
	a.checkOwnKeys(fs, path)
	if a.Kind == AlipayHK {
		for _, key := range openAPIKeys {
			checkForeign(fs, path+"."+key, OpenAPI)
		}
		fs.required(path+".client_id", a.ClientID == "", "the Client-Id that AlipayHK gave")
		fs.required(path+".platform_keys", len(a.PlatformKeys)+len(a.PlatformECKeys) == 0 && !fs.hasFault(path+".platform_keys"), "AlipayHK's public key files by version")
		fs.word(path+".client_id", a.ClientID)
		fs.word(path+".key_version", a.KeyVersion)
		for version, f := range a.PlatformKeys {
			checkPublicKey(fs, path+".platform_keys."+version, f)
		}
		a.checkHK(fs, path)
		return
	}
	for _, key := range hkKeys {
		checkForeign(fs, path+"."+key, AlipayHK)
	}
	fs.required(path+".app_id", a.AppID == "", "the app's number at Alipay")
	fs.word(path+".app_id", a.AppID)
	a.checkMode(fs, path)
	a.checkCoding(fs, path)
}

func checkPrivateKey(fs *findings, path string, f SecretFile) {
	if strings.Contains(f.Text.Reveal(), "PUBLIC KEY-----") {
		fs.add(path, "%s holds a public key; want our private one", f.Path)
	}
}

func checkPublicKey(fs *findings, path string, f File) {
	if strings.Contains(f.Text, "PRIVATE KEY-----") {
		fs.add(path, "%s holds a private key; want the public key of the other side", f.Path)
	}
}

// checkURL holds the gateway's address against the environment (security G1).
func (a App) checkURL(fs *findings, path string, trusted []string) {
	path += ".url"
	if a.URL == "" {
		fs.required(path, true, "the gateway, such as "+a.usualURL())
		return
	}
	u, ok := fs.address(path, a.URL)
	if !ok {
		return
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	live := host == productionHost || host == productionHostHK
	switch {
	case a.Environment == Simulator:
		checkSimulatorURL(fs, path, u, live || sandbox(host))
	case u.Scheme != "https":
		fs.add(path, "uses http; want https")
	case a.Environment == Sandbox && live:
		fs.add(path, "is %s, where money is real; want Alipay's sandbox, or environment: production", host)
	case a.Environment == Production && sandbox(host):
		fs.add(path, "is %s, a sandbox; want %s, or environment: sandbox", host, a.usualURL())
	case a.Environment == Production && !live && !slices.Contains(trusted, host):
		fs.add(path, "goes to %s, which is not Alipay's; want %s, or list the host under trusted_hosts", host, a.usualURL())
	case a.Environment == Production && live && (host == productionHostHK) != (a.Kind == AlipayHK):
		fs.add(path, "is %s, the gateway of the other kind; want %s", host, a.usualURL())
	}
}

func checkSimulatorURL(fs *findings, path string, u *url.URL, alipays bool) {
	switch {
	case alipays:
		fs.add(path, "is %s, Alipay itself; want the simulator's address, or another environment", u.Hostname())
	case u.Scheme != "https" && !loopback(u.Hostname()):
		fs.add(path, "uses http to %s; want https (http only on this machine)", u.Hostname())
	}
}

func sandbox(host string) bool {
	return host == sandboxDomain || strings.HasSuffix(host, "."+sandboxDomain) || strings.Contains(host, "sandbox")
}

// usualURL is the address that this app probably wants.
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

// checkMarks refuses the simulator's keys and those of tests anywhere else.
func (a App) checkMarks(fs *findings, path string) {
	if a.Environment == Simulator {
		return
	}
	for key, text := range a.keyTexts() {
		if whose := nobodys(text); whose != "" {
			fs.add(path+key, "is a key of %s, which is no secret; want one for %s, or environment: simulator", whose, a.Environment)
		}
	}
}

// keyTexts returns what every key and certificate file of the app holds, by setting.
func (a App) keyTexts() map[string]string {
	keys := map[string]string{
		".private_key_file": a.PrivateKeyFile.Text.Reveal(), ".next_private_key_file": a.NextPrivateKeyFile.Text.Reveal(),
		".aes_key_file": a.AESKeyFile.Text.Reveal(), ".alipay_public_key_file": a.AlipayPublicKeyFile.Text,
		".app_cert_file": a.AppCertFile.Text, ".alipay_cert_file": a.AlipayCertFile.Text, ".alipay_root_cert_file": a.AlipayRootCertFile.Text,
		".ca_file": a.CAFile.Text,
	}
	for i, k := range a.MoreAlipayKeys {
		keys[index(".more_alipay_keys", i)+".file"] = k.File.Text
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

func (a App) checkLimits(fs *findings, path string) {
	fs.number(path+".in_flight", a.InFlight, 1, 4096)
	fs.rate(path, a.Rate, a.Burst)
	fs.number(path+".queries.in_flight", a.Queries.InFlight, 1, 4096)
	fs.rate(path+".queries", a.Queries.Rate, a.Queries.Burst)
	fs.duration(path+".connect_timeout", a.ConnectTimeout, 100*time.Millisecond, time.Minute)
	fs.duration(path+".timeout", a.Timeout, 500*time.Millisecond, 5*time.Minute)
	fs.duration(path+".idle_timeout", a.IdleTimeout, time.Second, 10*time.Minute)
}

func (b Breaker) check(fs *findings, path string) {
	fs.number(path+".consecutive", b.Consecutive, 1, 100_000)
	if !(b.Ratio > 0 && b.Ratio <= 1) {
		fs.add(path+".ratio", "is %s; want more than 0 and up to 1", fs.text(path+".ratio"))
	}
	fs.number(path+".min_requests", b.MinRequests, 1, 100_000)
	fs.duration(path+".window", b.Window, time.Second, time.Hour)
	fs.duration(path+".open", b.Open, 100*time.Millisecond, time.Hour)
	fs.number(path+".half_open", b.HalfOpen, 1, 4096)
	fs.duration(path+".ramp", b.Ramp, time.Millisecond, time.Hour)
}

func (r Retry) check(fs *findings, path string) {
	fs.duration(path+".back_off", r.BackOff, time.Millisecond, time.Hour)
	fs.duration(path+".back_off_max", r.BackOffMax, r.BackOff, time.Hour)
	fs.duration(path+".throttled_back_off", r.ThrottledBackOff, time.Millisecond, time.Hour)
	fs.duration(path+".throttled_back_off_max", r.ThrottledBackOffMax, r.ThrottledBackOff, time.Hour)
	fs.number(path+".min_attempts", r.MinAttempts, 1, 1000)
	fs.duration(path+".max_trying", r.MaxTrying, time.Millisecond, 30*24*time.Hour)
	fs.duration(path+".not_found_pause", r.NotFoundPause, time.Millisecond, 10*time.Minute)
}
