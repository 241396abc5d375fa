package inspect

import (
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
)

// maxTries bounds the repairs of one capture: each costs the verification of a signature.
const maxTries = 3000

// Judge explains the body of a message with the code that reads it in calls.
type Judge func(body []byte) gateway.Explanation

// reading is one way to take what was captured.
type reading struct {
	name string // what the capture is, in words; empty: the body itself
	body []byte
}

// repair is a change that undoes one damage.
type repair struct {
	name string
	body []byte
}

// Explain explains a capture. Where the body itself is not signed, it tries other readings of the
// capture (chunks, JSON of a log, a URL) and then undoes damages one at a time. Only what
// the signature proves is reported as the cause.
//
// A reading that is good is believed: only the capture was unusual. A repair that is good is a cause, and
// the message is not believed, since the bridge would not get the repaired one.
func Explain(readings []reading, repairs func(body []byte) []repair, judge Judge) gateway.Explanation {
	first := judge(readings[0].body)
	if proven(first) || len(readings) == 1 && repairs == nil {
		return first
	}
	tries := 1
	best, bestName := first, ""
	for _, r := range readings[1:] {
		if tries++; tries > maxTries {
			break
		}
		e := judge(r.body)
		if proven(e) {
			e.Steps = append([]gateway.Step{{Name: "capture", OK: true, Detail: r.name}}, e.Steps...)
			e.Reason = r.name + "; " + e.Reason
			return e
		}
		if bestName == "" && signed(e) && !signed(first) {
			best, bestName = e, r.name
		}
	}
	for _, r := range readings {
		for _, fixed := range repairs(r.body) {
			if tries++; tries > maxTries {
				break
			}
			if !proven(judge(fixed.body)) {
				continue
			}
			e := judge(r.body)
			detail := "the signature is good " + fixed.name
			if r.name != "" {
				detail = r.name + ", and " + detail
			}
			return damaged(e, detail)
		}
	}
	if bestName != "" {
		best.Reason = bestName + "; read so: " + best.Reason
		best.Steps = append([]gateway.Step{{Name: "capture", OK: true, Detail: bestName}}, best.Steps...)
	}
	return best
}

// damaged is the explanation of a message that the signature shows to be damaged.
func damaged(e gateway.Explanation, detail string) gateway.Explanation {
	e.Verified, e.Class = false, alipay.Untrusted
	e.Reason = detail
	e.Steps = append(slices.Clone(e.Steps), gateway.Step{Name: "damage", Detail: detail})
	return e
}

// proven reports whether the signature was good.
func proven(e gateway.Explanation) bool {
	return slices.ContainsFunc(e.Steps, func(s gateway.Step) bool { return s.Name == "signature" && s.OK && s.Detail != "" }) &&
		!slices.ContainsFunc(e.Steps, func(s gateway.Step) bool { return s.Name == "signature" && !s.OK })
}

// signed reports whether a signature was found, good or not.
func signed(e gateway.Explanation) bool {
	return slices.ContainsFunc(e.Steps, func(s gateway.Step) bool {
		return s.Name == "signature" && !s.OK && !strings.Contains(s.Detail, "missing") && !strings.Contains(s.Detail, "no sign")
	})
}
