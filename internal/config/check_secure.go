package config

import (
	"net"
	"regexp"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// clusterForm is the form of cluster ids: 16 bytes as brokers write them, or a name in other
// implementations of Kafka.
var clusterForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// checkCluster requires the id of the cluster where real money moves: events of a test must not meet
// production keys (security G10).
func (c *Config) checkCluster(fs *fault.Findings) {
	if c.Kafka.ClusterID != "" {
		if !clusterForm.MatchString(c.Kafka.ClusterID) {
			fs.Add("kafka.cluster_id", "is %s; use letters, digits, dots, dashes and underscores", fs.Quoted("kafka.cluster_id"))
		}
		return
	}
	if c.Kafka.production {
		fs.Add("kafka.cluster_id", "is missing, and a production app needs it; set it to what kafka-cluster.sh cluster-id prints")
	}
}

func (k Kafka) checkSecurity(fs *fault.Findings) {
	k.TLS.check(fs)
	k.SASL.check(fs)
	if k.TLS.Enabled || k.allLoopback() || fs.HasFault("kafka.tls.enabled") {
		return
	}
	switch {
	case k.SASL.Readable():
		fs.Add("kafka.sasl.mechanism", "%s sends its secret in clear; set kafka.tls.enabled to true (security G1)", k.SASL.Mechanism)
	case k.production:
		fs.Add("kafka.tls.enabled", "is not true, so whoever is on the network could change orders; set it to true (security G1)")
	}
}

// LoopbackOnly reports whether brokers must be on this machine: without TLS, anyone on the network could
// read a secret, or change orders of a production app.
func (k Kafka) LoopbackOnly() bool { return !k.TLS.Enabled && (k.SASL.Readable() || k.production) }

// Readable reports whether the mechanism sends its secret in clear, so that it needs TLS (RFC 4616,
// RFC 7628).
func (s SASL) Readable() bool { return s.Mechanism == Plain || s.Mechanism == OAuthBearer }

// allLoopback reports whether all brokers of the settings are on this machine. The metadata of the
// cluster may name others later; the dialer refuses these.
func (k Kafka) allLoopback() bool {
	return !slices.ContainsFunc(k.Brokers, func(b string) bool {
		host, _, err := net.SplitHostPort(b)
		return err != nil || !fault.Loopback(host)
	})
}

func (t TLS) check(fs *fault.Findings) {
	if !t.Enabled && !t.IsZero() && !fs.HasFault("kafka.tls.enabled") {
		fs.Add("kafka.tls.enabled", "is not true, so the other settings of kafka.tls have no effect; set it to true, or remove them")
	}
	checkPair(fs, "kafka.tls.cert_file", t.CertFile, "kafka.tls.key_file", t.KeyFile)
	checkCertificates(fs, "kafka.tls.ca_file", t.CAFile)
	if t.ServerName != "" && !hostForm.MatchString(t.ServerName) {
		fs.Add("kafka.tls.server_name", "is %s; use a host such as kafka.example.com, without port", fs.Quoted("kafka.tls.server_name"))
	}
}

// checkCertificates requires PEM, and no private key in a file that others may read.
func checkCertificates(fs *fault.Findings, path string, f File) {
	switch {
	case f.Text == "":
	case strings.Contains(f.Text, "PRIVATE KEY-----"):
		fs.Add(path, "%s has a private key; use a file with certificates only", f.Path)
	case !strings.Contains(f.Text, pemBegin+"CERTIFICATE-----"):
		fs.Add(path, "%s has no certificate; use a file in PEM", f.Path)
	}
}

// checkPair requires both a certificate and its key, or neither.
func checkPair(fs *fault.Findings, certPath string, cert File, keyPath string, key SecretFile) {
	checkCertificates(fs, certPath, cert)
	checkPrivateKey(fs, keyPath, key)
	switch {
	case !cert.IsZero() && key.IsZero():
		fs.Add(keyPath, "is missing; set it to the file with the private key of cert_file")
	case cert.IsZero() && !key.IsZero():
		fs.Add(certPath, "is missing; set it to the file with the certificate of key_file")
	}
}

// saslKeys are the settings of SASL except mechanism, with the mechanisms that they belong to.
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
			fs.Add(p, "belongs to %s; remove it", k.owner)
		}
	}
	if s.Mechanism != OAuthBearer {
		fs.Required(path+".user", s.User == "" && !fs.HasFault(path+".user"), "the name of the bridge's user")
		fs.Required(path+".password_file", s.PasswordFile.IsZero(), "the file with the user's password")
		return
	}
	s.checkOAuth(fs, path)
}

// credentialKeys are the settings of client credentials except token_url.
var credentialKeys = []string{"client_id", "client_secret_file", "scope", "token_ca_file"}

func (s SASL) checkOAuth(fs *fault.Findings, path string) {
	switch {
	case s.TokenURL == "" && s.TokenFile.IsZero() && !fs.HasFault(path+".token_file") && !fs.HasFault(path+".token_url"):
		fs.Add(path, "does not say where tokens come from; set token_file, or token_url with client_id and client_secret_file")
	case s.TokenURL != "" && !s.TokenFile.IsZero():
		fs.Add(path+".token_file", "cannot be used together with token_url; remove one of them")
	case s.TokenURL != "":
		fs.SecureURL(path+".token_url", s.TokenURL)
		fs.Required(path+".client_id", s.ClientID == "", "the client's id at token_url")
		fs.Required(path+".client_secret_file", s.ClientSecretFile.IsZero(), "the file with the client's secret")
		checkCertificates(fs, path+".token_ca_file", s.TokenCAFile)
	default:
		for _, key := range credentialKeys {
			if fs.Given(path + "." + key) {
				fs.Add(path+"."+key, "belongs to token_url; remove it")
			}
		}
	}
}

// checkAccess checks the credentials and the certificate for the registry.
func (r Registry) checkAccess(fs *fault.Findings) {
	if r.User != "" && r.PasswordFile.IsZero() {
		fs.Add("registry.password_file", "is missing; set it to the file with the password of user")
	}
	if r.User == "" && !r.PasswordFile.IsZero() {
		fs.Add("registry.user", "is missing; set it to the user of password_file")
	}
	if r.User != "" && !r.TokenFile.IsZero() {
		fs.Add("registry.token_file", "cannot be used together with user; remove one of them")
	}
	checkPair(fs, "registry.cert_file", r.CertFile, "registry.key_file", r.KeyFile)
	checkCertificates(fs, "registry.ca_file", r.CAFile)
}
