package order

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// AskedBy is why a trade was asked for (schema TradeSnapshot, "asked_by").
type AskedBy string

// The reasons to ask.
const (
	AskedByUnknown AskedBy = "UNKNOWN"
	AskedByEvent   AskedBy = "EVENT"
	AskedByResolve AskedBy = "RESOLVE" // after a lost answer
	AskedBySweep   AskedBy = "SWEEP"
)

// Snapshot is a trade as Alipay showed it at one time, from a verified success answer (schema
// TradeSnapshot). Names are Alipay's. An amount, date or number that could not be read
// exactly is absent and kept in Unparsed.
type Snapshot struct {
	EventID       EventID
	AskedBy       AskedBy
	Method        alipay.Method
	ObservedAt    time.Time
	Account       Account
	Environment   string
	Channel       Channel
	OrderNo       alipay.OutTradeNo
	TradeNo       alipay.TradeNo
	KoubeiOrderNo alipay.KoubeiOrderNo
	Status        string

	TotalAmount             *alipay.Money
	TransCurrency           string
	SettleCurrency          string
	SettleAmount            *alipay.Money
	PayCurrency             string
	PayAmount               *alipay.Money
	SettleTransRate         string
	TransPayRate            string
	BuyerPayAmount          *alipay.Money
	PointAmount             *alipay.Money
	InvoiceAmount           *alipay.Money
	ReceiptAmount           *alipay.Money
	ChargeAmount            *alipay.Money
	MDiscountAmount         *alipay.Money
	DiscountAmount          *alipay.Money
	RealPayAmount           *alipay.Money
	DeliverSellerRealAmount *alipay.Money
	PreAuthPayAmount        *alipay.Money

	SendPayDate *time.Time
	GmtCreate   *time.Time
	GmtPayment  *time.Time
	GmtModified *time.Time

	FundBills []alipay.FundBill
	Items     []alipay.ItemOrderLine

	BuyerLogonID  string // personal data, like everything about the buyer
	BuyerUserID   string
	BuyerOpenID   string
	BuyerUserName string
	BuyerUserType string

	SellerID            string
	PartnerID           string
	BizProduct          string
	StoreID             string
	StoreName           string
	TerminalID          string
	AlipayStoreID       string
	ChargeFlags         string
	SettlementID        string
	AuthTradePayMode    string
	CreditPayMode       string
	CreditBizOrderID    string
	AdditionalStatus    string
	AsyncPayApplyStatus string
	BizSettleMode       string
	ReceiptCurrencyType string
	PassbackParams      string
	Subject             string
	Body                string

	More     map[string]string // every further member of the answer: path to JSON text
	Unparsed map[string]string // members that could not be read exactly: path to JSON text
	BodyJSON string            // the verified answer node
}

// errNoSnapshot means that a reply shows no trade.
var errNoSnapshot = errors.New("the reply shows no trade")

// SnapshotOf returns the snapshot that a query's answer holds. It fails when the answer is
// not a verified success of one of the two queries.
func SnapshotOf(h Handling, by AskedBy, reply alipay.Reply, at time.Time) (Snapshot, error) {
	s := Snapshot{
		EventID:       h.Event.ID,
		AskedBy:       by,
		Method:        reply.Method,
		ObservedAt:    at,
		Account:       h.Account,
		Environment:   h.Environment,
		Channel:       h.Channel,
		OrderNo:       h.Event.OrderNo,
		TradeNo:       h.Event.TradeNo,
		KoubeiOrderNo: h.Event.KoubeiOrderNo,
		BodyJSON:      string(reply.Body),
	}
	switch reply.Method {
	case alipay.MethodTradeQuery:
		t, err := reply.Trade()
		if err != nil {
			return Snapshot{}, fmt.Errorf("snapshot: %w", err)
		}
		s.addTrade(t)
		return s, nil
	case alipay.MethodItemOrderQuery:
		o, err := reply.ItemOrder()
		if err != nil {
			return Snapshot{}, fmt.Errorf("snapshot: %w", err)
		}
		s.addItemOrder(o)
		return s, nil
	}
	return Snapshot{}, fmt.Errorf("snapshot: %s: %w", reply.Method, errNoSnapshot)
}

// keepOther keeps a merchant's number that is not the event's. The event's stays the record's
// key; Koubei and credit orders may have been made under another.
func (s *Snapshot) keepOther(member string, number alipay.OutTradeNo) {
	if number == "" || number == s.OrderNo {
		return
	}
	if s.More == nil {
		s.More = map[string]string{}
	}
	text, _ := json.Marshal(number) // a string always has JSON
	s.More[member] = string(text)
}

func (s *Snapshot) addTrade(t alipay.Trade) {
	if t.TradeNo != "" {
		s.TradeNo = t.TradeNo
	}
	s.Status = string(t.Status)
	s.TotalAmount, s.TransCurrency = t.TotalAmount, t.TransCurrency
	s.SettleAmount, s.SettleCurrency = t.SettleAmount, t.SettleCurrency
	s.PayAmount, s.PayCurrency = t.PayAmount, t.PayCurrency
	s.SettleTransRate, s.TransPayRate = t.SettleTransRate, t.TransPayRate
	s.BuyerPayAmount, s.PointAmount, s.InvoiceAmount = t.BuyerPayAmount, t.PointAmount, t.InvoiceAmount
	s.ReceiptAmount, s.ChargeAmount = t.ReceiptAmount, t.ChargeAmount
	s.MDiscountAmount, s.DiscountAmount = t.MDiscountAmount, t.DiscountAmount
	s.PreAuthPayAmount = t.PreAuthPayAmount
	s.SendPayDate = t.SendPayDate
	s.FundBills = t.FundBills
	s.BuyerLogonID, s.BuyerUserID, s.BuyerOpenID = t.BuyerLogonID, t.BuyerUserID, t.BuyerOpenID
	s.BuyerUserName, s.BuyerUserType = t.BuyerUserName, t.BuyerUserType
	s.StoreID, s.StoreName, s.TerminalID, s.AlipayStoreID = t.StoreID, t.StoreName, t.TerminalID, t.AlipayStoreID
	s.ChargeFlags, s.SettlementID, s.AuthTradePayMode = t.ChargeFlags, t.SettlementID, t.AuthTradePayMode
	s.CreditPayMode, s.CreditBizOrderID = t.CreditPayMode, t.CreditBizOrderID
	s.AdditionalStatus, s.AsyncPayApplyStatus = t.AdditionalStatus, t.AsyncPayApplyStatus
	s.BizSettleMode, s.ReceiptCurrencyType = t.BizSettleMode, t.ReceiptCurrencyType
	s.PassbackParams, s.Subject, s.Body = t.PassbackParams, t.Subject, t.Body
	s.More, s.Unparsed = t.More, t.Unparsed
	s.keepOther("out_trade_no", t.OutTradeNo)
}

func (s *Snapshot) addItemOrder(o alipay.ItemOrder) {
	if o.TradeNo != "" {
		s.TradeNo = o.TradeNo
	}
	if o.OrderNo != "" {
		s.KoubeiOrderNo = o.OrderNo
	}
	s.Status = o.Status
	s.TotalAmount, s.RealPayAmount = o.TotalAmount, o.RealPayAmount
	s.DiscountAmount, s.DeliverSellerRealAmount = o.DiscountAmount, o.DeliverSellerRealAmount
	s.GmtCreate, s.GmtPayment, s.GmtModified = o.GmtCreate, o.GmtPayment, o.GmtModified
	s.Items = o.Items
	s.BuyerUserID, s.SellerID, s.PartnerID, s.BizProduct = o.BuyerID, o.SellerID, o.PartnerID, o.BizProduct
	s.More, s.Unparsed = o.More, o.Unparsed
	s.keepOther("out_order_no", o.OutOrderNo)
}
