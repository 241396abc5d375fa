package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/simulator/wire"
)

// HK are the points that the HK documents leave open. The zero value is the strict interpretation.
type HK struct {
	Skew          time.Duration // allowed between Request-Time and our clock; zero: 5 min, negative: any
	BizTypes      []string      // allowed merchantBizType; nil: TRADE_ORDER, the only one on the page
	LongRequestID bool          // accept a requestId of more than 32 characters (a UUID with dashes has 36)
	Seconds       bool          // accept order times that can only be seconds
	OrderedTimes  bool          // refuse an orderModifyTime before orderCreateTime
}

// requiredHKTexts are the required texts of Synchronize Order; the page gives no lengths.
var requiredHKTexts = []string{"requestId", "tradeNo", "merchantBizNo", "merchantBizType", "orderStatus"}

// maxRequestID comes from the Order Service page with the same path.
const maxRequestID = 32

// minMillis is the lowest number that can be milliseconds: a number of ten digits looks like seconds.
const minMillis = 100_000_000_000

var (
	cents        = regexp.MustCompile(`^[0-9]{1,64}$`) // cents (docs/alipay.md, HK "Amount object")
	currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)
)

// CheckBody checks a body by the page. Unknown members are ignored.
func (h HK) CheckBody(c wire.Fields) error {
	for _, name := range requiredHKTexts {
		if v, ok := c[name].(string); !ok || isBlank(v) {
			return fmt.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"merchantId", "userId", "openId"} {
		if v := c[name]; v != nil {
			if _, ok := v.(string); !ok {
				return fmt.Errorf("%s is not a text", name)
			}
		}
	}
	switch {
	case !h.LongRequestID && utf8.RuneCountInString(c.Text("requestId")) > maxRequestID:
		return fmt.Errorf("requestId has more than %d characters", maxRequestID)
	case !slices.Contains(h.BizTypes, c.Text("merchantBizType")):
		return fmt.Errorf("merchantBizType is not one of %s", strings.Join(h.BizTypes, ", "))
	case isBlank(c.Text("userId")) && isBlank(c.Text("openId")):
		return errors.New("userId and openId are both missing")
	}
	if _, ok := c["extInfo"].(wire.Fields); !ok {
		return errors.New("extInfo is not an object")
	}
	for _, name := range []string{"amount", "payAmount", "discountAmount"} {
		if err := checkHKAmount(c[name]); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	return h.checkTimes(c)
}

// checkHKAmount checks an object of value, a text in cents, and currency, an ISO code.
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

// checkTimes checks both order times: required, whole milliseconds as JSON numbers.
func (h HK) checkTimes(c wire.Fields) error {
	made, ok1 := WholeNumber(c["orderCreateTime"])
	changed, ok2 := WholeNumber(c["orderModifyTime"])
	switch {
	case !ok1 || !ok2 || made <= 0 || changed <= 0:
		return errors.New("orderCreateTime and orderModifyTime must be numbers, in milliseconds")
	case !h.Seconds && (made < minMillis || changed < minMillis):
		return errors.New("orderCreateTime or orderModifyTime looks like seconds")
	case h.OrderedTimes && changed < made:
		return errors.New("orderModifyTime is before orderCreateTime")
	}
	return nil
}

// WholeNumber reads a JSON number that has no fraction and no exponent.
func WholeNumber(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return i, err == nil
}

// isBlank reports whether a text is empty or white space.
func isBlank(text string) bool { return len(bytes.TrimSpace([]byte(text))) == 0 }
