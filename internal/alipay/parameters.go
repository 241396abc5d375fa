package alipay

import (
	"crypto"
	"fmt"
	"log/slog"
	"strings"
)

// Merchant is the account on whose behalf calls are made. It prints without its tokens.
type Merchant struct {
	AppAuthToken string // classic: up to 40, when the app acts for another merchant
	NotifyURL    string // classic create: up to 256, absolute http or https
	AgentToken   string // HK: when an agent acts for a merchant
}

// Validate checks token and address against the rules of the common parameters.
func (m Merchant) Validate() error {
	var c checks
	c.text("app_auth_token", m.AppAuthToken, 40)
	c.httpURL("notify_url", m.NotifyURL, 256)
	if strings.ContainsAny(m.AgentToken, "\r\n") {
		c.fail("Agent-Token", "form", "has a line end")
	}
	return c.err
}

// String says which tokens are set and hides them.
func (m Merchant) String() string {
	show := func(s string) string {
		if s == "" {
			return "none"
		}
		return "<hidden>"
	}
	return "app_auth_token " + show(m.AppAuthToken) + ", notify_url " + m.NotifyURL + ", agent token " + show(m.AgentToken)
}

// Format, LogValue and MarshalText print as String does.
func (m Merchant) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.String()) }

func (m Merchant) LogValue() slog.Value { return slog.StringValue(m.String()) }

func (m Merchant) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// SignType is how the classic gateway signs, both ways (public parameter "sign_type").
type SignType string

// The two sign types of the pages. The zero value of an option is RSA2.
const (
	SignRSA2 SignType = "RSA2" // SHA256withRSA
	SignRSA  SignType = "RSA"  // SHA1withRSA, only with AllowWeak
)

// Hash returns the hash of the sign type, 0 for an unknown one.
func (t SignType) Hash() crypto.Hash {
	switch t {
	case SignRSA2:
		return crypto.SHA256
	case SignRSA:
		return crypto.SHA1
	}
	return 0
}
