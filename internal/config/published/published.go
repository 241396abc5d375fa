// Package published finds keys whose private half everyone may have: those of the simulator, and those of this
// project's tests.
package published

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// SimulatorMark is in front of each key that `bridge simulate` makes, and in the subject of each
// certificate. Keys of the simulator are copied to many places, so that only the simulator may
// trust one (security G7).
const SimulatorMark = "made by bridge simulate"

// testKeys are the SHA-256 of the SubjectPublicKeyInfo of every key in this repository's
// testdata, in hexadecimal: their private halves are published with it (security G7).
//
//go:embed testkeys.txt
var testKeys string

// begin is how a PEM block begins.
const begin = "-----BEGIN "

// By returns who published the private half of a key or certificate; empty: it may be a
// secret. Certificates are judged by their contents, not by the text around them.
func By(text string) string {
	if strings.Contains(text, SimulatorMark) {
		return "the simulator"
	}
	for _, der := range derTexts(text) {
		if c, err := x509.ParseCertificate(der); err == nil && simulated(c) {
			return "the simulator"
		}
		if spki := publicPart(der); spki != nil {
			sum := sha256.Sum256(spki)
			if strings.Contains(testKeys, hex.EncodeToString(sum[:])) {
				return "this project's tests"
			}
		}
	}
	return ""
}

// simulated looks for the mark in both names: a certificate that the simulator's authority issued
// for another key must not be trusted, either.
func simulated(c *x509.Certificate) bool {
	return slices.ContainsFunc(slices.Concat(c.Subject.Organization, c.Issuer.Organization), func(name string) bool {
		return strings.Contains(name, SimulatorMark)
	})
}

// derTexts decodes every PEM block of a text, or the whole of it as Base64. Line ends and
// text between blocks do not matter, because keys are passed on in many forms.
func derTexts(text string) [][]byte {
	const dashes = "-----"
	bodies := []string{text}
	if parts := strings.Split(text, begin); len(parts) > 1 {
		bodies = nil
		for _, part := range parts[1:] {
			_, rest, _ := strings.Cut(part, dashes)
			body, _, _ := strings.Cut(rest, dashes)
			bodies = append(bodies, body)
		}
	}
	var out [][]byte
	for _, body := range bodies {
		if der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), "")); err == nil {
			out = append(out, der)
		}
	}
	return out
}

// publicPart returns the SubjectPublicKeyInfo of a key or certificate, or nil.
func publicPart(der []byte) []byte {
	if c, err := x509.ParseCertificate(der); err == nil {
		return c.RawSubjectPublicKeyInfo
	}
	var public any
	if k, err := x509.ParsePKIXPublicKey(der); err == nil {
		public = k
	} else if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
		public = k
	} else if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		public = publicOf(k)
	} else if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		public = k.Public()
	} else if k, err := x509.ParseECPrivateKey(der); err == nil {
		public = k.Public()
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil
	}
	return spki
}

func publicOf(key any) crypto.PublicKey {
	if s, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		return s.Public()
	}
	return nil
}
