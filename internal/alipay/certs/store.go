package certs

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// Options are the three files of certificate mode, in PEM.
type Options struct {
	App    []byte // the application certificate; its key is the signer's
	Alipay []byte // the Alipay certificate, with or without its intermediate
	Root   []byte // Alipay's root bundle

	// Accepted is called with each chain that was downloaded and is trusted, so that it can be passed
	// on to the receivers of notifications, which never download. nil: not called. No lock is
	// held during the call.
	Accepted func(chain []byte)
	Now      func() time.Time // nil is time.Now
}

// Store holds the certificates of one app: its own, whose SN is in every request, and
// those of Alipay that are trusted to sign answers and notifications. An app and the verifier
// of its notifications may share them. It is safe for concurrent use.
type Store struct {
	appSN, rootSN string
	appKey        *rsa.PublicKey
	appEnd        time.Time
	roots         rootBundle
	issuer        string // of Alipay's certificates
	installed     string // SN of the one that the operator gave
	accepted      func(chain []byte)
	now           func() time.Time
	loading       downloads

	mu   sync.RWMutex
	byID map[string]trustedCertificate // by SN; guarded by mu
}

// trustedCertificate is the key of one certificate of Alipay's.
type trustedCertificate struct {
	key        *rsa.PublicKey
	begin, end time.Time
	chain      []byte // as it was downloaded; nil for the installed one
}

// maxCertificates bounds the certificates of one app: Alipay has one or two at a time.
const maxCertificates = 16

var errTooMany = unusablef("more than %d certificates of Alipay", maxCertificates)

// New reads the files of certificate mode. The installed Alipay certificate is
// trusted without a chain, since its file may lack the intermediate. After its end it verifies
// nothing, but its successor can still be downloaded.
func New(o Options) (*Store, error) {
	c := &Store{accepted: o.Accepted, now: o.Now, byID: map[string]trustedCertificate{}}
	if c.now == nil {
		c.now = time.Now
	}
	var err error
	if c.roots, err = parseRoots(o.Root); err != nil {
		return nil, fmt.Errorf("alipay: the root bundle: %w", err)
	}
	c.rootSN = c.roots.sn
	if err := c.readApp(o.App); err != nil {
		return nil, fmt.Errorf("alipay: the application certificate: %w", err)
	}
	_, leaf, err := parseChain(o.Alipay)
	if err != nil {
		return nil, fmt.Errorf("alipay: the Alipay certificate: %w", err)
	}
	if c.issuer, err = issuerName(leaf.head.issuer); err != nil {
		return nil, fmt.Errorf("alipay: the Alipay certificate: %w", err)
	}
	c.installed = leaf.sn
	if err := c.adopt(leaf, nil); err != nil {
		return nil, fmt.Errorf("alipay: the Alipay certificate: %w", err)
	}
	return c, nil
}

func (c *Store) readApp(text []byte) error {
	_, leaf, err := parseChain(text)
	if err != nil {
		return err
	}
	if c.appKey, err = leaf.rsaKey(); err != nil {
		return err
	}
	c.appSN, c.appEnd = leaf.sn, leaf.parsed.NotAfter
	return nil
}

// AppSN returns app_cert_sn, the SN of the application certificate.
func (c *Store) AppSN() string { return c.appSN }

// AppKey returns the key of the application certificate, which is the signer's.
func (c *Store) AppKey() *rsa.PublicKey { return c.appKey }

// RootSN returns alipay_root_cert_sn, the SNs of the RSA roots joined by _.
func (c *Store) RootSN() string { return c.rootSN }

// Ends returns the time at which each certificate ends, by the setting that names it; a downloaded one has its SN.
func (c *Store) Ends() map[string]time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	ends := map[string]time.Time{"app_cert_file": c.appEnd}
	for sn, t := range c.byID {
		name := "downloaded certificate " + sn
		if sn == c.installed {
			name = "alipay_cert_file"
		}
		ends[name] = t.end
	}
	return ends
}

// Add trusts a chain that was downloaded elsewhere, after the same checks.
func (c *Store) Add(chain []byte) error {
	_, leaf, err := parseChain(chain)
	if err != nil {
		return err
	}
	return c.trustChain(leaf.sn, chain)
}

// trustChain trusts a chain if all four conditions hold: it is the certificate that was asked
// for, it has the issuer of the installed Alipay certificate, it is valid now, and it leads to an
// RSA root of the bundle. The chain alone is not enough:
// certificates of merchants lead to the same root, and the signature of a download is not
// checked.
func (c *Store) trustChain(sn string, chain []byte) error {
	list, leaf, err := parseChain(chain)
	if err != nil {
		return err
	}
	issuer, err := issuerName(leaf.head.issuer)
	switch {
	case err != nil:
		return err
	case leaf.sn != sn:
		return unusablef("its SN is not the one that was asked for")
	case issuer != c.issuer:
		return unusablef("its issuer is not that of the installed Alipay certificate")
	}
	if err := c.roots.verifyChain(list, leaf, c.now()); err != nil {
		return err
	}
	return c.adopt(leaf, chain)
}

// adopt adds the key of a certificate.
func (c *Store) adopt(leaf certificate, chain []byte) error {
	key, err := leaf.rsaKey()
	if err != nil {
		return err
	}
	if key.Equal(c.appKey) {
		return unusablef("it is the application certificate's own key")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, have := c.byID[leaf.sn]; !have && len(c.byID) >= maxCertificates && !c.dropEnded() {
		return errTooMany
	}
	c.byID[leaf.sn] = trustedCertificate{key: key, begin: leaf.parsed.NotBefore, end: leaf.parsed.NotAfter, chain: chain}
	return nil
}

// dropEnded removes expired certificates and reports whether there were any. The caller holds mu.
func (c *Store) dropEnded() bool {
	dropped := false
	for sn, t := range c.byID {
		if c.now().After(t.end) {
			delete(c.byID, sn)
			dropped = true
		}
	}
	return dropped
}

// Keys returns the key of a certificate, or of the installed one if sn is empty.
func (c *Store) Keys(sn string) ([]*rsa.PublicKey, error) {
	if sn == "" {
		sn = c.installed
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, ok := c.byID[sn]
	switch now := c.now(); {
	case !ok:
		return nil, ErrUnknown
	case now.Before(t.begin) || now.After(t.end):
		return nil, errors.Join(ErrUntrusted, unusablef("it is not valid now"))
	}
	return []*rsa.PublicKey{t.key}, nil
}

// ErrUnknown means that no certificate with the SN is here; it may be downloaded.
var ErrUnknown = errors.New("the certificate that signed is not known")

// ErrUntrusted means that an answer is signed by a certificate that is not trusted.
var ErrUntrusted = errors.New("the certificate is not trusted")

// Inherit trusts what another store has downloaded, after the same checks. What they refuse is
// downloaded again when an answer names it.
func (c *Store) Inherit(old *Store) {
	old.mu.RLock()
	defer old.mu.RUnlock()
	for _, t := range old.byID {
		if t.chain != nil {
			_ = c.Add(t.chain)
		}
	}
}

// Bounds of certificate downloads: the SN of an answer is not signed, so anyone on the network
// path could make us download, and each download costs a signature and a part of the app's rate.
const (
	maxDownloads    = 6 // an hour
	downloadsWindow = time.Hour
	refusalLife     = 10 * time.Minute // how long a certificate that is not trusted is not downloaded again
	failureLife     = time.Minute      // the same after a download without an answer
)

// MethodDownload fetches the certificate that signed an answer (Alipay open platform,
// certificate mode, "alipay.open.app.alipaycert.download").
const MethodDownload alipay.Method = "alipay.open.app.alipaycert.download"

// downloads lets one caller at a time fetch a certificate and remembers what must not be
// downloaded again yet.
type downloads struct {
	mu      sync.Mutex
	flights map[string]*flight // by SN
	refused map[string]refusal // by SN
	recent  []time.Time        // of the last hour
}

// flight is a running download; the caller that runs it closes done.
type flight struct {
	done chan struct{}
	err  error // set before done is closed
}

// refusal blocks further downloads of a certificate until a time.
type refusal struct {
	until time.Time
	err   error
}

var errTooManyDownloads = errors.New("more than 6 certificates were downloaded within an hour")

// Fetch downloads a certificate of Alipay's and trusts it, or returns why not. One of several
// callers downloads, the others wait for it.
func (c *Store) Fetch(ctx context.Context, sn string, load func(context.Context, string) ([]byte, error)) error {
	if !validSN(sn) {
		return errors.Join(ErrUntrusted, unusablef("alipay_cert_sn is not an SN"))
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
			return &alipay.Error{Method: MethodDownload, Class: alipay.Transient, Message: "the download of the certificate took too long", Err: context.Cause(ctx)}
		}
	}
	chain, err := load(ctx, sn)
	if err == nil {
		if err = c.trustChain(sn, chain); err != nil {
			err = errors.Join(ErrUntrusted, err)
		}
	}
	c.loading.end(sn, f, err, c.now())
	if err == nil && c.accepted != nil {
		c.accepted(chain)
	}
	return err
}

// begin joins the download of a certificate or starts it; ours reports which.
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
		return nil, false, errors.Join(ErrUntrusted, errTooManyDownloads)
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
		if !errors.Is(err, ErrUntrusted) {
			life = failureLife
		}
		d.refused[sn] = refusal{until: now.Add(life), err: err}
	}
	f.err = err
	close(f.done)
}
