package gateway

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"net/url"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// Internals for the external tests: pure functions that vectors describe directly.

// CutAnswer returns the signed bytes and the signature of an answer.
func CutAnswer(body []byte, m alipay.Method, c alipay.Charset) (node []byte, sign string, err error) {
	parts, err := cutAnswer(body, m, c)
	return parts.node, parts.sign, err
}

// gatewayOf is a gateway that sends nothing.
func gatewayOf(o OpenAPIOptions) (*classic, error) {
	g, err := newClassic(o)
	if err == nil {
		g.url = &url.URL{Scheme: "https", Host: "gateway.test", Path: gatewayPath}
	}
	return g, err
}

// OpenAnswer opens an answer of the classic gateway as a client with these options would.
func OpenAnswer(o OpenAPIOptions, r alipay.Request, body []byte) (alipay.Reply, error) {
	g, err := gatewayOf(o)
	if err != nil {
		return alipay.Reply{}, err
	}
	return g.open(context.Background(), r, &sealedRequest{}, &answer{status: http.StatusOK, body: body})
}

// SealedParams returns what a client with these options would send, by name, and the text that
// is signed.
func SealedParams(o OpenAPIOptions, m alipay.Merchant, r alipay.Request, content []byte) (query, body url.Values, text []byte, err error) {
	g, err := gatewayOf(o)
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := g.seal(context.Background(), m, r, content)
	if err != nil {
		return nil, nil, nil, err
	}
	body, err = url.ParseQuery(string(s.body))
	return s.url.Query(), body, s.signed, err
}

// TrustDownload reads the answer to a download and trusts its chain if it may be.
func TrustDownload(o OpenAPIOptions, sn string, body []byte) error {
	g, err := gatewayOf(o)
	if err != nil {
		return err
	}
	chain, err := g.readChain(&certDownload{sn: sn}, &answer{status: http.StatusOK, body: body})
	if err != nil {
		return err
	}
	return o.Certificates.Fetch(context.Background(), sn, func(context.Context, string) ([]byte, error) { return chain, nil })
}

// SealAndOpen returns a function that does all of a call but the network.
func SealAndOpen(o OpenAPIOptions, r alipay.Request, body []byte) (func() error, error) {
	g, err := gatewayOf(o)
	if err != nil {
		return nil, err
	}
	return func() error {
		if err := r.Validate(); err != nil {
			return err
		}
		content, err := alipay.Content(r)
		if err != nil {
			return err
		}
		s, err := g.seal(context.Background(), alipay.Merchant{}, r, content)
		if err != nil {
			return err
		}
		_, err = g.open(context.Background(), r, s, &answer{status: http.StatusOK, body: body})
		return err
	}, nil
}

// The parts of HK's signature.
var (
	HKContent         = hkContent
	FormatHKSignature = formatHKSignature
	ParseHKTime       = parseHKTime
)

// ParseHKSignature returns the decoded signature of a header.
func ParseHKSignature(header string) ([]byte, error) {
	h, err := parseHKSignature(header)
	return h.signature, err
}

// VerifyHK verifies a header over content under the keys.
func VerifyHK(keys map[string]*rsa.PublicKey, header string, content []byte) error {
	sig, err := parseHKSignature(header)
	if err != nil {
		return err
	}
	h := &hk{keys: hkKeys{}}
	for v, k := range keys {
		h.keys[hkKeyID{hkPlatform, hkVerifyRSA, v}] = k
	}
	return h.check(sig, content)
}

// VerifyECC verifies a header of ECC224 over content.
func VerifyECC(o ECCOptions, key *ecdsa.PublicKey, header string, content []byte) error {
	sig, err := parseHKSignature(header)
	if err != nil {
		return err
	}
	return (&hk{ecc: o, keys: hkKeys{{hkPlatform, hkVerifyECC, "1"}: key}}).check(sig, content)
}

// DecryptHK opens an encrypted body as the holder of a key.
func DecryptHK(key *rsa.PrivateKey, header string, body []byte) ([]byte, error) {
	return hkKeys{{hkMerchant, hkDecrypt, "1"}: key}.decrypt(header, body)
}

// Sanitize makes a text of Alipay's fit for logs.
var Sanitize = sanitize

// DigestOf hashes a text as a sign type does.
func DigestOf(t alipay.SignType, text []byte) []byte { return keys.Digest(t.Hash(), text) }

// VerifyText reports whether a signature in Base64 is one of RSA2 over a text.
func VerifyText(key *rsa.PublicKey, text []byte, sign string) bool {
	sig, err := base64.StdEncoding.DecodeString(sign)
	return err == nil && verifyAny(crypto.SHA256, []*rsa.PublicKey{key}, text, sig)
}

// SignECC signs as ECC224 does, in the form of the setting.
func SignECC(o ECCOptions, key *ecdsa.PrivateKey, content []byte) []byte {
	sig, err := ecdsa.SignASN1(rand.Reader, key, keys.Digest(o.Hash(), content))
	if err != nil {
		panic(err)
	}
	if sig, err = o.encodeSignature(sig); err != nil {
		panic(err)
	}
	return sig
}

// EncryptHK encrypts a body to a key.
func EncryptHK(to *rsa.PublicKey, plain []byte) (body []byte, header string) {
	body, header, err := (&hkRecipient{to: to, version: "1", bytes: 32}).encrypt(plain)
	if err != nil {
		panic(err)
	}
	return body, header
}

// Places are those of long answers.
type Places = places

// LongAnswers is how many there are.
const LongAnswers = longAnswers

func NewPlaces() Places { return newPlaces(longAnswers) }

// ReadAndRelease reads an answer as a call does.
func (p places) ReadAndRelease(ctx context.Context, res *http.Response) error {
	a, err := p.read(ctx, res)
	a.release()
	return err
}

// UsesProxy reports whether requests may take a detour.
func (a *App) UsesProxy() bool { return a.http.Transport.(*http.Transport).Proxy != nil }
