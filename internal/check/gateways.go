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

// clockSkew is how far our clock may be from a gateway's (security K9). Alipay refuses
// requests whose time is far off, and events in the future.
const clockSkew = 30 * time.Second

// gateways opens a connection to each gateway and asks for its headers alone, which is no
// call of any API.
func (c *checker) gateways(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Apps)) {
		a := c.cfg.Apps[name]
		date, err := askGateway(ctx, a)
		if err != nil {
			c.add(partGateways, fmt.Sprintf("app %s: gateway %s: %v", name, host(a.URL), err), "look at apps."+name+".url, ca_file and the way there")
			continue
		}
		if date.IsZero() {
			c.note("app %s: the gateway tells no time", name)
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
	c.add(partClock, fmt.Sprintf("this machine's clock is %s %s the gateway's of app %s", ahead.Abs().Round(time.Second), direction, app), "synchronise the clock (NTP)")
}

// askGateway returns the gateway's time; zero when it tells none. Whatever it answers, it was
// there.
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

// host is a URL's host and port, for people.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}
