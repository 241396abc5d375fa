package timeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/integrity"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/progress"
	"alipay-kafka-bridge/internal/status/state"
)

// Roles of topics, as [kafka.Topics] names them.
const (
	roleEvents        = "events"
	roleQueries       = "queries"
	roleDead          = "dead-letters"
	roleDeadQueries   = "dead-queries"
	roleResults       = "results"
	roleSnapshots     = "snapshots"
	roleObservations  = "observations"
	roleNotifications = "notifications"
	roleStatus        = "status"
	roleSweep         = "sweep"
	roleJournal       = "journal"
)

// Finder finds what topics have of orders. Its client shows committed records and keeps the markers of transactions.
type Finder struct {
	Codec  *order.Codec
	Topics config.Topics
	Keys   *integrity.Keys // seal decisions; nil: they have no seals

	scan   scanner
	states *state.Codec
	roles  map[string]string // by topic
}

// fetchWait is how long a broker may keep a fetch open that finds nothing. A fetch may have only some of the
// partitions that are read; if those are empty, the records of the others wait as long.
const fetchWait = 250 * time.Millisecond

// ClientOptions are what a Finder needs of its client.
func ClientOptions() []kgo.Opt {
	return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(fetchWait)}
}

// NewFinder returns a Finder.
func NewFinder(cl *kgo.Client, codec *order.Codec, t config.Topics) *Finder {
	f := &Finder{Codec: codec, Topics: t, scan: scanner{client: cl, admin: kadm.NewClient(cl)}, states: state.NewCodec(codec), roles: map[string]string{}}
	for _, topic := range kafka.Topics(t) {
		f.roles[topic.Name] = topic.Role
	}
	return f
}

// Watch shows from now on how far it is.
func (f *Finder) Watch(work *progress.Bar) { f.scan.work = work }

// Wanted is which orders are looked for.
type Wanted struct {
	Accounts []string
	OrderNo  string
	Since    time.Time // of records; trade status may be older
	All      bool      // also read input records whose key is not the order number
	Seen     bool      // also list observations of results, snapshots and notifications, which repeat these
}

// Orders returns what is there of an order number, for each account that has it.
func (f *Finder) Orders(ctx context.Context, w Wanted) ([]Order, error) {
	counts, err := f.scan.count(ctx, f.names())
	if err != nil {
		return nil, err
	}
	if len(counts) == 0 {
		return nil, errors.New("none of the topics is there; bridge topics create creates them")
	}
	s := search{Finder: f, w: w, counts: counts, places: map[order.Origin]bool{}}
	for _, step := range []func(context.Context) error{s.own, s.inputs, s.origins, s.oldStatus, s.skips} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s.orders(), nil
}

func (f *Finder) names() []string {
	var all []string
	for topic := range f.roles {
		all = append(all, topic)
	}
	slices.Sort(all)
	return all
}

// defaultAccount is the account of an input topic's events that name none.
func (f *Finder) defaultAccount(topic string) string {
	for _, in := range slices.Concat(f.Topics.Inputs, f.Topics.Queries) {
		if in.Name == topic {
			return in.DefaultAccount
		}
	}
	return ""
}

// Partition is the partition of a key, as every Kafka client chooses it that follows the Java client.
func Partition(key string, partitions int) int32 {
	return int32(kgo.StickyKeyPartitioner(nil).ForTopic("").Partition(&kgo.Record{Key: []byte(key)}, partitions))
}

// search is one search for an order number.
type search struct {
	*Finder
	w      Wanted
	counts map[string]int // partitions of topics that are there
	items  []Item
	places map[order.Origin]bool // of items
}

// keys are the record keys of the order in a topic of this role.
func (s *search) keys(role string) []string {
	var accounts []string
	for _, a := range s.w.Accounts {
		accounts = append(accounts, order.Key(order.Account(a), alipay.OutTradeNo(s.w.OrderNo)))
	}
	switch role {
	case roleEvents, roleQueries:
		return []string{s.w.OrderNo}
	case roleDead, roleDeadQueries, roleResults:
		return append(accounts, s.w.OrderNo, "/"+s.w.OrderNo) // of events that cannot be decoded, or have no account
	case roleJournal:
		return nil
	}
	return accounts
}

// own reads the order's own partition of each topic.
func (s *search) own(ctx context.Context) error {
	var wanted []partition
	for topic, n := range s.counts {
		for _, key := range s.keys(s.roles[topic]) {
			wanted = append(wanted, partition{topic, Partition(key, n)})
		}
	}
	return s.look(ctx, wanted, s.w.Since, func(r *kgo.Record) bool {
		return slices.Contains(s.keys(s.roles[r.Topic]), string(r.Key))
	})
}

// look adds records of partitions since a time.
func (s *search) look(ctx context.Context, wanted []partition, since time.Time, is func(*kgo.Record) bool) error {
	spans, err := s.scan.bounds(ctx, wanted, since)
	if err != nil {
		return err
	}
	return s.scan.read(ctx, spans, func(r *kgo.Record) error {
		if !r.Timestamp.Before(since) && is(r) { // a batch may begin earlier
			s.add(ctx, r)
		}
		return nil
	})
}

func (s *search) add(ctx context.Context, r *kgo.Record) {
	at := order.Origin{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	if s.places[at] {
		return
	}
	i := s.item(ctx, s.roles[r.Topic], r)
	if i.Kind == seen && !s.w.Seen {
		return
	}
	// What an event names is never guessed: producers may use any key.
	if account, ok := strings.CutSuffix(string(r.Key), "/"+s.w.OrderNo); ok && i.account == "" && slices.Contains(s.w.Accounts, account) {
		i.account = account
	}
	if i.account == "" && len(s.w.Accounts) == 1 {
		i.account = s.w.Accounts[0]
	}
	s.places[at] = true
	s.items = append(s.items, i)
}

// inputs reads all partitions of the input topics, if that is wanted: producers may use other keys.
func (s *search) inputs(ctx context.Context) error {
	if !s.w.All {
		return nil
	}
	var wanted []partition
	for topic, n := range s.counts {
		if role := s.roles[topic]; role == roleEvents || role == roleQueries {
			for p := range n {
				wanted = append(wanted, partition{topic, int32(p)})
			}
		}
	}
	return s.look(ctx, wanted, s.w.Since, func(r *kgo.Record) bool {
		if !bytes.Contains(r.Value, []byte(s.w.OrderNo)) { // Avro writes a text as it is
			return false
		}
		head, err := s.Codec.EventHead(ctx, r.Topic, r.Value)
		return err == nil && string(head.OrderNo) == s.w.OrderNo
	})
}

// origins reads the input records that results and dead letters name: their keys may be others.
func (s *search) origins(ctx context.Context) error {
	missing := map[partition][]int64{}
	var wanted []partition
	for _, i := range s.items {
		for _, at := range i.origins {
			if s.counts[at.Topic] > int(at.Partition) && !s.places[at] {
				p := partition{at.Topic, at.Partition}
				missing[p] = append(missing[p], at.Offset)
				wanted = append(wanted, p)
			}
		}
	}
	bounds, err := s.scan.bounds(ctx, wanted, time.Time{})
	if err != nil {
		return err
	}
	for p, offsets := range missing {
		slices.Sort(offsets)
		for _, o := range slices.Compact(offsets) {
			if o < bounds[p].begin || o >= bounds[p].end {
				continue // its retention is over
			}
			if err := s.scan.read(ctx, map[partition]span{p: {o, o + 1}}, func(r *kgo.Record) error {
				s.add(ctx, r)
				return nil
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// oldStatus reads trade status from its start for accounts that have none since the time: the topic is compacted.
func (s *search) oldStatus(ctx context.Context) error {
	n := s.counts[s.Topics.Status]
	if n == 0 || s.w.Since.IsZero() {
		return nil
	}
	var wanted []partition
	for _, key := range s.keys(roleStatus) {
		account, _, _ := strings.Cut(key, "/")
		if !slices.ContainsFunc(s.items, func(i Item) bool { return i.account == account && i.Topic == s.Topics.Status }) {
			wanted = append(wanted, partition{s.Topics.Status, Partition(key, n)})
		}
	}
	return s.look(ctx, wanted, time.Time{}, func(r *kgo.Record) bool { return slices.Contains(s.keys(roleStatus), string(r.Key)) })
}

// skips finds in the journal why events led to no call.
func (s *search) skips(ctx context.Context) error {
	n := s.counts[s.Topics.Journal]
	if n == 0 {
		return nil
	}
	events := map[string][]Item{}
	var wanted []partition
	for _, i := range s.items {
		if i.Kind == Event {
			key := fmt.Sprintf("%s/%d", i.Topic, i.Partition)
			events[key] = append(events[key], i)
			wanted = append(wanted, partition{s.Topics.Journal, Partition(key, n)})
		}
	}
	return s.look(ctx, wanted, s.w.Since, func(r *kgo.Record) bool {
		of := events[string(r.Key)]
		if len(of) == 0 {
			return false
		}
		j, err := s.Codec.DecodeJournal(ctx, r.Topic, r.Value)
		if err != nil {
			return false
		}
		for _, e := range of {
			for _, skipped := range j.Skipped {
				if e.Offset >= skipped.First && e.Offset <= skipped.Last {
					s.items = append(s.items, Item{
						Time: r.Timestamp.UTC(), Kind: Skip, Text: parts(skipped.Reason, "no call for "+e.Place()),
						Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, account: e.account,
					})
				}
			}
		}
		return false
	})
}

// orders sorts what was found.
func (s *search) orders() []Order {
	slices.SortStableFunc(s.items, func(a, b Item) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(ranks[a.Kind], ranks[b.Kind]), cmp.Compare(a.Offset, b.Offset))
	})
	all := []Order{}
	for _, account := range append(slices.Clone(s.w.Accounts), "") { // without an account: events that cannot be decoded
		o := Order{Account: account, OrderNo: s.w.OrderNo}
		var newest Item
		for _, i := range s.items {
			if i.account != account {
				continue
			}
			o.Items = append(o.Items, i)
			if (i.Kind == StatusKind || i.Kind == Forgotten) && i.Offset >= newest.Offset {
				newest = i
			}
		}
		if len(o.Items) == 0 {
			continue
		}
		o.judge(newest)
		all = append(all, o)
	}
	return all
}

// ByTrade returns the keys of orders with this number of Alipay's, read from all of trade status.
func (f *Finder) ByTrade(ctx context.Context, number string, accounts []string) ([]string, error) {
	counts, err := f.scan.count(ctx, []string{f.Topics.Status})
	if err != nil {
		return nil, err
	}
	var wanted []partition
	for p := range counts[f.Topics.Status] {
		wanted = append(wanted, partition{f.Topics.Status, int32(p)})
	}
	spans, err := f.scan.bounds(ctx, wanted, time.Time{})
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	err = f.scan.read(ctx, spans, func(r *kgo.Record) error {
		if !bytes.Contains(r.Value, []byte(number)) {
			return nil
		}
		s, err := f.states.Decode(ctx, r.Topic, r.Value)
		if err == nil && slices.Contains(accounts, string(s.Account)) && (string(s.TradeNo) == number || string(s.KoubeiOrderNo) == number) {
			has[string(r.Key)] = true
		}
		return nil
	})
	var keys []string
	for key := range has {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys, err
}
