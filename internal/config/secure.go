package config

// TLS says how brokers are spoken to. Its files are read again for each new connection, so
// that rotated ones need no restart.
type TLS struct {
	Enabled bool `yaml:"enabled"` // connects to brokers with TLS
	// File with the root certificates that are trusted, instead of those of the operating system.
	CAFile     File       `yaml:"ca_file,omitempty"`
	CertFile   File       `yaml:"cert_file,omitempty"`   // file with the client certificate and its chain, for brokers that ask for one
	KeyFile    SecretFile `yaml:"key_file,omitempty"`    // file with the private key of cert_file
	ServerName string     `yaml:"server_name,omitempty"` // name that the certificates of the brokers must have [the host of each address]
}

// IsZero reports whether nothing was set.
func (t TLS) IsZero() bool { return t == TLS{} }

// SASL mechanisms.
const (
	Plain       = "PLAIN"
	Scram256    = "SCRAM-SHA-256"
	Scram512    = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
)

// SASL says who the bridge is to the brokers. Its files are read again for each
// authentication.
type SASL struct {
	Mechanism    string     `yaml:"mechanism,omitempty"`     // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; empty: no authentication
	User         string     `yaml:"user,omitempty"`          // user name, for PLAIN and SCRAM
	PasswordFile SecretFile `yaml:"password_file,omitempty"` // file with the password of user, for PLAIN and SCRAM

	// File with a token that another program renews, for OAUTHBEARER; use it instead of token_url.
	TokenFile SecretFile `yaml:"token_file,omitempty"`
	TokenURL  string     `yaml:"token_url,omitempty"` // URL that issues tokens for client credentials (RFC 6749, 4.4), for OAUTHBEARER
	// File with the root certificates that are trusted for token_url, instead of those of the
	// operating system.
	TokenCAFile      File       `yaml:"token_ca_file,omitempty"`
	ClientID         string     `yaml:"client_id,omitempty"`          // client id for token_url
	ClientSecretFile SecretFile `yaml:"client_secret_file,omitempty"` // file with the client secret for token_url
	Scope            string     `yaml:"scope,omitempty"`              // scope to request from token_url, if it needs one
	// SASL extensions that are sent with the token (RFC 7628), for brokers that need the name of a
	// cluster or pool.
	Extensions map[string]string `yaml:"extensions,omitempty"`
}

// IsZero reports whether nothing was set.
func (s SASL) IsZero() bool {
	return s.Mechanism+s.User+s.TokenURL+s.ClientID+s.Scope == "" && s.PasswordFile.IsZero() && s.TokenFile.IsZero() &&
		s.TokenCAFile.IsZero() && s.ClientSecretFile.IsZero() && len(s.Extensions) == 0
}
