package state_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status/state"
)

type lifecycle struct {
	ID           string              `json:"id"`
	Observations []map[string]string `json:"observations"`
	Expect       struct {
		FinalState string   `json:"final_state"`
		Published  []string `json:"published"`
		Anomalies  []string `json:"anomalies"`
	} `json:"expect"`
	Note   string `json:"note"`
	Origin string `json:"origin"`
}

// words are the states as the cases name them.
var words = map[state.State]string{
	state.Pending: "WAIT_BUYER_PAY", state.Paid: "TRADE_SUCCESS", state.Finished: "TRADE_FINISHED",
	state.ClosedUnpaid: "TRADE_CLOSED:unpaid", state.Refunded: "TRADE_CLOSED:refunded",
}

// The documented life cycles of a trade. The account accepts trades that were not created here:
// the cases know no HELD.
func TestLifecycles(t *testing.T) {
	text, err := os.ReadFile("testdata/lifecycle.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []lifecycle `json:"cases"`
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 7 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		t.Run(c.ID, func(t *testing.T) {
			tr := &trail{}
			var published []string
			for i, in := range c.Observations {
				tr.see(t, lifecycleObservation(t, i, in), state.Rules{AcceptForeign: true})
				if w := words[tr.status.State]; len(published) == 0 || published[len(published)-1] != w {
					published = append(published, w)
				}
			}
			if got := words[tr.status.State]; got != c.Expect.FinalState {
				t.Errorf("final state %s, want %s", got, c.Expect.FinalState)
			}
			if !slices.Equal(published, c.Expect.Published) || fmt.Sprint(tr.status.Anomalies) != fmt.Sprint(c.Expect.Anomalies) {
				t.Errorf("published %v with %v, want %v with %v", published, tr.status.Anomalies, c.Expect.Published, c.Expect.Anomalies)
			}
		})
	}
}

func lifecycleObservation(t *testing.T, i int, in map[string]string) order.Observation {
	t.Helper()
	o := map[string]order.Observation{
		"create": create(order.OutcomeApplied), "query": query(i+10, ""), "notification": notification(i+10, ""),
	}[in["source"]]
	for name, text := range in {
		switch name {
		case "source", "result":
		case "trade_status":
			o.AlipayStatus = text
		case "notify_id":
			o.CauseID = text
		case "gmt_payment":
			o.PaidAt = beijing(t, text)
		case "gmt_refund":
			o.RefundedAt = beijing(t, text)
		case "refund_fee":
			o.Refunded = fen(8888)
		default:
			t.Fatalf("member %s", name)
		}
	}
	return o
}

func beijing(t *testing.T, text string) *time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05", text, time.FixedZone("+08:00", 8*3600))
	if err != nil {
		t.Fatal(err)
	}
	return &at
}
