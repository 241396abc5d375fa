package alipay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"
)

// certificate is one certificate of a bundle.
type certificate struct {
	sn     string
	head   certHead
	parsed *x509.Certificate // nil: a kind that crypto/x509 does not know, as Alipay's SM2 root
}

// rsaSigned are the signature algorithms of which Alipay counts a root: a prefix of the number,
// so PSS is among them (official Java SDK, AntCertificationUtil).
const rsaSigned = "1.2.840.113549.1.1."

// Bounds of a text in PEM, and of the key of a certificate in it.
const (
	maxBundleText   = 64 << 10
	maxBundleBlocks = 16
	minCertKeyBits  = 2048
)

// parseBundle reads the certificates of a text in PEM, in their order. The text is bounded
// before it is decoded (CVE-2024-12401).
func parseBundle(text []byte) ([]certificate, error) {
	if len(text) > maxBundleText {
		return nil, certError("the text is longer than 64 KiB")
	}
	if n := strings.Count(string(text), "-----BEGIN "); n == 0 || n > maxBundleBlocks {
		return nil, certError("%d PEM blocks, not 1 to %d", n, maxBundleBlocks)
	}
	var list []certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, certError("a block is a %.32q", block.Type)
		}
		c := certificate{}
		var err error
		if c.head, err = parseCertHead(block.Bytes); err != nil {
			return nil, err
		}
		if c.sn, err = c.head.sn(); err != nil {
			return nil, err
		}
		if p, err := x509.ParseCertificate(block.Bytes); err == nil {
			c.parsed = p
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, certError("no certificate in the text")
	}
	return list, nil
}

// rootBundle is what a chain must end in.
type rootBundle struct {
	sn   string // alipay_root_cert_sn
	pool *x509.CertPool
}

// parseRoots reads the root bundle: the SNs of the certificates that are signed with RSA, in
// the order of the file, joined by _. Other roots are left out of both.
func parseRoots(text []byte) (rootBundle, error) {
	list, err := parseBundle(text)
	if err != nil {
		return rootBundle{}, err
	}
	b := rootBundle{pool: x509.NewCertPool()}
	var sns []string
	for _, c := range list {
		if !strings.HasPrefix(c.head.algorithm.String(), rsaSigned) {
			continue
		}
		sns = append(sns, c.sn)
		if c.parsed != nil {
			b.pool.AddCert(c.parsed)
		}
	}
	if len(sns) == 0 {
		return rootBundle{}, certError("the root bundle has no root that is signed with RSA")
	}
	b.sn = strings.Join(sns, "_")
	return b, nil
}

// endEntity picks the certificate of a chain that is no authority, whatever its place.
func endEntity(list []certificate) (certificate, error) {
	var found []certificate
	for _, c := range list {
		if c.parsed != nil && !c.parsed.IsCA {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return certificate{}, certError("%d certificates that are no authority, not one", len(found))
	}
	return found[0], nil
}

// verifyChain checks that the end entity of a chain is valid at a time and leads, by the
// intermediates of the chain itself, to an RSA root of the bundle.
func (b rootBundle) verifyChain(list []certificate, leaf certificate, at time.Time) error {
	between := x509.NewCertPool()
	for _, c := range list {
		if c.parsed != nil && c.parsed.IsCA {
			between.AddCert(c.parsed)
		}
	}
	if at.Before(leaf.parsed.NotBefore) || at.After(leaf.parsed.NotAfter) {
		return certError("outside its validity, %s to %s",
			leaf.parsed.NotBefore.Format(time.DateOnly), leaf.parsed.NotAfter.Format(time.DateOnly))
	}
	if _, err := leaf.parsed.Verify(x509.VerifyOptions{
		Roots: b.pool, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}); err != nil {
		return certError("no path to an RSA root of the bundle")
	}
	return nil
}

// rsaKey returns the key of a certificate, which must be RSA and strong enough.
func (c certificate) rsaKey() (*rsa.PublicKey, error) {
	k, ok := c.parsed.PublicKey.(*rsa.PublicKey)
	if !ok || k.N.BitLen() < minCertKeyBits {
		return nil, certError("its key is not RSA of 2048 bits or more")
	}
	return k, nil
}
