package alipay

import (
	"errors"
	"fmt"
	"time"
)

var errOtherApp = errors.New("alipay: another app, gateway or mode; keys alone are replaced")

// UseKeys puts the keys of another app in use, one that was built of the same settings after
// their files changed: our own keys, Alipay's, certificates and the key of encryption. Calls
// that run keep the old ones to their end. What the app has learned stays: which of two own keys
// Alipay accepts, and the certificates that were downloaded, if the new root bundle vouches for
// them. The other app must not be used besides. After an error nothing has changed. (security, Y3)
func (a *App) UseKeys(from *App) error {
	next := from.wire()
	if err := next.follow(a.wire()); err != nil {
		return err
	}
	a.spoken.Store(&next)
	return nil
}

func (g *gateway) follow(old wire) error {
	o, ok := old.(*gateway)
	if !ok || o.appID != g.appID || *o.url != *g.url || (o.trust.certs == nil) != (g.trust.certs == nil) {
		return errOtherApp
	}
	if g.trust.certs != nil {
		g.trust.certs.follow(o.trust.certs)
	}
	g.keys, g.send = o.keys.renewed(g.keys.current, g.keys.next), o.send
	return nil
}

// follow trusts what was downloaded before, after the same checks. What they refuse is asked for
// again when an answer names it.
func (c *Certificates) follow(old *Certificates) {
	old.mu.RLock()
	defer old.mu.RUnlock()
	for _, t := range old.byID {
		if t.chain != nil {
			_ = c.Add(t.chain)
		}
	}
}

func (h *hk) follow(old wire) error {
	o, ok := old.(*hk)
	if !ok || o.clientID != h.clientID || *o.url != *h.url {
		return errOtherApp
	}
	h.orders = o.orders
	return nil
}

// Ends returns the time at which each certificate, or each key of Alipay's with an end, stops
// counting, by the name that an operator knows it by.
func (a *App) Ends() map[string]time.Time {
	g, ok := a.wire().(*gateway)
	switch {
	case !ok:
		return nil
	case g.trust.certs != nil:
		return g.trust.certs.Ends()
	}
	ends := map[string]time.Time{}
	for i, k := range g.trust.keys {
		if !k.Until.IsZero() {
			ends[fmt.Sprintf("more_alipay_keys[%d]", i-1)] = k.Until
		}
	}
	return ends
}
