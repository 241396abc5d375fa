package gateway

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// HKOptions say how to reach AlipayHK's merchant gateway as one client. What its pages leave
// open can be set; the zero values follow the page's own sample, or the official SDKs.
type HKOptions struct {
	URL          string                    // absolute, of the host; the path of the API is appended
	ClientID     string                    // given by AlipayHK
	Signer       keys.Signer               // holds our private key: RSA is RSA256, P-224 is ECC224
	KeyVersion   string                    // of our key; empty is "1"
	PlatformKeys map[string]*rsa.PublicKey // by key version; 2048 bits or more

	PlatformECKeys map[string]*ecdsa.PublicKey // by key version, for ECC224
	ECC            ECCOptions                  // how ECC224 signs, both ways
	Algorithm      string                      // the name in our Signature header; empty is RSA256 or ECC224
	SigningPath    string                      // the path in the signed text; empty is the URL's
	TimeLayout     HKTimeLayout                // of Request-Time; empty is the page's form
	TimeZone       *time.Location              // of Request-Time; nil is +08:00
	Skew           time.Duration               // of a success's Response-Time; 0 is 5 min, less does not check
	Seconds        bool                        // orderCreateTime and orderModifyTime in seconds instead of milliseconds
	DashedIDs      bool                        // a requestId of 32 digits is sent as a UUID with dashes
	TryAllKeys     bool                        // an answer with an unknown key version is tried with each key
	RefuseUnsigned bool                        // no unsigned answer is read, not even a failure
	Encrypt        *HKEncryption               // nil: bodies are sent in plain
	Classes        map[string]alipay.Class     // resultCode of F and U to class, before the built-in table

	InFlight       int              // most connections at once; 0 is 256
	ConnectTimeout time.Duration    // DNS, TCP and TLS together; 0 is 3 s
	Timeout        time.Duration    // of one attempt, from connecting to the last byte; 0 is 8 s
	DialContext    dialFunc         // nil is the network
	RootCAs        *x509.CertPool   // nil is the system's
	Now            func() time.Time // nil is time.Now
	Tracer         trace.Tracer     // nil records nothing
	Log            *slog.Logger     // of changes that an operator must know; nil drops them
	HTTP2          bool             // offers HTTP/2 as well as HTTP/1.1
	IdleTimeout    time.Duration    // of a connection; 0 is 30 s
}

// ECCOptions say what ECC224 means. The pages name it without explanation; the zero value is
// what Java's SHA224withECDSA does [inferred].
type ECCOptions struct {
	SHA256 bool // hash with SHA-256 instead of SHA-224
	P1363  bool // r and s in 28 bytes each instead of ASN.1 DER
}

// HKTimeLayout is a form of Request-Time, a layout of package time, or [HKTimeEpoch].
type HKTimeLayout string

// The forms in the family.
const (
	HKTimePage    HKTimeLayout = "2006-01-02T15:04:05-07:00"     // the page's own shape
	HKTimeMillis  HKTimeLayout = "2006-01-02T15:04:05.000-07:00" // GCash
	HKTimeCompact HKTimeLayout = "2006-01-02T15:04:05-0700"      // ZOLOZ
	HKTimeEpoch   HKTimeLayout = "epoch"                         // 13 digits of milliseconds: the Go and Java SDKs
)

// HKEncryption says how bodies are encrypted (AlipayHK Synchronize Order, "Encrypt"; the
// ciphers are those of the official ZOLOZ SDK).
type HKEncryption struct {
	PlatformKeys map[string]*rsa.PublicKey   // to encrypt to, by key version; nil: those that verify
	KeyVersion   string                      // the one to use; empty is the newest
	OurKeys      map[string]crypto.Decrypter // to decrypt answers with, by key version; RSA
	MediaType    string                      // of encrypted bodies; empty is text/plain; charset=UTF-8
	Bits         int                         // of the AES key: 128, 192 or 256; 0 is 256
}

// NewHK returns the client at AlipayHK's merchant gateway. It connects to nothing.
func NewHK(o HKOptions) (*App, error) {
	u, err := baseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if u.Path = strings.TrimSuffix(u.Path, "/"); !strings.HasSuffix(u.Path, hkPath) {
		u.Path += hkPath
	}
	h, err := newHK(o)
	if err != nil {
		return nil, err
	}
	h.url, h.path = u, cmp.Or(o.SigningPath, u.RequestURI())
	return newApp(h, u, transport{
		inFlight: o.InFlight, connect: o.ConnectTimeout, timeout: o.Timeout, fallback: defaultHKTimeout,
		dial: o.DialContext, roots: o.RootCAs, tracer: o.Tracer, http2: o.HTTP2, idle: o.IdleTimeout, log: o.Log, now: o.Now,
	}), nil
}
