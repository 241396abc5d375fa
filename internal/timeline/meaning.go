package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/status/state"
)

// means is what each state asks of consumers, as docs/consumers.md says it.
var means = map[state.State]string{
	state.Pending:           "waits for payment",
	state.Paid:              "paid; refunds are possible",
	state.PartiallyRefunded: "a part was refunded",
	state.Refunded:          "refunded in full",
	state.Finished:          "paid; Alipay refunds no more",
	state.ClosedUnpaid:      "closed, never paid",
	state.Closed:            "closed; not known whether it was ever paid",
	state.Failed:            "Alipay refused to create the trade",
	state.Synced:            "AlipayHK only: sent_status was sent. Alipay reports no payment",
	state.Held:              "Alipay says paid, but something is not as ordered",
	state.Unknown:           "nothing that was seen says whether it was paid: only an update was sent to Alipay, or Alipay used a word that this version does not know; or a newer bridge wrote a state that your schema lacks",
}

// anomaly is what happened, and what to do about it, as docs/consumers.md says it.
type anomaly struct{ what, do string }

var anomalies = map[string]anomaly{
	state.AmountMismatch:     {"another total was paid than the create's, or one that cannot be read", "compare with the order; ship only if it is accepted, otherwise refund in Alipay"},
	state.CurrencyMismatch:   {"another currency than the create's", "the same; never compare the numbers alone"},
	state.SellerMismatch:     {"the money went to another seller", "treat it as fraud until it is explained"},
	state.SecondTradeNo:      {"another trade number for the same order", "the buyer may have paid twice: look both up, and refund one"},
	state.NotCreated:         {"a trade that this bridge did not create, or not yet", "wait some minutes: it ends by itself when the create's result comes and agrees. If it stays, another system uses your order numbers, or it is fraud. An account may accept foreign orders"},
	state.UnsettledCredit:    {"a credit order is paid on paper, but the user was not charged yet", "wait: it ends by itself when the charge is seen"},
	state.PaidAfterClosed:    {"paid after Alipay had said closed", "the goods may be sold already: ship or refund, by hand"},
	state.FinishedThenClosed: {"closed after Alipay had said finished", "compare with Alipay's bill: was it refunded another way?"},
	state.ClockNotGrowing:    {"an event of AlipayHK had no later time than the one before, and changed nothing", "correct the producer: occurred_at must grow for each order"},
	state.Unresolved:         {"neither paid nor closed after days of asking; the bridge asks no more", "look in Alipay's console; cancel the order on your side"},
}

// meaning is what a state means.
func meaning(s state.State) string {
	return cmp.Or(means[s], "a state that this version does not know; ask a person")
}

// open are the anomalies of a status that no one has accepted.
func open(s state.Status) []string {
	return slices.DeleteFunc(slices.Clone(s.Anomalies), func(a string) bool { return slices.Contains(s.Accepted, a) })
}

// todo says what a person does about a status; empty: nothing.
func todo(s state.Status) string {
	var all []string
	for _, word := range open(s) {
		do := anomalies[word].do
		if do == "" {
			do = "a word that this version does not know; do nothing by yourself"
		}
		all = append(all, word+": "+do)
	}
	if s.State == state.Held {
		all = append(all, fmt.Sprintf("once it is explained, a person accepts it: bridge accept %s", s.Key()))
	}
	return strings.Join(all, "; ")
}
