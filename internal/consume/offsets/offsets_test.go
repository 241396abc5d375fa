package offsets_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume/offsets"
)

func TestParseStart(t *testing.T) {
	for s, want := range map[string]offsets.Start{
		"":                          {},
		"earliest":                  {Earliest: true},
		"latest":                    {Latest: true},
		"2026-01-31T08:00:00+08:00": {At: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)},
	} {
		got, err := offsets.ParseStart(s)
		if err != nil || got.Earliest != want.Earliest || got.Latest != want.Latest || !got.At.Equal(want.At) {
			t.Errorf("%q: %+v, %v; want %+v", s, got, err, want)
		}
	}
	for _, s := range []string{"Earliest", "2026-01-31", "0", " latest"} {
		if got, err := offsets.ParseStart(s); err == nil {
			t.Errorf("%q is accepted as %+v", s, got)
		}
	}
}

// What an operator accepts is read exactly: another spelling of a number may be a mistake.
func TestParseAcceptedPosition(t *testing.T) {
	for s, want := range map[string]offsets.AcceptedPosition{
		"orders/3@42":    {Topic: "orders", Partition: 3, Offset: 42},
		"o/0@0":          {Topic: "o"},
		"a/b/1@2":        {Topic: "a/b", Partition: 1, Offset: 2},
		"orders@x/12@34": {Topic: "orders@x", Partition: 12, Offset: 34},
	} {
		if got, err := offsets.ParseAcceptedPosition(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "orders", "orders/3", "orders@42", "/3@42", "orders@42/3", "orders/3@", "orders/@42", "orders/3@42 ", "orders/03@42", "orders/3@0x2a", "orders/3@+42", "orders/99999999999@1"} {
		if got, err := offsets.ParseAcceptedPosition(s); err == nil {
			t.Errorf("%q is accepted as %+v", s, got)
		}
	}
}

var facts = offsets.Facts{Cluster: "c", TopicIDs: map[string][16]byte{"in": {1}}, Partitions: map[string]int32{"in": 3}}

func partition(n int32, offset int64, text *string, err *kerr.Error) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Partition, p.Offset, p.Metadata = n, offset, text
	if err != nil {
		p.ErrorCode = err.Code
	}
	return p
}

// answer has three partitions; the first version names topics by id.
func answer(name string, group *kerr.Error, parts ...kmsg.OffsetFetchResponseGroupTopicPartition) *kmsg.OffsetFetchResponse {
	resp := kmsg.NewPtrOffsetFetchResponse()
	g := kmsg.NewOffsetFetchResponseGroup()
	if group != nil {
		g.ErrorCode = group.Code
	}
	t := kmsg.NewOffsetFetchResponseGroupTopic()
	t.Topic, t.Partitions = name, parts
	if name == "" {
		t.TopicID = [16]byte{1}
	}
	g.Topics = append(g.Topics, t)
	resp.Groups = append(resp.Groups, g)
	return resp
}

// An error of one partition concerns only that one; an error that passes makes the caller ask again.
func TestReadAnswers(t *testing.T) {
	text := "text"
	first := offsets.TopicPartition{Topic: "in", Partition: 0}
	one := map[offsets.TopicPartition]offsets.Committed{first: {Offset: 7, Text: "text"}}
	for name, tt := range map[string]struct {
		group   *kerr.Error
		second  *kerr.Error
		busy    bool
		refused error
		err     error
	}{
		"nothing wrong":       {},
		"pending transaction": {second: kerr.UnstableOffsetCommit, busy: true, refused: kerr.UnstableOffsetCommit},
		"not authorized":      {second: kerr.TopicAuthorizationFailed, refused: kerr.TopicAuthorizationFailed},
		"group moves":         {group: kerr.NotCoordinator, busy: true},
		"group is unstable":   {group: kerr.UnstableOffsetCommit, busy: true},
		"group is refused":    {group: kerr.GroupAuthorizationFailed, err: kerr.GroupAuthorizationFailed},
	} {
		for _, topic := range []string{"in", ""} {
			t.Run(name+"/topic by name "+topic, func(t *testing.T) {
				found, refused, busy, err := offsets.Read(answer(topic, tt.group, partition(0, 7, &text, nil), partition(1, -1, nil, tt.second)), facts)
				if !errors.Is(err, tt.err) || busy != tt.busy {
					t.Fatalf("busy %t, %v; want %t, %v", busy, err, tt.busy, tt.err)
				}
				if tt.err != nil {
					return
				}
				want := maps.Clone(one)
				second := offsets.TopicPartition{Topic: "in", Partition: 1}
				if tt.second == nil {
					want[second] = offsets.Committed{Offset: -1}
				}
				if !maps.Equal(found, want) || !errors.Is(refused[second], tt.refused) || len(found)+len(refused) != 2 {
					t.Errorf("found %v, refused %v; want %v, %v", found, refused, want, tt.refused)
				}
			})
		}
	}
}

// Older versions of the answer have the error of the whole answer in another place.
func TestReadAnErrorOfTheAnswer(t *testing.T) {
	resp := kmsg.NewPtrOffsetFetchResponse()
	resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
	if _, _, busy, err := offsets.Read(resp, facts); !busy || err != nil {
		t.Errorf("busy %t, %v; want to be asked again", busy, err)
	}
	resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
	if _, _, _, err := offsets.Read(resp, facts); !errors.Is(err, kerr.GroupAuthorizationFailed) {
		t.Errorf("error %v", err)
	}
}
