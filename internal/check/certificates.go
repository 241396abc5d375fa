package check

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"
)

// warnBefore is how long before its end a certificate becomes a finding (security Y3).
const warnBefore = 30 * 24 * time.Hour

// certificates looks at the dates of what Kafka, registry and gateways are reached with. Those
// that apps sign and verify with are looked at with their keys.
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

// chain wants every certificate of a chain to count.
func (c *checker) chain(setting, text string) {
	for _, cert := range certificatesIn(text) {
		c.checkDates(fmt.Sprintf("%s: certificate %q", setting, cert.Subject.CommonName), cert)
	}
}

// roots wants one root that counts: a bundle keeps old ones beside the new.
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
		c.add(partCertificates, fmt.Sprintf("%s counts only from %s on", what, day(cert.NotBefore)), "wait, or look at this machine's clock")
	}
	c.ends(what, cert.NotAfter)
}

// ends warns before something stops counting, and says so afterwards.
func (c *checker) ends(what string, end time.Time) {
	switch {
	case end.Before(c.now):
		c.add(partCertificates, fmt.Sprintf("%s ended on %s", what, day(end)), "put the new one into the file")
	case end.Before(c.now.Add(warnBefore)):
		c.add(partCertificates, fmt.Sprintf("%s ends on %s", what, day(end)), "put a new one into the file before that day")
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// certificatesIn reads the certificates of a text whose length the settings have bounded
// (security Y7). What cannot be read was told with the keys.
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
