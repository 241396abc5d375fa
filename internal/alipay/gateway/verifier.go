package gateway

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
)

// Bounds of a notification, checked before any signature is. [inferred: the longest documented
// parameters sum up to less than 10 KiB]
const (
	maxNotification = 64 << 10
	maxParams       = 100
	maxSign         = 1024 // of Base64: a key of 6144 bits
)

// VerifierOptions say whose notifications are taken. At least one of SellerIDs, SellerEmails
// and AuthAppID is needed: under one app of a service provider all merchants share app id and
// key, so only these separate them.
type VerifierOptions struct {
	AppID        string
	AlipayKey    *rsa.PublicKey  // nil in certificate mode
	MoreKeys     []AlipayKey     // further keys of Alipay's, each with its end
	Certificates *certs.Store    // not nil: certificate mode; the verifier never downloads
	SignType     alipay.SignType // empty is RSA2; what the notification says of it is not signed
	AllowWeak    bool            // permits RSA (SHA-1) and keys below 2048 bits
	SellerIDs    []string        // seller_id, or with SellerEmails seller_email, must be one of them
	SellerEmails []string
	AuthAppID    string           // auth_app_id must be it
	Now          func() time.Time // nil is time.Now
}

// Verifier decides which notifications are genuine and meant for one merchant of an app. It
// holds no private key, and it is safe for concurrent use.
type Verifier struct {
	appID     string
	authAppID string
	sellers   []string
	emails    []string
	signType  alipay.SignType
	trust     *trust
}

// Why a notification is not taken. Either is answered with anything but success.
var (
	// ErrForged: not provably Alipay's, or not readable.
	ErrForged = errors.New("not a genuine notification")
	// ErrNotOurs: of another app, seller or authorised app.
	ErrNotOurs = errors.New("a notification of another app or seller")
	// ErrUnknownCertificate: signed with a certificate that is not known here. A person should
	// look: the app learns new certificates from answers, and hands them to its receivers.
	ErrUnknownCertificate = certs.ErrUnknown
)

// NewVerifier checks the options and returns the verifier.
func NewVerifier(o VerifierOptions) (*Verifier, error) {
	if o.AppID == "" {
		return nil, errors.New("alipay: a verifier needs an app id")
	}
	if len(o.SellerIDs)+len(o.SellerEmails) == 0 && o.AuthAppID == "" {
		return nil, errors.New("alipay: a verifier needs a seller or an authorised app: the app id alone does not separate merchants")
	}
	t, err := newTrust(OpenAPIOptions{AlipayKey: o.AlipayKey, MoreKeys: o.MoreKeys, Certificates: o.Certificates, AllowWeak: o.AllowWeak, Now: o.Now})
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		appID: o.AppID, authAppID: o.AuthAppID, sellers: o.SellerIDs, emails: o.SellerEmails,
		signType: cmp.Or(o.SignType, alipay.SignRSA2), trust: t,
	}
	if v.signType.Hash() == 0 || v.signType == alipay.SignRSA && !o.AllowWeak {
		return nil, errors.New("alipay: the sign type is not RSA2; RSA (SHA-1) needs AllowWeak")
	}
	return v, nil
}

// Notification reads the raw body of a POST to notify_url. It takes no other source: session
// and route parameters of frameworks break the signature. The errors wrap [ErrForged] or
// [ErrNotOurs], and never hold a value.
func (v *Verifier) Notification(rawBody []byte) (alipay.Notification, error) {
	return v.read(rawBody, nil)
}

func (v *Verifier) read(rawBody []byte, st *steps) (alipay.Notification, error) {
	form, err := parseForm(rawBody)
	if err != nil {
		st.bad("form", "%v", err)
		return alipay.Notification{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	st.ok("form", "%d parameters", len(form))
	if err := v.plausible(form); err != nil {
		st.bad("merchant", "%v", err)
		return alipay.Notification{}, err
	}
	charset, err := form.charset()
	if err != nil {
		st.bad("charset", "%v", err)
		return alipay.Notification{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	variant, err := v.authenticate(form, st)
	if err != nil {
		return alipay.Notification{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	st.ok("signature", "%s, variant %s", v.signType, variant)
	n := alipay.ReadNotification(form.decoded(charset))
	n.Charset, n.SignType = charset, v.signType
	if n.IsTrade() {
		if err := v.complete(form); err != nil {
			st.bad("merchant", "%v", err)
			return alipay.Notification{}, err
		}
	}
	st.ok("merchant", "app and seller are ours")
	return n, nil
}

// formParams are the parameters of a body, decoded once, in the bytes they came in.
type formParams map[string][]byte

// Why a body is no notification.
var (
	errEmptyForm     = errors.New("the body is empty")
	errLongForm      = errors.New("the body has more than 64 KiB or 100 parameters")
	errRepeatedParam = errors.New("a parameter stands twice")
	errPercent       = errors.New("bad percent coding")
	errCharset       = errors.New("charset names none that is known, or the bytes are not of it")
	errSignAbsent    = errors.New("sign is missing")
	errSignForm      = errors.New("sign is no Base64")
	errSignType      = errors.New("sign_type is not the configured one")
	errSignature     = errors.New("the signature does not match")
)

// parseForm splits a form and decodes it once, + as a blank. A name that stands twice is
// refused: the next reader might take the other one.
func parseForm(body []byte) (formParams, error) {
	if len(body) == 0 {
		return nil, errEmptyForm
	}
	if len(body) > maxNotification || bytes.Count(body, []byte("&")) >= maxParams {
		return nil, errLongForm
	}
	form := formParams{}
	for pair := range bytes.SplitSeq(body, []byte("&")) {
		name, value, _ := bytes.Cut(pair, []byte("="))
		k, err := formDecode(name)
		if err != nil {
			return nil, err
		}
		if _, twice := form[string(k)]; twice {
			return nil, errRepeatedParam
		}
		if form[string(k)], err = formDecode(value); err != nil {
			return nil, err
		}
	}
	return form, nil
}

func formDecode(s []byte) ([]byte, error) {
	text, err := percentDecode(strings.ReplaceAll(string(s), "+", " "))
	if err != nil {
		return nil, errPercent
	}
	return []byte(text), nil
}

func (f formParams) text(name string) string { return string(f[name]) }

// charset is the one that the signed parameter names: the header of a real notification may
// say another. Without the parameter it is that of the bytes; a request that failed to announce
// its own gets notifications in GBK.
func (f formParams) charset() (alipay.Charset, error) {
	c := alipay.Charset(strings.ToLower(f.text("charset")))
	all := bytes.Join(f.values(), nil)
	switch {
	case c == "" && alipay.CharsetUTF8.Holds(all), c == "utf8":
		c = alipay.CharsetUTF8
	case c == "":
		c = alipay.CharsetGBK
	}
	if !c.Known() || !c.Holds(all) {
		return "", errCharset
	}
	return c, nil
}

// decoded returns names and values in UTF-8.
func (f formParams) decoded(c alipay.Charset) map[string]string {
	params := make(map[string]string, len(f))
	for name, value := range f {
		params[string(c.Decode([]byte(name)))] = string(c.Decode(value))
	}
	return params
}

// values are the values each with a separator, so that no character arises between two.
func (f formParams) values() [][]byte {
	var list [][]byte
	for _, value := range f {
		list = append(list, value, []byte(" "))
	}
	return list
}

// plausible checks what costs nothing before a signature is verified: anyone can send to the
// address. What is absent is looked at afterwards.
func (v *Verifier) plausible(f formParams) error {
	if id, ok := f["app_id"]; ok && string(id) != v.appID {
		return fmt.Errorf("%w: app_id", ErrNotOurs)
	}
	if f.text("notify_type") != alipay.NotifyTypeTrade {
		return nil
	}
	if id := f.text("seller_id"); id != "" && len(v.sellers) > 0 && !slices.Contains(v.sellers, id) {
		return fmt.Errorf("%w: seller_id", ErrNotOurs)
	}
	if id := f.text("auth_app_id"); id != "" && v.authAppID != "" && id != v.authAppID {
		return fmt.Errorf("%w: auth_app_id", ErrNotOurs)
	}
	return nil
}

// complete checks that a genuine notification says whose it is.
func (v *Verifier) complete(f formParams) error {
	if f.text("app_id") != v.appID {
		return fmt.Errorf("%w: app_id is missing", ErrNotOurs)
	}
	if v.authAppID != "" && f.text("auth_app_id") != v.authAppID {
		return fmt.Errorf("%w: auth_app_id is missing", ErrNotOurs)
	}
	id, email := f.text("seller_id"), f.text("seller_email")
	byEmail := email != "" && slices.Contains(v.emails, email) && (id == "" || len(v.sellers) == 0)
	if len(v.sellers)+len(v.emails) == 0 || slices.Contains(v.sellers, id) || byEmail {
		return nil
	}
	return fmt.Errorf("%w: seller_id or seller_email", ErrNotOurs)
}

// authenticate verifies the signature in the variants of the text that are in use, and returns
// the one that holds. Each needs a genuine signature over everything but blanks, the SN of the
// certificate and sign_type.
func (v *Verifier) authenticate(f formParams, st *steps) (string, error) {
	text := f.text("sign")
	if text == "" {
		st.bad("signature", "%v", errSignAbsent)
		return "", errSignAbsent
	}
	sig, err := decodeSign(text)
	if err != nil {
		st.bad("signature", "%v", err)
		return "", err
	}
	if t := f.text("sign_type"); t != "" && t != string(v.signType) {
		st.bad("signature", "%v", errSignType)
		return "", errSignType
	}
	candidates, err := v.trust.candidates(f.text("alipay_cert_sn"))
	if err != nil {
		st.bad("certificate", "%v", err)
		return "", err
	}
	for _, variant := range f.variants() {
		if verifyAny(v.signType.Hash(), candidates, f.signedText(variant), sig) {
			return variant.name, nil
		}
	}
	if st != nil {
		st.bad("signature", "%s", v.trust.explainMismatch(v.signType.Hash(), candidates, f.signedText(f.variants()[0]), sig))
	}
	return "", errSignature
}

func decodeSign(text string) ([]byte, error) {
	if len(text) > maxSign || strings.ContainsAny(text, "\r\n") {
		return nil, errSignForm
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errSignForm
	}
	return sig, nil
}

// variant is one reading of what is signed.
type variant struct {
	name                         string
	keepBlank, dropSN, keepStype bool
}

// variants returns the readings to try, at most four. sign_type is signed only in messages to
// the application gateway, which are not changes of a trade.
func (f formParams) variants() []variant {
	list := []variant{{name: "default"}}
	blank := false
	for _, value := range f {
		blank = blank || len(bytes.TrimSpace(value)) == 0
	}
	if f.text("notify_type") != alipay.NotifyTypeTrade || f.text("method") != "" {
		list = []variant{{name: "keep_sign_type", keepStype: true}, {name: "default"}}
	}
	if blank {
		list = append(list, variant{name: "keep_empty", keepBlank: true, keepStype: list[0].keepStype})
	}
	if f.text("alipay_cert_sn") != "" {
		list = append(list, variant{name: "drop_alipay_cert_sn", dropSN: true, keepStype: list[0].keepStype})
	}
	return list
}

// signedText is the text of a variant: all parameters but sign and mostly sign_type, known or
// not, sorted by name, values as they are.
func (f formParams) signedText(v variant) []byte {
	var params []param
	for name, value := range f {
		switch {
		case name == "sign",
			name == "sign_type" && !v.keepStype,
			name == "alipay_cert_sn" && v.dropSN,
			len(bytes.TrimSpace(value)) == 0 && !v.keepBlank:
			continue
		}
		params = append(params, param{name, string(value)})
	}
	return canonical(params)
}
