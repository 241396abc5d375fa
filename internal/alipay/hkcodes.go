package alipay

// hkCodes classifies resultCode of AlipayHK (Synchronize Order, result codes, and the family's
// table of AlipayHK codeConsult). The status decides first; these are the ones that the status
// does not tell apart.
var hkCodes = codeTable{
	"REQUEST_TRAFFIC_EXCEED_LIMIT": throttled,
	// F that says we were not recognised, or may not do this at all
	"INVALID_SIGNATURE":         {class: Misconfigured, scope: ScopeApp, proof: ProofCanary},
	"KEY_NOT_FOUND":             fixApp,
	"INVALID_CLIENT":            fixApp,
	"ACCESS_DENIED":             maybeAccount, // merchantId is an event's
	"INVALID_CONTRACT":          maybeAccount,
	"INVALID_API":               fixApp,
	"METHOD_NOT_SUPPORTED":      fixApp,
	"MEDIA_TYPE_NOT_ACCEPTABLE": fixApp,
}

// hkUnsigned are the failures that HK cannot sign, because it did not recognise us: the only
// unsigned F that is believed.
var hkUnsigned = map[string]bool{
	"INVALID_CLIENT": true, "KEY_NOT_FOUND": true, "INVALID_SIGNATURE": true,
	"INVALID_API": true, "METHOD_NOT_SUPPORTED": true, "MEDIA_TYPE_NOT_ACCEPTABLE": true,
}

// judgeHK classifies an HK answer: resultStatus decides, resultCode explains. Any U may be
// repeated, unsigned or not, since a repeat is harmless.
func judgeHK(status, code string, verified bool) verdict {
	v, known := hkCodes[code]
	switch {
	case !verified && (status == "S" || status == "A" || status == "F" && !hkUnsigned[code]):
		return verdict{class: Untrusted}
	case status == "S":
		return done
	case status == "A":
		return accepted
	case status == "U" && known && v.class == Throttled:
		return v
	case status == "U":
		return transient
	case status != "F":
		return verdict{class: Ambiguous, alert: true}
	case !known || v.class != Misconfigured:
		return rejected
	}
	if !verified {
		v.proof = ProofCanary
	}
	return v
}
