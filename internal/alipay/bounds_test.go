package alipay_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// What a charset lacks is refused, never replaced: a text that is signed must be the text that was meant.
func TestCharsets(t *testing.T) {
	for _, tt := range []struct {
		text        string
		gbk, gb2312 string // bytes in hex; empty: refused
	}{
		{"a", "61", "61"},
		{"\u4e2d", "d6d0", "d6d0"},
		{"\u00e0", "a8a4", "a8a4"},
		{"\u4e02", "8140", ""}, // the first character of GBK
		{"\u9555", "e946", ""}, // in a row of GB 2312, but not in it
		{"\u4e2dx\u4e02", "d6d0788140", ""},
		{"\u00e4", "", ""}, // four bytes in GB18030
		{"\U0001f600", "", ""},
		{"\xff", "", ""},
	} {
		for c, want := range map[alipay.Charset]string{alipay.CharsetGBK: tt.gbk, alipay.CharsetGB2312: tt.gb2312} {
			got, err := c.Encode([]byte(tt.text))
			if fmt.Sprintf("%x", got) != want || (err == nil) != (want != "") {
				t.Errorf("%q in %s: %x, %v, want %s", tt.text, c, got, err, want)
			}
			if err == nil && string(c.Decode(got)) != tt.text {
				t.Errorf("%q in %s reads as %q", tt.text, c, c.Decode(got))
			}
		}
	}
	n := 0
	for r := rune(0x80); r < 0x10000; r++ {
		if _, err := alipay.CharsetGB2312.Encode([]byte(string(r))); err == nil {
			n++
		}
	}
	if n != 7445 { // GB 2312-80: 6763 characters and 682 signs
		t.Errorf("GB 2312 has %d characters", n)
	}
	for c, want := range map[alipay.Charset]bool{"utf-8": true, "gbk": true, "gb2312": true, "big5": false, "": false} {
		if c.Known() != want {
			t.Errorf("%q known: %v", c, c.Known())
		}
	}
}

// An answer is read in the charsets that it can have, the one that was asked for first.
func TestCandidates(t *testing.T) {
	for _, tt := range []struct {
		asked alipay.Charset
		body  string
		want  []alipay.Charset
	}{
		{alipay.CharsetGBK, "\x7f", []alipay.Charset{alipay.CharsetUTF8}},
		{alipay.CharsetUTF8, "\x80", []alipay.Charset{alipay.CharsetGBK}},
		{alipay.CharsetUTF8, "\u4f60\u597d", []alipay.Charset{alipay.CharsetUTF8, alipay.CharsetGBK}},
		{alipay.CharsetGBK, "\u4f60\u597d", []alipay.Charset{alipay.CharsetGBK, alipay.CharsetUTF8}},
		{alipay.CharsetUTF8, "\xd6\xd0", []alipay.Charset{alipay.CharsetGBK}},
		{alipay.CharsetUTF8, "\xff", nil},
	} {
		if got := tt.asked.Candidates([]byte(tt.body)); !slices.Equal(got, tt.want) {
			t.Errorf("%q, asked for in %s: %v, want %v", tt.body, tt.asked, got, tt.want)
		}
	}
}

// An error says all that is known, and nothing for what is not.
func TestErrorTexts(t *testing.T) {
	full := &alipay.Error{Method: alipay.MethodTradeCreate, Class: alipay.Rejected, Code: "40004", SubCode: "ACQ.X", Message: "no", Err: errors.New("cause")}
	for want, err := range map[string]error{
		"alipay.trade.create: REJECTED 40004/ACQ.X: no: cause": full,
		"alipay.trade.query: TRANSIENT":                        &alipay.Error{Method: alipay.MethodTradeQuery, Class: alipay.Transient},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	if got := fmt.Sprint(alipay.Class(8), alipay.Scope(4), alipay.ScopeApp); got != "CLASS(8) scope(4) app" {
		t.Error(got)
	}
}

// Names and lengths of further members, at their bounds.
func TestMembersThatJustFit(t *testing.T) {
	for _, name := range []string{"a", "z", "A", "Z", "a_", "a0", "a9", "aA", "aZ", strings.Repeat("a", 64)} {
		m, err := alipay.ParseMembers(`{"` + name + `":1}`)
		if err != nil || !m.NamesHold([]string{strings.ToLower(strings.Trim(name, "_"))}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"_", "0", "a/", "a:", "a@", "a[", "a`", "a{", "@a", "[a", "`a", "{a"} {
		if _, err := alipay.ParseMembers(`{"` + name + `":1}`); !errors.Is(err, alipay.ErrMembers) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := alipay.ParseMembers(`{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`); err != nil {
		t.Errorf("64 KiB: %v", err)
	}
}

// A name that has a field of its own is refused in texts that receivers may spread as well.
func TestTypedNamesInFreeTexts(t *testing.T) {
	for text, want := range map[string]string{`{"seller_id":"1"}`: "business_params", `{"mine":"1"}`: "", `{"a":{"Seller-Id":1}}`: "business_params"} {
		for _, object := range []bool{false, true} {
			r := alipaytest.Create()
			r.BusinessParams, r.BusinessParamsObject = strings.ReplaceAll(text, "Seller-Id", "SellerId"), object
			var f *alipay.FieldError
			if err := r.Validate(); errors.As(err, &f) != (want != "") || f != nil && f.Field != want {
				t.Errorf("%s, as an object %v: %v", text, object, err)
			}
		}
	}
}

// business_params in its two forms, and parts that are empty.
func TestPartsOnTheWire(t *testing.T) {
	r := alipaytest.Create()
	r.ExtendParams = &alipay.ExtendParams{}
	for want, object := range map[string]bool{`"business_params":"{\"a\":1}"`: false, `"business_params":{"a":1}`: true} {
		r.BusinessParams, r.BusinessParamsObject = `{"a":1}`, object
		got, err := alipay.Content(r)
		if err != nil || !strings.Contains(string(got), want) || strings.Contains(string(got), "extend_params") {
			t.Errorf("content = %s (%v), want %s", got, err, want)
		}
	}
	r.BusinessParams = ""
	if got, err := alipay.Content(r); err != nil || strings.Contains(string(got), "business_params") {
		t.Errorf("content = %s (%v)", got, err)
	}
}

// Fields of requests at their bounds.
func TestFieldsThatJustFit(t *testing.T) {
	goods := func(n int64) func(*alipay.TradeCreate) {
		return func(r *alipay.TradeCreate) {
			r.GoodsDetail = []alipay.GoodsDetail{{GoodsID: "a", GoodsName: "b", Quantity: n, Price: cny(1)}}
		}
	}
	number := func(no string) func(*alipay.TradeCreate) {
		return func(r *alipay.TradeCreate) { r.OutTradeNo = alipay.OutTradeNo(no) }
	}
	for name, tt := range map[string]struct {
		change func(*alipay.TradeCreate)
		field  string // that is refused; empty: valid
	}{
		"ten digits of pieces":    {goods(9_999_999_999), ""},
		"eleven digits of pieces": {goods(10_000_000_000), "goods_detail.quantity"},
		"channels that are off":   {func(r *alipay.TradeCreate) { r.DisablePayChannels = []string{"b"} }, ""},
		"channels that are on":    {func(r *alipay.TradeCreate) { r.EnablePayChannels = []string{"b"} }, ""},
		"all letters":             {number("_09AZaz"), ""},
		"before 0":                {number("a/"), "out_trade_no"},
		"after 9":                 {number("a:"), "out_trade_no"},
		"before A":                {number("a@"), "out_trade_no"},
		"after Z":                 {number("a["), "out_trade_no"},
		"before a":                {number("a`"), "out_trade_no"},
		"after z":                 {number("a{"), "out_trade_no"},
		"the smallest total":      {func(r *alipay.TradeCreate) { r.TotalAmount = *cny(1) }, ""},
		"the largest total":       {func(r *alipay.TradeCreate) { r.TotalAmount = *cny(10_000_000_000) }, ""},
		"a fen more":              {func(r *alipay.TradeCreate) { r.TotalAmount = *cny(10_000_000_001) }, "total_amount"},
	} {
		r := alipaytest.Create()
		tt.change(r)
		var f *alipay.FieldError
		if err := r.Validate(); errors.As(err, &f) != (tt.field != "") || f != nil && f.Field != tt.field {
			t.Errorf("%s: %v, want %q", name, err, tt.field)
		}
	}
	for i, change := range []func(*alipay.HKOrderSync, time.Time){
		func(r *alipay.HKOrderSync, at time.Time) { r.CreateTime = at }, func(r *alipay.HKOrderSync, at time.Time) { r.ModifyTime = at },
	} {
		for ms, valid := range map[int64]bool{0: false, 1: true} {
			r := alipaytest.HKOrderSync()
			change(r, time.UnixMilli(ms))
			if err := r.Validate(); (err == nil) != valid {
				t.Errorf("time %d of HK at %d ms: %v", i, ms, err)
			}
		}
	}
	for address, valid := range map[string]bool{"http://a/b": true, "https://a/b": true, "ftp://a/b": false, "//a/b": false, "https:///b": false, "": true} {
		if err := (alipay.Merchant{NotifyURL: address}).Validate(); (err == nil) != valid {
			t.Errorf("notify_url %q: %v", address, err)
		}
	}
	if got := (alipay.Merchant{AgentToken: "secret"}).String(); got != "app_auth_token none, notify_url , agent token <hidden>" {
		t.Errorf("%q", got)
	}
}

// What is kept of an answer, at its bounds.
func TestAnswersThatJustFit(t *testing.T) {
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"a%d":1,`, i)
		}
		return b.String()
	}
	const rest = `"out_trade_no":"1","trade_no":"2","trade_status":"TRADE_SUCCESS","total_amount":1}`
	list := func(n int) string {
		return `"fund_bill_list":[` + strings.TrimSuffix(strings.Repeat(`{},`, n), ",") + `],`
	}
	long := func(n int) string { return `"receipt_amount":"` + strings.Repeat("9", n-2) + `",` }
	of := func(n int) string { // a bill with so many further members, after 400 of another
		return `"fund_bill_list":[{` + strings.TrimSuffix(members(400), ",") + `},{` + strings.TrimSuffix(members(n), ",") + `}],`
	}
	for name, tt := range map[string]struct {
		fill               string
		bills, more, fault int
	}{
		"1000 bills":                {list(1000), 1000, 0, 0},
		"1001 bills":                {list(1001), 0, 0, 1},
		"1000 further members":      {members(1000), 0, 1000, 0},
		"1001 further members":      {members(1001), 0, 0, 1},
		"1000 members of two bills": {of(600), 2, 1000, 0},
		"1001 members of two bills": {of(601), 2, 400, 1},
	} {
		got := trade(t, `{"code":"10000",`+tt.fill+rest)
		if len(got.FundBills) != tt.bills || len(got.More) != tt.more || len(got.Unparsed) != tt.fault {
			t.Errorf("%s: %d bills, %d further members, %d unparsed", name, len(got.FundBills), len(got.More), len(got.Unparsed))
		}
	}
	for n, kept := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		got := trade(t, `{"code":"10000",`+long(n)+rest).Unparsed["receipt_amount"]
		if strings.HasPrefix(got, `"999`) != kept {
			t.Errorf("%d bytes that cannot be read: %.40s", n, got)
		}
	}
}

// Texts of a success that are longer than any number or word are in another form.
func TestLengthsOfASuccess(t *testing.T) {
	long := func(fill string, n int) string { return `"` + strings.Repeat(fill, n) + `"` }
	for n, fits := range map[int]bool{256: true, 257: false} {
		for name, raw := range map[string]string{"out_trade_no": long("x", n), "trade_no": long("1", n), "trade_status": long("A", n), "total_amount": long("1", n)} {
			answer := jsonscan.Object{{Name: name, Raw: []byte(raw)}}
			for other, value := range map[string]string{"out_trade_no": `"1"`, "trade_no": `"2"`, "trade_status": `"WAIT_BUYER_PAY"`, "total_amount": `"1.00"`} {
				if other != name {
					answer = append(answer, jsonscan.Member{Name: other, Raw: []byte(value)})
				}
			}
			if err := alipay.CheckAnswer(alipay.MethodTradeQuery, answer, true); (err == nil) != fits {
				t.Errorf("%s of %d bytes: %v", name, n, err)
			}
		}
	}
}
