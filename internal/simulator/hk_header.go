package simulator

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// algorithm is how a side of the HK gateway signs.
type algorithm uint8

const (
	unknownAlgorithm algorithm = iota // no key here fits it
	rsa256
	ecc224
)

// signatureHeader is a Signature header that could be read.
type signatureHeader struct {
	algorithm  algorithm
	keyVersion string
	signature  []byte
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
	h := signatureHeader{keyVersion: values["keyVersion"], signature: sig}
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

// versions returns the key versions to try: the stated one, else all, newest first [inferred].
func (a *HKApp) versions(sig signatureHeader) []string {
	if sig.keyVersion != "" {
		return []string{sig.keyVersion}
	}
	all := slices.Collect(maps.Keys(a.MerchantKeys))
	if sig.algorithm == ecc224 {
		all = slices.Collect(maps.Keys(a.ECC.MerchantKeys))
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
