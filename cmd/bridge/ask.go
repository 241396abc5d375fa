package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/output"
)

// asked is how commands find the admin ports of instances.
type asked struct {
	file      string
	addresses []string
	tokenFile string
	caFile    string
	certFile  string
	keyFile   string
}

func (a *asked) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&a.file, "config", "c", "", "settings `file` that names the admin port and its token (default: 127.0.0.1:8087, without a token)")
	f.StringSliceVarP(&a.addresses, "address", "a", nil, "admin ports as `host:port`; a host name stands for all its addresses (default: admin.listen)")
	f.StringVar(&a.tokenFile, "token-file", "", "`file` with the token of the admin port (default: admin.token_file)")
	f.StringVar(&a.caFile, "ca-file", "", "`file` with the root certificates of admin ports (default: admin.cert_file, or those of the operating system); other machines are always asked over TLS")
	f.StringVar(&a.certFile, "cert-file", "", "`file` with our client certificate, if the port asks for one")
	f.StringVar(&a.keyFile, "key-file", "", "`file` with the private key of --cert-file")
}

// client returns what asks, and whom.
func (a *asked) client() (admin.Client, []string, error) {
	cfg := config.Default()
	if a.file != "" {
		var err error
		if cfg, err = config.LoadPublic(a.file, os.LookupEnv); err != nil {
			return admin.Client{}, nil, err
		}
	}
	client := admin.Client{}
	token := config.SecretFile{Path: a.tokenFile}
	if a.tokenFile == "" {
		token = cfg.Admin.TokenFile
	}
	if !token.IsZero() {
		text, err := token.Read()
		if err != nil {
			return client, nil, fmt.Errorf("the token of the admin port: %w", err)
		}
		client.Token = text.Reveal()
	}
	var err error
	client.TLS, err = a.tls(cfg.Admin)
	if err != nil {
		return client, nil, err
	}
	addresses := a.addresses
	if len(addresses) == 0 {
		if cfg.Admin.Listen == "" {
			return client, nil, command.Usage(errors.New("admin.listen is empty, so this instance has no admin port; set it, or name others with --address"))
		}
		addresses = []string{local(cfg.Admin.Listen)}
	}
	for _, address := range addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return client, nil, command.Usage(fmt.Errorf("--address %q is not valid; use host:port", address))
		}
	}
	return client, addresses, nil
}

// local is the address by which this machine reaches a listener.
func local(listen string) string {
	host, port, _ := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// tls is how the ports are trusted; nil: in clear on this machine, elsewhere by the roots of the operating system.
func (a *asked) tls(s config.Admin) (*tls.Config, error) {
	roots := config.File{Path: a.caFile}
	if a.caFile == "" {
		roots = s.CertFile
	}
	if roots.IsZero() && a.certFile == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if !roots.IsZero() {
		text, err := roots.Read()
		if err != nil {
			return nil, fmt.Errorf("the root certificates of the admin port: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(text)) {
			return nil, fmt.Errorf("%s has no certificate", roots.Path)
		}
	}
	if a.certFile != "" {
		pair, err := tls.LoadX509KeyPair(a.certFile, a.keyFile)
		if err != nil {
			return nil, fmt.Errorf("our client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// notAsked is the error of instances that did not answer.
type notAsked struct {
	answers []admin.Answer // that failed
}

func (e notAsked) Error() string {
	var lines []string
	for _, a := range e.answers {
		lines = append(lines, fmt.Sprintf("%s cannot be asked: %s", a.Address, output.Escape(a.Err.Error())))
	}
	return strings.Join(lines, "\n") + "\n" + e.Hint()
}

// Hint says what to look at.
func (notAsked) Hint() string {
	return "is `bridge run` running there, and is this its admin.listen? Name the ports with --address"
}

// ExitCode says that what is printed is not everything.
func (notAsked) ExitCode() int { return command.ExitUnreachable }

// failed returns an error for the instances that did not answer.
func failed(answers []admin.Answer) error {
	var e notAsked
	for _, a := range answers {
		if a.Err != nil {
			e.answers = append(e.answers, a)
		}
	}
	if len(e.answers) == 0 {
		return nil
	}
	return e
}
