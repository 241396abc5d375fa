package window

import (
	"encoding/base64"
	"encoding/binary"
)

// Forge is a text with the right hash, whatever its payload is.
func Forge(at Place, next int64, kind byte, payload []byte) string {
	raw := binary.BigEndian.AppendUint32([]byte{textOld, kind}, uint32(at.Count))
	raw = append(raw, at.hash(next, raw, payload)...)
	return base64.RawStdEncoding.EncodeToString(append(raw, payload...))
}
