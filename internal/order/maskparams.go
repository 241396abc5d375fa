package order

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"alipay-kafka-bridge/schemas"
)

// paramsField holds all parameters of a notification by their names.
const paramsField = "params"

// paramTexts are fields of a notification that hold a JSON text.
var paramTexts = []string{"voucher_detail_list", "discount_goods_detail", "refund_preset_paytool_list", "hb_fq_pay_info"}

// paramMasks are what the docs of the schema of notifications say about its parameters.
var paramMasks = paramMasksOf(schemas.TradeNotification)

var paramTag = regexp.MustCompile(`\bnotify\.([a-z_]+)`)

func paramMasksOf(text string) schemaMasks {
	var schema struct {
		Fields []struct{ Name, Doc string }
	}
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		panic("order: " + err.Error())
	}
	personal := masksOf(text).personal
	m := schemaMasks{wire: map[string]string{}, allowed: map[string]bool{
		"fund_bill_list.amount": true, "fund_bill_list.fundChannel": true, "fund_bill_list.realAmount": true, // camel case, and only here
	}}
	for _, f := range schema.Fields {
		for _, tag := range paramTag.FindAllStringSubmatch(f.Doc, -1) {
			if personal[f.Name] {
				m.wire[tag[1]] = f.Name
			} else {
				m.allowed[tag[1]] = true
			}
		}
	}
	return m
}

// showsParam reports whether a parameter, or the member at this path of its JSON text, is shown.
func (cleared clearedFields) showsParam(path []byte) bool {
	if paramMasks.allowed[string(path)] || len(cleared) == 0 {
		return paramMasks.allowed[string(path)]
	}
	name, _, _ := strings.Cut(string(path), ".")
	return cleared[paramMasks.wire[string(path)]] || cleared[name] && slices.Contains(paramTexts, name)
}

// maskParam hides what is personal in a parameter of a notification. One that no document names is hidden.
func (m *Masker) maskParam(cleared clearedFields, name, text string) string {
	if t := strings.TrimLeft(text, " \t\r\n"); t != "" && (t[0] == '{' || t[0] == '[') {
		return m.maskJSON(cleared.showsParam, name, text)
	}
	if text == "" || cleared.showsParam([]byte(name)) {
		return text
	}
	return m.hide(text)
}
