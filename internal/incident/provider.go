package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/output"
)

// App is how Alipay knows an app.
type App struct {
	ID      string // app_id or Client-Id
	Gateway string
}

// china is the zone of Alipay's support.
var china = time.FixedZone("+08:00", 8*60*60)

const (
	chinaTime    = "2006-01-02 15:04:05.000 -07:00"
	shownCalls   = 20 // of each app
	shownReasons = 20
)

// ForProvider is a text for Alipay's support: which calls of which app fail since when, by the numbers by which
// Alipay finds them. It has no name of an account and nothing of a buyer. apps may lack what the settings would say.
func ForProvider(at time.Time, instances []Instance, apps map[string]App) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Failing calls / 失败的调用\n\nAs of / 截至: %s\n", at.In(china).Format(chinaTime))
	names := map[string]bool{}
	for k := range instances {
		for a := range instances[k].Status.Apps {
			names[instances[k].Status.Apps[a].Name] = true
		}
	}
	some := false
	for _, name := range sorted(names) {
		kinds, calls := merge(instances, name)
		if len(kinds) == 0 {
			continue
		}
		some = true
		known := apps[name]
		fmt.Fprintf(&out, "\nApp: %s\n", cmp.Or(known.ID, name))
		if known.Gateway != "" {
			fmt.Fprintf(&out, "Gateway / 网关: %s\n", known.Gateway)
		}
		out.WriteString("\nBy code / 按错误码\n")
		table(&out, []string{"method", "code", "calls / 次数", "first / 首次", "last / 最近"}, kinds[:min(len(kinds), shownReasons)], func(k admin.FailureKind) []string {
			return []string{k.Method, cmp.Or(k.Code, meaning(k.Class)), fmt.Sprint(k.Calls), k.First.In(china).Format(chinaTime), k.Last.In(china).Format(chinaTime)}
		})
		out.WriteString("\nLast calls / 最近的调用\n")
		table(&out, []string{"sent / 发送时间", "took / 耗时", "method", "order no / 商户订单号", "trade_no", "request no / 请求号", "HTTP", "code", "sub_code", "trace_id"}, calls[:min(len(calls), shownCalls)], func(c admin.Failure) []string {
			http := ""
			if c.HTTPStatus != 0 {
				http = fmt.Sprint(c.HTTPStatus)
			}
			code := c.Code
			if code == "" && c.SubCode == "" {
				code = meaning(c.Class)
			}
			return []string{c.At.In(china).Format(chinaTime), fmt.Sprintf("%.3f s", c.Took), c.Method, c.OrderNo, c.TradeNo, c.RequestNo, http, code, c.SubCode, c.TraceID}
		})
	}
	if !some {
		out.WriteString("\nNo call has failed since the instances started. / 自启动以来没有失败的调用。\n")
	}
	return out.String()
}

// meaning is what happened where an answer has no code.
func meaning(class string) string {
	if class == "UNTRUSTED" {
		return "answer not provably Alipay's / 响应无法验签"
	}
	return "no valid answer / 无有效响应"
}

// merge adds up what all instances say of an app.
func merge(instances []Instance, name string) ([]admin.FailureKind, []admin.Failure) {
	type key struct{ method, class, code string }
	sums := map[key]admin.FailureKind{}
	var calls []admin.Failure
	for k := range instances {
		for a := range instances[k].Status.Apps {
			app := &instances[k].Status.Apps[a]
			if app.Name != name {
				continue
			}
			calls = append(calls, app.Failures...)
			for _, f := range app.FailureKinds {
				at := key{f.Method, f.Class, f.Code}
				sum, known := sums[at]
				if !known {
					sums[at] = f
					continue
				}
				sum.Calls += f.Calls
				if f.First.Before(sum.First) {
					sum.First = f.First
				}
				if f.Last.After(sum.Last) {
					sum.Last = f.Last
				}
				sums[at] = sum
			}
		}
	}
	kinds := make([]admin.FailureKind, 0, len(sums))
	for _, k := range sums {
		kinds = append(kinds, k)
	}
	slices.SortFunc(kinds, func(a, b admin.FailureKind) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Code, b.Code))
	})
	slices.SortStableFunc(calls, func(a, b admin.Failure) int { return b.At.Compare(a.At) })
	return kinds, calls
}

func sorted(names map[string]bool) []string {
	out := make([]string, 0, len(names))
	for n := range names {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func table[T any](w *strings.Builder, header []string, rows []T, cells func(T) []string) {
	columns, lines := []output.Heading{}, [][]string{}
	for _, h := range header {
		columns = append(columns, output.Heading{Name: h})
	}
	for _, r := range rows {
		lines = append(lines, cells(r))
	}
	_ = output.List(output.New(w, output.Wide, false), columns, lines, []T{}) // a strings.Builder takes everything
}
