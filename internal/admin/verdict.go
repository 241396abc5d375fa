package admin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Verdict sums a status up in a sentence, with what to do. The most serious finding comes first.
type Verdict struct {
	Level string   `json:"level"` // fine, starting, slow, provider, stopped or risk: from good to bad
	Owner string   `json:"owner"` // whose turn it is: none, bridge, alipay, kafka, merchant or producer
	Text  string   `json:"text"`
	Do    string   `json:"do"`
	Also  []string `json:"also,omitempty"` // the other findings, each with what to do and whose turn it is

	SafeToRestart bool   `json:"safe_to_restart"`
	RestartNote   string `json:"restart_note"`
}

// Levels of a verdict.
const (
	LevelFine     = "fine"
	LevelStarting = "starting"
	LevelSlow     = "slow"
	LevelProvider = "provider"
	LevelStopped  = "stopped"
	LevelRisk     = "risk"
)

// When something is worth a sentence.
const (
	doubtAfter  = 5 * time.Minute     // a call of which it is not known whether it took effect
	behindAfter = time.Minute         // the oldest event that could be handled
	clockLimit  = 30 * time.Second    // difference of clocks
	expiresSoon = 14 * 24 * time.Hour // a certificate or key
	startLimit  = 30 * time.Second    // a start that waits for the brokers or the registry
	heldAfter   = 15 * time.Minute    // an order that is HELD: some end by themselves when the create's result comes
)

// findings are the rules in their order: the first that has something to say gives the level.
var findings = []func(*Status) (Verdict, bool){
	unaccounted, startWaits, partitionStopped, outcomeUnknown, pipelineInTrouble, stalled, storeFailing, untrusted, clockWrong, accountStopped, breakerOpen, behind, ordersHeld, reloadFailed, expiring, notReady,
}

// Judge returns the verdict over a status.
func Judge(s *Status) Verdict {
	v := Verdict{Level: LevelFine, Owner: "none", Text: fmt.Sprintf("All is well: %s.", progress(s)), Do: "nothing"}
	for _, find := range findings {
		switch found, ok := find(s); {
		case !ok:
		case v.Level == LevelFine:
			v = found
		case v.Level == LevelStarting && found.Level != LevelStarting: // it says less
			v = found
		case found.Level != LevelStarting: // an instance that is not ready because of the first has no second fault
			v.Also = append(v.Also, fmt.Sprintf("%s Do: %s. Whose turn: %s.", found.Text, found.Do, found.Owner))
		}
	}
	v.SafeToRestart, v.RestartNote = true, "calls that run are finished first; what is not finished is repeated without harm"
	if slices.ContainsFunc(s.Pipelines, func(p Pipeline) bool { return p.Stalled }) {
		v.SafeToRestart, v.RestartNote = false, "a restart is harmless, but it removes what shows the cause: take bridge incident first"
	}
	return v
}

// startWaits is for a start that cannot go on. As long as others start too, it is only said.
func startWaits(s *Status) (Verdict, bool) {
	i := s.Instance
	if i.WaitsFor == "" {
		return Verdict{}, false
	}
	waited := s.AsOf.Sub(i.WaitSince)
	v := Verdict{
		Level: LevelStarting, Owner: "none",
		Text: fmt.Sprintf("The start waits for %s, for %s: %s. Until then no event is read, and none is lost.", i.WaitsFor, Span(waited), i.WaitError),
		Do:   "start or repair what it names, or correct the settings: bridge check -c FILE says what is wrong; the start goes on by itself",
	}
	if waited > startLimit {
		v.Level, v.Owner = LevelStopped, "kafka"
		if strings.Contains(i.WaitsFor, "schema") { // they may not be registered
			v.Owner = "bridge"
		}
	}
	return v, true
}

func partitionStopped(s *Status) (Verdict, bool) {
	var all []Partition
	for _, p := range s.Partitions {
		if p.State == "stopped" {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return Verdict{}, false
	}
	p := all[0]
	return Verdict{
		Level: LevelRisk, Owner: "kafka",
		Text: fmt.Sprintf("%s stopped, %s/%d first: %s. Its records are neither called nor lost; other partitions go on.", partitions(len(all)), p.Topic, p.Partition, p.Reason),
		Do:   "bridge explain BridgePartitionStopped says how to find the right position; bridge check -c FILE shows the committed one",
	}, true
}

func partitions(n int) string {
	if n == 1 {
		return "A partition is"
	}
	return fmt.Sprintf("%d partitions are", n)
}

func outcomeUnknown(s *Status) (Verdict, bool) {
	n, oldest := 0, Doubt{}
	for _, d := range s.Doubts {
		if s.AsOf.Sub(d.Since) > doubtAfter {
			n += d.Calls
			if oldest.Since.IsZero() || d.Since.Before(oldest.Since) {
				oldest = d
			}
		}
	}
	if n == 0 {
		return Verdict{}, false
	}
	return Verdict{
		Level: LevelRisk, Owner: "alipay",
		Text: fmt.Sprintf("It is not known whether %s took effect, for %s: order %s of account %s waited longest. The bridge asks Alipay again and again.",
			count(n, "call"), Span(s.AsOf.Sub(oldest.Since)), oldest.OrderNo, oldest.Account),
		Do: "never send such an order again by hand; if it lasts, look the order up in Alipay's console",
	}, true
}

func pipelineInTrouble(s *Status) (Verdict, bool) {
	for _, p := range s.Pipelines {
		if p.Trouble == "" || strings.HasPrefix(p.Trouble, "all accounts") || strings.HasPrefix(p.Trouble, "all its partitions") {
			continue // other rules say more
		}
		return Verdict{Level: LevelStopped, Owner: "kafka", Text: fmt.Sprintf("Pipeline %s (group %s) can make no progress: %s.", p.Name, p.Group, p.Trouble), Do: "correct what it names; no restart is needed"}, true
	}
	return Verdict{}, false
}

func stalled(s *Status) (Verdict, bool) {
	for _, p := range s.Pipelines {
		if p.Stalled {
			return Verdict{
				Level: LevelStopped, Owner: "bridge",
				Text: fmt.Sprintf("Pipeline %s is stalled: events could be handled, nothing explains a wait, and none was finished for a minute.", p.Name),
				Do:   "take bridge incident and save the log, then restart this instance",
			}, true
		}
	}
	return Verdict{}, false
}

func untrusted(s *Status) (Verdict, bool) {
	for _, a := range s.Apps {
		if a.Untrusted {
			return Verdict{
				Level: LevelStopped, Owner: "alipay",
				Text: fmt.Sprintf("No answer of app %s is provably Alipay's. Its events wait, and one at a time probes.", a.Name),
				Do:   "compare the app's keys or certificates with those that Alipay's console shows, and look for a proxy in between; new files are used without a restart",
			}, true
		}
	}
	return Verdict{}, false
}

func clockWrong(s *Status) (Verdict, bool) {
	for _, a := range s.Apps {
		off := time.Duration(a.ClockOffset * float64(time.Second))
		if off.Abs() > clockLimit {
			return Verdict{
				Level: LevelStopped, Owner: "bridge",
				Text: fmt.Sprintf("Our clock is %s %s that of the gateway of app %s: requests and answers are refused.", Span(off.Abs()), aheadOrBehind(off), a.Name),
				Do:   "correct the clock of this host",
			}, true
		}
	}
	return Verdict{}, false
}

func aheadOrBehind(off time.Duration) string {
	if off < 0 {
		return "behind"
	}
	return "ahead of"
}

func accountStopped(s *Status) (Verdict, bool) {
	var stopped []Account
	for _, a := range s.Accounts {
		if !a.StoppedSince.IsZero() {
			stopped = append(stopped, a)
		}
	}
	if len(stopped) == 0 {
		return Verdict{}, false
	}
	slices.SortFunc(stopped, func(a, b Account) int { return a.StoppedSince.Compare(b.StoppedSince) })
	a := stopped[0]
	who, others := "Account "+a.Name+" waits", "other accounts go on"
	if len(stopped) > 1 {
		who = fmt.Sprintf("%d accounts wait, %s first,", len(stopped), a.Name)
	}
	if len(stopped) == len(s.Accounts) {
		others = "no other account is left"
	}
	owner := "merchant"
	if strings.Contains(a.Error, "isv.invalid-signature") { // Alipay knows the merchant, and our key is another one
		owner = "bridge"
	}
	return Verdict{
		Level: LevelStopped, Owner: owner,
		Text: fmt.Sprintf("%s for a person, for %s: %s. Its events wait and none is lost; %s.", who, Span(s.AsOf.Sub(a.StoppedSince)), a.Error, others),
		Do:   "correct the key, token or permission that the error names; if a file or setting was just replaced, as What changed shows, put the old one back; events go on by themselves within a minute",
	}, true
}

func breakerOpen(s *Status) (Verdict, bool) {
	open, closed, app, first := 0, 0, "", Breaker{}
	for _, a := range s.Apps {
		for _, b := range a.Breakers {
			if b.State == "closed" {
				closed++
				continue
			}
			open++
			if open == 1 || b.Since.Before(first.Since) {
				app, first = a.Name, b
			}
		}
	}
	if open == 0 {
		return Verdict{}, false
	}
	what := fmt.Sprintf("%s of app %s fails", first.Method, app)
	if open > 1 {
		what = fmt.Sprintf("%d breakers are not closed, %s of app %s first", open, first.Method, app)
	}
	if !first.Since.IsZero() {
		what += ", for " + Span(s.AsOf.Sub(first.Since))
	}
	others := "and no other call succeeds"
	if closed > 0 {
		others = "and other calls go on"
	}
	return Verdict{
		Level: LevelProvider, Owner: "alipay",
		Text: fmt.Sprintf("Waiting for Alipay: %s (%s). %s, none is lost, %s.", what, first.Error, waiting(s, "breaker"), others),
		Do:   "nothing: the bridge probes by itself; if it lasts longer than you can accept, call Alipay with what bridge incident --provider prints",
	}, true
}

// behind is for events that could be handled while others are. Where none is, other rules say more.
func behind(s *Status) (Verdict, bool) {
	if slices.ContainsFunc(s.Pipelines, func(p Pipeline) bool { return p.Stalled || p.Trouble != "" }) {
		return Verdict{}, false
	}
	for _, w := range s.Oldest {
		if w.Cause == "ready" && s.AsOf.Sub(w.Since) > behindAfter {
			return Verdict{
				Level: LevelSlow, Owner: "bridge",
				Text: fmt.Sprintf("Behind: %s; the oldest could have been handled for %s.", waiting(s, "ready"), Span(s.AsOf.Sub(w.Since))),
				Do:   "add instances, or raise in_flight of the app if Alipay permits more",
			}, true
		}
	}
	return Verdict{}, false
}

func reloadFailed(s *Status) (Verdict, bool) {
	if s.Instance.ReloadFailed == "" {
		return Verdict{}, false
	}
	return Verdict{
		Level: LevelSlow, Owner: "bridge",
		Text: fmt.Sprintf("New settings or files are not in force: %s. What was read before stays in force.", s.Instance.ReloadFailed),
		Do:   "correct the file; bridge check -c FILE names the line",
	}, true
}

func expiring(s *Status) (Verdict, bool) {
	for _, a := range s.Apps {
		for _, c := range a.Credentials {
			if left := c.Ends.Sub(s.AsOf); left < expiresSoon {
				return Verdict{
					Level: LevelSlow, Owner: "merchant",
					Text: fmt.Sprintf("%s of app %s ends in %s.", c.Name, a.Name, Span(left)),
					Do:   "replace it; new files are used without a restart",
				}, true
			}
		}
	}
	return Verdict{}, false
}

func notReady(s *Status) (Verdict, bool) {
	if s.Instance.Ready {
		return Verdict{}, false
	}
	return Verdict{Level: LevelStarting, Owner: "none", Text: "The instance is starting or stopping: no pipeline publishes yet.", Do: "wait; the log says what it waits for"}, true
}

// progress says what is under way.
func progress(s *Status) string {
	finished, running, owned, reads := uint64(0), 0, 0, false
	for _, p := range s.Pipelines {
		if !p.Internal {
			finished += p.Finished
			running += p.Running
			owned += p.Partitions
			reads = true
		}
	}
	none := ""
	if reads && owned == 0 {
		none = "; no partition is assigned here: other instances have them, or one that was killed is waited for until its session ends"
	}
	return fmt.Sprintf("%s finished since %s, %s under way, %s", count(int(min(finished, 1<<62)), "event"), s.Instance.Started.UTC().Format("2006-01-02 15:04 UTC"), number(running), waiting(s, "")) + none
}

// waiting says how many events wait; for one cause, those behind them in their orders too.
func waiting(s *Status, cause string) string {
	n := s.waitingFor(cause)
	return count(int(n), "event") + plural(int(n), " waits", " wait")
}

// WaitingEvents is how many events of users wait for anything but the end of their call or transaction.
func (s *Status) WaitingEvents() int64 { return s.waitingFor("") }

func (s *Status) waitingFor(cause string) int64 {
	n := int64(0)
	for _, t := range s.Topics {
		if t.Internal {
			continue
		}
		for c, k := range t.Lag {
			if c == cause || c == "own_order" || cause == "" && c != "calling" && c != "settling" {
				n += k
			}
		}
	}
	return n
}

func count(n int, what string) string { return number(n) + " " + what + plural(n, "", "s") }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// number writes a number with commas.
func number(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Span writes a duration as a person says it.
func Span(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
