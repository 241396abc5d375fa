package simulator

import (
	"crypto/md5" //nolint:gosec // the SN of a certificate is an MD5 by definition
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// certSN is how Alipay names a certificate: the MD5 of the issuer's name and the serial number
// in decimal (docs/alipay.md, "SN of a certificate").
func certSN(c *x509.Certificate) (string, error) {
	issuer, err := nameText(c.RawIssuer)
	if err != nil {
		return "", err
	}
	sum := md5.Sum([]byte(issuer + c.SerialNumber.String())) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:]), nil
}

// rsaFamily begins the OIDs of all signatures with RSA keys.
const rsaFamily = "1.2.840.113549.1.1."

// rootSN joins the SNs of those certificates of a bundle that are signed with RSA keys. What
// crypto/x509 cannot read, as the SM2 root, is none of them (docs/alipay.md, "Root SN").
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
		return "", errors.New("no RSA root in the bundle")
	}
	return strings.Join(list, "_"), nil
}

// attribute is one part of a name.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// relativeSET is one RDN; encoding/asn1 wants the suffix.
type relativeSET []attribute

// keywords are the only attributes that are written by a word.
var keywords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
	"2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// nameText writes a name as RFC 2253 asks, the last RDN first.
func nameText(raw []byte) (string, error) {
	var name []relativeSET
	if rest, err := asn1.Unmarshal(raw, &name); err != nil || len(rest) > 0 {
		return "", fmt.Errorf("unreadable name: %w", err)
	}
	parts := make([]string, len(name))
	for i, rdn := range name {
		texts := make([]string, len(rdn))
		for j, a := range rdn {
			texts[j] = a.text()
		}
		parts[i] = strings.Join(texts, "+")
	}
	slices.Reverse(parts)
	return strings.Join(parts, ","), nil
}

func (a attribute) text() string {
	word, known := keywords[a.Type.String()]
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

// escapeName writes a value with the escapes of RFC 2253.
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
