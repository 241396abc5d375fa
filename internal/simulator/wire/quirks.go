package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Quirk is one variation in the form of answers that the real gateways have, or may have by their
// documents. Each one applies to half of the answers; the same seed and requests give the same answers.
type Quirk string

// The quirks. All of them are allowed by docs/alipay.md, "The answer".
const (
	MemberOrder    Quirk = "member_order"    // the members of a node come in any order
	WhiteSpace     Quirk = "white_space"     // blanks and line ends inside the node, a line end after the answer
	EscapedSlash   Quirk = "escaped_slash"   // \/ for /
	UnknownMembers Quirk = "unknown_members" // members that no page names, with braces and the word sign in them
	LooseNumbers   Quirk = "loose_numbers"   // amounts as JSON numbers
	WrappedLists   Quirk = "wrapped_lists"   // a list as the only member of an object
	LatencySpread  Quirk = "latency_spread"  // some answers take up to four times the latency
	GBKErrorText   Quirk = "gbk_error_text"  // 20000 comes unsigned and in GBK, for any charset
	ContentTypes   Quirk = "content_types"   // other or malformed Content-Type headers
	SignFirst      Quirk = "sign_first"      // the signature comes before the node
)

// AllQuirks returns every quirk.
func AllQuirks() []Quirk {
	return append(DefaultQuirks(), SignFirst)
}

// DefaultQuirks returns the quirks that are on by default: all that the official SDKs can handle.
// SignFirst is not among them: with it the SDKs for Node and Python verify the wrong text.
func DefaultQuirks() []Quirk {
	return []Quirk{
		MemberOrder, WhiteSpace, EscapedSlash, UnknownMembers, LooseNumbers, WrappedLists,
		LatencySpread, GBKErrorText, ContentTypes,
	}
}

// ParseQuirks reads a list of names with commas between them; "default", "all" and "none" are lists,
// too. A name with a minus is removed: "all,-sign_first". A list that begins with a minus changes
// the default. The result is never nil.
func ParseQuirks(text string) ([]Quirk, error) {
	out := []Quirk{}
	if strings.HasPrefix(text, "-") {
		out = DefaultQuirks()
	}
	for word := range strings.SplitSeq(text, ",") {
		name, less := strings.CutPrefix(strings.TrimSpace(word), "-")
		switch q := Quirk(name); {
		case less:
			out = slices.DeleteFunc(out, func(x Quirk) bool { return x == q })
		case name == "default":
			out = append(out, DefaultQuirks()...)
		case name == "all":
			out = append(out, AllQuirks()...)
		case name == "none" || name == "":
		default:
			out = append(out, q)
		}
		if known := append(AllQuirks(), "default", "all", "none", ""); !slices.Contains(known, Quirk(name)) {
			return nil, fmt.Errorf("unknown quirk %q", name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// AnswerQuirks are the quirks of one answer. A nil pointer has none.
type AnswerQuirks struct {
	enabled map[Quirk]bool
	random  *rand.Rand
}

// NewAnswerQuirks chooses the quirks of one answer by 16 bytes of a hash.
func NewAnswerQuirks(on map[Quirk]bool, sum [32]byte) *AnswerQuirks {
	return &AnswerQuirks{enabled: on, random: rand.New(rand.NewPCG( //nolint:gosec // must repeat, need not be secret
		binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])))}
}

// applies decides whether a quirk applies to this answer.
func (w *AnswerQuirks) applies(q Quirk) bool {
	return w != nil && w.enabled[q] && w.random.IntN(2) == 0
}

// rearrange applies the quirks of members.
func (w *AnswerQuirks) rearrange(m Members) Members {
	if w.applies(UnknownMembers) {
		m = append(slices.Clone(m), member{"simulated_member", map[string]any{"sign": `"sign":"}{` + "\\", "list": []any{}}})
	}
	if w.applies(LooseNumbers) {
		m = slices.Clone(m)
		for i := range m {
			m[i].value = amountsAsNumbers(m[i].value)
		}
	}
	if w.applies(WrappedLists) {
		m = slices.Clone(m)
		for i := range m {
			if inner, ok := listWrappers[m[i].name]; ok {
				m[i].value = map[string]any{inner: m[i].value}
			}
		}
	}
	if w.applies(MemberOrder) {
		m = slices.Clone(m)
		w.random.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
	}
	return m
}

// listWrappers are the members with a list, and the member that holds it when it is wrapped
// (docs/alipay.md, "Numbers and lists").
var listWrappers = map[string]string{"fund_bill_list": "trade_fund_bill", "item_order_vo": "item_order_v_o"}

// amountsAsNumbers replaces amounts by numbers.
func amountsAsNumbers(v any) any {
	switch v := v.(type) {
	case Fen:
		return json.Number(v.String())
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			out[name] = amountsAsNumbers(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = amountsAsNumbers(inner)
		}
		return out
	}
	return v
}

// reformat applies the quirks of the text of a JSON object.
func (w *AnswerQuirks) reformat(object []byte) []byte {
	if w.applies(EscapedSlash) {
		object = bytes.ReplaceAll(object, []byte("/"), []byte(`\/`))
	}
	if w.applies(WhiteSpace) {
		var b bytes.Buffer
		if json.Indent(&b, object, "", " ") == nil {
			return b.Bytes()
		}
	}
	return object
}

// lineEnd returns what follows an answer.
func (w *AnswerQuirks) lineEnd() string {
	if w.applies(WhiteSpace) {
		return "\n"
	}
	return ""
}

// contentType chooses the header of a classic answer; the real gateway mostly sends the first form.
func (w *AnswerQuirks) contentType(c Charset) string {
	plain := "text/html;charset=" + c.Name
	if !w.applies(ContentTypes) {
		return plain
	}
	forms := []string{
		"application/json;charset=" + c.Name, "text/plain; charset=" + c.Name,
		"text/html;charset=" + c.Name + ";", "application/x-www-form-urlencoded; text/html; charset=" + c.Name,
	}
	return forms[w.random.IntN(len(forms))]
}

// SpreadLatency makes the latency of some answers longer.
func (w *AnswerQuirks) SpreadLatency(d time.Duration) time.Duration {
	if d <= 0 || !w.applies(LatencySpread) || w.random.IntN(8) > 0 {
		return d
	}
	return d + time.Duration(w.random.Int64N(int64(3*d)))
}
