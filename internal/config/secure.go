package config

// TLS says how brokers are spoken to. Its files are read again for each new connection, so
// that rotated ones need no restart.
type TLS struct {
	Enabled    bool       `yaml:"enabled"`               // speaks TLS to the brokers
	CAFile     File       `yaml:"ca_file,omitempty"`     // roots instead of the system's
	CertFile   File       `yaml:"cert_file,omitempty"`   // ours with its chain, for brokers that ask for one
	KeyFile    SecretFile `yaml:"key_file,omitempty"`    // of cert_file
	ServerName string     `yaml:"server_name,omitempty"` // in the brokers' certificates [the host of each address]
}

// IsZero says that nothing was set.
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
	Mechanism    string     `yaml:"mechanism,omitempty"`     // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; empty: none
	User         string     `yaml:"user,omitempty"`          // PLAIN and SCRAM, as the next
	PasswordFile SecretFile `yaml:"password_file,omitempty"` // the password of user

	TokenFile        SecretFile `yaml:"token_file,omitempty"`         // OAUTHBEARER: a token that something else keeps fresh, instead of client credentials
	TokenURL         string     `yaml:"token_url,omitempty"`          // endpoint of client credentials (RFC 6749, 4.4)
	TokenCAFile      File       `yaml:"token_ca_file,omitempty"`      // roots for token_url instead of the system's
	ClientID         string     `yaml:"client_id,omitempty"`          // of client credentials
	ClientSecretFile SecretFile `yaml:"client_secret_file,omitempty"` // of client credentials
	Scope            string     `yaml:"scope,omitempty"`              // of client credentials, if the endpoint wants one
	// Extensions go with the token (RFC 7628), for brokers that want a name of a cluster or pool.
	Extensions map[string]string `yaml:"extensions,omitempty"`
}

// IsZero says that nothing was set.
func (s SASL) IsZero() bool {
	return s.Mechanism+s.User+s.TokenURL+s.ClientID+s.Scope == "" && s.PasswordFile.IsZero() && s.TokenFile.IsZero() &&
		s.TokenCAFile.IsZero() && s.ClientSecretFile.IsZero() && len(s.Extensions) == 0
}
