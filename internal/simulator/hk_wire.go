package simulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hkResult is an answer of the HK gateway before it is written.
type hkResult struct {
	code, status, message string // resultCode, resultStatus, resultMessage
	orderID               string
}

// hkRefused is a final refusal: resultStatus F.
func hkRefused(code, message string) *hkResult {
	return &hkResult{code: code, status: "F", message: message}
}

// verdict is the result as the journal names it.
func (a hkResult) verdict() string { return a.status + " " + a.code }

// body writes the result.
func (a hkResult) body(w *whims) []byte {
	result := object(members{{"resultCode", a.code}, {"resultStatus", a.status}, {"resultMessage", a.message}})
	m := members{{"result", json.RawMessage(result)}}
	return append(w.respace(object(w.rearrange(m.addText("orderId", a.orderID)))), w.end()...)
}

// hkContent is the content to sign, both ways: METHOD SP PATH LF Client-Id "." time "." body
// (docs/alipay.md, HK "Signing").
func hkContent(method, target, clientID, at string, body []byte) []byte {
	return slices.Concat([]byte(method+" "+target+"\n"+clientID+"."+at+"."), body)
}

// algorithm is how a side of the HK gateway signs.
type algorithm uint8

const (
	unknownAlgorithm algorithm = iota // no key here fits it
	rsa256
	ecc224
)

// signatureHeader is a Signature header that could be read.
type signatureHeader struct {
	algorithm algorithm
	version   string // keyVersion; empty: not stated
	signature []byte
}

// parseSignatureHeader reads "algorithm=RSA256,keyVersion=1,signature=..." in any order, with
// blanks, escaped or not, in the URL-safe alphabet or not (docs/alipay.md, HK "Parsing rules").
func parseSignatureHeader(text string) (signatureHeader, bool) {
	values, ok := parsePairs(text)
	if !ok {
		return signatureHeader{}, false
	}
	sig, ok := decodeSignature(values["signature"])
	if !ok {
		return signatureHeader{}, false
	}
	h := signatureHeader{version: values["keyVersion"], signature: sig}
	switch strings.ToLower(values["algorithm"]) {
	case "", "rsa256", "sha256withrsa": // the last is an alias on older pages
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

// decodeSignature undoes percent coding once, never turning "+" into a blank, then Base64.
func decodeSignature(text string) ([]byte, bool) {
	plain, err := url.PathUnescape(text)
	if err != nil || plain == "" {
		return nil, false
	}
	plain = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(plain), "=")
	sig, err := base64.RawStdEncoding.Strict().DecodeString(plain)
	return sig, err == nil
}

// hkTimes are the forms of Request-Time that siblings use; fractions are read with each.
var hkTimes = []string{time.RFC3339, "2006-01-02T15:04:05Z0700"}

// parseHKTime reads a Request-Time: ISO 8601 with a zone, or 13 digits of epoch milliseconds
// (docs/alipay.md, HK "Time").
func parseHKTime(text string) (time.Time, bool) {
	if len(text) == 13 && isDigits(text) {
		ms, err := strconv.ParseInt(text, 10, 64)
		return time.UnixMilli(ms), err == nil
	}
	for _, layout := range hkTimes {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// hkKeys are the keys of one client and of the platform towards it.
type hkKeys struct {
	merchant        map[string]*rsa.PublicKey // by key version
	ecc             ECC
	platform        *rsa.PrivateKey
	platformVersion string                     // of platform
	platformOlder   map[string]*rsa.PrivateKey // by other versions: unwrap keys of encrypted bodies only
}

// known says whether the merchant has a key of this version.
func (k hkKeys) known(version string) bool {
	return k.merchant[version] != nil || k.ecc.MerchantKeys[version] != nil
}

// versions returns the key versions to try: the stated one, else all, newest first [inferred].
func (k hkKeys) versions(sig signatureHeader) []string {
	if sig.version != "" {
		return []string{sig.version}
	}
	all := slices.Collect(maps.Keys(k.merchant))
	if sig.algorithm == ecc224 {
		all = slices.Collect(maps.Keys(k.ecc.MerchantKeys))
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

// verify checks the signature of a request with one version of the merchant's keys.
func (k hkKeys) verify(sig signatureHeader, version string, content []byte) bool {
	switch sig.algorithm {
	case rsa256:
		key := k.merchant[version]
		return key != nil && verify(key, crypto.SHA256, content, sig.signature)
	case ecc224:
		return k.ecc.accepts(version, content, sig.signature)
	}
	return false
}

// sign returns the Signature header of an answer; it is signed as the request was [inferred].
func (k hkKeys) sign(g *signer, request signatureHeader, content []byte, wrong bool) string {
	name, sig := "RSA256", ""
	switch {
	case request.algorithm == ecc224 && k.ecc.PlatformKey != nil:
		name = "ECC224"
		key := k.ecc.PlatformKey
		if wrong {
			key, _ = ecdsa.GenerateKey(elliptic.P224(), rand.Reader) // no one's; randomness never fails
		}
		sig = g.signECC(k.ecc, key, content)
	case wrong:
		sig = g.sign(g.wrong(), crypto.SHA256, content)
	default:
		sig = g.sign(k.platform, crypto.SHA256, content)
	}
	return "algorithm=" + name + ",keyVersion=" + k.platformVersion + ",signature=" + url.QueryEscape(sig)
}

// decrypt undoes RSA_AES: the header's key is wrapped for the platform, the body is its Base64.
func (k hkKeys) decrypt(header string, body []byte) ([]byte, error) {
	values, ok := parsePairs(header)
	if !ok || values["algorithm"] != "RSA_AES" {
		return nil, errDecrypt
	}
	key := k.platform
	if v := values["keyVersion"]; v != "" && v != k.platformVersion {
		key = k.platformOlder[v]
	}
	wrapped, ok := decodeSignature(values["symmetricKey"])
	raw, err := base64.StdEncoding.DecodeString(string(body))
	if key == nil || !ok || err != nil {
		return nil, errDecrypt
	}
	//nolint:staticcheck // PKCS#1 v1.5 is what the peer demands
	secret, err := rsa.DecryptPKCS1v15(nil, key, wrapped)
	if err != nil {
		return nil, errDecrypt
	}
	return ecbDecrypt(secret, raw)
}

// encrypt turns an answer into an encrypted one under a new key, wrapped with the merchant's key
// of the version that signed the request.
func (k hkKeys) encrypt(version string, out *sealed) {
	key := k.merchant[version]
	if key == nil { // the request was signed with ECC224: any RSA key of the merchant will do
		version = slices.Max(k.versions(signatureHeader{algorithm: rsa256}))
		key = k.merchant[version]
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	//nolint:staticcheck // as above
	wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, key, secret)
	if err != nil {
		panic("simulator: merchant's key is unusable: " + err.Error())
	}
	out.body = []byte(base64.StdEncoding.EncodeToString(ecbEncrypt(secret, out.body)))
	out.header.Set("Content-Type", "text/plain; charset=UTF-8")
	out.header.Set("Encrypt", "algorithm=RSA_AES,keyVersion="+version+",symmetricKey="+
		url.QueryEscape(base64.StdEncoding.EncodeToString(wrapped)))
}
