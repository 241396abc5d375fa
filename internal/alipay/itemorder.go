package alipay

// ItemOrderQuery is koubei.trade.itemorder.query: it asks for one Koubei order.
type ItemOrderQuery struct {
	OrderNo KoubeiOrderNo // 1 to 64
	Extra   Members
}

// Method returns [MethodItemOrderQuery].
func (*ItemOrderQuery) Method() Method { return MethodItemOrderQuery }

// Repeatable is true: asking changes nothing.
func (*ItemOrderQuery) Repeatable() bool { return true }

// Validate checks the only parameter (koubei.trade.itemorder.query, "order_no").
func (r *ItemOrderQuery) Validate() error {
	var c checks
	c.need("order_no", string(r.OrderNo), 64)
	return c.done(r)
}

func (r *ItemOrderQuery) content() ([]byte, error) {
	return writeObject(func(o *object) {
		o.str("order_no", string(r.OrderNo))
		o.more(r.Extra)
	})
}
