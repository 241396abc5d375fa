package audit

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Version is one record of trade-status, as its headers show it.
type Version struct {
	Key    string
	Number int64
	State  string
}

// Statuses is what the bridge published about orders and notifications.
type Statuses struct {
	Versions      []Version      // in the order of the topic; orders that were forgotten are left out
	Notifications map[string]int // records by notify_id
}

// Headers of the records.
const (
	headerState   = "state"
	headerVersion = "version"
	headerEventID = "event-id"
)

// ReadStatuses reads trade-status and the notifications to their ends, as any consumer would.
func ReadStatuses(ctx context.Context, opts []kgo.Opt, status, notifications string) (Statuses, error) {
	out := Statuses{Notifications: map[string]int{}}
	records, err := ReadTopics(ctx, opts, status, notifications)
	if err != nil {
		return out, fmt.Errorf("read trade status: %w", err)
	}
	for _, r := range records {
		if err := out.add(r, status); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (s *Statuses) add(r *kgo.Record, status string) error {
	if r.Topic != status {
		s.Notifications[header(r, headerEventID)]++
		return nil
	}
	if r.Value == nil {
		return nil
	}
	n, err := strconv.ParseInt(header(r, headerVersion), 10, 64)
	if err != nil {
		return fmt.Errorf("read trade status: %s/%d@%d: header %s: %w", r.Topic, r.Partition, r.Offset, headerVersion, err)
	}
	s.Versions = append(s.Versions, Version{Key: string(r.Key), Number: n, State: header(r, headerState)})
	return nil
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// ranks are the states that only grow. HELD and the others say nothing about the trade.
var ranks = map[string]int{
	"PENDING": 1, "PAID": 2, "PARTIALLY_REFUNDED": 3, "FINISHED": 4, "CLOSED": 4, "CLOSED_UNPAID": 4, "REFUNDED": 4,
}

// VersionsInTurn: each order has the versions 1, 2, 3, ..., each once and in this order, and none goes back to an earlier
// state.
func VersionsInTurn(versions []Version) Proof {
	p := Proof{}
	last, rank := map[string]int64{}, map[string]int{}
	for _, v := range versions {
		if v.Number != last[v.Key]+1 {
			p.Violations = append(p.Violations, fmt.Sprintf("%s: version %d after %d", v.Key, v.Number, last[v.Key]))
		}
		last[v.Key] = v.Number
		next := ranks[v.State]
		if next == 0 {
			continue
		}
		if next < rank[v.Key] {
			p.Violations = append(p.Violations, fmt.Sprintf("%s: version %d goes back to %s", v.Key, v.Number, v.State))
		}
		rank[v.Key] = next
	}
	p.Text = fmt.Sprintf("trade status: %d orders, %d versions, none missing, none twice, none goes back", len(last), len(versions))
	return p
}

// NotificationsKept: each notification that was answered with success is in its topic.
func NotificationsKept(answered []string, published map[string]int) Proof {
	p := Proof{Text: fmt.Sprintf("notifications: %d answered success, each of them in its topic", len(answered))}
	for _, id := range answered {
		if published[id] == 0 {
			p.Violations = append(p.Violations, fmt.Sprintf("%s was answered success and is not in its topic", id))
		}
	}
	return p
}
