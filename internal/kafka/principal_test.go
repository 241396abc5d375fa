package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
)

// TestPrincipalOfCertificate: the name is the one that Kafka has for the certificate; each was
// read from Java's X500Principal.getName.
func TestPrincipalOfCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	apptest.NoError(t, err)
	oids := map[string]asn1.ObjectIdentifier{
		"CN": {2, 5, 4, 3}, "SERIALNUMBER": {2, 5, 4, 5}, "C": {2, 5, 4, 6}, "L": {2, 5, 4, 7}, "ST": {2, 5, 4, 8}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11},
		"DC": {0, 9, 2342, 19200300, 100, 1, 25}, "UID": {0, 9, 2342, 19200300, 100, 1, 1}, "email": {1, 2, 840, 113549, 1, 9, 1},
	}
	of := func(name, value string) pkix.AttributeTypeAndValue {
		if name == "DC" || name == "email" {
			return pkix.AttributeTypeAndValue{Type: oids[name], Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(value)}}
		}
		return pkix.AttributeTypeAndValue{Type: oids[name], Value: value}
	}
	alone := func(pairs ...string) (out pkix.RDNSequence) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, pkix.RelativeDistinguishedNameSET{of(pairs[i], pairs[i+1])})
		}
		return out
	}
	for _, tt := range []struct {
		name    string
		subject pkix.RDNSequence
		want    string
	}{
		{"its own order", alone("C", "CN", "O", "Shop", "OU", "pay", "L", "Hangzhou", "ST", "Zhejiang", "CN", "bridge"), "CN=bridge,ST=Zhejiang,L=Hangzhou,OU=pay,O=Shop,C=CN"},
		{"two units", alone("OU", "pay", "OU", "prod", "CN", "bridge"), "CN=bridge,OU=prod,OU=pay"},
		{"two units at once", append(alone("O", "Shop"), pkix.RelativeDistinguishedNameSET{of("OU", "pay"), of("OU", "prod")}), "OU=pay+OU=prod,O=Shop"},
		{"domains", alone("DC", "com", "DC", "shop", "UID", "bridge"), "UID=bridge,DC=shop,DC=com"},
		{"what Java has no name for", alone("CN", "bridge", "SERIALNUMBER", "7", "email", "a@shop.com"), "1.2.840.113549.1.9.1=#160a614073686f702e636f6d,2.5.4.5=#130137,CN=bridge"},
		{"reserved", alone("O", `Shop, Inc. <a=b+c> #1;"\`, "CN", " bridge  "), `CN=\ bridge\ \ ,O=Shop\, Inc. \<a\=b\+c\> \#1\;\"\\`},
		{"Chinese", alone("O", "\u676d\u5dde", "CN", "bridge"), "CN=bridge,O=\u676d\u5dde"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := asn1.Marshal(tt.subject)
			apptest.NoError(t, err)
			tpl := &x509.Certificate{SerialNumber: big.NewInt(1), RawSubject: raw, NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0)}
			der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
			apptest.NoError(t, err)
			var c config.Config
			c.Kafka.TLS.Enabled = true
			c.Kafka.TLS.CertFile.Text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
			if got := Principal(c, ""); got != "User:"+tt.want {
				t.Errorf("got  %s\nwant User:%s", got, tt.want)
			}
		})
	}
}
