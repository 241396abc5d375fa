package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/config"
)

// inspectedAccount is an account of the settings with its app.
type inspectedAccount struct {
	account config.Account
	app     config.App
}

// withoutRemoteKeys is the app's configuration for one that logs nothing, and asks for no key that
// is elsewhere.
func (a inspectedAccount) withoutRemoteKeys() (context.Context, config.App, instrumentation) {
	local := a.app
	local.PrivateKeyURI, local.NextPrivateKeyURI = "", ""
	return context.Background(), local, noInstrumentation()
}

// openAPI is what the classic gateway's answers are judged by.
func (a inspectedAccount) openAPI() (alipay.OpenAPIOptions, error) {
	return openAPIOptions(a.withoutRemoteKeys())
}

// hk is what AlipayHK's answers are judged by.
func (a inspectedAccount) hk() (alipay.HKOptions, error) {
	return hkOptions(a.withoutRemoteKeys())
}

// setOwner fills in whose notifications are the account's, where v does not say.
func (a inspectedAccount) setOwner(v *alipay.VerifierOptions) {
	v.AppID = cmp.Or(v.AppID, a.app.AppID)
	if a.account.SellerID != "" && len(v.SellerIDs) == 0 {
		v.SellerIDs = []string{a.account.SellerID}
	}
}

// errNotShown is why a signature stays hidden: with the rest of the request it is a credential
// that never expires (security G2).
var errNotShown = errors.New("--show-signature: only for a key that bridge simulate made and a gateway on this machine")

// showable says whether a signature may be shown.
func showable(key, gateway string) bool {
	return strings.Contains(key, config.SimulatorMark) && loopback(gateway)
}

// loopback says whether an address is on this machine.
func loopback(gateway string) bool {
	u, err := url.Parse(gateway)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
