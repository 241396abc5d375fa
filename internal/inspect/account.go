package inspect

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/config"
)

// Account is an account of the settings with its app.
type Account struct {
	Account config.Account
	App     config.App
}

// withoutRemoteKeys returns what builds an app that logs nothing and uses no remote key.
func (a Account) withoutRemoteKeys() (context.Context, config.App, app.Options) {
	local := a.App
	local.PrivateKeyURI, local.NextPrivateKeyURI = "", ""
	return context.Background(), local, app.Options{}
}

// OpenAPI returns the options that check answers of the classic gateway.
func (a Account) OpenAPI() (gateway.OpenAPIOptions, error) {
	return app.OpenAPIOptions(a.withoutRemoteKeys())
}

// HK returns the options that check answers of AlipayHK.
func (a Account) HK() (gateway.HKOptions, error) {
	return app.HKOptions(a.withoutRemoteKeys())
}

// SetOwner fills in app id and seller of the account where v has none.
func (a Account) SetOwner(v *gateway.VerifierOptions) {
	v.AppID = cmp.Or(v.AppID, a.App.AppID)
	if a.Account.SellerID != "" && len(v.SellerIDs) == 0 {
		v.SellerIDs = []string{a.Account.SellerID}
	}
}

// ErrNotShown is the reason why a signature is not shown: with the rest of the request it is a
// credential that never expires (security G2).
var ErrNotShown = errors.New("--show-signature: only for a key that bridge simulate made and a gateway on this machine")

// showable reports whether a signature may be shown.
func showable(key, gateway string) bool {
	return strings.Contains(key, config.SimulatorMark) && loopback(gateway)
}

// loopback reports whether an address is on this machine.
func loopback(gateway string) bool {
	u, err := url.Parse(gateway)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
