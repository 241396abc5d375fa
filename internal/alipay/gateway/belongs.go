package gateway

import (
	"cmp"
	"errors"
	"fmt"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

var errBareSuccess = errors.New("a success in error_response, which holds errors")

// answersMethod refuses a signed answer of another method, whose node was renamed: the name of the node is not
// signed. A success must have what its page requires.
func (rd *classicReading) answersMethod() error {
	if !rd.reply.Verified {
		return nil
	}
	if rd.parts.bare && rd.success() {
		return errBareSuccess
	}
	return alipay.CheckAnswer(rd.call.Method(), rd.members, rd.success())
}

// isNew refuses a signature that was seen for another call.
func (rd *classicReading) isNew() error {
	if !rd.reply.Verified || !rd.success() {
		return nil
	}
	status := cmp.Or(rd.members.Text("trade_status"), rd.members.Text("status"))
	return rd.gateway.seen.check(rd.sig, seenAnswer{owner: ownerOf(rd.call), status: status, sent: rd.request.at}, rd.gateway.now())
}

// answersRequest refuses a signed answer to another request. What is not signed proves nothing
// anyway.
func (rd *classicReading) answersRequest() error {
	rd.ids = readIdentities(rd.members)
	if !rd.reply.Verified {
		return nil
	}
	return rd.ids.belong(rd.call, rd.success())
}

// identities are the numbers in an answer that tie it to its request.
type identities struct {
	out    alipay.OutTradeNo
	trade  alipay.TradeNo
	koubei alipay.KoubeiOrderNo
}

func readIdentities(f jsonscan.Object) identities {
	ids := identities{
		out:    alipay.OutTradeNo(f.Text("out_trade_no")),
		trade:  alipay.TradeNo(f.Text("trade_no")),
		koubei: alipay.KoubeiOrderNo(f.Text("order_no")),
	}
	if ids.out == "" {
		ids.out = alipay.OutTradeNo(f.Text("out_order_no"))
	}
	return ids
}

var errOtherAnswer = errors.New("the answer is that of another request")

// belong checks that a signed answer is the answer to r. The signature covers no nonce: a
// replaying or confused proxy can hand us another order's genuine answer. Numbers that are
// present on both sides must be equal, and a success must have such a number.
func (ids identities) belong(r call, success bool) error {
	bound, equal := false, true
	compare := func(asked, got string) {
		if asked != "" && got != "" {
			bound, equal = true, equal && asked == got
		}
	}
	switch r := r.(type) {
	case *alipay.TradeCreate:
		compare(string(r.OutTradeNo), string(ids.out))
	case *alipay.TradeQuery:
		compare(string(r.OutTradeNo), string(ids.out))
		compare(string(r.TradeNo), string(ids.trade))
	case *alipay.OrderInfoSync:
		compare(string(r.TradeNo), string(ids.trade))
	case *alipay.ItemOrderQuery:
		compare(string(r.OrderNo), string(ids.koubei))
	default: // an answer that was captured without its request
		return nil
	}
	if !equal {
		return errOtherAnswer
	}
	if success && !bound {
		return fmt.Errorf("a success without the number that was asked for: %w", errOtherAnswer)
	}
	return nil
}
