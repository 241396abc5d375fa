package wire

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HKResult is an answer of the HK gateway before it is written.
type HKResult struct {
	Code, Status, Message string // resultCode, resultStatus, resultMessage
	OrderID               string
}

// HKRefusal returns a final refusal: resultStatus F.
func HKRefusal(code, message string) *HKResult {
	return &HKResult{Code: code, Status: "F", Message: message}
}

// Verdict returns the result in the words of the journal.
func (a HKResult) Verdict() string { return a.Status + " " + a.Code }

// Body returns the JSON of the result.
func (a HKResult) Body(w *AnswerQuirks) []byte {
	result := encodeObject(Members{{"resultCode", a.Code}, {"resultStatus", a.Status}, {"resultMessage", a.Message}})
	m := Members{{"result", json.RawMessage(result)}}
	return append(w.reformat(encodeObject(w.rearrange(m.AddText("orderId", a.OrderID)))), w.lineEnd()...)
}

// RequestTarget returns the target of the request line without scheme and host: path and query as
// the client sent them, because they are signed.
func RequestTarget(r *http.Request) string {
	t := r.RequestURI
	if t == "" {
		return r.URL.RequestURI()
	}
	if u, err := url.Parse(t); err == nil && u.IsAbs() {
		if i := strings.Index(t[len(u.Scheme)+3:], "/"); i >= 0 {
			return t[len(u.Scheme)+3+i:]
		}
	}
	return t
}

// HKStringToSign returns the content to sign, of requests and answers: METHOD SP PATH LF Client-Id
// "." time "." body (docs/alipay.md, HK "Signing").
func HKStringToSign(method, target, clientID, at string, body []byte) []byte {
	return slices.Concat([]byte(method+" "+target+"\n"+clientID+"."+at+"."), body)
}

// algorithm is a signature algorithm of the HK gateway.
type algorithm uint8

const (
	unknownAlgorithm algorithm = iota // no key verifies it
	rsa256
	ecc224
)

// SignatureHeader is a parsed Signature header.
type SignatureHeader struct {
	algorithm algorithm
	Version   string // keyVersion; empty: the header has none
	signature []byte
}

// ParseSignatureHeader reads "algorithm=RSA256,keyVersion=1,signature=..." in any order, with or
// without blanks, percent encoding and the URL-safe alphabet (docs/alipay.md, HK "Parsing rules").
func ParseSignatureHeader(text string) (SignatureHeader, bool) {
	values, ok := parsePairs(text)
	if !ok {
		return SignatureHeader{}, false
	}
	sig, ok := decodeSignature(values["signature"])
	if !ok {
		return SignatureHeader{}, false
	}
	h := SignatureHeader{Version: values["keyVersion"], signature: sig}
	switch strings.ToLower(values["algorithm"]) {
	case "", "rsa256", "sha256withrsa": // the last one is an alias on older pages
		h.algorithm = rsa256
	case "ecc224":
		h.algorithm = ecc224
	}
	return h, true
}

// parsePairs reads "name=value,name=value".
func parsePairs(text string) (map[string]string, bool) {
	values := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(pair), "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "" && !found {
			continue
		}
		if _, twice := values[name]; twice || !found {
			return nil, false
		}
		values[name] = value
	}
	return values, true
}

// decodeSignature decodes percent encoding once, without turning "+" into a blank, and then Base64.
func decodeSignature(text string) ([]byte, bool) {
	plain, err := url.PathUnescape(text)
	if err != nil || plain == "" {
		return nil, false
	}
	plain = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(plain), "=")
	sig, err := base64.RawStdEncoding.Strict().DecodeString(plain)
	return sig, err == nil
}

// hkTimeLayouts are the forms of Request-Time in similar APIs; each may have a fraction of a second.
var hkTimeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700"}

// ParseHKTime reads a Request-Time: ISO 8601 with a zone, or 13 digits of epoch milliseconds
// (docs/alipay.md, HK "Time").
func ParseHKTime(text string) (time.Time, bool) {
	if len(text) == 13 && IsDigits(text) {
		ms, err := strconv.ParseInt(text, 10, 64)
		return time.UnixMilli(ms), err == nil
	}
	for _, layout := range hkTimeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// HKKeys are the keys of one client, and those that the platform uses with it.
type HKKeys struct {
	Merchant        map[string]*rsa.PublicKey // by key version
	ECC             ECC
	Platform        *rsa.PrivateKey
	PlatformVersion string                     // of Platform
	PlatformOlder   map[string]*rsa.PrivateKey // other keys by version: only decrypt the keys of encrypted bodies
}

// Known reports whether the merchant has a key with this version.
func (k HKKeys) Known(version string) bool {
	return k.Merchant[version] != nil || k.ECC.MerchantKeys[version] != nil
}

// Versions returns the key versions to try: the one in the header, else all, newest first [inferred].
func (k HKKeys) Versions(sig SignatureHeader) []string {
	if sig.Version != "" {
		return []string{sig.Version}
	}
	all := slices.Collect(maps.Keys(k.Merchant))
	if sig.algorithm == ecc224 {
		all = slices.Collect(maps.Keys(k.ECC.MerchantKeys))
	}
	slices.SortFunc(all, func(x, y string) int {
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		if m != n {
			return n - m
		}
		return strings.Compare(y, x)
	})
	return all
}

// Verify checks the signature of a request with one version of the merchant's keys.
func (k HKKeys) Verify(sig SignatureHeader, version string, content []byte) bool {
	switch sig.algorithm {
	case rsa256:
		key := k.Merchant[version]
		return key != nil && VerifyRSA(key, crypto.SHA256, content, sig.signature)
	case ecc224:
		return k.ECC.accepts(version, content, sig.signature)
	}
	return false
}

// Sign returns the Signature header of an answer, which is signed with the algorithm of the request [inferred].
func (k HKKeys) Sign(g *Signer, request SignatureHeader, content []byte, wrong bool) string {
	name, sig := "RSA256", ""
	switch {
	case request.algorithm == ecc224 && k.ECC.PlatformKey != nil:
		name = "ECC224"
		key := k.ECC.PlatformKey
		if wrong {
			key, _ = ecdsa.GenerateKey(elliptic.P224(), rand.Reader) // belongs to no one; it cannot fail
		}
		sig = g.signECC(k.ECC, key, content)
	case wrong:
		sig = g.Sign(g.WrongKey(), crypto.SHA256, content)
	default:
		sig = g.Sign(k.Platform, crypto.SHA256, content)
	}
	return "algorithm=" + name + ",keyVersion=" + k.PlatformVersion + ",signature=" + url.QueryEscape(sig)
}

// Decrypt decrypts RSA_AES: the header has a key that is encrypted for the platform, the body is
// the Base64 of what that key encrypted.
func (k HKKeys) Decrypt(header string, body []byte) ([]byte, error) {
	values, ok := parsePairs(header)
	if !ok || values["algorithm"] != "RSA_AES" {
		return nil, errDecrypt
	}
	key := k.Platform
	if v := values["keyVersion"]; v != "" && v != k.PlatformVersion {
		key = k.PlatformOlder[v]
	}
	wrapped, ok := decodeSignature(values["symmetricKey"])
	raw, err := base64.StdEncoding.DecodeString(string(body))
	if key == nil || !ok || err != nil {
		return nil, errDecrypt
	}
	//nolint:staticcheck // the peer requires PKCS#1 v1.5
	secret, err := rsa.DecryptPKCS1v15(nil, key, wrapped)
	if err != nil {
		return nil, errDecrypt
	}
	return ecbDecrypt(secret, raw)
}

// Encrypt encrypts an answer with a new key, which it encrypts with the merchant's key of the
// version that signed the request.
func (k HKKeys) Encrypt(version string, out *SealedAnswer) {
	key := k.Merchant[version]
	if key == nil { // the request was signed with ECC224: any RSA key of the merchant will do
		version = slices.Max(k.Versions(SignatureHeader{algorithm: rsa256}))
		key = k.Merchant[version]
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	//nolint:staticcheck // as above
	wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, key, secret)
	if err != nil {
		panic("simulator: the merchant's key cannot encrypt: " + err.Error())
	}
	out.Body = []byte(base64.StdEncoding.EncodeToString(ecbEncrypt(secret, out.Body)))
	out.Header.Set("Content-Type", "text/plain; charset=UTF-8")
	out.Header.Set("Encrypt", "algorithm=RSA_AES,keyVersion="+version+",symmetricKey="+
		url.QueryEscape(base64.StdEncoding.EncodeToString(wrapped)))
}
