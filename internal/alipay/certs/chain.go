package certs

import (
	"crypto/md5"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf16"
)

// certificate is one certificate of a bundle.
type certificate struct {
	sn     string
	head   certHead
	parsed *x509.Certificate // nil: crypto/x509 does not support it, such as Alipay's SM2 root
}

// rsaSigned is the prefix of the signature algorithms whose roots are part of the SN, PSS included
// (official Java SDK, AntCertificationUtil).
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
		return nil, unusablef("the text is longer than 64 KiB")
	}
	if n := strings.Count(string(text), "-----BEGIN "); n == 0 || n > maxBundleBlocks {
		return nil, unusablef("%d PEM blocks, not 1 to %d", n, maxBundleBlocks)
	}
	blocks, err := certificateBlocks(string(text))
	if err != nil {
		return nil, err
	}
	var list []certificate
	for _, der := range blocks {
		c := certificate{}
		if c.head, err = parseCertHead(der); err != nil {
			return nil, err
		}
		if c.sn, err = c.head.sn(); err != nil {
			return nil, err
		}
		if p, err := x509.ParseCertificate(der); err == nil {
			c.parsed = p
		}
		list = append(list, c)
	}
	return list, nil
}

// certificateBlocks returns the contents of all PEM blocks of a text. Unlike encoding/pem it drops
// none in silence: blocks may follow one another without a line feed (files that were joined),
// be indented, or have a byte order mark in front; a block that is cut is an error.
func certificateBlocks(text string) ([][]byte, error) {
	const begin, end = "-----BEGIN ", "-----END "
	var blocks [][]byte
	before, rest, more := strings.Cut(text, begin)
	for n := 1; more; n++ {
		if strings.Contains(before, end) {
			return nil, unusablef("an END line without BEGIN before certificate %d; copy the file again", n)
		}
		label, body, _ := strings.Cut(rest, "-----")
		if label != "CERTIFICATE" {
			return nil, unusablef("block %d is a %.32q, not a CERTIFICATE", n, label)
		}
		body, rest, more = strings.Cut(body, end+label+"-----")
		if !more || strings.Contains(body, begin) {
			return nil, unusablef("certificate %d has no END line; copy the file again", n)
		}
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
		if err != nil {
			return nil, unusablef("certificate %d is not Base64; copy the file again", n)
		}
		blocks = append(blocks, der)
		before, rest, more = strings.Cut(rest, begin)
	}
	if strings.Contains(before, end) {
		return nil, unusablef("an END line without BEGIN after the last certificate; copy the file again")
	}
	return blocks, nil
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
		return rootBundle{}, unusablef("the root bundle has no root that is signed with RSA")
	}
	b.sn = strings.Join(sns, "_")
	return b, nil
}

// parseChain reads a chain, and finds its certificate that is not an authority, in any position.
func parseChain(text []byte) (list []certificate, leaf certificate, err error) {
	if list, err = parseBundle(text); err != nil {
		return nil, certificate{}, err
	}
	var found []certificate
	for _, c := range list {
		if c.parsed != nil && !c.parsed.IsCA {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return nil, certificate{}, unusablef("%d certificates that are not an authority, want one", len(found))
	}
	return list, found[0], nil
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
		return unusablef("valid only from %s to %s",
			leaf.parsed.NotBefore.Format(time.DateOnly), leaf.parsed.NotAfter.Format(time.DateOnly))
	}
	if _, err := leaf.parsed.Verify(x509.VerifyOptions{
		Roots: b.pool, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}); err != nil {
		return unusablef("no path to an RSA root of the bundle")
	}
	return nil
}

// rsaKey returns the key of a certificate, which must be RSA and strong enough.
func (c certificate) rsaKey() (*rsa.PublicKey, error) {
	k, ok := c.parsed.PublicKey.(*rsa.PublicKey)
	if !ok || k.N.BitLen() < minCertKeyBits {
		return nil, unusablef("its key is not RSA of 2048 bits or more")
	}
	return k, nil
}

// certHead is what an SN is made of, read from the encoding itself: crypto/x509 refuses the SM2
// root of Alipay's bundle and does not keep the order of names.
type certHead struct {
	algorithm asn1.ObjectIdentifier // of the certificate's own signature
	serial    *big.Int
	issuer    []byte // DER
}

// SNLength is the length of a certificate's SN: MD5 in hexadecimal.
const SNLength = 32

var errUnusable = errors.New("not a usable certificate")

// algorithmID is AlgorithmIdentifier; the parameters are not needed.
type algorithmID struct {
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

func parseCertHead(der []byte) (certHead, error) {
	var outer struct {
		TBS       asn1.RawValue
		Algorithm algorithmID
		Signature asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 {
		return certHead{}, errUnusable
	}
	var tbs struct {
		Version   int `asn1:"optional,explicit,default:0,tag:0"`
		Serial    *big.Int
		Algorithm algorithmID
		Issuer    asn1.RawValue
	}
	if _, err := asn1.Unmarshal(outer.TBS.FullBytes, &tbs); err != nil {
		return certHead{}, errUnusable
	}
	return certHead{algorithm: outer.Algorithm.Algorithm, serial: tbs.Serial, issuer: tbs.Issuer.FullBytes}, nil
}

// sn is the serial number by which Alipay names a certificate: the MD5 of issuer and decimal
// serial number, in lower-case hexadecimal (official Java SDK, AntCertificationUtil).
func (h certHead) sn() (string, error) {
	name, err := issuerName(h.issuer)
	if err != nil {
		return "", err
	}
	digest := md5.Sum([]byte(name + h.serial.String()))
	return hex.EncodeToString(digest[:]), nil
}

// nameWords are the attributes that RFC 2253 writes as a word; all others are written as a number.
var nameWords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// issuerName writes a name as Java's X500Principal.getName does, by RFC 2253: the last part
// first, joined by commas without blanks; the parts of one set by + in their encoded order.
func issuerName(der []byte) (string, error) {
	var sets []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &sets); err != nil || len(rest) > 0 {
		return "", errUnusable
	}
	parts := make([]string, len(sets))
	for i, set := range sets {
		if set.Tag != asn1.TagSet || !set.IsCompound {
			return "", errUnusable
		}
		var words []string
		for rest := set.Bytes; len(rest) > 0; {
			var pair struct {
				Type  asn1.ObjectIdentifier
				Value asn1.RawValue
			}
			var err error
			if rest, err = asn1.Unmarshal(rest, &pair); err != nil {
				return "", errUnusable
			}
			words = append(words, attribute2253(pair.Type, pair.Value))
		}
		parts[len(sets)-1-i] = strings.Join(words, "+")
	}
	return strings.Join(parts, ","), nil
}

func attribute2253(oid asn1.ObjectIdentifier, v asn1.RawValue) string {
	if word, ok := nameWords[oid.String()]; ok {
		if text, ok := nameText(v); ok {
			return word + "=" + escape2253(text)
		}
		return word + "=#" + hex.EncodeToString(v.FullBytes)
	}
	return oid.String() + "=#" + hex.EncodeToString(v.FullBytes)
}

// nameText reads the string types that Java writes as text.
func nameText(v asn1.RawValue) (string, bool) {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return "", false
	}
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String:
		return string(v.Bytes), true
	case asn1.TagT61String: // read as ISO 8859-1
		runes := make([]rune, len(v.Bytes))
		for i, c := range v.Bytes {
			runes[i] = rune(c)
		}
		return string(runes), true
	case asn1.TagBMPString:
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = uint16(v.Bytes[2*i])<<8 | uint16(v.Bytes[2*i+1])
		}
		return string(utf16.Decode(units)), len(v.Bytes)%2 == 0
	}
	return "", false
}

// escape2253 escapes a value: special characters, a leading #, blanks at both ends.
func escape2253(text string) string {
	var b strings.Builder
	head := len(text) - len(strings.TrimLeft(text, " "))
	tail := len(strings.TrimRight(text, " "))
	for i, c := range text {
		edge := c == ' ' && (i < head || i >= tail)
		if edge || c == '#' && i == 0 || strings.ContainsRune(`,+"\<>;`, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// validSN reports whether a text has the form of an SN.
func validSN(sn string) bool {
	return len(sn) == SNLength && strings.Trim(sn, "0123456789abcdef") == ""
}

func unusablef(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), errUnusable)
}
