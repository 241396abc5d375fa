package notify

import "net/http"

// Verdict is what became of one request, as a word for metrics.
type Verdict string

// The verdicts. The first three are answered with success.
const (
	Accepted           Verdict = "accepted"            // genuine, ours and durable
	Late               Verdict = "late"                // the same, but too old or from the future: it changes no state (security N5)
	OtherType          Verdict = "other_type"          // genuine, but not about a trade's status: not published
	Forged             Verdict = "forged"              // not provably Alipay's
	NotOurs            Verdict = "not_ours"            // of another app or merchant
	UnknownCertificate Verdict = "unknown_certificate" // signed with a certificate that is not known here (security N3)
	Unreadable         Verdict = "unreadable"          // not a form, cut off, or without an order number
	TooLarge           Verdict = "too_large"
	Encoded            Verdict = "encoded"     // with a Content-Encoding
	Busy               Verdict = "busy"        // more than can be verified or held at once
	NotDurable         Verdict = "not_durable" // genuine, but Kafka has not confirmed it
	UnknownPath        Verdict = "unknown_path"
	WrongMethod        Verdict = "wrong_method"
	Panicked           Verdict = "panic"
)

// Verdicts are all verdicts.
func Verdicts() []Verdict {
	return []Verdict{
		Accepted, Late, OtherType, Forged, NotOurs, UnknownCertificate, Unreadable, TooLarge, Encoded, Busy, NotDurable, UnknownPath, WrongMethod, Panicked,
	}
}

// Taken reports whether Alipay need not repeat the notification.
func (v Verdict) Taken() bool { return v == Accepted || v == Late || v == OtherType }

// status is for people and proxies: Alipay looks at the body alone.
func (v Verdict) status() int {
	switch v {
	case Accepted, Late, OtherType:
		return http.StatusOK
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case Encoded:
		return http.StatusUnsupportedMediaType
	case Busy, NotDurable:
		return http.StatusServiceUnavailable
	case UnknownPath:
		return http.StatusNotFound
	case WrongMethod:
		return http.StatusMethodNotAllowed
	case Panicked:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// remedy is what a person does about a verdict that is logged; empty: it is only counted.
func (v Verdict) remedy() string {
	switch v {
	case Forged:
		return "none, unless Alipay's real ones are among them: then compare alipay_public_key_file with the console of the app, and run bridge inspect with a captured body"
	case NotOurs:
		return "if they are for this account, correct app_id, seller_id, seller_emails or auth_app_id; otherwise another merchant uses its address"
	case UnknownCertificate:
		return "install Alipay's new certificate as alipay_cert_file; until then Alipay repeats them for a day"
	case Unreadable:
		return "none, unless Alipay's real ones are among them: then look for a proxy that changes or cuts bodies"
	case Busy:
		return "run more receivers, or let the load balancer limit senders; Alipay repeats what was refused"
	}
	return ""
}
