package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/simulator/wire"
)

// HK are the points that the HK documents leave open. The zero value is the strict reading.
type HK struct {
	Skew          time.Duration // allowed between Request-Time and our clock; zero: 5 min, negative: any
	BizTypes      []string      // allowed merchantBizType; nil: TRADE_ORDER, the only one on the page
	LongRequestID bool          // take a requestId of more than 32 characters (a dashed UUID has 36)
	Seconds       bool          // take order times that can only be seconds
	OrderedTimes  bool          // refuse an orderModifyTime before orderCreateTime
}

// requiredHKTexts are the required texts of Synchronize Order; no length is on the page.
var requiredHKTexts = []string{"requestId", "tradeNo", "merchantBizNo", "merchantBizType", "orderStatus"}

// maxRequestID is that of the Order Service page of the same path.
const maxRequestID = 32

// minMillis is the least number that is taken for milliseconds: ten digits look like seconds.
const minMillis = 100_000_000_000

var (
	cents        = regexp.MustCompile(`^[0-9]{1,64}$`) // cents (docs/alipay.md, HK "Amount object")
	currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)
)

// CheckBody applies the page to a body. Unknown members are ignored.
func (h HK) CheckBody(c wire.Fields) error {
	for _, name := range requiredHKTexts {
		if v, ok := c[name].(string); !ok || isBlank(v) {
			return fmt.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"merchantId", "userId", "openId"} {
		if v := c[name]; v != nil {
			if _, ok := v.(string); !ok {
				return fmt.Errorf("%s is no text", name)
			}
		}
	}
	switch {
	case !h.LongRequestID && utf8.RuneCountInString(c.Text("requestId")) > maxRequestID:
		return fmt.Errorf("requestId has more than %d characters", maxRequestID)
	case !slices.Contains(h.BizTypes, c.Text("merchantBizType")):
		return errors.New("merchantBizType is not TRADE_ORDER")
	case isBlank(c.Text("userId")) && isBlank(c.Text("openId")):
		return errors.New("userId and openId are both missing")
	}
	if _, ok := c["extInfo"].(wire.Fields); !ok {
		return errors.New("extInfo is no object")
	}
	for _, name := range []string{"amount", "payAmount", "discountAmount"} {
		if err := checkHKAmount(c[name]); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	return h.checkTimes(c)
}

// checkHKAmount: an object of value, a text of cents, and currency, an ISO code.
func checkHKAmount(v any) error {
	if v == nil {
		return nil
	}
	o, ok := v.(wire.Fields)
	switch {
	case !ok:
		return wire.ErrNotObject
	case !cents.MatchString(o.Text("value")):
		return errors.New("has no value in cents")
	case !currencyCode.MatchString(o.Text("currency")):
		return errors.New("has no currency code")
	}
	return nil
}

// checkTimes: whole milliseconds as JSON numbers, both required.
func (h HK) checkTimes(c wire.Fields) error {
	made, ok1 := WholeNumber(c["orderCreateTime"])
	changed, ok2 := WholeNumber(c["orderModifyTime"])
	switch {
	case !ok1 || !ok2 || made <= 0 || changed <= 0:
		return errors.New("orderCreateTime and orderModifyTime are numbers of milliseconds")
	case !h.Seconds && (made < minMillis || changed < minMillis):
		return errors.New("orderCreateTime and orderModifyTime look like seconds")
	case h.OrderedTimes && changed < made:
		return errors.New("orderModifyTime is before orderCreateTime")
	}
	return nil
}

// WholeNumber reads a JSON number without fraction and exponent.
func WholeNumber(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return i, err == nil
}

// isBlank says whether a text has no content.
func isBlank(text string) bool { return len(bytes.TrimSpace([]byte(text))) == 0 }
