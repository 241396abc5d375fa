package gateway

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/form"
)

// VerifierOptions say whose notifications are accepted. At least one of SellerIDs, SellerEmails
// and AuthAppID is needed: under one app of a service provider all merchants share app id and
// key, so only these separate them.
type VerifierOptions struct {
	AppID        string
	AlipayKey    *rsa.PublicKey  // nil in certificate mode
	MoreKeys     []AlipayKey     // further keys of Alipay's, each with its end
	Certificates *certs.Store    // not nil: certificate mode; the verifier never downloads
	SignType     alipay.SignType // empty is RSA2; the one in the notification is not signed
	AllowWeak    bool            // permits RSA (SHA-1) and keys below 2048 bits
	SellerIDs    []string        // seller_id must be one of them, or seller_email one of SellerEmails
	SellerEmails []string
	AuthAppID    string           // auth_app_id must equal it
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

// Why a notification is not accepted. It is then answered with anything but success.
var (
	// ErrForged: not provably Alipay's, or not readable.
	ErrForged = errors.New("not a genuine notification")
	// ErrNotOurs: of another app, seller or authorised app.
	ErrNotOurs = errors.New("a notification of another app or seller")
	// ErrUnknownCertificate: signed with a certificate that is not known here. A person should
	// look: the app learns new certificates from answers and passes them on to its receivers.
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
		return nil, errors.New("alipay: the sign type is not RSA2; RSA (SHA-1) needs allow_weak")
	}
	return v, nil
}

// Notification reads the raw body of a POST to notify_url. It accepts no other source: session
// and route parameters of frameworks break the signature. The errors wrap [ErrForged] or
// [ErrNotOurs], and never hold a value.
func (v *Verifier) Notification(rawBody []byte) (alipay.Notification, error) {
	return v.read(rawBody, nil)
}

func (v *Verifier) read(rawBody []byte, r *recorder) (alipay.Notification, error) {
	rd := &notificationReading{verifier: v, body: rawBody, record: r}
	if err := rd.read(); err != nil {
		return alipay.Notification{}, err
	}
	return rd.notification, nil
}

// notificationReading is one notification that is being verified. Each check fills in what the
// next ones need.
type notificationReading struct {
	verifier *Verifier
	body     []byte
	record   *recorder // nil in calls of Notification

	form         form.Params
	charset      alipay.Charset
	sig          []byte
	keys         []*rsa.PublicKey // one of them must have made sig
	variant      form.Variant     // the reading of the form that was signed
	notification alipay.Notification
}

// notificationRule is what makes a notification believed, in this order.
var notificationRule = []step[*notificationReading]{
	{"form", (*notificationReading).parse, (*notificationReading).formFacts},
	{"merchant", (*notificationReading).namesNoOther, nil},
	{"charset", (*notificationReading).findCharset, nil},
	{"signature", (*notificationReading).decodeSignature, nil},
	{"signature", (*notificationReading).signTypeIsOurs, nil},
	{"certificate", (*notificationReading).findKeys, nil},
	{"signature", (*notificationReading).signatureMatches, (*notificationReading).signatureFacts},
	{"merchant", (*notificationReading).namesUs, (*notificationReading).merchantFacts},
}

func (rd *notificationReading) read() error {
	err := run(rd.record, rd, notificationRule)
	if err != nil && !errors.Is(err, ErrNotOurs) {
		return fmt.Errorf("%w: %w", ErrForged, err)
	}
	return err
}

func (rd *notificationReading) parse() (err error) {
	rd.form, err = form.Parse(rd.body)
	return err
}

func (rd *notificationReading) formFacts(err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d parameters", len(rd.form))
}

// namesNoOther checks what costs nothing before a signature is verified: anyone can send to the
// address. What is absent is checked by namesUs.
func (rd *notificationReading) namesNoOther() error {
	v, f := rd.verifier, rd.form
	if id, ok := f["app_id"]; ok && id != v.appID {
		return fmt.Errorf("%w: app_id", ErrNotOurs)
	}
	if f["notify_type"] != alipay.NotifyTypeTrade {
		return nil
	}
	if id := f["seller_id"]; id != "" && len(v.sellers) > 0 && !slices.Contains(v.sellers, id) {
		return fmt.Errorf("%w: seller_id", ErrNotOurs)
	}
	if id := f["auth_app_id"]; id != "" && v.authAppID != "" && id != v.authAppID {
		return fmt.Errorf("%w: auth_app_id", ErrNotOurs)
	}
	return nil
}

func (rd *notificationReading) findCharset() (err error) {
	rd.charset, err = rd.form.Charset()
	return err
}

func (rd *notificationReading) decodeSignature() (err error) {
	text := rd.form["sign"]
	if text == "" {
		return errSignAbsent
	}
	rd.sig, err = decodeSign(text)
	return err
}

// signTypeIsOurs: the notification does not sign its sign_type, so it cannot choose one.
func (rd *notificationReading) signTypeIsOurs() error {
	if t := rd.form["sign_type"]; t != "" && t != string(rd.verifier.signType) {
		return errSignType
	}
	return nil
}

func (rd *notificationReading) findKeys() (err error) {
	rd.keys, err = rd.verifier.trust.candidates(rd.form["alipay_cert_sn"])
	return err
}

// signatureMatches verifies the signature in the variants of the text that are in use. Each
// needs a genuine signature over everything but blanks, the SN of the certificate and sign_type.
func (rd *notificationReading) signatureMatches() error {
	for _, variant := range rd.form.Variants() {
		if verifyAny(rd.verifier.signType.Hash(), rd.keys, rd.form.SignedText(variant), rd.sig) {
			rd.variant = variant
			return nil
		}
	}
	return errSignature
}

func (rd *notificationReading) signatureFacts(err error) string {
	v := rd.verifier
	if err == nil {
		return fmt.Sprintf("%s, variant %s", v.signType, rd.variant.Name)
	}
	return v.trust.explainMismatch(v.signType.Hash(), rd.keys, rd.form.SignedText(rd.form.Variants()[0]), rd.sig)
}

// namesUs checks that a genuine notification says that it is for our app and our merchant.
func (rd *notificationReading) namesUs() error {
	v, f := rd.verifier, rd.form
	rd.notification = alipay.ReadNotification(f.Decoded(rd.charset))
	rd.notification.Charset, rd.notification.SignType = rd.charset, v.signType
	if !rd.notification.IsTrade() {
		return nil
	}
	if f["app_id"] != v.appID {
		return fmt.Errorf("%w: app_id is missing", ErrNotOurs)
	}
	if v.authAppID != "" && f["auth_app_id"] != v.authAppID {
		return fmt.Errorf("%w: auth_app_id is missing", ErrNotOurs)
	}
	id, email := f["seller_id"], f["seller_email"]
	byEmail := email != "" && slices.Contains(v.emails, email) && (id == "" || len(v.sellers) == 0)
	if len(v.sellers)+len(v.emails) == 0 || slices.Contains(v.sellers, id) || byEmail {
		return nil
	}
	return fmt.Errorf("%w: seller_id or seller_email", ErrNotOurs)
}

func (rd *notificationReading) merchantFacts(err error) string {
	if err != nil {
		return err.Error()
	}
	return "app and seller are ours"
}
