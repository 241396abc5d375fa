package order_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/schemas"
)

// typedNames returns the first name of every member that an event's fields lead to, by API:
// those of the object that extra_json goes into.
func typedNames(t *testing.T) map[string][]string {
	t.Helper()
	fields, err := schemas.Fields(schemas.OrderEvent)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]map[string]bool{}
	for _, f := range fields {
		for _, place := range f.Places {
			if names[place.Method] == nil {
				names[place.Method] = map[string]bool{}
			}
			first, _, _ := strings.Cut(place.Member, ".")
			names[place.Method][first] = true
		}
	}
	out := map[string][]string{}
	for method, set := range names {
		out[method] = slices.Sorted(maps.Keys(set))
	}
	return out
}

// spellings returns ways to write a name that some reader takes for it: fastjson by default,
// and Go's encoding/json.
func spellings(r *rand.Rand, name string) []string {
	words := strings.Split(name, "_")
	pascal := ""
	for _, w := range words {
		pascal += strings.ToUpper(w[:1]) + w[1:]
	}
	random := []byte(name)
	for i, c := range random {
		if c >= 'a' && c <= 'z' && r.IntN(2) == 0 {
			random[i] = c - 'a' + 'A'
		}
	}
	escaped := ""
	for _, c := range name {
		if r.IntN(2) == 0 {
			escaped += fmt.Sprintf(`\u%04x`, c)
		} else {
			escaped += string(c)
		}
	}
	return []string{
		name, pascal, strings.ToLower(pascal[:1]) + pascal[1:], strings.ToUpper(name), strings.ReplaceAll(name, "_", "-"), strings.ReplaceAll(name, "_", ""),
		strings.ReplaceAll(name, "_", "__"), name + "_", string(random), escaped, `\u005f` + name, "-" + name,
	}
}

// nest puts a member at some depth among others.
func nest(r *rand.Rand, member string) string {
	text := `{` + member + `}`
	for range r.IntN(4) {
		switch r.IntN(3) {
		case 0:
			text = `{"memo":` + text + `}`
		case 1:
			text = `{"a":1,"memo":[0,` + text + `,"x"]}`
		default:
			text = `{"memo":{"b":[[` + text + `]]}}`
		}
	}
	return text
}

// No spelling of a typed name passes among further members, at no depth, by no call.
func TestK3_SpellingsOfTypedNames(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	events := map[string]order.Event{
		createCall: event(order.ChannelTrade, order.TypeCreated),
		queryCall:  event(order.ChannelTrade, order.TypeQueryRequested),
		hkCall:     event(order.ChannelHK, order.TypePaid),
		koubeiCall: event(order.ChannelKoubei, order.TypeQueryRequested),
	}
	sync := event(order.ChannelCredit, order.TypeCompleted)
	sync.BizType = "CREDIT_AUTH"
	events[syncCall] = sync
	tried := 0
	for method, names := range typedNames(t) {
		e, known := events[method]
		if !known {
			t.Fatalf("no event makes %s", method)
		}
		e.ExtraJSON = `{"memo":{"b":[1]}}`
		if _, err := planner(order.Defaults{ExtraNames: []string{"memo"}}).Plan(e); err != nil {
			t.Fatalf("%s: a name that is not typed is refused too: %v", method, err)
		}
		for _, name := range names {
			for _, spelled := range spellings(r, name) {
				e.ExtraJSON = nest(r, fmt.Sprintf(`"%s":"1"`, spelled))
				// The account lists any member there: the list does not get around the check.
				d := order.Defaults{ExtraNames: []string{"memo", "a", spelled, name}, ExtraMoney: true}
				if request, err := planner(d).Plan(e); err == nil {
					t.Errorf("%s: %s passes as %s", method, e.ExtraJSON, bodyOf(request))
				}
				tried++
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d spellings were tried", tried)
	}
}

func bodyOf(r alipay.Request) string {
	b, err := alipay.Content(r)
	return fmt.Sprint(string(b), err)
}

// VIOLATED is found however it is written, since it writes a negative credit record.
func TestK3_SpellingsOfViolated(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	e := event(order.ChannelCredit, order.TypeOverdue)
	e.BizType = "CREDIT_AUTH"
	e.OrderBizInfoJSON = nest(r, `"status":"COMPLETE"`)
	if _, err := planner(order.Defaults{}).Plan(e); err != nil {
		t.Fatalf("another status is refused too: %v", err)
	}
	for _, status := range spellings(r, "status") {
		for _, word := range []string{"VIOLATED", "violated", " Violated ", `\u0056IOLATED`, `VIOLATED\n`} {
			for range 4 {
				e.OrderBizInfoJSON = nest(r, fmt.Sprintf(`"%s":"%s"`, status, word))
				if request, err := planner(order.Defaults{}).Plan(e); err == nil {
					t.Errorf("%s passes as %s", e.OrderBizInfoJSON, bodyOf(request))
				}
			}
		}
	}
}
