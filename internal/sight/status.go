package sight

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/telemetry"
)

// maxPartitions is how many partitions a status lists.
const maxPartitions = 20

// App is an app of Alipay's, as far as it is watched.
type App interface {
	Ends() map[string]time.Time
	ClockOffset() time.Duration
}

// Process is what a status says of the process.
type Process struct {
	Group, Slot, Version, Go string

	Settings func() string // SHA-256 of the settings file in force
	Apps     map[string]App
	Accounts map[order.Account]string // the app of each
	Ready    func() bool
	Trouble  func() string // what new settings or files are not in force
	Recent   *telemetry.Recent
	Audit    func() admin.Audit // of the group; zero while another instance audits
	Waits    func() Wait        // what the start waits for; zero: nothing

	TradeStatus func() admin.TradeStatus // nil, or returns the zero value: it is not merged here
}

// Wait is what the start of a process waits for.
type Wait struct {
	For   string
	Err   error
	Since time.Time
}

// Describe says what process it is, before its ports are opened.
func (s *Sight) Describe(p Process) {
	s.process = p
	s.metrics.Observe(func(o *metrics.Observer) {
		o.Gauge(&metrics.BuildInfo, 1, p.Version, p.Go)
		o.Gauge(&metrics.ConfigInfo, 1, fmt.Sprintf("%.16s", p.Settings()))
		o.Gauge(&metrics.ReloadFailed, metrics.State(p.Trouble() != ""))
		if at := auditTime(p.Audit()); !at.IsZero() {
			o.Gauge(&metrics.AuditLast, unix(at))
		}
		for name, a := range p.Apps {
			o.Gauge(&metrics.ClockOffset, visibleOffset(a).Seconds(), name)
			for what, end := range a.Ends() {
				o.Gauge(&metrics.CredentialExpiry, unix(end), name, what)
			}
		}
	})
}

// auditTime is when the audit was complete last, or when it began; zero: this instance does not audit.
func auditTime(a admin.Audit) time.Time {
	if a.AsOf.IsZero() {
		return a.Since
	}
	return a.AsOf
}

// Status returns everything that operators may see, with up to n events that wait.
func (s *Sight) Status(n int) admin.Status {
	p, pipelines := s.process, s.all()
	out := admin.Status{
		AsOf: time.Now(), Pipelines: []admin.Pipeline{}, Apps: []admin.App{}, Accounts: []admin.Account{}, Topics: []admin.Topic{},
		Oldest: []admin.Oldest{}, Doubts: []admin.Doubt{}, Waiting: []admin.Waiting{}, Partitions: []admin.Partition{}, Changes: []admin.Change{},
		DeadLetters: s.letters.all(),
		Audit:       p.Audit(),
		Instance:    admin.Instance{Group: p.Group, Slot: p.Slot, Version: p.Version, Go: p.Go, Started: s.began, Settings: p.Settings(), Ready: p.Ready(), ReloadFailed: p.Trouble(), EventsPerSecond: s.eventsPerSecond()},
	}
	if w := p.Waits(); w.For != "" {
		out.Instance.WaitsFor, out.Instance.WaitError, out.Instance.WaitSince = w.For, w.Err.Error(), w.Since
	}
	for _, pl := range pipelines {
		e := pl.Look(n)
		out.Pipelines = append(out.Pipelines, pl.status(&e))
		out.Topics = append(out.Topics, topicsOf(&e, pl.Internal)...)
		for _, o := range e.Oldest {
			out.Oldest = append(out.Oldest, admin.Oldest{Account: o.Account, Cause: string(o.Cause), Since: o.Since, Internal: pl.Internal})
		}
		for _, d := range e.Doubts {
			out.Doubts = append(out.Doubts, admin.Doubt{Account: d.Account, Method: d.Method, Calls: d.Calls, Since: d.Since, OrderNo: d.OrderNo})
		}
		for i := range e.Records {
			out.Waiting = append(out.Waiting, waitingOf(&e.Records[i]))
		}
		for i := range e.Partitions {
			out.Partitions = append(out.Partitions, partitionOf(&e.Partitions[i]))
		}
	}
	slices.SortStableFunc(out.Waiting, func(a, b admin.Waiting) int { return a.Since.Compare(b.Since) })
	out.Waiting = out.Waiting[:min(n, len(out.Waiting))]
	slices.SortStableFunc(out.Partitions, worseFirst)
	for _, name := range slices.Sorted(maps.Keys(p.Apps)) {
		a := appStatus(name, p.Apps[name], pipelines)
		a.Failures, a.FailureKinds = s.failures.of(name)
		out.Apps = append(out.Apps, a)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Accounts)) {
		l := s.Accounts.of(name)
		a := admin.Account{Name: string(name), App: p.Accounts[name], StoppedSince: l.stopped, LastSuccess: l.success, LastFailure: l.failure}
		if l.err != nil {
			a.Error = l.err.Error()
		}
		out.Accounts = append(out.Accounts, a)
	}
	for _, line := range p.Recent.Lines() {
		out.Changes = append(out.Changes, admin.Change{At: line.At, Level: line.Level.String(), Text: line.Text})
	}
	waitForProbes(&out, p.Accounts)
	out.Notifications = s.Notifications.status()
	if p.TradeStatus != nil {
		out.TradeStatus = p.TradeStatus()
	}
	out.Verdict = admin.Judge(&out) // over all partitions
	if more := len(out.Partitions) - maxPartitions; more > 0 {
		out.Partitions, out.PartitionsOmitted = out.Partitions[:maxPartitions], more
	}
	return out
}

// all are the pipelines that are watched.
func (s *Sight) all() []*Pipeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pipelines
}

func (p *Pipeline) status(e *look.Engine) admin.Pipeline {
	out := admin.Pipeline{
		Name: p.Name, Group: p.Group, Partitions: len(e.Partitions), Running: e.Running, Unsettled: e.Unsettled,
		Finished: p.finished.Load(), HeldBytes: e.Bytes, MaxBytes: e.MaxBytes, Internal: p.Internal, Stalled: p.stalled(e),
	}
	if trouble := p.trouble.Load(); trouble != nil {
		out.Trouble = *trouble
	}
	if n := p.Tx.success.Load(); n > 0 {
		out.LastSettled = time.Unix(0, n)
	}
	return out
}

// stalledAfter is how long nothing may be finished while events could be handled.
const stalledAfter = time.Minute

// stalled reports whether events could be handled, nothing that is known explains a wait, and none was
// finished for a minute.
func (p *Pipeline) stalled(e *look.Engine) bool {
	last := time.Unix(0, max(p.finishedAt.Load(), p.sight.began.UnixNano()))
	if e.At.Sub(last) < stalledAfter {
		return false
	}
	return slices.ContainsFunc(e.Oldest, func(o look.Oldest) bool { return o.Cause == look.Ready && e.At.Sub(o.Since) >= stalledAfter })
}

func topicsOf(e *look.Engine, internal bool) []admin.Topic {
	var out []admin.Topic
	for _, t := range e.Topics {
		lag := map[string]int64{}
		for cause, n := range t.Lag {
			if n > 0 {
				lag[string(cause)] = n
			}
		}
		out = append(out, admin.Topic{Name: t.Name, Internal: internal, Lag: lag})
	}
	return out
}

func waitingOf(r *look.Record) admin.Waiting {
	return admin.Waiting{
		Account: r.Account, OrderNo: r.OrderNo, Method: r.Method, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Since: r.Since,
		Cause: string(r.Cause), Attempts: r.Attempts, Class: r.Class, Code: r.Code, Doubt: r.Doubt, Next: r.Next, Behind: r.Behind,
	}
}

func partitionOf(p *look.Partition) admin.Partition {
	return admin.Partition{
		Topic: p.Topic, Partition: p.Partition, State: p.State, Reason: p.Reason, Head: p.Head, HeadSince: p.HeadSince,
		Window: math.Round(1000*p.Window) / 1000, Waiting: p.Waiting, Finished: p.Finished, Unread: p.Unread,
	}
}

// worseFirst puts stopped partitions first, then those that are not read, then those whose first
// record waits longest.
func worseFirst(a, b admin.Partition) int {
	rank := func(p admin.Partition) int {
		switch p.State {
		case "stopped":
			return 0
		case "open":
			return 2
		}
		return 1
	}
	if byState := cmp.Compare(rank(a), rank(b)); byState != 0 {
		return byState
	}
	switch aWaits, bWaits := !a.HeadSince.IsZero(), !b.HeadSince.IsZero(); {
	case aWaits && bWaits:
		return a.HeadSince.Compare(b.HeadSince)
	case aWaits:
		return -1
	case bWaits:
		return 1
	}
	return cmp.Compare(b.Unread, a.Unread)
}

func appStatus(name string, a App, pipelines []*Pipeline) admin.App {
	out := admin.App{Name: name, ClockOffset: visibleOffset(a).Seconds(), Breakers: []admin.Breaker{}, Credentials: []admin.Credential{}}
	for _, p := range pipelines {
		if p.guards[name] == nil { // it makes no calls
			continue
		}
		gs := p.guards[name].Stats()
		out.InFlight += gs.InFlight
		out.Limit += p.limits[name]
		out.Untrusted = out.Untrusted || gs.Untrusted
		for _, m := range slices.Sorted(maps.Keys(gs.Breakers)) {
			out.Breakers = append(out.Breakers, p.breaks[name].status(p.Name, m, gs.Breakers[m]))
		}
	}
	for what, end := range a.Ends() {
		out.Credentials = append(out.Credentials, admin.Credential{Name: what, Ends: end})
	}
	slices.SortFunc(out.Credentials, func(a, b admin.Credential) int {
		return cmp.Or(a.Ends.Compare(b.Ends), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// waitForProbes says of events that wait for a breaker when that probes.
func waitForProbes(s *admin.Status, accounts map[order.Account]string) {
	for i := range s.Waiting {
		if w := &s.Waiting[i]; w.Cause == string(look.Breaker) && w.Next.IsZero() {
			w.Next = probeOf(s.Apps, accounts[order.Account(w.Account)], w.Method)
		}
	}
}

// probeOf is when a breaker lets a call pass again; zero: it is not open. Pipelines have breakers of their own: the first
// probe counts.
func probeOf(apps []admin.App, app, method string) (at time.Time) {
	for _, a := range apps {
		for _, b := range a.Breakers {
			if a.Name == app && b.Method == method && !b.Probe.IsZero() && (at.IsZero() || b.Probe.Before(at)) {
				at = b.Probe
			}
		}
	}
	return at
}

// visibleOffset is the difference of clocks as far as an answer shows it: whole seconds.
func visibleOffset(a App) time.Duration {
	if off := a.ClockOffset(); off.Abs() >= 2*time.Second {
		return off
	}
	return 0
}

// status is the breaker of a method, in a state that was asked for.
func (b *breakers) status(pipeline string, m alipay.Method, state string) admin.Breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.of(m)
	out := admin.Breaker{Pipeline: pipeline, Method: string(m), State: state, Since: one.since}
	if state == "open" {
		out.Probe = one.probe
	}
	if one.last != nil {
		out.Error = one.last.Error()
	}
	return out
}
