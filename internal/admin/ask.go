package admin

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Bounds of an answer of another instance, which may be slow or not what it seems.
const (
	askTimeout = 3 * time.Second
	maxAnswer  = 16 << 20
)

// Client asks the admin ports of instances.
type Client struct {
	Token string
	TLS   *tls.Config // nil: plain HTTP on this machine, elsewhere TLS with the roots of the operating system
}

// Answer is what one instance said.
type Answer struct {
	Address string
	Status  Status
	Err     error // it could not be asked

	name string // the host that the operator gave: certificates have it
}

// Ask asks all addresses (host:port) at once, each for up to waiting events. A host name stands for all
// addresses that it resolves to, so that one headless service names all instances.
func (c Client) Ask(ctx context.Context, addresses []string, waiting int) []Answer {
	var all []Answer
	for _, a := range addresses {
		name, _, _ := net.SplitHostPort(a)
		for _, one := range resolve(ctx, a) {
			all = append(all, Answer{Address: one, name: name})
		}
	}
	var asking sync.WaitGroup
	for i := range all {
		asking.Go(func() { all[i].Status, all[i].Err = c.ask(ctx, c.http(all[i].name), all[i].Address, waiting) })
	}
	asking.Wait()
	return all
}

// http is a client for one host, which follows no redirect and uses no proxy.
func (c Client) http(name string) *http.Client {
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if c.TLS != nil {
		transport.TLSClientConfig = c.TLS.Clone()
	}
	transport.TLSClientConfig.ServerName = name
	return &http.Client{Transport: transport, Timeout: askTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// resolve returns the addresses of a host name, or the address itself.
func resolve(ctx context.Context, address string) []string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" || net.ParseIP(host) != nil {
		return []string{address}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil || len(ips) == 0 {
		return []string{address}
	}
	out := make([]string, len(ips))
	for i, ip := range ips {
		out[i] = net.JoinHostPort(ip, port)
	}
	return out
}

// onThisMachine reports whether an address can only be reached from here.
func onThisMachine(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c Client) ask(ctx context.Context, client *http.Client, address string, waiting int) (s Status, err error) {
	body, err := c.get(ctx, client, address, fmt.Sprintf("/status.json?waiting=%d", waiting))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(body, &s); err != nil || s.AsOf.IsZero() {
		return s, fmt.Errorf("no status of a bridge; is this the admin port?")
	}
	return s, nil
}

// Get returns what one instance that [Client.Ask] has found serves at a path.
func (c Client) Get(ctx context.Context, a *Answer, path string) ([]byte, error) {
	return c.get(ctx, c.http(a.name), a.Address, path)
}

func (c Client) get(ctx context.Context, client *http.Client, address, path string) ([]byte, error) {
	scheme := "http"
	if c.TLS != nil || !onThisMachine(address) { // a token never leaves this machine in clear
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := client.Do(req)
	if refused := (*url.Error)(nil); errors.As(err, &refused) {
		err = fmt.Errorf("%s: %w", scheme, refused.Err) // the address is named by whoever shows it
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %s", resp.Status, firstLine(body))
	}
	return body, nil
}

func firstLine(body []byte) string {
	const most = 200
	for i, b := range body {
		if b == '\n' || i == most {
			return string(body[:i])
		}
	}
	return string(body)
}
