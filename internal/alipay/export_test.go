package alipay

// KnownCodes are the codes of the tables: sub_codes by method, "" for the gateway's own, and
// AlipayHK's result codes.
func KnownCodes() map[Method][]string {
	codes := map[Method][]string{}
	add := func(m Method, t codeTable) {
		for code := range t {
			codes[m] = append(codes[m], code)
		}
	}
	for m, t := range methodCodes {
		add(m, t)
	}
	add("", gatewayCodes)
	add(MethodHKOrderSync, hkCodes)
	return codes
}
