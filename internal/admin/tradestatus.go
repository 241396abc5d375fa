package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Notifications are what an instance received for an account, since its start.
type Notifications struct {
	Account     string         `json:"account"`                // in the settings
	Taken       int            `json:"taken"`                  // answered with success
	Refused     int            `json:"refused"`                // answered with fail; Alipay repeats its own
	Verdicts    map[string]int `json:"verdicts"`               // both, by what became of them
	LastTaken   time.Time      `json:"last_taken,omitzero"`    // its signature was believed, and what it says is in Kafka
	LastRefused time.Time      `json:"last_refused,omitzero"`  // the last one that was answered with fail
	LastRefusal string         `json:"last_refusal,omitempty"` // verdict of the last that was refused
}

// TradeStatus is how an instance merges trade status.
type TradeStatus struct {
	Partitions   int       `json:"partitions"`             // that are restored
	Asked        int64     `json:"asked"`                  // how often the sweep asked Alipay for an order, since the start
	Held         int       `json:"held"`                   // orders that wait until a person accepts them
	Unresolved   int       `json:"unresolved"`             // pending orders of which nothing was heard until the sweep ended
	Complete     bool      `json:"complete"`               // false: there may be more of both
	Orders       []Order   `json:"orders"`                 // of both, those that wait longest; at most 20
	StoreBytes   int64     `json:"store_bytes"`            // of the copy on disk
	StoreWaiting int       `json:"store_waiting"`          // committed changes that the disk has not taken yet
	StoreFailing bool      `json:"store_failing"`          // it cannot be opened, or refuses writes
	StoreEmptied time.Time `json:"store_emptied,omitzero"` // it was damaged then, and is read from Kafka again
}

// IsZero reports whether trade status is not merged here.
func (t TradeStatus) IsZero() bool { return t.Orders == nil }

// Order is an order that a person should look at.
type Order struct {
	Account   string    `json:"account"`   // in the settings
	OrderNo   string    `json:"order_no"`  // ours
	State     string    `json:"state"`     // HELD or PENDING
	Anomalies []string  `json:"anomalies"` // what is odd, docs/consumers.md
	Since     time.Time `json:"since"`     // since when it waits for a person; the last change, if the process started later
}

// Lines are the sentences about parts of an instance that the verdict does not have.
func (s *Status) Lines() []string {
	var out []string
	if !s.Audit.IsZero() {
		text := s.Audit.Sentence(s.AsOf)
		out = append(out, "Audit: "+strings.ToLower(text[:1])+text[1:])
	}
	if len(s.Notifications) > 0 {
		out = append(out, "Notifications: "+s.notifications())
	}
	if !s.TradeStatus.IsZero() {
		out = append(out, "Trade status: "+s.TradeStatus.Sentence(s.AsOf))
	}
	return out
}

// maxNamed is how many accounts a sentence names.
const maxNamed = 3

// notifications says what was received, and for the accounts that were silent longest when the last one was believed.
func (s *Status) notifications() string {
	all := slices.Clone(s.Notifications)
	slices.SortStableFunc(all, func(a, b Notifications) int {
		return cmp.Or(a.LastTaken.Compare(b.LastTaken), strings.Compare(a.Account, b.Account))
	})
	taken, refused, last, named := 0, 0, Notifications{}, []string{}
	for i, n := range all {
		taken, refused = taken+n.Taken, refused+n.Refused
		if n.LastRefused.After(last.LastRefused) {
			last = n
		}
		switch {
		case i >= maxNamed:
		case n.LastTaken.IsZero():
			named = append(named, "none for "+n.Account)
		default:
			named = append(named, fmt.Sprintf("for %s %s ago", n.Account, Span(s.AsOf.Sub(n.LastTaken))))
		}
	}
	text := fmt.Sprintf("%s taken, %s refused since the start. Last taken: %s", number(taken), number(refused), strings.Join(named, ", "))
	if more := len(all) - maxNamed; more > 0 {
		text += fmt.Sprintf(", and later for %s", count(more, "other account"))
	}
	text += "."
	if refused > 0 {
		text += fmt.Sprintf(" Last refused: %s, for %s %s ago.", last.LastRefusal, last.Account, Span(s.AsOf.Sub(last.LastRefused)))
	}
	return text
}

// Sentence says how trade status is, for people.
func (t TradeStatus) Sentence(now time.Time) string {
	text := fmt.Sprintf("%s held, %s unresolved", count(t.Held, "order"), number(t.Unresolved))
	switch {
	case t.Partitions == 0:
		text = "no partition is restored here, so this instance does not know which orders are held"
	case !t.Complete:
		text += " (still counting, there may be more)"
	}
	if len(t.Orders) > 0 {
		o := t.Orders[0]
		text += fmt.Sprintf("; %s/%s waits longest, for %s (%s)", o.Account, o.OrderNo, Span(now.Sub(o.Since)), strings.Join(o.Anomalies, ", "))
	}
	text += fmt.Sprintf(". Asked Alipay %s since the start. The copy on disk has %.1f MiB.", plural(int(t.Asked), "once", number(int(t.Asked))+" times"), float64(t.StoreBytes)/(1<<20))
	if t.StoreWaiting > 0 {
		text += fmt.Sprintf(" %s for the disk.", count(t.StoreWaiting, "change")+plural(t.StoreWaiting, " waits", " wait"))
	}
	if !t.StoreEmptied.IsZero() {
		text += fmt.Sprintf(" It was damaged and emptied %s ago.", Span(now.Sub(t.StoreEmptied)))
	}
	return text
}

// ordersHeld is for trades that wait for a person.
func ordersHeld(s *Status) (Verdict, bool) {
	t := s.TradeStatus
	first := slices.IndexFunc(t.Orders, func(o Order) bool { return o.State == "HELD" })
	if t.Held == 0 || first >= 0 && s.AsOf.Sub(t.Orders[first].Since) < heldAfter {
		return Verdict{}, false
	}
	text := fmt.Sprintf("%s HELD: Alipay says paid, but something is not as ordered, and consumers do not ship.", count(t.Held, "order")+plural(t.Held, " is", " are"))
	if first >= 0 {
		o := t.Orders[first]
		text += fmt.Sprintf(" %s/%s waits longest, for %s (%s).", o.Account, o.OrderNo, Span(s.AsOf.Sub(o.Since)), strings.Join(o.Anomalies, ", "))
	}
	return Verdict{
		Level: LevelSlow, Owner: "merchant", Text: text,
		Do: "what bridge order says for each; also one that was refunded stays HELD until someone accepts it with bridge accept",
	}, true
}

// storeFailing is a disk that does not take the copy of trade status.
func storeFailing(s *Status) (Verdict, bool) {
	if !s.TradeStatus.StoreFailing {
		return Verdict{}, false
	}
	return Verdict{
		Level: LevelStopped, Owner: "bridge",
		Text: "The disk does not take the copy of trade status: changes of orders are published late, or not until it does. Nothing is lost.",
		Do:   "look at the room and the owner of status.folder; the log has the error; bridge explain BridgeStatusStore says more",
	}, true
}
