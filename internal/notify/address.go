package notify

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are whose word about the sender of a request is believed.
type Proxies struct {
	Trusted []netip.Prefix
	Header  string // that the nearest of them writes or extends, such as X-Forwarded-For; empty: none
}

// trusts reports whether an address is that of a proxy.
func (p Proxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p.Trusted, func(t netip.Prefix) bool { return t.Contains(a) })
}

// client is the address of the sender: the right-most hop of the header that is no proxy of ours, if a proxy of
// ours sent it. Further to the left anyone can write what he likes (security N7).
func (p Proxies) client(r *http.Request) netip.Addr {
	client := parseAddress(r.RemoteAddr)
	if p.Header == "" || !p.trusts(client) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header.Values(p.Header), ","), ",")
	for _, hop := range slices.Backward(hops) {
		a := parseAddress(strings.TrimSpace(hop))
		if !a.IsValid() {
			return client
		}
		if client = a; !p.trusts(a) {
			return a
		}
	}
	return client
}

// parseAddress reads an address with or without a port; the zero address: it is none.
func parseAddress(text string) netip.Addr {
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// sender is what is limited together: an address or, of IPv6, the network that one customer usually has.
func sender(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	network, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return network.Addr()
}
