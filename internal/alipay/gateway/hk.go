package gateway

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// hkPath is the path of AlipayHK Synchronize Order.
const hkPath = "/api/open/alipay/v1/merchant/order/sync"

// hkSkew is how far the Response-Time of a success may be from our clock, so that an old success
// cannot be sent again [inferred: a sibling gateway allows 5 minutes].
const hkSkew = 5 * time.Minute

// hk is AlipayHK's merchant gateway: headers carry who, when and the signature; the body is
// JSON, perhaps encrypted.
type hk struct {
	url        *url.URL
	path       string // in the signed text
	clientID   string
	signer     keys.Signer
	algorithm  string // of signer, as it is sent
	hash       crypto.Hash
	keyVersion string // of signer
	keys       hkKeys
	ecc        ECCOptions
	recipient  *hkRecipient // nil: bodies are sent in plain
	layout     HKTimeLayout
	zone       *time.Location
	skew       time.Duration // negative: not checked
	seconds    bool          // unit of the order's times
	dashed     bool          // form of requestId
	classes    map[string]alipay.Class
	orders     *seenOrders
	seen       *seenHK
	now        func() time.Time

	tryAll         bool // an unknown key version means any key
	refuseUnsigned bool
	own            crypto.PublicKey // ours, to explain a mix-up; nil in calls
}

func (h *hk) supports(m alipay.Method) bool { return m == alipay.MethodHKOrderSync }

// write writes the content. The settings decide what the pages leave open.
func (h *hk) write(r alipay.Request) ([]byte, error) {
	sync, ok := r.(*alipay.HKOrderSync)
	if !ok || !h.seconds && !h.dashed {
		return alipay.Content(r)
	}
	as := *sync
	as.Seconds = h.seconds
	if id := string(as.RequestID); h.dashed && len(id) == 32 {
		as.RequestID = alipay.RequestNo(strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-"))
	}
	return alipay.Content(&as)
}

// hkContent returns what is signed, both ways. For an answer, method, path and client id are
// those of the request; the time is the text of the answer's own header, the body its raw bytes.
func hkContent(path, clientID, timeText string, body []byte) []byte {
	b := make([]byte, 0, len(path)+len(clientID)+len(timeText)+len(body)+8)
	b = append(append(append(b, "POST "...), path...), '\n')
	b = append(append(append(b, clientID...), '.'), timeText...)
	return append(append(b, '.'), body...)
}

// seal signs one attempt: its time must be new in every attempt, its content the same.
func (h *hk) seal(ctx context.Context, m alipay.Merchant, _ call, content []byte) (*sealedRequest, error) {
	at := h.now()
	header := http.Header{
		"Accept":       {"application/json"},
		"Client-Id":    {h.clientID},
		"Content-Type": {"application/json; charset=UTF-8"},
		"Request-Time": {h.layout.Text(at, h.zone)},
	}
	if e := h.recipient; e != nil {
		body, encrypt, err := e.encrypt(content)
		if err != nil {
			return nil, err
		}
		content = body
		header["Accept"], header["Content-Type"], header["Encrypt"] = []string{"application/json, text/plain"}, []string{e.mediaType}, []string{encrypt}
	}
	signed := hkContent(h.path, h.clientID, header.Get("Request-Time"), content)
	sig, err := h.sign(ctx, signed)
	if err != nil {
		return nil, errors.Join(keys.ErrSigner, err)
	}
	header["Signature"] = []string{formatHKSignature(h.algorithm, h.keyVersion, sig)}
	if m.AgentToken != "" {
		header.Set("Agent-Token", m.AgentToken)
	}
	return &sealedRequest{url: h.url, header: header, body: content, secret: m.AgentToken, at: at, signed: signed}, nil
}

func (h *hk) sign(ctx context.Context, text []byte) ([]byte, error) {
	sig, err := h.signer.Sign(ctx, keys.Digest(h.hash, text))
	if err != nil || ellipticOf(h.signer) == nil {
		return sig, err
	}
	return h.ecc.encodeSignature(sig)
}

func (h *hk) checkSigner(ctx context.Context) error { return keys.CheckSigner(ctx, h.signer, h.hash) }

// newHK checks the keys and forms of the options.
func newHK(o HKOptions) (*hk, error) {
	if o.ClientID == "" || o.Signer == nil {
		return nil, errors.New("alipay: an HK client needs a client id and a signer")
	}
	h, err := newHKReader(o)
	if err != nil {
		return nil, err
	}
	if h.signer, err = keys.Verifying(o.Signer); err != nil {
		return nil, err
	}
	h.algorithm, h.hash = algRSA256, crypto.SHA256
	if ellipticOf(o.Signer) != nil {
		h.algorithm, h.hash = algECC224, o.ECC.Hash()
	}
	if h.algorithm = cmp.Or(o.Algorithm, h.algorithm); strings.ContainsAny(h.algorithm, ",= \r\n") {
		return nil, errors.New("alipay: the name of the algorithm has a comma, an equal sign or white space")
	}
	h.recipient, err = newHKRecipient(o.Encrypt, h.keys)
	return h, err
}

// newHKReader returns a gateway that can open answers and seals nothing.
func newHKReader(o HKOptions) (*hk, error) {
	if len(o.PlatformKeys)+len(o.PlatformECKeys) == 0 {
		return nil, errors.New("alipay: an HK client needs a platform key")
	}
	h := &hk{
		clientID: o.ClientID, keyVersion: cmp.Or(o.KeyVersion, "1"), ecc: o.ECC, path: cmp.Or(o.SigningPath, hkPath),
		tryAll: o.TryAllKeys, refuseUnsigned: o.RefuseUnsigned, classes: o.Classes, now: orNow(o.Now),
		layout: cmp.Or(o.TimeLayout, HKTimePage), zone: cmp.Or(o.TimeZone, time.FixedZone("+08:00", 8*60*60)), skew: cmp.Or(o.Skew, hkSkew), seconds: o.Seconds, dashed: o.DashedIDs,
		orders: newSeenOrders(), seen: newSeenHK(),
	}
	var err error
	if h.keys, err = newHKKeys(o); err != nil {
		return nil, err
	}
	return h, checkClasses(o.Classes)
}

// checkClasses refuses classes that a refusal of HK cannot have.
func checkClasses(classes map[string]alipay.Class) error {
	for code, c := range classes {
		switch c {
		case alipay.Rejected, alipay.Misconfigured, alipay.Transient, alipay.Throttled:
		default:
			return fmt.Errorf("alipay: result code %s cannot be %s", code, c)
		}
	}
	return nil
}

// ellipticOf returns the public half of a signer if it is elliptic.
func ellipticOf(s keys.Signer) *ecdsa.PublicKey {
	k, _ := keys.PublicOf(s).(*ecdsa.PublicKey)
	return k
}

func (h *hk) inherit(old protocol) error {
	o, ok := old.(*hk)
	if !ok || o.clientID != h.clientID || *o.url != *h.url {
		return errOtherApp
	}
	h.orders, h.seen = o.orders, o.seen
	return nil
}
