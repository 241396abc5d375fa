package simulator

import (
	"errors"
	"slices"
)

// queryRules is the table of alipay.trade.query.
var queryRules = []rule{
	{name: "out_trade_no", max: 64},
	{name: "trade_no", max: 64},
	{name: "org_pid", max: 16},
	{name: "query_options", form: isTexts, max: 1024},
}

// syncRules is the table of alipay.trade.orderinfo.sync. trade_no is "optional", but the number
// that could stand in for it is no parameter of the method: required [inferred].
var syncRules = []rule{
	{name: "trade_no", max: 64, required: true},
	{name: "out_request_no", max: 64, required: true},
	{name: "biz_type", max: 64, required: true, oneOf: []string{"CREDIT_AUTH", "CREDIT_DEDUCT"}},
	{name: "order_biz_info", form: isJSON, max: 2018},
	{name: "orig_request_no", max: 64},
}

// itemOrderRules is the table of koubei.trade.itemorder.query.
var itemOrderRules = []rule{
	{name: "order_no", max: 64, required: true},
}

// checkQuery: one of the two numbers is needed (alipay.trade.query, "out_trade_no").
func checkQuery(c fields) error {
	if err := checkRules(queryRules, c); err != nil {
		return err
	}
	if c.text("out_trade_no")+c.text("trade_no") == "" {
		return errors.New("out_trade_no and trade_no are both missing")
	}
	return nil
}

// syncStatuses are the documented words of order_biz_info (docs/alipay.md, "alipay.trade.orderinfo.sync").
var syncStatuses = []string{"COMPLETE", "CLOSED", "VIOLATED"}

// checkSync applies the table. A status that no document knows is the page's NOTIFY_STATUS_INVALID [inferred].
func checkSync(c fields) *reply {
	if err := checkRules(syncRules, c); err != nil {
		return refusal("ACQ.INVALID_PARAMETER", err.Error())
	}
	info, err := parseObject([]byte(c.text("order_biz_info")))
	if err != nil {
		return nil // absent: the table has checked the rest
	}
	if status, given := info["status"]; given && !slices.Contains(syncStatuses, literal(status)) {
		return refusal("ACQ.NOTIFY_STATUS_INVALID", "status is not one of the agreed words")
	}
	return nil
}
