package timeline

import (
	"fmt"
	"slices"
)

// Order is what topics have of one order.
type Order struct {
	Account   string   `json:"account"`   // name of the account in the settings
	OrderNo   string   `json:"order_no"`  // the merchant's number
	State     string   `json:"state"`     // of the newest trade status; empty: there is none
	Version   int64    `json:"version"`   // of trade status; 0: there is none
	Anomalies []string `json:"anomalies"` // that no one has accepted
	Means     string   `json:"means"`     // what the state means
	Do        string   `json:"do"`        // what a person does; empty: nothing
	Items     []Item   `json:"items"`     // records of the order, in the order of time
}

// Rows are the records of orders: time, kind, text, account, place, trace.
func Rows(orders []Order) [][]string {
	rows := [][]string{}
	for _, o := range orders {
		for _, i := range o.Items {
			rows = append(rows, []string{i.Time.Format("2006-01-02T15:04:05.000Z"), i.Kind, i.Text, o.Account, i.Place(), i.TraceID})
		}
	}
	return rows
}

// Sentence says the state and what it means.
func (o Order) Sentence() string {
	is := o.Means
	if o.State != "" {
		is = fmt.Sprintf("%s, version %d: %s", o.State, o.Version, o.Means)
	}
	return o.Account + "/" + o.OrderNo + " is " + is + "."
}

// Traces are the ids of the traces in which its records were made, the newest last, without repeats.
func (o Order) Traces() []string {
	var all []string
	for _, i := range o.Items {
		if i.TraceID != "" && !slices.Contains(all, i.TraceID) {
			all = append(all, i.TraceID)
		}
	}
	return all
}

// judge says what the newest trade status means.
func (o *Order) judge(newest Item) {
	o.Anomalies = []string{}
	switch s := newest.status; newest.Kind {
	case StatusKind:
		o.State, o.Version, o.Means, o.Do = string(s.State), s.Version, meaning(s.State), todo(s)
		o.Anomalies = append(o.Anomalies, open(s)...)
	case Forgotten:
		o.Means = "forgotten: after its retention, or because someone ran bridge erase"
	default:
		o.Means = "without trade status: no create, notification or query of it was seen"
		if slices.ContainsFunc(o.Items, func(i Item) bool { return i.Kind == DeadLetter }) {
			o.Do = "look at the dead letter: bridge tail dead-letters"
		} else if slices.ContainsFunc(o.Items, func(i Item) bool { return i.Kind == Event }) {
			o.Do = "if its event has no result, see what it waits for: bridge stuck"
		}
	}
}
