package timeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/schemas"
)

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Operators and consumers read the same words.
func TestWordsAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/consumers.md")
	noError(t, err)
	rows := map[string][]string{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "`", "")
		}
		rows[cells[0]] = cells
	}
	if len(means) != 11 || len(anomalies) != 10 {
		t.Errorf("%d states, %d anomalies", len(means), len(anomalies))
	}
	for s, text := range means {
		if row := rows[string(s)]; len(row) < 2 || row[1] != text {
			t.Errorf("%s: %q, the page says %q", s, text, row)
		}
	}
	for word, a := range anomalies {
		if row := rows[word]; len(row) != 4 || row[1] != a.what || row[3] != a.do {
			t.Errorf("%s: %q, the page says %q", word, a, row)
		}
	}
}

func TestWhatAPersonDoes(t *testing.T) {
	for name, tt := range map[string]struct {
		s    state.Status
		want string
	}{
		"nothing":  {state.Status{State: state.Paid}, ""},
		"accepted": {state.Status{State: state.Paid, Anomalies: []string{state.AmountMismatch}, Accepted: []string{state.AmountMismatch}}, ""},
		"held":     {state.Status{Account: "shop", OrderNo: "1", State: state.Held, Anomalies: []string{state.SellerMismatch}}, "seller_mismatch: treat it as fraud until it is explained; once it is explained, a person accepts it: bridge accept shop/1"},
		"new word": {state.Status{State: state.Paid, Anomalies: []string{"odd"}}, "odd: a word that this version does not know; do nothing by yourself"},
	} {
		if got := todo(tt.s); got != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := meaning("NEW"); !strings.HasSuffix(got, "ask a person") {
		t.Error(got)
	}
}

func TestHowLongTopicsKeepRecords(t *testing.T) {
	newest := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		settings map[string]string
		keep     time.Duration // 0: no end
		why      string
	}{
		"deleted":            {map[string]string{"cleanup.policy": "delete", "retention.ms": "3600000"}, time.Hour, "retention.ms"},
		"for ever":           {map[string]string{"cleanup.policy": "delete", "retention.ms": "-1"}, 0, "retention.ms sets no end"},
		"compacted":          {map[string]string{"cleanup.policy": "compact", "max.compaction.lag.ms": "3600000", "delete.retention.ms": "60000", "retention.ms": "1"}, time.Hour + time.Minute, "max.compaction.lag.ms and delete.retention.ms"},
		"compacted some day": {map[string]string{"cleanup.policy": "compact", "max.compaction.lag.ms": "9223372036854775807", "delete.retention.ms": "60000"}, 0, "max.compaction.lag.ms sets no end"},
		"both":               {map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "3600000"}, time.Hour, "retention.ms"},
		"not said":           {map[string]string{}, 0, "retention.ms is not known"},
	} {
		r := Remain{Newest: newest}
		r.keep(tt.settings)
		want := newest.Add(tt.keep)
		if tt.keep == 0 {
			want = time.Time{}
		}
		if !r.Until.Equal(want) || r.Why != tt.why {
			t.Errorf("%s: %s, %s", name, r.Until, r.Why)
		}
	}
}

// Who and why go into a header and into logs.
func TestReasonsAreShortAndPlain(t *testing.T) {
	o := Current{}.Decide(order.Accepted, "me: a\nb\u0085"+strings.Repeat("好", 100), time.Now())
	if !strings.HasPrefix(o.CauseID, "me: a?b?好") || len(o.CauseID) > maxCause || strings.ContainsRune(o.CauseID, '\ufffd') {
		t.Errorf("%q", o.CauseID)
	}
}

// quiet is a Kafka in which no bridge runs, in virtual time.
func quiet(t *testing.T) (*Finder, *kgo.Client) {
	t.Helper()
	topics := config.Default().Topics
	net := &kfake.VirtualNetwork{}
	var names []string
	for _, m := range kafka.Topics(topics) {
		names = append(names, m.Name)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(net.Listen), kfake.SeedTopics(4, names...))
	noError(t, err)
	t.Cleanup(cluster.Close)
	registry, err := avro.NewFolder(schemas.FS, 1<<20)
	noError(t, err)
	cl, err := kgo.NewClient(append(ClientOptions(), kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.Dialer(net.DialContext))...)
	noError(t, err)
	t.Cleanup(cl.Close)
	return NewFinder(cl, order.NewCodec(registry), topics), cl
}

// A decision that no bridge merges is in the topic; whoever decided learns that it has no effect yet.
func TestNoBridgeAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cl := quiet(t)
		s := state.Status{Account: "shop", OrderNo: "1", Version: 4, State: state.Held, Anomalies: []string{state.AmountMismatch}, AlipayStatus: "TRADE_SUCCESS", Channel: order.ChannelTrade, ObservedAt: time.Now()}
		value, err := f.states.Encode(t.Context(), f.Topics.Status, s)
		noError(t, err)
		for _, r := range []*kgo.Record{{Key: []byte("shop/1"), Value: value}, {Key: []byte("shop/2"), Value: value}} {
			r.Topic = f.Topics.Status
			noError(t, cl.ProduceSync(t.Context(), r).FirstErr())
		}
		var shown []string
		began := time.Now()
		d, err := f.Accept(t.Context(), "shop", "1", "me", func(lines ...string) error { shown = lines; return nil })
		noError(t, err)
		if d.Answered || d.State != "HELD" || d.Version != 4 || d.Err() == nil || !strings.Contains(d.Err().Error(), "has not answered yet") {
			t.Errorf("%+v, %v", d, d.Err())
		}
		if took := time.Since(began); took < answerTime || took > 2*answerTime {
			t.Errorf("it took %s", took)
		}
		if !slices.Contains(shown, "accepted, consumers see it as PAID, version 5: paid; refunds are possible") {
			t.Errorf("%q", shown)
		}
		all, err := f.Orders(t.Context(), Wanted{Accounts: []string{"shop"}, OrderNo: "1"})
		noError(t, err)
		if last := all[0].Items[len(all[0].Items)-1]; last.Kind != Decision || last.Text != "ACCEPTED, of version 4, by me" {
			t.Errorf("%+v", last.Text)
		}
	})
}

// What happens to other orders is no answer to a decision to forget. A change that comes first is: the decision is about
// the version that the operator saw.
func TestOnlyATombstoneForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cl := quiet(t)
		neighbour := ""
		for i := 2; neighbour == ""; i++ {
			if k := fmt.Sprint("shop/", i); Partition(k, 4) == Partition("shop/1", 4) {
				neighbour = k
			}
		}
		put := func(key string, version int64) {
			r := &kgo.Record{Topic: f.Topics.Status, Key: []byte(key)}
			if version > 0 {
				var err error
				r.Value, err = f.states.Encode(t.Context(), f.Topics.Status, state.Status{Account: "shop", OrderNo: "1", Version: version, State: state.Paid, Channel: order.ChannelTrade, ObservedAt: time.Now()})
				noError(t, err)
			}
			noError(t, cl.ProduceSync(t.Context(), r).FirstErr())
		}
		put("shop/1", 4)
		put(neighbour, 9)
		d, err := f.Erase(t.Context(), "shop", "1", "me", func(lines ...string) error {
			if !strings.Contains(lines[0], "version 4") {
				t.Error(lines[0])
			}
			put(neighbour, 0)
			put("shop/1", 5)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), `"shop/1" changed meanwhile to version 5, PAID; nothing was forgotten`) || d.Answered {
			t.Errorf("%v, %+v", err, d)
		}
	})
}

// A tombstone is the answer to a decision to forget, also as the first record that follows.
func TestATombstoneForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cl := quiet(t)
		value, err := f.states.Encode(t.Context(), f.Topics.Status, state.Status{Account: "shop", OrderNo: "1", Version: 4, State: state.Paid, Channel: order.ChannelTrade, ObservedAt: time.Now()})
		noError(t, err)
		put := func(value []byte) {
			noError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: f.Topics.Status, Key: []byte("shop/1"), Value: value}).FirstErr())
		}
		put(value)
		d, err := f.Erase(t.Context(), "shop", "1", "me", func(...string) error {
			put(nil)
			return nil
		})
		noError(t, err)
		if !d.Answered || d.State != "FORGOTTEN" || d.Version != 0 || d.Before != "PAID" || d.Err() != nil {
			t.Errorf("%+v, %v", d, d.Err())
		}
		if lines := d.Lines(); lines[0] != "shop/1 is forgotten" {
			t.Errorf("%q", lines)
		}
		// Now there is nothing to forget, and no one is asked.
		d, err = f.Erase(t.Context(), "shop", "1", "me", func(...string) error { return errors.New("asked") })
		noError(t, err)
		if d.Decided || d.Err() != nil || d.Lines()[0] != "shop/1 has no trade status: there is nothing to forget" {
			t.Errorf("%+v, %v", d, d.Err())
		}
	})
}

// Only the order's own partitions are read, so that the answer comes in seconds.
func TestOwnPartitionsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cl := quiet(t)
		for _, k := range []string{"shop/1", "shop/2", "shop/3", "shop/4", "shop/5"} {
			for range 10 {
				noError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: f.Topics.Results, Key: []byte(k), Value: []byte("x")}).FirstErr())
			}
		}
		all, err := f.Orders(t.Context(), Wanted{Accounts: []string{"shop"}, OrderNo: "5"})
		noError(t, err)
		if len(all) != 1 || len(all[0].Items) != 10 {
			t.Fatalf("%d orders", len(all))
		}
		if f.scan.total >= 50 {
			t.Errorf("%d records were read, all that there are", f.scan.total)
		}
	})
}

// Ctrl-C ends a search.
func TestInterruptedSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cl := quiet(t)
		noError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: f.Topics.Status, Key: []byte("shop/1")}).FirstErr())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Orders(ctx, Wanted{Accounts: []string{"shop"}, OrderNo: "1"}); err == nil {
			t.Error("no error")
		}
	})
}
