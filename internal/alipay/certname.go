package alipay

import (
	"crypto/md5"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf16"
)

// certHead is what a serial number is made of, read from the encoding itself: crypto/x509
// refuses the SM2 root of Alipay's bundle and does not keep names in their order.
type certHead struct {
	algorithm asn1.ObjectIdentifier // of the certificate's own signature
	serial    *big.Int
	issuer    []byte // DER
}

// certSNLength is the length of a certificate's SN: MD5 in hexadecimal.
const certSNLength = 32

var errCert = errors.New("not a usable certificate")

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
		return certHead{}, errCert
	}
	var tbs struct {
		Version   int `asn1:"optional,explicit,default:0,tag:0"`
		Serial    *big.Int
		Algorithm algorithmID
		Issuer    asn1.RawValue
	}
	if _, err := asn1.Unmarshal(outer.TBS.FullBytes, &tbs); err != nil {
		return certHead{}, errCert
	}
	return certHead{algorithm: outer.Algorithm.Algorithm, serial: tbs.Serial, issuer: tbs.Issuer.FullBytes}, nil
}

// sn is the serial number by which Alipay names a certificate: the MD5 of issuer and serial in
// decimal, in small hexadecimal (official Java SDK, AntCertificationUtil).
func (h certHead) sn() (string, error) {
	name, err := issuerName(h.issuer)
	if err != nil {
		return "", err
	}
	digest := md5.Sum([]byte(name + h.serial.String()))
	return hex.EncodeToString(digest[:]), nil
}

// nameWords are the attributes that RFC 2253 writes by a word; all others by their number.
var nameWords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// issuerName writes a name as Java's X500Principal.getName does, by RFC 2253: the last part
// first, joined by commas without blanks; the parts of one set by + in their encoded order.
func issuerName(der []byte) (string, error) {
	var sets []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &sets); err != nil || len(rest) > 0 {
		return "", errCert
	}
	parts := make([]string, len(sets))
	for i, set := range sets {
		if set.Tag != asn1.TagSet || !set.IsCompound {
			return "", errCert
		}
		var words []string
		for rest := set.Bytes; len(rest) > 0; {
			var pair struct {
				Type  asn1.ObjectIdentifier
				Value asn1.RawValue
			}
			var err error
			if rest, err = asn1.Unmarshal(rest, &pair); err != nil {
				return "", errCert
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

// escape2253 escapes a value: special characters, a leading #, blanks at either end.
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

// validSN says whether a text has the form of an SN.
func validSN(sn string) bool {
	return len(sn) == certSNLength && strings.Trim(sn, "0123456789abcdef") == ""
}

func certError(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), errCert)
}
