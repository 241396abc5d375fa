package config

import (
	"net"

	"alipay-kafka-bridge/internal/config/fault"
)

// Probes is the port of the probes. It answers /livez and /readyz with one word.
type Probes struct {
	Listen string `yaml:"listen"` // address of the port, as host:port; empty: no port
}

func (p *Probes) defaults() { p.Listen = "127.0.0.1:8088" }

// Metrics is the port of the metrics. It answers /metrics, and /scale with the number of instances
// that the work wants.
type Metrics struct {
	Listen string `yaml:"listen"` // address of the port, as host:port; empty: no port
}

func (m *Metrics) defaults() { m.Listen = "127.0.0.1:9464" }

// Admin is the port for operators. It shows order numbers, so it asks who is there unless it is on
// this machine alone (security O1, O2).
type Admin struct {
	Listen string `yaml:"listen"` // address of the port, as host:port; empty: no port
	// Names, apart from the address, by which browsers and commands reach the port: requests that name
	// another host are refused.
	Hosts []string `yaml:"hosts,omitempty"`
	// File with a token of at least 32 characters that requests must bear; read again for each request.
	TokenFile SecretFile `yaml:"token_file,omitempty"`
	CertFile  File       `yaml:"cert_file,omitempty"` // file with the certificate of the port and its chain
	KeyFile   SecretFile `yaml:"key_file,omitempty"`  // file with the private key of cert_file
	// File with the root certificates of clients; with it, the port asks for a client certificate.
	ClientCAFile File `yaml:"client_ca_file,omitempty"`
	Pprof        bool `yaml:"pprof"` // serves profiles of the process under /debug/pprof/
}

func (a *Admin) defaults() { a.Listen = "127.0.0.1:8087" }

// minToken is the shortest token that cannot be guessed.
const minToken = 32

func (c *Config) checkPorts(fs *fault.Findings) {
	seen := map[string]string{}
	for _, port := range []struct{ path, listen string }{
		{"probes.listen", c.Probes.Listen}, {"metrics.listen", c.Metrics.Listen}, {"admin.listen", c.Admin.Listen}, {"notify.listen", c.Notify.Listen},
	} {
		if port.listen == "" {
			continue
		}
		fs.HostPort(port.path, port.listen)
		_, number, _ := net.SplitHostPort(port.listen)
		if other := seen[number]; other != "" && number != "0" {
			at := port.path
			if !fs.Given(at) {
				at, other = other, at
			}
			fs.Add(at, "has the same port as %s; each listener needs its own", other)
			continue
		}
		seen[number] = port.path
	}
	c.Admin.check(fs)
}

func (a Admin) check(fs *fault.Findings) {
	checkPair(fs, "admin.cert_file", a.CertFile, "admin.key_file", a.KeyFile)
	checkCertificates(fs, "admin.client_ca_file", a.ClientCAFile)
	if n := len(a.TokenFile.Text.Reveal()); n > 0 && n < minToken {
		fs.Add("admin.token_file", "holds a token of %d characters; use at least %d random ones, for instance from openssl rand -hex 32", n, minToken)
	}
	for i, h := range a.Hosts {
		if p := fault.Index("admin.hosts", i); !hostForm.MatchString(h) {
			fs.Add(p, "is %s; use a host such as bridge-0.example.com, without scheme, port or path", fs.Quoted(p))
		}
	}
	if !a.ClientCAFile.IsZero() && a.CertFile.IsZero() {
		fs.Add("admin.cert_file", "is missing; set it to the file with the certificate of the port, without which no client certificate can be asked for")
		return
	}
	host, _, err := net.SplitHostPort(a.Listen)
	switch {
	case a.Listen == "" || err != nil || fault.Loopback(host) || fs.HasFault("admin.listen"):
	case a.CertFile.IsZero():
		fs.Add("admin.listen", "can be reached from other machines, without TLS; set admin.cert_file and admin.key_file, or use 127.0.0.1. The probes of an orchestrator have a port of their own, probes.listen")
	case a.ClientCAFile.IsZero() && a.TokenFile.IsZero():
		fs.Add("admin.listen", "can be reached from other machines by anyone; set admin.token_file or admin.client_ca_file")
	}
}
