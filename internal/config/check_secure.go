package config

import (
	"net"
	"regexp"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// clusterForm is what brokers make of 16 bytes, and what other makes of Kafka call a cluster.
var clusterForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// checkCluster wants a cluster's name where real money moves: staging events must not meet
// production keys (security G10).
func (c *Config) checkCluster(fs *fault.Findings) {
	if c.Kafka.ClusterID != "" {
		if !clusterForm.MatchString(c.Kafka.ClusterID) {
			fs.Add("kafka.cluster_id", "is %s; want letters, digits, dots, dashes and underscores", fs.Quoted("kafka.cluster_id"))
		}
		return
	}
	for _, a := range c.Apps {
		if a.Environment == Production {
			fs.Add("kafka.cluster_id", "is missing; a production app needs it (kafka-cluster cluster-id tells it)")
			return
		}
	}
}

func (k Kafka) checkSecurity(fs *fault.Findings) {
	k.TLS.check(fs)
	k.SASL.check(fs)
	if k.SASL.Readable() && !k.TLS.Enabled && !k.allLoopback() && !fs.HasFault("kafka.tls.enabled") {
		fs.Add("kafka.sasl.mechanism", "%s shows its secret to whoever listens; set kafka.tls.enabled (security G1)", k.SASL.Mechanism)
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
		return err != nil || !fault.Loopback(host)
	})
}

func (t TLS) check(fs *fault.Findings) {
	if !t.Enabled && !t.IsZero() && !fs.HasFault("kafka.tls.enabled") {
		fs.Add("kafka.tls.enabled", "is not true, and the other settings of kafka.tls have no effect; set it, or leave them out")
	}
	checkPair(fs, "kafka.tls.cert_file", t.CertFile, "kafka.tls.key_file", t.KeyFile)
	checkCertificates(fs, "kafka.tls.ca_file", t.CAFile)
	if t.ServerName != "" && !hostForm.MatchString(t.ServerName) {
		fs.Add("kafka.tls.server_name", "is %s; want a host such as kafka.example.com, without port", fs.Quoted("kafka.tls.server_name"))
	}
}

// certificates wants PEM, and nothing secret in a file that others may read.
func checkCertificates(fs *fault.Findings, path string, f File) {
	switch {
	case f.Text == "":
	case strings.Contains(f.Text, "PRIVATE KEY-----"):
		fs.Add(path, "%s holds a private key; want certificates alone", f.Path)
	case !strings.Contains(f.Text, pemBegin+"CERTIFICATE-----"):
		fs.Add(path, "%s holds no certificate; want PEM", f.Path)
	}
}

// pair wants both of a certificate and its key, or neither.
func checkPair(fs *fault.Findings, certPath string, cert File, keyPath string, key SecretFile) {
	checkCertificates(fs, certPath, cert)
	checkPrivateKey(fs, keyPath, key)
	switch {
	case !cert.IsZero() && key.IsZero():
		fs.Add(keyPath, "is missing; cert_file needs its private key")
	case cert.IsZero() && !key.IsZero():
		fs.Add(certPath, "is missing; key_file needs its certificate")
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

func (s SASL) check(fs *fault.Findings) {
	const path = "kafka.sasl"
	if !fs.Given(path) || !fs.OneOf(path+".mechanism", s.Mechanism, Plain, Scram256, Scram512, OAuthBearer) {
		return
	}
	for _, k := range saslKeys {
		if p := path + "." + k.key; k.oauth != (s.Mechanism == OAuthBearer) && fs.Given(p) {
			fs.Add(p, "belongs to %s; leave it out", k.owner)
		}
	}
	if s.Mechanism != OAuthBearer {
		fs.Required(path+".user", s.User == "" && !fs.HasFault(path+".user"), "the name of the bridge's user")
		fs.Required(path+".password_file", s.PasswordFile.IsZero(), "the file with the user's password")
		return
	}
	s.checkOAuth(fs, path)
}

// credentialKeys are what client credentials are made of, besides token_url.
var credentialKeys = []string{"client_id", "client_secret_file", "scope", "token_ca_file"}

func (s SASL) checkOAuth(fs *fault.Findings, path string) {
	switch {
	case s.TokenURL == "" && s.TokenFile.IsZero() && !fs.HasFault(path+".token_file") && !fs.HasFault(path+".token_url"):
		fs.Add(path, "says not where tokens come from; want token_file, or token_url with client_id and client_secret_file")
	case s.TokenURL != "" && !s.TokenFile.IsZero():
		fs.Add(path+".token_file", "and token_url exclude each other; keep one")
	case s.TokenURL != "":
		fs.SecureURL(path+".token_url", s.TokenURL)
		fs.Required(path+".client_id", s.ClientID == "", "the client's id at token_url")
		fs.Required(path+".client_secret_file", s.ClientSecretFile.IsZero(), "the file with the client's secret")
		checkCertificates(fs, path+".token_ca_file", s.TokenCAFile)
	default:
		for _, key := range credentialKeys {
			if fs.Given(path + "." + key) {
				fs.Add(path+"."+key, "belongs to token_url; leave it out")
			}
		}
	}
}

// checkAccess checks how the registry is asked: as whom, and with which certificate.
func (r Registry) checkAccess(fs *fault.Findings) {
	if r.User != "" && r.PasswordFile.IsZero() {
		fs.Add("registry.password_file", "is missing; user needs it")
	}
	if r.User == "" && !r.PasswordFile.IsZero() {
		fs.Add("registry.user", "is missing; password_file needs it")
	}
	if r.User != "" && !r.TokenFile.IsZero() {
		fs.Add("registry.token_file", "and user exclude each other; keep one")
	}
	checkPair(fs, "registry.cert_file", r.CertFile, "registry.key_file", r.KeyFile)
	checkCertificates(fs, "registry.ca_file", r.CAFile)
}
