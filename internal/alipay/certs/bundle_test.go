package certs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/certs"
)

// Root bundles as editors and cat leave them: either every root counts, or the error says what
// is wrong. A bundle with fewer roots would be refused by Alipay with each call.
func TestDamagedBundles(t *testing.T) {
	v := alipaytest.Load[alipaytest.CertVectors](t, "openapi/certs.json")
	blocks := regexp.MustCompile(`(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----`).FindAllString(v.RootBundle, -1)
	whole := strings.Join(blocks, "\n") + "\n"
	want, err := certs.RootSN([]byte(whole))
	if err != nil || len(blocks) < 3 {
		t.Fatal(len(blocks), err)
	}
	indented := "  " + strings.ReplaceAll(blocks[0], "\n", "\n  ")
	for name, tt := range map[string]struct{ text, fault string }{
		"as it should be":               {whole, ""},
		"a byte order mark":             {"\ufeff" + whole, ""},
		"marks of two joined files":     {"\ufeff" + blocks[0] + "\n\ufeff" + strings.Join(blocks[1:], "\n"), ""},
		"joined without a line feed":    {blocks[0] + blocks[1] + "\n" + strings.Join(blocks[2:], "\n"), ""},
		"all joined":                    {strings.Join(blocks, ""), ""},
		"indented":                      {indented + "\n" + strings.Join(blocks[1:], "\n"), ""},
		"line feeds of Windows":         {strings.ReplaceAll(whole, "\n", "\r\n"), ""},
		"line feeds of old Macs":        {strings.ReplaceAll(whole, "\n", "\r"), ""},
		"on one line":                   {strings.ReplaceAll(whole, "\n", " "), ""},
		"comments":                      {"Root R1\n" + strings.Join(blocks, "\nnext\n"), ""},
		"no END line":                   {strings.TrimSuffix(blocks[0], "-----END CERTIFICATE-----") + strings.Join(blocks[1:], "\n"), "certificate 1 has no END line"},
		"cut at the end":                {whole[:len(whole)-40], "has no END line"},
		"no BEGIN line":                 {strings.TrimPrefix(blocks[0], "-----BEGIN CERTIFICATE-----") + strings.Join(blocks[1:], "\n"), "an END line without BEGIN"},
		"no BEGIN line of the last one": {blocks[0] + strings.TrimPrefix(blocks[1], "-----BEGIN CERTIFICATE-----"), "an END line without BEGIN"},
		"letters lost":                  {strings.Replace(whole, "MII", "M?I", 1), "certificate 1 is not Base64"},
		"a key among them":              {whole + "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a CERTIFICATE"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := certs.RootSN([]byte(tt.text))
			switch {
			case tt.fault == "" && (err != nil || got != want):
				t.Errorf("%q, %v, want %q", got, err, want)
			case tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)):
				t.Errorf("%q, err %v, want %s", got, err, tt.fault)
			}
		})
	}
	if sns, err := certs.BundleSNs([]byte(whole)); err != nil || len(sns) != len(blocks) || slices.Contains(sns, "") {
		t.Errorf("%q, %v", sns, err)
	}
}
