package handle

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// Judge makes the checks of an event that need neither its bytes nor its plan.
func (h *Handler) Judge(account order.Account, lane string, in *kgo.Record, at, now time.Time) bool {
	_, reason := h.permissions.Load().account(in.Topic, account)
	return reason == "" && !h.floods.over(lane, in, now) && !at.After(now.Add(maxAhead))
}

// Whose is the verdict over a trade that was found under the number of a create.
func Whose(c *alipay.TradeCreate, t alipay.Trade) string {
	return compare(c, t).String()
}

// Needs and LaneKey are what Prepare says of a record.
var (
	Needs   = needs
	LaneKey = laneKey
)
