package simulator

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// CertDownload hands out Alipay's certificates by their SN; only apps in certificate mode call it.
const CertDownload Method = "alipay.open.app.alipaycert.download"

// Certificates switch an app to certificate mode. All are PEM texts.
type Certificates struct {
	App    string // the merchant's certificate; its key takes the place of App.PublicKey
	Alipay string // Alipay's certificate, whose key is App.SigningKey, and its intermediate
	Roots  string // the bundle that clients hold

	// Next is the certificate that comes after Alipay's, with its intermediate, and NextKey its
	// key: the fault Rotated signs with it. Empty: that fault does not strike.
	Next    string
	NextKey *rsa.PrivateKey
}

// certified is what an app in certificate mode is checked against.
type certified struct {
	app     *x509.Certificate
	appSN   string
	rootSN  string
	current chain
	next    chain // zero: none
}

// chain is a certificate with its intermediates, leaf first.
type chain struct {
	sn   string
	leaf *x509.Certificate
	text string // PEM
}

// read parses the texts and checks that keys and certificates belong together.
func (c *Certificates) read(signing *rsa.PrivateKey) (*certified, error) {
	app, err := readChain(c.App)
	if err != nil {
		return nil, fmt.Errorf("app certificate: %w", err)
	}
	out := &certified{app: app.leaf, appSN: app.sn}
	if out.rootSN, err = rootSN(c.Roots); err != nil {
		return nil, fmt.Errorf("root certificates: %w", err)
	}
	if out.current, err = readChain(c.Alipay); err != nil {
		return nil, fmt.Errorf("certificate of Alipay: %w", err)
	}
	if !signing.PublicKey.Equal(out.current.leaf.PublicKey) {
		return nil, errors.New("certificate of Alipay: the signing key is another")
	}
	if c.Next == "" {
		return out, nil
	}
	if out.next, err = readChain(c.Next); err != nil {
		return nil, fmt.Errorf("next certificate of Alipay: %w", err)
	}
	if c.NextKey == nil || !c.NextKey.PublicKey.Equal(out.next.leaf.PublicKey) {
		return nil, errors.New("next certificate of Alipay: its key is missing or another")
	}
	return out, nil
}

// readChain reads PEM certificates; the one that is no CA is the leaf.
func readChain(text string) (chain, error) {
	var leaf *x509.Certificate
	var behind []byte
	for rest := []byte(text); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return chain{}, fmt.Errorf("read certificate: %w", err)
		}
		if c.IsCA || leaf != nil {
			behind = append(behind, pem.EncodeToMemory(b)...)
			continue
		}
		leaf = c
	}
	if leaf == nil {
		return chain{}, errors.New("no certificate of an end entity")
	}
	if _, ok := leaf.PublicKey.(*rsa.PublicKey); !ok {
		return chain{}, errors.New("not an RSA certificate")
	}
	sn, err := certSN(leaf)
	first := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	return chain{sn: sn, leaf: leaf, text: string(first) + string(behind)}, err
}

// check compares the two SNs of a request (docs/alipay.md, "Certificate mode").
func (c *certified) check(p params, now time.Time) *reply {
	switch {
	case p["app_cert_sn"] == "":
		return refusal("isv.missing-app-cert-sn", "missing app_cert_sn")
	case p["alipay_root_cert_sn"] == "":
		return refusal("isv.missing-alipay-root-cert-sn", "missing alipay_root_cert_sn")
	case p["app_cert_sn"] != c.appSN:
		return refusal("isv.app-cert-not-exist", "no such application certificate")
	case now.After(c.app.NotAfter) || now.Before(c.app.NotBefore):
		return refusal("isv.app-cert-expired", "the application certificate is not valid now")
	case p["alipay_root_cert_sn"] != c.rootSN:
		return refusal("isv.invalid-alipay-root-cert-sn", "another bundle of root certificates")
	}
	return nil
}

// download answers with the certificate that a client does not know. In key mode there is none.
func download(f *front, c fields) reply {
	if f.app.certified != nil {
		for _, have := range []chain{f.app.certified.current, f.app.certified.next} {
			if have.sn != "" && have.sn == c.text("alipay_cert_sn") {
				return success(member{"alipay_cert_content", base64.StdEncoding.EncodeToString([]byte(have.text))})
			}
		}
	}
	return failure("isv.alipay-cert-not-exist", "no such certificate")
}
