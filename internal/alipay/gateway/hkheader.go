package gateway

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// hkSignature is a Signature header that has been read.
type hkSignature struct {
	algorithm  string // as sent; empty is RSA256
	keyVersion string // empty: not stated
	signature  []byte
}

var errHKHeader = errors.New("malformed Signature header")

// parseHKSignature reads "algorithm=RSA256,keyVersion=1,signature=..." (AlipayHK Synchronize
// Order, "Signature"): pairs in any order, blanks around them, unknown keys ignored, a
// repeated key refused. Pages and SDKs of the family disagree on the encoding of the value, so
// percent-encoded, raw and URL-safe Base64 are all accepted, with or without padding.
func parseHKSignature(header string) (hkSignature, error) {
	pairs, err := hkPairs(header)
	if err != nil {
		return hkSignature{}, err
	}
	h := hkSignature{algorithm: pairs["algorithm"], keyVersion: pairs["keyVersion"]}
	h.signature, err = hkBase64(pairs["signature"])
	return h, err
}

// hkPairs splits a header of key=value pairs at commas and first equal signs.
func hkPairs(header string) (map[string]string, error) {
	pairs := map[string]string{}
	for p := range strings.SplitSeq(header, ",") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		key, value, ok := strings.Cut(p, "=")
		key = strings.TrimSpace(key)
		if _, twice := pairs[key]; twice || !ok {
			return nil, errHKHeader
		}
		pairs[key] = strings.TrimSpace(value)
	}
	return pairs, nil
}

// hkBase64 decodes a value of a header pair. Percent escapes are decoded, once. A +
// stays: form decoding would turn the + of raw Base64 into a blank.
func hkBase64(value string) ([]byte, error) {
	text, err := url.PathUnescape(value)
	if err != nil {
		return nil, fmt.Errorf("malformed escape: %w", errHKHeader)
	}
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) == 0 || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("not Base64: %w", errHKHeader)
	}
	return b, nil
}

// purpose returns the kind of key that the named algorithm verifies with; empty for an unknown
// algorithm: nothing falls back to RSA256. Names are not case-sensitive; older AlipayHK pages
// of the same gateway call RSA256 sha256withrsa.
func (h hkSignature) purpose() hkPurpose {
	switch name := strings.ToUpper(h.algorithm); name {
	case "", algRSA256, "SHA256WITHRSA":
		return hkVerifyRSA
	case algECC224:
		return hkVerifyECC
	}
	return ""
}

// formatHKSignature writes a Signature header.
func formatHKSignature(algorithm, keyVersion string, sig []byte) string {
	return "algorithm=" + algorithm + ",keyVersion=" + keyVersion + ",signature=" + percentBase64(sig)
}

// percentBase64 encodes bytes as the SDKs do: standard Base64, in which only + / = are
// percent-encoded.
func percentBase64(b []byte) string {
	return strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(base64.StdEncoding.EncodeToString(b))
}

// hkTimeLayouts are the forms of Request-Time and Response-Time in the family: ISO-8601 with
// an offset, with or without its colon; all accept fractions.
var hkTimeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700"}

// Text writes a time in the form, in a zone.
func (l HKTimeLayout) Text(at time.Time, zone *time.Location) string {
	if l == HKTimeEpoch {
		return strconv.FormatInt(at.UnixMilli(), 10)
	}
	return at.In(zone).Format(string(l))
}

var errHKTime = errors.New("not an ISO-8601 time with zone")

// parseHKTime reads the instant of a time header. 13 digits are epoch milliseconds, which the
// Go and Java SDKs of the family send. The signature covers the text, never the instant.
func parseHKTime(text string) (time.Time, error) {
	if len(text) == 13 && strings.Trim(text, "0123456789") == "" {
		ms, err := strconv.ParseInt(text, 10, 64)
		return time.UnixMilli(ms), err
	}
	for _, layout := range hkTimeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errHKTime
}
