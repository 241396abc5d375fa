package order

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"alipay-kafka-bridge/internal/alipay"
)

// maxIdentifier is more than any API accepts: the longest are the 64 characters of an order number.
const maxIdentifier = 256

// Bounded cuts identifiers that are too long to be passed on, in results, headers, logs and keys
// of tables. The error, an [InvalidError], names the first one; what is cut shows its beginning and
// its hash.
func (e Event) Bounded() (Event, error) {
	var tooLong error
	bound := func(field, text string) string {
		if len(text) <= maxIdentifier {
			return text
		}
		if tooLong == nil {
			tooLong = &InvalidError{Reason: ReasonInvalid, Field: field, Msg: "is longer than 256 bytes"}
		}
		sum := sha256.Sum256([]byte(text))
		return strings.ToValidUTF8(text[:64], "") + "...sha256:" + hex.EncodeToString(sum[:])
	}
	e.ID = EventID(bound("event_id", string(e.ID)))
	e.OrderNo = alipay.OutTradeNo(bound("order_no", string(e.OrderNo)))
	e.Account = Account(bound("account", string(e.Account)))
	e.TradeNo = alipay.TradeNo(bound("trade_no", string(e.TradeNo)))
	e.KoubeiOrderNo = alipay.KoubeiOrderNo(bound("koubei_order_no", string(e.KoubeiOrderNo)))
	e.RequestNo = alipay.RequestNo(bound("request_no", string(e.RequestNo)))
	e.Status = bound("status", e.Status)
	return e, tooLong
}
