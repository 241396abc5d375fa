package admin_test

import (
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/admin"
)

var now = time.Date(2026, 12, 1, 3, 12, 7, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// well is an instance without trouble.
func well() *admin.Status {
	return &admin.Status{
		AsOf:      now,
		Instance:  admin.Instance{Group: "g", Slot: "one", Version: "v1", Go: "go1.26", Started: ago(time.Hour), Ready: true},
		Pipelines: []admin.Pipeline{{Name: "calls", Group: "g", Partitions: 2, Running: 3, Finished: 12345, LastSettled: ago(time.Second)}},
		Apps: []admin.App{{Name: "main", Limit: 288, Breakers: []admin.Breaker{
			{Pipeline: "calls", Method: "alipay.trade.create", State: "closed"}, {Pipeline: "calls", Method: "alipay.trade.query", State: "closed"},
		}}},
		Accounts:   []admin.Account{{Name: "shop", App: "main", LastSuccess: ago(time.Second)}, {Name: "other", App: "main"}},
		Topics:     []admin.Topic{{Name: "order-events", Lag: map[string]int64{"calling": 3}}},
		Partitions: []admin.Partition{{Topic: "order-events", State: "open"}, {Topic: "order-events", Partition: 1, State: "open"}},
	}
}

// troubles break a part of an instance that is well. They are in the order of the rules: each is more serious
// than those that follow.
var troubles = []struct {
	name         string
	break1       func(*admin.Status)
	level, owner string
	text         string
}{
	{"the start waits", func(s *admin.Status) {
		s.Instance.Ready, s.Instance.WaitsFor, s.Instance.WaitError, s.Instance.WaitSince = false, "the brokers", "connection refused", ago(2*time.Minute)
	}, admin.LevelStopped, "kafka", "The start waits for the brokers, for 2 min: connection refused. Until then no event is read, and none is lost."},
	{"a partition is stopped", func(s *admin.Status) {
		s.Partitions[1].State, s.Partitions[1].Reason = "stopped", "its committed position was not written by the bridge"
	}, admin.LevelRisk, "kafka", "A partition is stopped, order-events/1 first: its committed position was not written by the bridge. Its records are neither called nor lost; other partitions go on."},
	{"an outcome is unknown", func(s *admin.Status) {
		s.Doubts = append(s.Doubts, admin.Doubt{Account: "shop", OrderNo: "o1", Calls: 1, Since: ago(6 * time.Minute)}, admin.Doubt{Account: "other", OrderNo: "o9", Calls: 1, Since: ago(time.Minute)})
	}, admin.LevelRisk, "alipay", "It is not known whether 1 call took effect, for 6 min: order o1 of account shop waited longest. The bridge asks Alipay again and again."},
	{"no broker answers", func(s *admin.Status) {
		s.Pipelines[0].Trouble = "no broker answers; check the brokers and the network"
	}, admin.LevelStopped, "kafka", "Pipeline calls (group g) can make no progress: no broker answers; check the brokers and the network."},
	{"it is stalled", func(s *admin.Status) { s.Pipelines[0].Stalled = true }, admin.LevelStopped, "bridge", "Pipeline calls is stalled: events could be handled, nothing explains a wait, and none was finished for a minute."},
	{"the disk refuses the copy of trade status", func(s *admin.Status) { s.TradeStatus.StoreFailing = true }, admin.LevelStopped, "bridge", "The disk does not take the copy of trade status: changes of orders are published late, or not until it does. Nothing is lost."},
	{"answers are not believed", func(s *admin.Status) { s.Apps[0].Untrusted = true }, admin.LevelStopped, "alipay", "No answer of app main is provably Alipay's. Its events wait, and one at a time probes."},
	{"the clock is wrong", func(s *admin.Status) { s.Apps[0].ClockOffset = -600 }, admin.LevelStopped, "bridge", "Our clock is 10 min behind that of the gateway of app main: requests and answers are refused."},
	{"an account is stopped", func(s *admin.Status) {
		s.Accounts[0].StoppedSince, s.Accounts[0].Error = ago(12*time.Minute), "token expired"
	}, admin.LevelStopped, "merchant", "Account shop waits for a person, for 12 min: token expired. Its events wait and none is lost; other accounts go on."},
	{"Alipay fails", func(s *admin.Status) {
		s.Apps[0].Breakers[0] = admin.Breaker{Pipeline: "calls", Method: "alipay.trade.create", State: "half-open", Since: ago(12 * time.Minute), Error: "SYSTEM_ERROR"}
		s.Topics[0].Lag["breaker"] = 3214
	}, admin.LevelProvider, "alipay", "Waiting for Alipay: alipay.trade.create of app main fails, for 12 min (SYSTEM_ERROR). 3,214 events wait, none is lost, and other calls go on."},
	{"it is behind", func(s *admin.Status) {
		s.Oldest = append(s.Oldest, admin.Oldest{Account: "shop", Since: ago(2 * time.Hour), Cause: "ready"})
		s.Topics[0].Lag["ready"] = 1
	}, admin.LevelSlow, "bridge", "Behind: 1 event waits; the oldest could have been handled for 2 h 0 min."},
	{"orders are held", func(s *admin.Status) {
		s.TradeStatus.Held, s.TradeStatus.Orders = 2, []admin.Order{{Account: "shop", OrderNo: "u", State: "PENDING", Since: ago(time.Hour)}, {Account: "shop", OrderNo: "h", State: "HELD", Anomalies: []string{"amount_mismatch"}, Since: ago(30 * time.Minute)}}
	}, admin.LevelSlow, "merchant", "2 orders are HELD: Alipay says paid, but something is not as ordered, and consumers do not ship. shop/h waits longest, for 30 min (amount_mismatch)."},
	{"a reload failed", func(s *admin.Status) { s.Instance.ReloadFailed = "line 3: x" }, admin.LevelSlow, "bridge", "New settings or files are not in force: line 3: x. What was read before stays in force."},
	{"a certificate ends", func(s *admin.Status) {
		s.Apps[0].Credentials = []admin.Credential{{Name: "app_cert_file", Ends: now.Add(72 * time.Hour)}}
	}, admin.LevelSlow, "merchant", "app_cert_file of app main ends in 3 days."},
	{"it is starting", func(s *admin.Status) { s.Instance.Ready = false }, admin.LevelStarting, "none", "The instance is starting or stopping: no pipeline publishes yet."},
}

// TestVerdicts: each trouble has its sentence, and the more serious one decides.
func TestVerdicts(t *testing.T) {
	if v := admin.Judge(well()); v.Level != admin.LevelFine || v.Owner != "none" || v.Text != "All is well: 12,345 events finished since 2026-12-01 02:12 UTC, 3 under way, 0 events wait." {
		t.Errorf("well: %+v", v)
	}
	internal := well()
	internal.Pipelines = append(internal.Pipelines, admin.Pipeline{Name: "status", Internal: true, Finished: 7, Running: 7})
	internal.Topics = append(internal.Topics, admin.Topic{Name: "trade-observations", Internal: true, Lag: map[string]int64{"ready": 7}})
	if got, want := admin.Judge(internal).Text, admin.Judge(well()).Text; got != want {
		t.Errorf("with a pipeline that reads no events of users: %s", got)
	}
	idle := well()
	idle.Pipelines[0].Partitions = 0
	if v := admin.Judge(idle); v.Level != admin.LevelFine || !strings.HasSuffix(v.Text, "0 events wait; no partition is assigned here: other instances have them, or one that was killed is waited for until its session ends.") {
		t.Errorf("without partitions: %+v", v)
	}
	for i, tt := range troubles {
		s := well()
		tt.break1(s)
		v := admin.Judge(s)
		if v.Level != tt.level || v.Owner != tt.owner || v.Text != tt.text || v.Do == "" || strings.HasSuffix(v.Do, ".") {
			t.Errorf("%s: %+v\nwant %s of %s: %s", tt.name, v, tt.level, tt.owner, tt.text)
		}
		if v.SafeToRestart == (tt.name == "it is stalled") {
			t.Errorf("%s: safe to restart: %v", tt.name, v.SafeToRestart)
		}
		for _, worse := range troubles[:i] {
			s := well()
			tt.break1(s)
			worse.break1(s)
			if v := admin.Judge(s); v.Level != worse.level || v.Owner != worse.owner {
				t.Errorf("%s and %s: %s", tt.name, worse.name, v.Text)
			}
		}
	}
}

// Several of a kind are counted, and what did not stop is said.
func TestVerdictsOfMany(t *testing.T) {
	s := well()
	for i := range s.Partitions {
		s.Partitions[i].State = "stopped"
	}
	if v := admin.Judge(s); !strings.HasPrefix(v.Text, "2 partitions are stopped, order-events/0 first: ") {
		t.Error(v.Text)
	}
	s = well()
	for i := range s.Accounts {
		s.Accounts[i].StoppedSince, s.Accounts[i].Error = ago(time.Duration(i+1)*time.Minute), "token expired"
	}
	if v := admin.Judge(s); !strings.HasPrefix(v.Text, "2 accounts wait, other first, for a person, for 2 min: ") || !strings.HasSuffix(v.Text, "no other account is left.") {
		t.Error(v.Text)
	}
	s = well()
	for i := range s.Apps[0].Breakers {
		s.Apps[0].Breakers[i].State, s.Apps[0].Breakers[i].Since = "open", ago(time.Duration(i+1)*time.Minute)
	}
	if v := admin.Judge(s); !strings.Contains(v.Text, "2 breakers are not closed, alipay.trade.query of app main first, for 2 min") || !strings.HasSuffix(v.Text, "and no other call succeeds.") {
		t.Error(v.Text)
	}
	// A call that has been in doubt for a moment, and an order that could have been handled for one, are no trouble.
	s = well()
	s.Doubts, s.Oldest = []admin.Doubt{{Calls: 1, Since: ago(4 * time.Minute)}}, []admin.Oldest{{Since: ago(30 * time.Second), Cause: "ready"}}
	if v := admin.Judge(s); v.Level != admin.LevelFine {
		t.Error(v.Text)
	}
}

// An order that has been held for a moment may end by itself; what more there are is not listed.
func TestOrdersThatAreHeld(t *testing.T) {
	s := well()
	s.TradeStatus.Held, s.TradeStatus.Orders = 1, []admin.Order{{State: "HELD", Anomalies: []string{"not_created"}, Since: ago(14 * time.Minute)}}
	if v := admin.Judge(s); v.Level != admin.LevelFine {
		t.Errorf("%+v", v)
	}
	s.TradeStatus.Orders[0].State = "PENDING"
	if v := admin.Judge(s); v.Level != admin.LevelSlow {
		t.Errorf("%+v", v)
	}
}

// A start that waits for a moment is a start; one that takes long has a cause, and an owner.
func TestAStartThatWaits(t *testing.T) {
	s := well()
	s.Instance.Ready, s.Instance.WaitsFor, s.Instance.WaitError, s.Instance.WaitSince = false, "the brokers", "connection refused", ago(20*time.Second)
	if v := admin.Judge(s); v.Level != admin.LevelStarting || v.Owner != "none" || !strings.Contains(v.Text, "connection refused") || len(v.Also) > 0 {
		t.Errorf("%+v", v)
	}
	s.Instance.WaitsFor, s.Instance.WaitSince = "the schema registry", ago(time.Hour)
	if v := admin.Judge(s); v.Level != admin.LevelStopped || v.Owner != "bridge" {
		t.Errorf("%+v", v)
	}
	s.Instance.WaitSince, s.Instance.ReloadFailed = ago(time.Second), "line 3: x"
	if v := admin.Judge(s); v.Level != admin.LevelSlow {
		t.Errorf("a start hides another trouble: %+v", v)
	}
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 59900 * time.Millisecond: "59 s", time.Minute: "1 min", 59*time.Minute + 59*time.Second: "59 min", time.Hour: "1 h 0 min", 47*time.Hour + 59*time.Minute: "47 h 59 min", 48 * time.Hour: "2 days", -time.Minute: "1 min",
	} {
		if got := admin.Span(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// One trouble does not hide another: each is said, with what to do and whose turn it is.
func TestOtherFindingsAreSaid(t *testing.T) {
	s := well()
	for _, trouble := range troubles {
		trouble.break1(s)
	}
	v := admin.Judge(s)
	if v.Text != troubles[0].text {
		t.Errorf("%s", v.Text)
	}
	for _, trouble := range troubles[1:] {
		said := strings.Join(v.Also, "\n")
		own := trouble.level != admin.LevelStarting && trouble.name != "it is behind" // these follow from the others
		if strings.Contains(said, trouble.text+" Do: ") != own {
			t.Errorf("%s: said %q", trouble.name, said)
		}
	}
	if len(v.Also) == 0 || !strings.HasSuffix(v.Also[0], "Whose turn: kafka.") {
		t.Errorf("%q", v.Also)
	}
}

// A key of ours that Alipay does not know is ours to correct.
func TestRefusedSignatureIsOurTurn(t *testing.T) {
	s := well()
	s.Accounts[0].StoppedSince, s.Accounts[0].Error = ago(time.Minute), "alipay.trade.create: MISCONFIGURED 40002/isv.invalid-signature"
	if v := admin.Judge(s); v.Owner != "bridge" {
		t.Errorf("%s: %s", v.Owner, v.Text)
	}
}
