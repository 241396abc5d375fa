package gateway_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

// hkHeaders is testdata/alipayhk/signature_header_parsing.json.
type hkHeaders struct {
	ID, What string
	MadeBy   string `json:"made_by"`
	KeysFile string `json:"keys_file"`
	Signed   struct {
		Method, Path, Key string
		ClientID          string `json:"client_id"`
		Time              string `json:"request_time"`
		Body              hkText
		Signature         []byte `json:"signature_base64"`
	}
	Cases []struct {
		ID, Header, Why, Level string
		Expect                 struct {
			Parses, Verifies bool
			WithoutBlanks    bool `json:"parses_after_removing_blanks"`
			Base64Chars      int  `json:"base64_chars"`
			DecodedBytes     int  `json:"decoded_bytes"`
		}
	}
}

func (v hkHeaders) content() []byte {
	return gateway.HKContent(v.Signed.Path, v.Signed.ClientID, v.Signed.Time, v.Signed.Body.Base64)
}

func TestHKSignatureHeader(t *testing.T) {
	v := alipaytest.Load[hkHeaders](t, "alipayhk/signature_header_parsing.json")
	keys := map[string]*rsa.PublicKey{"1": &hkKey(t, v.Signed.Key).PublicKey}
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			if c.Level == "informative" { // the page's sample, with the blanks of its line ends
				sig, err := gateway.ParseHKSignature(strings.ReplaceAll(c.Header, " ", ""))
				if (err == nil) != c.Expect.WithoutBlanks || len(sig) != c.Expect.DecodedBytes ||
					len(base64.StdEncoding.EncodeToString(sig)) != c.Expect.Base64Chars {
					t.Errorf("%d bytes, %v", len(sig), err)
				}
				return
			}
			if _, err := gateway.ParseHKSignature(c.Header); (err == nil) != c.Expect.Parses {
				t.Errorf("err = %v, want parses %v (%s)", err, c.Expect.Parses, c.Why)
			}
			if err := gateway.VerifyHK(keys, c.Header, v.content()); (err == nil) != c.Expect.Verifies {
				t.Errorf("err = %v, want verifies %v (%s)", err, c.Expect.Verifies, c.Why)
			}
		})
	}
	t.Logf("alipayhk/signature_header_parsing.json: %d cases", len(v.Cases))
}

// TestHKHeaderSpellings: forms that the vectors leave out.
func TestHKHeaderSpellings(t *testing.T) {
	v := alipaytest.Load[hkHeaders](t, "alipayhk/signature_header_parsing.json")
	one := &hkKey(t, v.Signed.Key).PublicKey
	two := &hkKey(t, "platform_rsa_v2").PublicKey
	raw := base64.StdEncoding.EncodeToString(v.Signed.Signature)
	for _, tt := range []struct {
		name, header string
		keys         map[string]*rsa.PublicKey
		want         bool
	}{
		{"blanks and raw Base64", " algorithm = RSA256 , keyVersion = 1 , signature = " + raw, map[string]*rsa.PublicKey{"1": one}, true},
		{"unpadded", "signature=" + strings.TrimRight(raw, "="), map[string]*rsa.PublicKey{"1": one}, true},
		{"unknown key", "nonce=x,signature=" + raw, map[string]*rsa.PublicKey{"1": one}, true},
		{"no version, older key", "signature=" + raw, map[string]*rsa.PublicKey{"1": one, "2": two, "10": two}, true},
		{"version of another key", "keyVersion=2,signature=" + raw, map[string]*rsa.PublicKey{"1": one, "2": two}, false},
		{"ECC224", "algorithm=ECC224,signature=" + raw, map[string]*rsa.PublicKey{"1": one}, false},
		{"a pair without value", "RSA256,signature=" + raw, map[string]*rsa.PublicKey{"1": one}, false},
		{"escaped twice", "signature=" + strings.ReplaceAll(strings.ReplaceAll(raw, "+", "%252B"), "/", "%252F"), map[string]*rsa.PublicKey{"1": one}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := gateway.VerifyHK(tt.keys, tt.header, v.content()); (err == nil) != tt.want {
				t.Errorf("err = %v, want verified %v", err, tt.want)
			}
		})
	}
}

func FuzzHKHeader(f *testing.F) {
	v := alipaytest.Load[hkHeaders](f, "alipayhk/signature_header_parsing.json")
	for _, c := range v.Cases {
		f.Add(c.Header)
	}
	keys := map[string]*rsa.PublicKey{"1": &hkKey(f, v.Signed.Key).PublicKey}
	content := v.content()
	f.Fuzz(func(t *testing.T, header string) {
		if gateway.VerifyHK(keys, header, content) != nil {
			return
		}
		if sig, err := gateway.ParseHKSignature(header); err != nil || !bytes.Equal(sig, v.Signed.Signature) {
			t.Errorf("%q verifies", header)
		}
	})
}

func TestHKTimes(t *testing.T) {
	v := alipaytest.Load[struct {
		ID, What string
		MadeBy   string `json:"made_by"`
		Cases    []struct {
			Text, Why string
			Accept    bool
			Epoch     *int64 `json:"epoch_ms"`
		}
	}](t, "alipayhk/request_time_formats.json")
	for _, c := range v.Cases {
		t.Run(fmt.Sprintf("%q", c.Text), func(t *testing.T) {
			got, err := gateway.ParseHKTime(c.Text)
			if (err == nil) != c.Accept || c.Epoch != nil && got.UnixMilli() != *c.Epoch {
				t.Errorf("%q: %v, %v (%s)", c.Text, got, err, c.Why)
			}
		})
	}
	t.Logf("alipayhk/request_time_formats.json: %d cases", len(v.Cases))
}
