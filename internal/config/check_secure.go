package config

import (
	"net"
	"regexp"
	"slices"
	"strings"
)

// clusterForm is what brokers make of 16 bytes, and what other makes of Kafka call a cluster.
var clusterForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// checkCluster wants a cluster's name where real money moves: staging events must not meet
// production keys (security G10).
func (c *Config) checkCluster(fs *findings) {
	if c.Kafka.ClusterID != "" {
		if !clusterForm.MatchString(c.Kafka.ClusterID) {
			fs.add("kafka.cluster_id", "is %s; want letters, digits, dots, dashes and underscores", fs.text("kafka.cluster_id"))
		}
		return
	}
	for _, a := range c.Apps {
		if a.Environment == Production {
			fs.add("kafka.cluster_id", "is missing; a production app needs it (kafka-cluster cluster-id tells it)")
			return
		}
	}
}

func (k Kafka) checkSecurity(fs *findings) {
	k.TLS.check(fs)
	k.SASL.check(fs)
	if k.SASL.Readable() && !k.TLS.Enabled && !k.allLoopback() && !fs.hasFault("kafka.tls.enabled") {
		fs.add("kafka.sasl.mechanism", "%s shows its secret to whoever listens; set kafka.tls.enabled (security G1)", k.SASL.Mechanism)
	}
}

// Readable says whether the mechanism sends its secret as it is, so that without TLS whoever
// listens has it (RFC 4616, RFC 7628).
func (s SASL) Readable() bool { return s.Mechanism == Plain || s.Mechanism == OAuthBearer }

// allLoopback says whether no broker that the settings name is elsewhere. Where the cluster's
// metadata then says to connect nobody knows here: the dialer refuses it.
func (k Kafka) allLoopback() bool {
	return !slices.ContainsFunc(k.Brokers, func(b string) bool {
		host, _, err := net.SplitHostPort(b)
		return err != nil || !loopback(host)
	})
}

func (t TLS) check(fs *findings) {
	if !t.Enabled && !t.IsZero() && !fs.hasFault("kafka.tls.enabled") {
		fs.add("kafka.tls.enabled", "is not true, and the other settings of kafka.tls have no effect; set it, or leave them out")
	}
	checkPair(fs, "kafka.tls.cert_file", t.CertFile, "kafka.tls.key_file", t.KeyFile)
	checkCertificates(fs, "kafka.tls.ca_file", t.CAFile)
	if t.ServerName != "" && !hostForm.MatchString(t.ServerName) {
		fs.add("kafka.tls.server_name", "is %s; want a host such as kafka.example.com, without port", fs.text("kafka.tls.server_name"))
	}
}

// certificates wants PEM, and nothing secret in a file that others may read.
func checkCertificates(fs *findings, path string, f File) {
	switch {
	case f.Text == "":
	case strings.Contains(f.Text, "PRIVATE KEY-----"):
		fs.add(path, "%s holds a private key; want certificates alone", f.Path)
	case !strings.Contains(f.Text, pemBegin+"CERTIFICATE-----"):
		fs.add(path, "%s holds no certificate; want PEM", f.Path)
	}
}

// pair wants both of a certificate and its key, or neither.
func checkPair(fs *findings, certPath string, cert File, keyPath string, key SecretFile) {
	checkCertificates(fs, certPath, cert)
	checkPrivateKey(fs, keyPath, key)
	switch {
	case !cert.IsZero() && key.IsZero():
		fs.add(keyPath, "is missing; cert_file needs its private key")
	case cert.IsZero() && !key.IsZero():
		fs.add(certPath, "is missing; key_file needs its certificate")
	}
}

// saslKeys are the settings of SASL besides mechanism, with the mechanisms that they belong to.
var saslKeys = []struct {
	key, owner string
	oauth      bool
}{
	{"user", "PLAIN and SCRAM", false}, {"password_file", "PLAIN and SCRAM", false},
	{"token_file", OAuthBearer, true}, {"token_url", OAuthBearer, true}, {"token_ca_file", OAuthBearer, true}, {"client_id", OAuthBearer, true},
	{"client_secret_file", OAuthBearer, true}, {"scope", OAuthBearer, true}, {"extensions", OAuthBearer, true},
}

func (s SASL) check(fs *findings) {
	const path = "kafka.sasl"
	if !fs.given(path) || !fs.oneOf(path+".mechanism", s.Mechanism, Plain, Scram256, Scram512, OAuthBearer) {
		return
	}
	for _, k := range saslKeys {
		if p := path + "." + k.key; k.oauth != (s.Mechanism == OAuthBearer) && fs.given(p) {
			fs.add(p, "belongs to %s; leave it out", k.owner)
		}
	}
	if s.Mechanism != OAuthBearer {
		fs.required(path+".user", s.User == "" && !fs.hasFault(path+".user"), "the name of the bridge's user")
		fs.required(path+".password_file", s.PasswordFile.IsZero(), "the file with the user's password")
		return
	}
	s.checkOAuth(fs, path)
}

// credentialKeys are what client credentials are made of, besides token_url.
var credentialKeys = []string{"client_id", "client_secret_file", "scope", "token_ca_file"}

func (s SASL) checkOAuth(fs *findings, path string) {
	switch {
	case s.TokenURL == "" && s.TokenFile.IsZero() && !fs.hasFault(path+".token_file") && !fs.hasFault(path+".token_url"):
		fs.add(path, "says not where tokens come from; want token_file, or token_url with client_id and client_secret_file")
	case s.TokenURL != "" && !s.TokenFile.IsZero():
		fs.add(path+".token_file", "and token_url exclude each other; keep one")
	case s.TokenURL != "":
		fs.secureURL(path+".token_url", s.TokenURL)
		fs.required(path+".client_id", s.ClientID == "", "the client's id at token_url")
		fs.required(path+".client_secret_file", s.ClientSecretFile.IsZero(), "the file with the client's secret")
		checkCertificates(fs, path+".token_ca_file", s.TokenCAFile)
	default:
		for _, key := range credentialKeys {
			if fs.given(path + "." + key) {
				fs.add(path+"."+key, "belongs to token_url; leave it out")
			}
		}
	}
}

// checkAccess checks how the registry is asked: as whom, and with which certificate.
func (r Registry) checkAccess(fs *findings) {
	if r.User != "" && r.PasswordFile.IsZero() {
		fs.add("registry.password_file", "is missing; user needs it")
	}
	if r.User == "" && !r.PasswordFile.IsZero() {
		fs.add("registry.user", "is missing; password_file needs it")
	}
	if r.User != "" && !r.TokenFile.IsZero() {
		fs.add("registry.token_file", "and user exclude each other; keep one")
	}
	checkPair(fs, "registry.cert_file", r.CertFile, "registry.key_file", r.KeyFile)
	checkCertificates(fs, "registry.ca_file", r.CAFile)
}
