package timeline

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Remain is a topic that still has records of an order.
type Remain struct {
	Topic   string    `json:"topic"`          // name of the topic
	Records int       `json:"records"`        // how many
	Newest  time.Time `json:"newest"`         // time of the newest
	Until   time.Time `json:"until,omitzero"` // when the topic's own settings let Kafka delete them
	Why     string    `json:"why"`            // which settings of the topic
}

// Remains says in which topics records of an order are, and until when.
func (f *Finder) Remains(ctx context.Context, orders []Order) ([]Remain, error) {
	by := map[string]*Remain{}
	for _, o := range orders {
		for _, i := range o.Items {
			if i.Kind == Skip { // the journal has offsets, and no order numbers
				continue
			}
			r := by[i.Topic]
			if r == nil {
				r = &Remain{Topic: i.Topic}
				by[i.Topic] = r
			}
			r.Records++
			if i.Time.After(r.Newest) {
				r.Newest = i.Time
			}
		}
	}
	if len(by) == 0 {
		return nil, nil
	}
	var topics []string
	for t := range by {
		topics = append(topics, t)
	}
	settings, err := f.scan.admin.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var all []Remain
	for _, s := range settings {
		r := by[s.Name]
		if r == nil {
			continue
		}
		values := map[string]string{}
		for _, c := range s.Configs {
			values[c.Key] = c.MaybeValue()
		}
		if s.Err != nil {
			r.Why = "its settings cannot be read: " + s.Err.Error()
		} else {
			r.keep(values)
		}
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Remain) int { return cmp.Compare(a.Topic, b.Topic) })
	return all, nil
}

// keep reads from the settings of a topic how long it keeps the records.
func (r *Remain) keep(settings map[string]string) {
	names := []string{"retention.ms"}
	if policy := settings["cleanup.policy"]; strings.Contains(policy, "compact") && !strings.Contains(policy, "delete") {
		names = []string{"max.compaction.lag.ms", "delete.retention.ms"}
	}
	r.Why = strings.Join(names, " and ")
	until := r.Newest
	for _, name := range names {
		ms, err := strconv.ParseInt(settings[name], 10, 64)
		switch {
		case err != nil:
			r.Why = name + " is not known"
			return
		case ms < 0 || ms > math.MaxInt64/int64(time.Millisecond):
			r.Why = name + " sets no end"
			return
		}
		until = until.Add(time.Duration(ms) * time.Millisecond)
	}
	r.Until = until
}
