package order

import (
	"crypto/sha1" //nolint:gosec // a version 5 UUID is defined with SHA-1 (RFC 9562, 5.5); it protects nothing
	"encoding/hex"

	"alipay-kafka-bridge/internal/alipay"
)

// idNamespace is the fixed namespace under which ids that are not a UUID become one. It must
// never change: another value would give every repeated event a new request number, and so
// a second effect.
var idNamespace = [16]byte{
	0x8a, 0x43, 0x54, 0xca, 0xe9, 0xf8, 0x49, 0x6c, 0xa9, 0xd5, 0x58, 0x49, 0xeb, 0x17, 0x75, 0x8c,
}

// uuid returns the event id's UUID: itself, or the version 5 UUID of its text.
func (id EventID) uuid() [16]byte {
	if u, ok := parseUUID(string(id)); ok {
		return u
	}
	sum := sha1.Sum(append(idNamespace[:], id...)) //nolint:gosec // see above
	u := [16]byte(sum[:16])
	u[6] = u[6]&0x0f | 0x50 // version 5
	u[8] = u[8]&0x3f | 0x80 // variant of RFC 9562
	return u
}

// IDOf is the version 5 UUID of a name, for events that the bridge makes itself.
func IDOf(name string) EventID { return EventID(EventID(name).dashed()) }

// parseUUID reads the dashed form or 32 hex digits.
func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if len(s) != 32 {
		return u, false
	}
	_, err := hex.Decode(u[:], []byte(s))
	return u, err == nil
}

// dashed is the form of out_request_no.
func (id EventID) dashed() alipay.RequestNo {
	u := id.uuid()
	h := hex.EncodeToString(u[:])
	return alipay.RequestNo(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}

// hex32 is the form of HK's requestId: a dashed UUID is longer than the 32 characters that
// the Order Service page of the same path allows.
func (id EventID) hex32() alipay.RequestNo {
	u := id.uuid()
	return alipay.RequestNo(hex.EncodeToString(u[:]))
}
