package alipay

import (
	"crypto"
	"crypto/rsa"
	"fmt"
)

// Step is one step of reading what Alipay sent, for people who ask why it was believed or not.
type Step struct {
	Name   string `json:"name"` // cut, signature, certificate, decrypt, code, request ...
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// steps collects them; nil collects nothing.
type steps struct{ list []Step }

func (s *steps) ok(name, format string, args ...any) { s.note(name, true, format, args) }

func (s *steps) bad(name, format string, args ...any) { s.note(name, false, format, args) }

func (s *steps) note(name string, ok bool, format string, args []any) {
	if s != nil {
		s.list = append(s.list, Step{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)})
	}
}

// whyNot says in words for people why a signature does not match.
func whyNot(h crypto.Hash, keys []*rsa.PublicKey, text, sig []byte) string {
	return "the signature does not match"
}
