package kafka

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/config"
)

// Principal is our name for the authorizer of the brokers, unless they have rules of their own for
// names.
func Principal(c config.Config, given string) string {
	k := c.Kafka
	switch {
	case given != "":
		return given
	case k.SASL.User != "":
		return "User:" + k.SASL.User
	case k.SASL.ClientID != "":
		return "User:" + k.SASL.ClientID
	case k.SASL.Mechanism != "":
		return "User:SUBJECT-OF-THE-TOKEN"
	}
	if block, _ := pem.Decode([]byte(k.TLS.CertFile.Text)); k.TLS.Enabled && block != nil {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			return "User:" + distinguishedName(cert)
		}
	}
	return "User:ANONYMOUS"
}

// nameAttribute is one attribute of the subject of a certificate, with its value as it was encoded.
type nameAttribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// relativeNameSET is a group of attributes; package asn1 requires a type name that ends with SET.
type relativeNameSET []nameAttribute

// attributeNames are the attributes that Java writes by name; it writes the others as numbers
// (X500Principal.getName, RFC 2253).
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
}

// distinguishedName writes the subject as Kafka does: in its own order, the last part first.
// [pkix.Name] does not keep the order, and it and [pkix.RDNSequence] use other names than Java.
func distinguishedName(cert *x509.Certificate) string {
	var names []relativeNameSET
	if _, err := asn1.Unmarshal(cert.RawSubject, &names); err != nil {
		return cert.Subject.String()
	}
	slices.Reverse(names)
	parts := make([]string, 0, len(names))
	for _, name := range names {
		together := make([]string, 0, len(name))
		for _, a := range name {
			together = append(together, a.String())
		}
		parts = append(parts, strings.Join(together, "+"))
	}
	return strings.Join(parts, ",")
}

func (a nameAttribute) String() string {
	name, known := attributeNames[a.Type.String()]
	switch a.Value.Tag {
	case asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagIA5String:
		if known {
			return name + "=" + escaped(string(a.Value.Bytes))
		}
	}
	if !known {
		name = a.Type.String()
	}
	return name + "=#" + hex.EncodeToString(a.Value.FullBytes)
}

// escaped puts a backslash in front of characters that RFC 2253 reserves, and of spaces at both ends.
func escaped(value string) string {
	inner := strings.Trim(value, " ")
	left := len(value) - len(strings.TrimLeft(value, " "))
	right := len(value) - left - len(inner)
	var b strings.Builder
	b.WriteString(strings.Repeat(`\ `, left))
	for _, r := range inner {
		if strings.ContainsRune(`,=+<>#;"\`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteString(strings.Repeat(`\ `, right))
	return b.String()
}
