package simulator

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

// Quirk is one liberty that the real gateways take, or may take by their documents. Each answer
// takes each one with even odds; the same seed and requests give the same answers.
type Quirk string

// The quirks. All of them are allowed by docs/alipay.md, "The answer".
const (
	MemberOrder    Quirk = "member_order"    // the members of a node come in any order
	WhiteSpace     Quirk = "white_space"     // blanks and line ends inside the node, a line end behind the answer
	EscapedSlash   Quirk = "escaped_slash"   // \/ for /
	UnknownMembers Quirk = "unknown_members" // members that no page names, also with braces and the word sign in them
	LooseNumbers   Quirk = "loose_numbers"   // amounts as JSON numbers
	WrappedLists   Quirk = "wrapped_lists"   // a list as the only member of an object
	LatencySpread  Quirk = "latency_spread"  // some answers take up to four times the latency
	GBKErrorText   Quirk = "gbk_error_text"  // 20000 comes unsigned and in GBK, whatever was asked
	ContentTypes   Quirk = "content_types"   // other or malformed Content-Type headers
	SignFirst      Quirk = "sign_first"      // the signature stands before the node
)

// AllQuirks returns every quirk.
func AllQuirks() []Quirk {
	return append(DefaultQuirks(), SignFirst)
}

// DefaultQuirks returns those that are on by default: all that the official SDKs bear.
// SignFirst is none of them: the SDKs for Node and Python cut the wrong text then.
func DefaultQuirks() []Quirk {
	return []Quirk{
		MemberOrder, WhiteSpace, EscapedSlash, UnknownMembers, LooseNumbers, WrappedLists,
		LatencySpread, GBKErrorText, ContentTypes,
	}
}

// ParseQuirks reads a choice: "default", "all", "none", or names with commas between them, of
// which one with a minus takes away: "all,-sign_first". A list that begins with a minus takes
// away from the default ones. The result is never nil.
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
			return nil, fmt.Errorf("no quirk %q", name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// whims are the quirks of one answer. A nil pointer has none.
type whims struct {
	on   map[Quirk]bool
	dice *rand.Rand
}

// newWhims makes the choice for one answer by 16 bytes of its hash.
func newWhims(on map[Quirk]bool, sum [32]byte) *whims {
	return &whims{on: on, dice: rand.New(rand.NewPCG( //nolint:gosec // must repeat, need not be secret
		binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])))}
}

// takes says whether this answer takes the quirk.
func (w *whims) takes(q Quirk) bool {
	return w != nil && w.on[q] && w.dice.IntN(2) == 0
}

// rearrange applies the quirks that concern members.
func (w *whims) rearrange(m members) members {
	if w.takes(UnknownMembers) {
		m = append(slices.Clone(m), member{"simulated_member", map[string]any{"sign": `"sign":"}{` + "\\", "list": []any{}}})
	}
	if w.takes(LooseNumbers) {
		m = slices.Clone(m)
		for i := range m {
			m[i].value = loosened(m[i].value)
		}
	}
	if w.takes(WrappedLists) {
		m = slices.Clone(m)
		for i := range m {
			if inner, ok := wrappers[m[i].name]; ok {
				m[i].value = map[string]any{inner: m[i].value}
			}
		}
	}
	if w.takes(MemberOrder) {
		m = slices.Clone(m)
		w.dice.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
	}
	return m
}

// wrappers are the members that hold a list, with the name inside when it is wrapped
// (docs/alipay.md, "Numbers and lists").
var wrappers = map[string]string{"fund_bill_list": "trade_fund_bill", "item_order_vo": "item_order_v_o"}

// loosened writes amounts as numbers.
func loosened(v any) any {
	switch v := v.(type) {
	case Fen:
		return json.Number(v.String())
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			out[name] = loosened(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = loosened(inner)
		}
		return out
	}
	return v
}

// respace applies the quirks that concern the text of a JSON object.
func (w *whims) respace(object []byte) []byte {
	if w.takes(EscapedSlash) {
		object = bytes.ReplaceAll(object, []byte("/"), []byte(`\/`))
	}
	if w.takes(WhiteSpace) {
		var b bytes.Buffer
		if json.Indent(&b, object, "", " ") == nil {
			return b.Bytes()
		}
	}
	return object
}

// end is what stands behind an answer.
func (w *whims) end() string {
	if w.takes(WhiteSpace) {
		return "\n"
	}
	return ""
}

// contentType chooses the header of a classic answer; the real one says mostly the first.
func (w *whims) contentType(c charset) string {
	plain := "text/html;charset=" + c.name
	if !w.takes(ContentTypes) {
		return plain
	}
	forms := []string{
		"application/json;charset=" + c.name, "text/plain; charset=" + c.name,
		"text/html;charset=" + c.name + ";", "application/x-www-form-urlencoded; text/html; charset=" + c.name,
	}
	return forms[w.dice.IntN(len(forms))]
}

// latency spreads the latency.
func (w *whims) latency(d time.Duration) time.Duration {
	if d <= 0 || !w.takes(LatencySpread) || w.dice.IntN(8) > 0 {
		return d
	}
	return d + time.Duration(w.dice.Int64N(int64(3*d)))
}
