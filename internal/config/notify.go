package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// Notify is the port that receives Alipay's notifications, under /notify/ and the name of the account. It is
// the only port that is meant for the internet.
type Notify struct {
	// Address of the port, as host:port; empty: no notifications are received.
	Listen   string     `yaml:"listen,omitempty"`
	CertFile File       `yaml:"cert_file,omitempty"` // file with the certificate of the port and its chain, read again when it changes; empty: a proxy in front of it has TLS
	KeyFile  SecretFile `yaml:"key_file,omitempty"`  // file with the private key of cert_file
	// Addresses and networks of our proxies, such as 10.0.0.0/8: their connections are not limited by address, and their
	// client_address_header is believed.
	TrustedProxies []string `yaml:"trusted_proxies,omitempty"`
	// Header in which the nearest proxy names the sender, such as X-Forwarded-For. The right-most address that is none of
	// trusted_proxies counts.
	ClientAddressHeader string `yaml:"client_address_header,omitempty"`
	MaxConnections      int    `yaml:"max_connections"` // how many connections may be open; others are closed at once
	MaxPerAddress       int    `yaml:"max_per_address"` // how many connections and running requests one sender may have; of IPv6, a network of 64 bits
}

func (n *Notify) defaults() { n.MaxConnections, n.MaxPerAddress = 512, 64 }

var (
	headerForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	tokenForm  = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

func (c *Config) checkNotify(fs *fault.Findings) {
	n := c.Notify
	checkPair(fs, "notify.cert_file", n.CertFile, "notify.key_file", n.KeyFile)
	fs.Number("notify.max_connections", n.MaxConnections, 1, 100_000)
	fs.Number("notify.max_per_address", n.MaxPerAddress, 1, max(1, n.MaxConnections))
	for i := range n.TrustedProxies {
		if p := fault.Index("notify.trusted_proxies", i); !n.prefix(i).IsValid() {
			fs.Add(p, "is %s; use an address or a network, such as 10.0.0.0/8", fs.Quoted(p))
		}
	}
	switch header := n.ClientAddressHeader; {
	case header != "" && !headerForm.MatchString(header):
		fs.Add("notify.client_address_header", "is %s; use the name of a header, such as X-Forwarded-For", fs.Quoted("notify.client_address_header"))
	case header != "" && len(n.TrustedProxies) == 0:
		fs.Add("notify.client_address_header", "can be written by anyone; set trusted_proxies to the addresses of our proxies, or remove it")
	}
	receives := false
	for _, a := range c.Accounts {
		receives = receives || c.Receives(a)
	}
	if n.Listen != "" && !receives && !fs.HasFault("accounts") {
		fs.Add("notify.listen", "is set, but no account receives notifications; set seller_id, seller_emails or auth_app_id of an account, or remove it")
	}
}

// Receives reports whether notifications of an account can be received: its gateway sends them, and it is known
// whose they are.
func (c *Config) Receives(a Account) bool { return c.Apps[a.App].Kind == OpenAPI && a.identified() }

// identified reports whether the settings say who the merchant is. Under one app of a service provider all merchants
// share app id and key (security N4).
func (a Account) identified() bool {
	return a.SellerID != "" || len(a.SellerEmails) > 0 || a.AuthAppID != ""
}

// Prefixes are the trusted proxies as networks.
func (n Notify) Prefixes() []netip.Prefix {
	out := make([]netip.Prefix, len(n.TrustedProxies))
	for i := range out {
		out[i] = n.prefix(i)
	}
	return out
}

// prefix is the network of one entry; the zero prefix: it is none.
func (n Notify) prefix(i int) netip.Prefix {
	if p, err := netip.ParsePrefix(n.TrustedProxies[i]); err == nil {
		return p.Masked()
	}
	a, err := netip.ParseAddr(n.TrustedProxies[i])
	if err != nil {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// checkNotify checks what an account says about its notifications.
func (a Account) checkNotify(fs *fault.Findings, path string, app App) {
	if app.Kind == AlipayHK {
		for _, key := range []string{".notify_url", ".notify_tokens", ".seller_emails", ".auth_app_id"} {
			checkForeign(fs, path+key, OpenAPI)
		}
		return
	}
	a.checkNotifyURL(fs, path+".notify_url", app.Environment)
	if a.NotifyURL != "" && !a.identified() && !fs.HasFault(path+".notify_url") && !fs.HasFault(path+".seller_id") {
		fs.Add(path+".notify_url", "is set, but not whose notifications are meant; set seller_id, seller_emails or auth_app_id, because all merchants of an app share its id and key")
	}
	fs.Word(path+".auth_app_id", a.AuthAppID)
	fs.Unique(path+".seller_emails", a.SellerEmails)
	fs.Unique(path+".notify_tokens", a.NotifyTokens)
	for i, token := range a.NotifyTokens {
		if p := fault.Index(path+".notify_tokens", i); !tokenForm.MatchString(token) {
			fs.Add(p, "is not a token; use 32 hexadecimal digits in small letters, for instance from openssl rand -hex 16")
		}
	}
	if last := a.NotifyURL[strings.LastIndex(a.NotifyURL, "/")+1:]; a.NotifyURL != "" && len(a.NotifyTokens) > 0 && !slices.Contains(a.NotifyTokens, last) {
		fs.Add(path+".notify_url", "does not end with one of notify_tokens, so its notifications would not be taken; add a token to its path")
	}
}
