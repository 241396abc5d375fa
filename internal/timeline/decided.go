package timeline

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/status/state"
)

// answerTime is how long a decision waits for the bridge.
const answerTime = 20 * time.Second

// Decided is what became of a decision.
type Decided struct {
	Account  string   `json:"account"`           // name of the account in the settings
	OrderNo  string   `json:"order_no"`          // the merchant's number
	Decided  bool     `json:"decided"`           // a decision was written; false: there was nothing to forget, or it was a dry run
	By       string   `json:"by"`                // who, and why
	Before   string   `json:"before"`            // state that the operator saw; empty: none
	Answered bool     `json:"answered"`          // the bridge has merged it; false: not yet
	State    string   `json:"state"`             // state now; FORGOTTEN if trade status is erased
	Version  int64    `json:"version"`           // of trade status now; 0: none
	Remains  []Remain `json:"remains,omitempty"` // of erase: topics that still have records of the order
	Notice   []string `json:"notice,omitempty"`  // of erase: what the bridge cannot erase
}

// Refused is why nothing was decided: there is no such order, or it is not in that state.
type Refused struct{ why string }

func (e Refused) Error() string { return e.why }

// ExitCode is that of a command that ran and found something.
func (Refused) ExitCode() int { return output.ExitFound }

func refuse(format string, args ...any) error { return Refused{fmt.Sprintf(format, args...)} }

// Agree shows what will be done, and returns an error unless someone wants it.
type Agree func(lines ...string) error

// Accept accepts the order's trade as it is now, if it is HELD.
func (f *Finder) Accept(ctx context.Context, account, orderNo, by string, agree Agree) (Decided, error) {
	now, err := f.Current(ctx, account, orderNo, time.Now())
	key := account + "/" + orderNo
	switch {
	case err != nil:
		return Decided{}, err
	case now.Unreadable != nil:
		return Decided{}, refuse("trade status of %q cannot be read, so it cannot be accepted: %v; start the version that wrote it, or bridge erase it", key, now.Unreadable)
	case !now.Known:
		return Decided{}, refuse("%s has no trade status of %q; bridge order shows what there is", f.Topics.Status, key)
	case now.State != state.Held:
		return Decided{}, refuse("%q is %s, version %d: there is nothing to accept", key, now.State, now.Version)
	}
	o := now.Decide(order.Accepted, by, time.Now())
	d := now.decided(account, orderNo, o.CauseID)
	if err := agree(now.acceptance(o)...); err != nil {
		return d, err
	}
	if err := f.Send(ctx, o); err != nil {
		return Decided{}, err
	}
	answer, err := f.Await(ctx, now, answerTime, func(state.Status) bool { return true }) // the next version decides
	if err != nil {
		return Decided{}, err
	}
	ours := answer.Came && answer.Cause == order.Accepted && answer.CauseID == o.CauseID
	if answer.Came && !ours {
		return Decided{}, refuse("%q changed meanwhile to version %d, %s; nothing was accepted; look at it again: bridge order", key, answer.Version, cmp.Or(answer.State, "forgotten"))
	}
	if d.Answered = ours; ours {
		d.State, d.Version = string(answer.State), answer.Version
	}
	return d, nil
}

// acceptance is what an operator reads before he accepts.
func (c Current) acceptance(o order.Observation) []string {
	lines := []string{fmt.Sprintf("%s in %s is HELD, version %d, since %s", c.key, c.Environment, c.Version, c.ObservedAt.UTC().Format(time.RFC3339))}
	for _, a := range open(c.Status) {
		lines = append(lines, "  "+a+": "+cmp.Or(anomalies[a].what, "not known to this version"))
	}
	after := c.After(o)
	return append(lines,
		fmt.Sprintf("  %s; trade number %s; seller %s", cmp.Or(amounts(c.Status), "no amount is known"), output.Dash(string(c.TradeNo)), output.Dash(c.SellerID)),
		"  what Alipay said, and when: bridge order "+string(c.OrderNo),
		fmt.Sprintf("accepted, consumers see it as %s, version %d: %s", after.State, after.Version, meaning(after.State)),
		"by "+o.CauseID)
}

func (c Current) decided(account, orderNo, by string) Decided {
	return Decided{Account: account, OrderNo: orderNo, Decided: true, By: by, Before: string(c.State), State: string(c.State), Version: c.Version}
}

// Erase makes the bridge forget the order's trade status, and says where else the order is.
func (f *Finder) Erase(ctx context.Context, account, orderNo, by string, agree Agree) (Decided, error) {
	now, err := f.Current(ctx, account, orderNo, time.Now())
	if err != nil {
		return Decided{}, err
	}
	d := Decided{Account: account, OrderNo: orderNo}
	if now.Known {
		if d, err = f.forget(ctx, now, account, orderNo, by, agree); err != nil {
			return d, err
		}
	}
	d.Notice = []string{"Alipay's own records of the trade", "logs and traces of the bridge, until their retention ends", "what consumers of the topics stored, and backups"}
	found, err := f.Orders(ctx, Wanted{Accounts: []string{account}, OrderNo: orderNo, Seen: true})
	if err != nil {
		return d, err
	}
	if len(found) == 0 {
		return d, refuse("no topic has a record of %q", account+"/"+orderNo)
	}
	d.Remains, err = f.Remains(ctx, found)
	return d, err
}

func (f *Finder) forget(ctx context.Context, now Current, account, orderNo, by string, agree Agree) (Decided, error) {
	o := now.Decide(order.Forgotten, by, time.Now())
	d := now.decided(account, orderNo, o.CauseID)
	is := fmt.Sprintf("%s in %s is %s, version %d: %s", now.key, now.Environment, now.State, now.Version, meaning(now.State))
	if now.Unreadable != nil {
		is = fmt.Sprintf("trade status of %s cannot be read: %v", now.key, now.Unreadable)
	}
	err := agree(is, "its trade status will be forgotten, here and by consumers; versions would begin with 1 again", "by "+o.CauseID)
	if err != nil {
		return d, err
	}
	if err := f.Send(ctx, o); err != nil {
		return d, err
	}
	answer, err := f.Await(ctx, now, answerTime, func(state.Status) bool { return true })
	if answer.Came && answer.Version > 0 {
		return d, refuse("%q changed meanwhile to version %d, %s; nothing was forgotten; run bridge erase again", now.key, answer.Version, answer.State)
	}
	if d.Answered = answer.Came; answer.Came {
		d.State, d.Version = "FORGOTTEN", 0
	}
	return d, err
}

// Lines says it in sentences.
func (d Decided) Lines() []string {
	key, lines := d.Account+"/"+d.OrderNo, []string(nil)
	switch {
	case !d.Decided:
		lines = append(lines, key+" has no trade status: there is nothing to forget")
	case d.Answered && d.Version == 0:
		lines = append(lines, key+" is forgotten")
	case d.Answered:
		lines = append(lines, fmt.Sprintf("%s is %s, version %d", key, d.State, d.Version))
	}
	for _, r := range d.Remains {
		until := "without an end"
		if !r.Until.IsZero() {
			until = "until " + r.Until.UTC().Format(time.RFC3339)
		}
		lines = append(lines, fmt.Sprintf("  %s has %s, %s (%s)", r.Topic, output.Count(r.Records, "record"), until, r.Why))
	}
	for _, n := range d.Notice {
		lines = append(lines, "  not erased: "+n)
	}
	return lines
}

// Err is the error of a decision that the bridge has not merged yet.
func (d Decided) Err() error {
	if !d.Decided || d.Answered {
		return nil
	}
	return refuse("the bridge has not answered yet; the decision is in the topic and takes effect when trade status is merged, unless its seal (integrity.key_file) is not the bridge's, or the bridge can read a status that this command cannot: bridge order shows it")
}
