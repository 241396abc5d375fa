package check

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/config"
)

// warnBefore is how long before it expires a certificate becomes a finding (security Y3).
const warnBefore = 30 * 24 * time.Hour

// certificates checks the dates of certificates for connections to Kafka, registry and gateways. The
// certificates that apps sign and verify with are checked with their keys.
func (c *checker) certificates() {
	k, r := c.cfg.Kafka, c.cfg.Registry
	c.chain("kafka.tls.cert_file", k.TLS.CertFile.Text)
	c.chain("registry.cert_file", r.CertFile.Text)
	c.roots("kafka.tls.ca_file", k.TLS.CAFile.Text)
	c.roots("kafka.sasl.token_ca_file", k.SASL.TokenCAFile.Text)
	c.roots("registry.ca_file", r.CAFile.Text)
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Apps)) {
		c.roots("apps."+name+".ca_file", c.cfg.Apps[name].CAFile.Text)
	}
}

// fileOf names a setting with its file.
func fileOf(setting string, f config.File) string { return fmt.Sprintf("%s (%s)", setting, f.Path) }

// chain requires that all certificates of a chain are valid.
func (c *checker) chain(setting, text string) {
	for _, cert := range certificatesIn(text) {
		c.checkDates(fmt.Sprintf("%s: certificate %q", setting, cert.Subject.CommonName), cert)
	}
}

// roots requires one valid root: a bundle may have old roots as well as new ones.
func (c *checker) roots(setting, text string) {
	all := certificatesIn(text)
	if len(all) == 0 {
		return
	}
	last := slices.MaxFunc(all, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	c.checkDates(fmt.Sprintf("%s: root %q", setting, last.Subject.CommonName), last)
}

func (c *checker) checkDates(what string, cert *x509.Certificate) {
	if cert.NotBefore.After(c.now) {
		c.add(notYetValid, fmt.Sprintf("%s is not valid before %s", what, day(cert.NotBefore)), "wait until that day, or correct the clock of this machine")
	}
	c.ends(what, cert.NotAfter)
}

// ends warns before something expires, and reports it afterwards.
func (c *checker) ends(what string, end time.Time) {
	switch {
	case end.Before(c.now):
		c.add(expired, fmt.Sprintf("%s expired on %s", what, day(end)), "put a new one into the file")
	case end.Before(c.now.Add(warnBefore)):
		c.add(expiresSoon, fmt.Sprintf("%s expires on %s", what, day(end)), "put a new one into the file before that day")
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// certificatesIn reads the certificates of a text whose length the settings have limited
// (security Y7). The check of keys reports what cannot be read.
func certificatesIn(text string) []*x509.Certificate {
	var out []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return out
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			out = append(out, cert)
		}
	}
}
