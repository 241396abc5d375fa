package alipay

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bounds of certificate downloads: the SN of an answer is not signed, so anyone on the way
// could make us ask, and every question costs a signature and a piece of the app's rate.
const (
	maxDownloads    = 6 // an hour
	downloadsWindow = time.Hour
	refusalLife     = 10 * time.Minute // how long a certificate that is not trusted is not asked for again
	failureLife     = time.Minute      // the same after a download that brought no answer
)

// methodCertDownload fetches the certificate that signed an answer (Alipay open platform,
// certificate mode, "alipay.open.app.alipaycert.download").
const methodCertDownload Method = "alipay.open.app.alipaycert.download"

// downloads lets one caller at a time fetch a certificate and remembers what is not to be
// asked for again.
type downloads struct {
	mu      sync.Mutex
	flights map[string]*flight // by SN
	refused map[string]refusal // by SN
	recent  []time.Time        // of the last hour
}

// flight is a download that runs; done is closed by the caller that runs it.
type flight struct {
	done chan struct{}
	err  error // set before done is closed
}

// refusal is why a certificate is not asked for until a time.
type refusal struct {
	until time.Time
	err   error
}

var errManyDownloads = errors.New("more than 6 certificates in an hour were asked for")

// Fetch makes a certificate of Alipay's known, or says why not. Of several callers one asks,
// the others wait for it.
func (c *Certificates) Fetch(ctx context.Context, sn string, load func(context.Context, string) ([]byte, error)) error {
	if !validSN(sn) {
		return errors.Join(errUntrustedCert, certError("alipay_cert_sn is no SN"))
	}
	f, ours, err := c.loading.begin(sn, c.now())
	if err != nil {
		return err
	}
	if !ours {
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return &Error{Method: methodCertDownload, Class: Transient, Message: "not awaited", Err: context.Cause(ctx)}
		}
	}
	chain, err := load(ctx, sn)
	if err == nil {
		if err = c.trustChain(sn, chain); err != nil {
			err = errors.Join(errUntrustedCert, err)
		}
	}
	c.loading.end(sn, f, err, c.now())
	if err == nil && c.accepted != nil {
		c.accepted(chain)
	}
	return err
}

// begin joins the download of a certificate or starts it; ours says which.
func (d *downloads) begin(sn string, now time.Time) (f *flight, ours bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.refused[sn]; ok && now.Before(r.until) {
		return nil, false, r.err
	}
	if f, ok := d.flights[sn]; ok {
		return f, false, nil
	}
	kept := d.recent[:0]
	for _, t := range d.recent {
		if now.Sub(t) < downloadsWindow {
			kept = append(kept, t)
		}
	}
	if d.recent = kept; len(kept) >= maxDownloads {
		return nil, false, errors.Join(errUntrustedCert, errManyDownloads)
	}
	d.recent = append(d.recent, now)
	if d.flights == nil {
		d.flights, d.refused = map[string]*flight{}, map[string]refusal{}
	}
	f = &flight{done: make(chan struct{})}
	d.flights[sn] = f
	return f, true, nil
}

func (d *downloads) end(sn string, f *flight, err error, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.flights, sn)
	for old, r := range d.refused {
		if !now.Before(r.until) {
			delete(d.refused, old)
		}
	}
	if err != nil {
		life := refusalLife
		if !errors.Is(err, errUntrustedCert) {
			life = failureLife
		}
		d.refused[sn] = refusal{until: now.Add(life), err: err}
	}
	f.err = err
	close(f.done)
}
