package alipay

import "strings"

// Classification is what one code means for the bridge. Class says what becomes of the call, Healthy what the answer
// says of Alipay: two questions, with an answer each.
type Classification struct {
	Class   Class
	Healthy bool // a signed answer with this code comes from an Alipay that works; with some classes it always does, see [HealthOf]
	Scope   Scope
	Proof   Proof
	Alert   bool
}

// The classifications of the tables below. The comment after each is Alipay's own
// advice ("solution" of each error code).
var (
	done       = Classification{Class: Done}
	accepted   = Classification{Class: Accepted}
	rejected   = Classification{Class: Rejected}                 // change the order, or the buyer must act
	transient  = Classification{Class: Transient}                // try again later
	tryAgain   = Classification{Class: Transient, Healthy: true} // the same, for a reason that is the order's own
	throttled  = Classification{Class: Throttled}                // slow down
	askFirst   = Classification{Class: Ambiguous}                // query at once, then decide
	maybeOurs  = Classification{Class: Ambiguous, Healthy: true} // the number has a trade, perhaps our own earlier one
	fixApp     = Classification{Class: Misconfigured, Scope: ScopeApp}
	fixAccount = Classification{Class: Misconfigured, Scope: ScopeAccount}
	fixMethod  = Classification{Class: Misconfigured, Scope: ScopeMethod}

	// Refusals because of the contract that a field of an event can also cause: seller, second
	// merchant, product.
	maybeAccount = Classification{Class: Misconfigured, Scope: ScopeAccount, Proof: ProofOrders}
	maybeMethod  = Classification{Class: Misconfigured, Scope: ScopeMethod, Proof: ProofOrders}
	// Refusals by the gateway that an odd character in a field can also cause.
	maybeApp = Classification{Class: Misconfigured, Scope: ScopeApp, Proof: ProofCanary}
	// Alipay suspects an attack where a value holds names of its own keys: this event is refused,
	// never the app, unless orders of any content get it.
	suspected = Classification{Class: Rejected, Scope: ScopeApp, Proof: ProofCanary}
	// A business refusal that is in no table is final for this order, but a person should look. On a create it may hide
	// a trade: it is final only once a query has found none.
	unknownRefusal = Classification{Class: Rejected, Alert: true}
	unknownGateway = Classification{Class: Misconfigured, Scope: ScopeApp, Proof: ProofCanary, Alert: true}
	unknownCreate  = Classification{Class: Ambiguous, Healthy: true, Alert: true}
)

// codeTable classifies by sub_code. Each block names its source: "page" is the API page's table
// of error codes, "2026" the official models and v3 schemas of May 2026.
type codeTable map[string]Classification

// methodCodes are the business refusals (code 40004) of each method.
var methodCodes = map[Method]codeTable{
	MethodTradeCreate:    createCodes,
	MethodTradeQuery:     queryCodes,
	MethodOrderInfoSync:  syncCodes,
	MethodItemOrderQuery: itemOrderCodes,
}

// createCodes: alipay.trade.create, error codes. Who can fix it decides: the order's sender, or the merchant and his
// contract, settlement or second merchants (Misconfigured). A payment is never assumed undone: codes
// that may be about our own earlier attempt are Ambiguous.
var createCodes = codeTable{
	// page
	"ACQ.SYSTEM_ERROR":                    askFirst, // "query at once"
	"ACQ.INVALID_PARAMETER":               rejected,
	"ACQ.ACCESS_FORBIDDEN":                maybeMethod, // "sign the contract"; product_code is an event's
	"ACQ.EXIST_FORBIDDEN_WORD":            rejected,
	"ACQ.PARTNER_ERROR":                   fixApp, // "app_id is wrong"
	"ACQ.TOTAL_FEE_EXCEED":                rejected,
	"ACQ.CONTEXT_INCONSISTENT":            maybeOurs, // same number, other content
	"ACQ.TRADE_HAS_SUCCESS":               maybeOurs, // paid
	"ACQ.TRADE_HAS_CLOSE":                 maybeOurs, // closed
	"ACQ.BUYER_SELLER_EQUAL":              rejected,
	"ACQ.TRADE_BUYER_NOT_MATCH":           rejected,
	"ACQ.BUYER_ENABLE_STATUS_FORBID":      rejected,
	"ACQ.SELLER_BEEN_BLOCKED":             maybeAccount, // seller_id is an event's
	"ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT": rejected,
	"ACQ.SUB_MERCHANT_CREATE_FAIL":        rejected,
	"ACQ.SUB_MERCHANT_TYPE_INVALID":       rejected,

	// seen in answers of a sibling method, listed nowhere
	"ACQ.DUP_OUT_ORDER": maybeOurs,

	// 2026: the order or the buyer
	"ACQ.BEYOND_PER_RECEIPT_SINGLE_RESTRICTION": rejected,
	"ACQ.BUYER_NOT_EXIST":                       rejected,
	"ACQ.CUSTOMER_VALIDATE_ERROR":               rejected,
	"ACQ.ILLEGAL_ARGUMENT":                      rejected,
	"ACQ.INVALID_RECEIVE_ACCOUNT":               rejected,
	"ACQ.INVALID_STORE_ID":                      rejected,
	"ACQ.MERCHANT_PERM_RECEIPT_SINGLE_LIMIT":    rejected,
	"ACQ.NOT_SUPPORT_PAYMENT_INST":              rejected,
	"ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR":      rejected,
	"ACQ.OPEN_ID_NOT_TINY_APP":                  rejected,
	"ACQ.PAYER_UNMATCHED":                       rejected,
	"ACQ.RISK_MERCHANT_IP_NOT_EXIST":            rejected,
	"ACQ.SECONDARY_MERCHANT_ID_BLANK":           rejected,
	"ACQ.SELLER_NOT_EXIST":                      rejected,
	"ACQ.SUB_GOODS_SIZE_MAX_COUNT":              rejected,
	"ACQ.USER_LOGONID_DUP":                      rejected,

	// 2026: the merchant's contract or account
	"ACQ.BIZ_PRODUCT_NOT_ALLOWED":                         maybeMethod,
	"ACQ.DEFAULT_SETTLE_RULE_NOT_EXIST":                   maybeAccount,
	"ACQ.ERROR_SELLER_CERTIFY_LEVEL_LIMIT":                maybeAccount,
	"ACQ.MERCHANT_PERM_RECEIPT_DAY_LIMIT":                 maybeAccount,
	"ACQ.MERCHANT_PERM_RECEIPT_SUSPEND_LIMIT":             maybeAccount,
	"ACQ.MERCHANT_STATUS_NOT_NORMAL":                      maybeAccount,
	"ACQ.PRODUCT_NOT_SUPPORT_IN_TINY_APP":                 maybeMethod,
	"ACQ.SECONDARY_MERCHANT_ALIPAY_ACCOUNT_INVALID":       maybeAccount,
	"ACQ.SECONDARY_MERCHANT_ISV_PUNISH_INDIRECT":          maybeAccount,
	"ACQ.SECONDARY_MERCHANT_NOT_MATCH":                    maybeAccount,
	"ACQ.SECONDARY_MERCHANT_STATUS_ERROR":                 maybeAccount,
	"ACQ.UNBOUND_APPLICATION":                             maybeMethod,
	"ACQ.PLATFORM_BUSINESS_ACQUIRE_MODE_MUST_MERCHANT_ID": maybeAccount, // the contract wants a second merchant
	"ACQ.SECONDARY_MERCHANT_CARD_ALIAS_NO_INVALID":        maybeAccount, // the second merchant's settlement card
	"ACQ.SECONDARY_MERCHANT_ID_INVALID":                   maybeAccount,
	"ACQ.STORE_INFO_INVALID":                              maybeAccount,
	"ACQ.TRADE_SETTLE_ERROR":                              maybeAccount,
}

// queryCodes: alipay.trade.query, error codes.
var queryCodes = codeTable{
	"ACQ.SYSTEM_ERROR":             transient, // page: "send the request again"
	"ACQ.INVALID_PARAMETER":        rejected,  // page
	"ACQ.TRADE_NOT_EXIST":          rejected,  // page: no such trade under this account
	"ACQ.ENTERPRISE_PAY_BIZ_ERROR": tryAgain,  // 2026
}

// syncCodes: alipay.trade.orderinfo.sync, error codes.
var syncCodes = codeTable{
	"ACQ.SYSTEM_ERROR":          transient, // page: "later again", with the same out_request_no
	"ACQ.INVALID_PARAMETER":     rejected,  // page
	"ACQ.TRADE_NOT_EXIST":       rejected,  // page
	"ACQ.NOTIFY_STATUS_INVALID": rejected,  // page: the right status needs a new number
}

// itemOrderCodes: koubei.trade.itemorder.query, error codes, which have no ACQ prefix.
var itemOrderCodes = codeTable{
	"INVALID_PARAMETER": rejected,  // page
	"SYSTEM_ERROR":      transient, // page
}

// gatewayCodes: the gateway's own table of common errors (public error codes 20000 to 40006),
// and after it the newer list of the v3 error schema. One sub_code comes under several codes,
// so it decides alone. The prefix isv. is cut off.
var gatewayCodes = codeTable{
	// 20001, the merchant's authorisation
	"aop.invalid-auth-token":            fixAccount,
	"aop.auth-token-time-out":           fixAccount,
	"aop.invalid-app-auth-token":        fixAccount,
	"aop.invalid-app-auth-token-no-api": fixAccount,
	"aop.app-auth-token-time-out":       fixAccount,
	"aop.no-product-reg-by-partner":     fixAccount,
	// 40001, a fault of ours
	"missing-method":                        fixApp,
	"missing-signature":                     fixApp,
	"missing-signature-type":                fixApp,
	"missing-signature-key":                 fixApp,
	"missing-app-id":                        fixApp,
	"missing-timestamp":                     fixApp,
	"missing-version":                       fixApp,
	"decryption-error-missing-encrypt-type": fixApp,
	// 40002
	"invalid-parameter":                       rejected,
	"upload-fail":                             rejected,
	"invalid-file-extension":                  rejected,
	"invalid-file-size":                       rejected,
	"suspected-attack":                        suspected,
	"invalid-method":                          fixMethod,
	"forbidden-api":                           fixMethod,
	"invalid-format":                          fixApp,
	"invalid-signature-type":                  fixApp,
	"invalid-signature":                       maybeApp,
	"invalid-token":                           fixAccount,
	"invalid-encrypt-type":                    fixApp,
	"invalid-encrypt":                         maybeApp,
	"invalid-app-id":                          fixApp,
	"invalid-timestamp":                       fixApp,
	"invalid-charset":                         fixApp,
	"invalid-digest":                          fixApp,
	"invalid-content-type":                    fixApp,
	"decryption-error-not-valid-encrypt-type": fixApp,
	"decryption-error-not-valid-encrypt-key":  fixApp,
	"decryption-error-unknown":                maybeApp,
	"missing-signature-config":                fixApp,
	"not-support-app-auth":                    fixAccount,
	"invalid-auth-relations":                  fixAccount,
	"app-cert-expired":                        fixApp,
	"missing-app-cert-sn":                     fixApp,
	"app-cert-not-exist":                      fixApp,
	"missing-alipay-root-cert-sn":             fixApp,
	"invalid-alipay-root-cert-sn":             fixApp,
	"alipay-cert-not-exist":                   fixApp,
	// 40005
	"app-call-limited":      throttled,
	"method-call-limited":   throttled,
	"app-auth-invoke-limit": throttled, // v3
	// 40006
	"insufficient-isv-permissions":  fixMethod,
	"insufficient-user-permissions": fixMethod,
	// v3 error schema
	"illegal-client-ip":                fixApp,
	"self-invoke-forbidden":            fixApp,
	"app-api-punished":                 fixMethod,
	"unsupported-expired-app-key-sign": fixApp,
	"app-key-security-risk":            fixApp,
	"illegal-timestamp":                fixApp,
	"unsupported-version":              fixApp,
	"invalid-app-state":                fixApp,
	"illegal-json":                     maybeApp,
	"invalid-partnerid":                fixApp,
	"sevice-not-been-subscribed-to":    fixMethod, // so spelled
	"unknown-sub-code":                 unknownGateway,
	"app-unbind-partner":               fixApp,
	"exceed-api-balance":               fixApp,
	"openid-error":                     rejected,
}

// Classify returns what a signed gateway answer means: by its sub_code, and by its code where the sub_code is
// not known; never by its texts (public error codes). The spelling "unknow" is genuine.
func Classify(m Method, code, subCode string) Classification {
	switch {
	case code == "10000":
		return done
	case code == "10003": // accepted, the payment is in progress
		return accepted
	case code == "20000" || isSystemError(subCode): // aop.unknow-error, isp.unknow-error
		if m == MethodTradeCreate {
			return askFirst
		}
		return transient
	case code == "40004":
		if v, ok := businessCode(m, subCode); ok {
			return v
		}
	}
	if v, ok := gatewayCodes[strings.TrimPrefix(subCode, "isv.")]; ok {
		return v
	}
	switch code {
	case "40004":
		if m == MethodTradeCreate {
			return unknownCreate
		}
		return unknownRefusal
	case "40005":
		return throttled
	case "20001":
		v := unknownGateway
		v.Scope = ScopeAccount
		return v
	case "40001", "40002", "40003", "40006":
		return unknownGateway
	}
	if m == MethodTradeCreate {
		return unknownCreate
	}
	return unknownGateway
}

// baseOf cuts the prefixes off a sub_code, of which the pages and real answers have several for one code: ACQ., isv.,
// isp., aop., aop.ACQ., koubei.
func baseOf(subCode string) string { return subCode[strings.LastIndexByte(subCode, '.')+1:] }

// isSystemError reports whether a sub_code says that Alipay failed: whether the call took effect is not known. The pages
// write SYSTEM_ERROR with ACQ. and without, real answers with other prefixes, and the gateway writes unknow-error.
func isSystemError(subCode string) bool {
	switch strings.ReplaceAll(strings.ToUpper(baseOf(subCode)), "-", "_") {
	case "SYSTEM_ERROR", "UNKNOW_ERROR", "UNKNOWN_ERROR":
		return true
	}
	return false
}

// businessCode finds the refusal of a method in its table, with whichever prefix.
func businessCode(m Method, subCode string) (Classification, bool) {
	for _, name := range []string{subCode, "ACQ." + baseOf(subCode), baseOf(subCode)} {
		if v, ok := methodCodes[m][name]; ok {
			return v, true
		}
	}
	return Classification{}, false
}

// ClassifyUnsigned is [Classify] for an answer that carries no signature, as some errors genuinely do.
// Nothing in it is final: a refusal is Ambiguous, a success is not believed, and what would
// stop an app needs the canary query first. It does not show either that Alipay works.
func ClassifyUnsigned(m Method, code, subCode string) Classification {
	v := Classify(m, code, subCode)
	v.Healthy = false
	switch {
	case v.Class == Done || v.Class == Accepted:
		return Classification{Class: Untrusted}
	case v.Class == Rejected || code == "40004":
		return Classification{Class: Ambiguous, Alert: v.Alert}
	case v.Class == Misconfigured:
		v.Proof = ProofCanary
	}
	return v
}

// hkCodes classifies resultCode of AlipayHK (Synchronize Order, result codes, and the family's
// table of AlipayHK codeConsult). The status decides first; these are the ones that the status
// does not separate.
var hkCodes = codeTable{
	"REQUEST_TRAFFIC_EXCEED_LIMIT": throttled,
	// F that says we were not recognised, or may not do this at all
	"INVALID_SIGNATURE":         {Class: Misconfigured, Scope: ScopeApp, Proof: ProofCanary},
	"KEY_NOT_FOUND":             fixApp,
	"INVALID_CLIENT":            fixApp,
	"ACCESS_DENIED":             maybeAccount, // merchantId is an event's
	"INVALID_CONTRACT":          maybeAccount,
	"INVALID_API":               fixApp,
	"METHOD_NOT_SUPPORTED":      fixApp,
	"MEDIA_TYPE_NOT_ACCEPTABLE": fixApp,
	"TIMESTAMP_INVALID":         fixApp, // our clock
}

// hkUnsigned are the failures that HK cannot sign, because it did not recognise us: the only
// unsigned F that is believed.
var hkUnsigned = map[string]bool{
	"INVALID_CLIENT": true, "KEY_NOT_FOUND": true, "INVALID_SIGNATURE": true,
	"INVALID_API": true, "METHOD_NOT_SUPPORTED": true, "MEDIA_TYPE_NOT_ACCEPTABLE": true,
}

// ClassifyHK returns what an HK answer means: resultStatus decides, resultCode explains. Any U may be
// repeated, unsigned or not, since a repeat is harmless.
func ClassifyHK(status, code string, verified bool) Classification {
	v, known := hkCodes[code]
	switch {
	case !verified && (status == "S" || status == "A" || status == "F" && !hkUnsigned[code]):
		return Classification{Class: Untrusted}
	case status == "S":
		return done
	case status == "A":
		return accepted
	case status == "U" && known && v.Class == Throttled:
		return v
	case status == "U":
		return transient
	case status != "F":
		return Classification{Class: Ambiguous, Alert: true}
	case isSystemError(code): // a repeat is harmless
		return transient
	case !known || v.Class != Misconfigured:
		return rejected
	}
	if !verified {
		v.Proof = ProofCanary
	}
	return v
}
