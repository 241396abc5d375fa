package check

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/config"
)

// clockSkew is how far our clock may differ from the clock of a gateway (security K9). Alipay refuses
// requests whose time is far off.
const clockSkew = 30 * time.Second

// gateways opens a connection to each gateway and requests only headers, which is not a call of an
// API.
func (c *checker) gateways(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Apps)) {
		a := c.cfg.Apps[name]
		date, err := askGateway(ctx, a)
		if err != nil {
			c.add(gatewayUnreachable, fmt.Sprintf("app %s: gateway %s: %v", name, host(a.URL), err), "check url and ca_file of apps."+name+", and the network path to the gateway; if other machines cannot reach it either, it is Alipay's turn")
			continue
		}
		if date.IsZero() {
			c.note("app %s: the clock was not checked, because the gateway sent no Date header", name)
			continue
		}
		c.clock(name, time.Since(date))
	}
}

func (c *checker) clock(app string, ahead time.Duration) {
	if ahead.Abs() <= clockSkew {
		return
	}
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	c.add(clockWrong, fmt.Sprintf("the clock of this machine is %s %s the clock of the gateway of app %s", ahead.Abs().Round(time.Second), direction, app), "synchronise the clock of this machine (NTP)")
}

// askGateway returns the time of the gateway, or zero if it sends none. Any answer shows that the
// gateway is available.
func askGateway(ctx context.Context, a config.App) (time.Time, error) {
	roots, err := a.CAFile.CertPool()
	if err != nil {
		return time.Time{}, err
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext:     (&net.Dialer{Timeout: a.ConnectTimeout}).DialContext,
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, a.URL, nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return time.Time{}, err
	}
	_ = resp.Body.Close() // a HEAD has none
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil
	}
	return date, nil
}

// host returns host and port of a URL, for people.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}
