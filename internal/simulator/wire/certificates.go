package wire

import (
	"crypto/md5" //nolint:gosec // the SN of a certificate is an MD5 by definition
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// Certificates switch an app to certificate mode. All texts are PEM.
type Certificates struct {
	App    string // the merchant's certificate; its key replaces App.PublicKey
	Alipay string // Alipay's certificate, whose key is App.SigningKey, and its intermediate
	Roots  string // the bundle of root certificates that clients have

	// Next is Alipay's next certificate with its intermediate, and NextKey its key: the fault
	// Rotated signs with it. Empty: that fault does nothing.
	Next    string
	NextKey *rsa.PrivateKey
}

// CertificateMode holds the parsed certificates of an app.
type CertificateMode struct {
	app     *x509.Certificate
	appSN   string
	rootSN  string
	current certificateChain
	next    certificateChain // zero: none
	nextKey *rsa.PrivateKey  // of next
}

// certificateChain is a certificate with its intermediates, leaf first.
type certificateChain struct {
	sn   string
	leaf *x509.Certificate
	pem  string // PEM
}

// Parse reads the certificates and checks that they belong to the keys.
func (c *Certificates) Parse(signing *rsa.PrivateKey) (*CertificateMode, error) {
	app, err := readChain(c.App)
	if err != nil {
		return nil, fmt.Errorf("app certificate: %w", err)
	}
	out := &CertificateMode{app: app.leaf, appSN: app.sn}
	if out.rootSN, err = rootSN(c.Roots); err != nil {
		return nil, fmt.Errorf("root certificates: %w", err)
	}
	if out.current, err = readChain(c.Alipay); err != nil {
		return nil, fmt.Errorf("certificate of Alipay: %w", err)
	}
	if !signing.PublicKey.Equal(out.current.leaf.PublicKey) {
		return nil, errors.New("certificate of Alipay: it does not belong to the signing key")
	}
	if c.Next == "" {
		return out, nil
	}
	if out.next, err = readChain(c.Next); err != nil {
		return nil, fmt.Errorf("next certificate of Alipay: %w", err)
	}
	out.nextKey = c.NextKey
	if c.NextKey == nil || !c.NextKey.PublicKey.Equal(out.next.leaf.PublicKey) {
		return nil, errors.New("next certificate of Alipay: its key is missing, or belongs to another certificate")
	}
	return out, nil
}

// readChain reads PEM certificates; the one that is not a CA is the leaf.
func readChain(text string) (certificateChain, error) {
	var leaf *x509.Certificate
	var intermediates []byte
	for rest := []byte(text); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return certificateChain{}, fmt.Errorf("read certificate: %w", err)
		}
		if c.IsCA || leaf != nil {
			intermediates = append(intermediates, pem.EncodeToMemory(b)...)
			continue
		}
		leaf = c
	}
	if leaf == nil {
		return certificateChain{}, errors.New("no certificate other than CA certificates")
	}
	if _, ok := leaf.PublicKey.(*rsa.PublicKey); !ok {
		return certificateChain{}, errors.New("not an RSA certificate")
	}
	sn, err := certSN(leaf)
	first := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	return certificateChain{sn: sn, leaf: leaf, pem: string(first) + string(intermediates)}, err
}

// AppKey is the merchant's key.
func (c *CertificateMode) AppKey() *rsa.PublicKey {
	k, _ := c.app.PublicKey.(*rsa.PublicKey) // readChain refuses other types
	return k
}

// CurrentSN is the SN of Alipay's certificate.
func (c *CertificateMode) CurrentSN() string { return c.current.sn }

// CheckSNs compares the two SNs of a request (docs/alipay.md, "Certificate mode").
func (c *CertificateMode) CheckSNs(p Params, now time.Time) *Reply {
	switch {
	case p["app_cert_sn"] == "":
		return Refusal("isv.missing-app-cert-sn", "app_cert_sn is missing")
	case p["alipay_root_cert_sn"] == "":
		return Refusal("isv.missing-alipay-root-cert-sn", "alipay_root_cert_sn is missing")
	case p["app_cert_sn"] != c.appSN:
		return Refusal("isv.app-cert-not-exist", "no such application certificate")
	case now.After(c.app.NotAfter) || now.Before(c.app.NotBefore):
		return Refusal("isv.app-cert-expired", "the application certificate is expired or not valid yet")
	case p["alipay_root_cert_sn"] != c.rootSN:
		return Refusal("isv.invalid-alipay-root-cert-sn", "alipay_root_cert_sn belongs to another bundle of root certificates")
	}
	return nil
}

// Certificate returns Alipay's current or next certificate by its SN, as PEM text with its intermediate.
func (c *CertificateMode) Certificate(sn string) (text string, ok bool) {
	if c == nil {
		return "", false // key mode
	}
	for _, have := range []certificateChain{c.current, c.next} {
		if have.sn != "" && have.sn == sn {
			return have.pem, true
		}
	}
	return "", false
}

// NextKey returns the key that comes after k, with its SN; k if there is none.
func (c *CertificateMode) NextKey(k AnswerKey) AnswerKey {
	if c != nil && c.next.sn != "" {
		k.Key, k.CertSN = c.nextKey, c.next.sn
	}
	return k
}

// certSN returns the SN that Alipay gives a certificate: the MD5 of the issuer's name and the serial
// number in decimal (docs/alipay.md, "SN of a certificate").
func certSN(c *x509.Certificate) (string, error) {
	issuer, err := distinguishedName(c.RawIssuer)
	if err != nil {
		return "", err
	}
	sum := md5.Sum([]byte(issuer + c.SerialNumber.String())) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:]), nil
}

// rsaFamily is the prefix of the OIDs of all signatures with RSA keys.
const rsaFamily = "1.2.840.113549.1.1."

// rootSN joins the SNs of the certificates in a bundle that are signed with RSA keys. Certificates
// that crypto/x509 cannot read, such as the SM2 root, are skipped (docs/alipay.md, "Root SN").
func rootSN(bundle string) (string, error) {
	var list []string
	for rest := []byte(bundle); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			continue
		}
		var outer struct {
			Body, Algorithm asn1.RawValue
			Signature       asn1.BitString
		}
		var algorithm pkix.AlgorithmIdentifier
		if _, err := asn1.Unmarshal(c.Raw, &outer); err != nil {
			continue
		}
		if _, err := asn1.Unmarshal(outer.Algorithm.FullBytes, &algorithm); err != nil || !strings.HasPrefix(algorithm.Algorithm.String(), rsaFamily) {
			continue
		}
		sn, err := certSN(c)
		if err != nil {
			return "", err
		}
		list = append(list, sn)
	}
	if len(list) == 0 {
		return "", errors.New("the bundle has no certificate signed with RSA")
	}
	return strings.Join(list, "_"), nil
}

// attribute is one part of a name.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// relativeSET is one RDN; encoding/asn1 requires the suffix SET.
type relativeSET []attribute

// attributeKeywords are the only attributes that are written with a keyword.
var attributeKeywords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
	"2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// distinguishedName returns a name in the form of RFC 2253, with the last RDN first.
func distinguishedName(raw []byte) (string, error) {
	var name []relativeSET
	if rest, err := asn1.Unmarshal(raw, &name); err != nil || len(rest) > 0 {
		return "", fmt.Errorf("unreadable name: %w", err)
	}
	parts := make([]string, len(name))
	for i, rdn := range name {
		texts := make([]string, len(rdn))
		for j, a := range rdn {
			texts[j] = a.format()
		}
		parts[i] = strings.Join(texts, "+")
	}
	slices.Reverse(parts)
	return strings.Join(parts, ","), nil
}

func (a attribute) format() string {
	word, known := attributeKeywords[a.Type.String()]
	value, readable := a.value()
	if !known || !readable {
		if !known {
			word = a.Type.String()
		}
		return word + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return word + "=" + escapeName(value)
}

// value decodes the string types of X.500.
func (a attribute) value() (string, bool) {
	b := a.Value.Bytes
	switch a.Value.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String:
		return string(b), true
	case asn1.TagT61String:
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes), true
	case asn1.TagBMPString:
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}

// escapeName returns a value with the escapes of RFC 2253.
func escapeName(value string) string {
	var b strings.Builder
	inner := strings.Trim(value, " ")
	start := len(value) - len(strings.TrimLeft(value, " "))
	for i, r := range value {
		outside := r == ' ' && (i < start || i >= start+len(inner))
		if strings.ContainsRune(`,+"\<>;`, r) || outside || (r == '#' && i == 0) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
