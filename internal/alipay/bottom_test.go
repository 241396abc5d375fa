package alipay_test

import (
	"encoding/json"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
)

// within writes a JSON text as a string so many times.
func within(text string, times int) string {
	for range times {
		b, _ := json.Marshal(text)
		text = `{"ext":` + string(b) + `}`
	}
	return text
}

// VIOLATED writes a negative credit record: it is found in texts within texts, and in texts that only a lenient reader takes.
func TestViolatedIsFoundAtTheBottom(t *testing.T) {
	for name, info := range map[string]string{
		"the shape of the page's sample": `{"order_biz_info":"{\"status\":\"VIOLATED\"}"}`,
		"beside a harmless status":       `{"status":"COMPLETE","ext":"{\"status\":\"VIOLATED\"}"}`,
		"as the status":                  `{"status":"{\"status\":\"VIOLATED\"}"}`,
		"three texts deep":               within(`{"status":"VIOLATED"}`, 3),
		"in a list in a text":            `{"a":"[1,[\"VIOLATED\"]]"}`,
		"a text that is a JSON string":   `{"status":"\"VIOLATED\""}`,
		"escaped twice":                  `{"a":"{\"status\":\"\\u0056IOLATED\"}"}`,
		"small letters and blanks":       `{"a":" {\"status\" : \" violated \"} "}`,
		"a member that comes twice":      `{"a":"{\"status\":\"VIOLATED\",\"status\":\"COMPLETE\"}"}`,
		"single quotes":                  `{"a":"{'status':'VIOLATED'}"}`,
		"no quotes":                      `{"a":"{status:VIOLATED}"}`,
		"an equal sign":                  `{"a":"{status=VIOLATED}"}`,
		"single quotes and an escape":    `{"a":"{'status':'\\u0056IOLATED'}"}`,
		"without its braces":             `{"a":"\"order_biz_info\": \"{\\\"status\\\":\\\"VIOLATED\\\"}\""}`,
		"two values":                     `{"a":"{\"status\":\"COMPLETE\"}{\"status\":\"VIOLATED\"}"}`,
		"cut short":                      `{"a":"{\"status\":\"VIOLATED\""}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := alipaytest.OrderInfoSync()
			r.OrderBizInfo = info
			if err := r.Validate(); err == nil {
				t.Error("order_biz_info is sent")
			}
			r.OrderBizInfo, r.AllowViolated = info, true
			if err := r.Validate(); err != nil {
				t.Errorf("with the switch: %v", err)
			}
			r = alipaytest.OrderInfoSync()
			var err error
			if r.Extra, err = alipay.ParseMembers(info); err != nil {
				t.Fatal(err)
			}
			if err := r.Validate(); err == nil {
				t.Error("further members are sent")
			}
		})
	}
	for name, info := range map[string]string{
		"another word":          `{"status":"COMPLETE","ext":"{\"status\":\"CLOSED\"}"}`,
		"a part of a word":      `{"a":"{\"status\":\"NOT_VIOLATED\"}"}`,
		"a sentence":            `{"memo":"the rules were violated"}`,
		"a sentence with quote": `{"memo":"the guest's order, violated"}`,
		"a name":                `{"violated":"no"}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := alipaytest.OrderInfoSync()
			r.OrderBizInfo = info
			if err := r.Validate(); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// A typed name in a text that is JSON itself is found as one outside of texts.
func TestTypedNamesAreFoundAtTheBottom(t *testing.T) {
	for name, extra := range map[string]string{
		"in a text":           `{"new_in_2027":"{\"seller_id\":\"2088\"}"}`,
		"another spelling":    `{"new_in_2027":"{\"SellerId\":\"2088\"}"}`,
		"three texts deep":    `{"new_in_2027":` + within(`{"seller_id":"2088"}`, 3) + `}`,
		"in a list in a text": `{"new_in_2027":"[{\"seller_id\":\"2088\"}]"}`,
		"escaped":             `{"new_in_2027":"{\"seller\\u005fid\":\"2088\"}"}`,
		"single quotes":       `{"new_in_2027":"{'seller_id':'2088'}"}`,
		"no quotes":           `{"new_in_2027":"{seller_id=2088}"}`,
		"cut short":           `{"new_in_2027":"{\"seller_id\":\"2088\""}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := alipaytest.Create()
			var err error
			if r.Extra, err = alipay.ParseMembers(extra); err != nil {
				t.Fatal(err)
			}
			if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "seller_id") {
				t.Errorf("%v", err)
			}
			if !r.Extra.NamesHold([]string{"sellerid"}) {
				t.Error("NamesHold does not find it")
			}
		})
	}
	r := alipaytest.Create()
	var err error
	if r.Extra, err = alipay.ParseMembers(`{"new_in_2027":"a text, with seller_id in it","other":"{\"fine\":\"yes\"}"}`); err != nil {
		t.Fatal(err)
	}
	if err := r.Validate(); err != nil {
		t.Errorf("a plain text: %v", err)
	}
}
