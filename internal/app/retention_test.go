package app

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/reread"
	"alipay-kafka-bridge/internal/sight"
)

// An event may be deleted when its timestamp is older than the retention of its topic.
func TestWhenHeadsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &kfake.VirtualNetwork{}
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(network.Listen), kfake.SeedTopics(2, "week", "ever"))
		apptest.NoError(t, err)
		defer c.Close()
		opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(network.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner())}
		cl, err := kgo.NewClient(opts...)
		apptest.NoError(t, err)
		defer cl.Close()
		reader, err := reread.New(opts...)
		apptest.NoError(t, err)
		defer reader.Close()
		adm := kadm.NewClient(cl)
		week, ever := "604800000", "-1"
		_, err = adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "retention.ms", Value: &week}}, "week")
		apptest.NoError(t, err)
		_, err = adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "retention.ms", Value: &ever}}, "ever")
		apptest.NoError(t, err)
		produced := time.Now().Add(-6 * 24 * time.Hour).Truncate(time.Millisecond)
		for _, topic := range []string{"week", "ever"} {
			for i := range 3 {
				apptest.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 1, Timestamp: produced.Add(time.Duration(i) * time.Hour)}).FirstErr())
			}
		}
		heads := []look.Partition{{Topic: "week", Partition: 1, Head: 1}, {Topic: "ever", Partition: 1, Head: 1}, {Topic: "week", Partition: 0, Head: 7}}
		got, err := headsEnd(t.Context(), adm, reader, heads)
		want := produced.Add(time.Hour + 7*24*time.Hour)
		if end := got[sight.Place{Topic: "week", Partition: 1}]; err != nil || len(got) != 1 || !end.Equal(want) {
			t.Errorf("%v, %v; want %s", got, err, want)
		}
		c.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
			resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
			r := kmsg.NewDescribeConfigsResponseResource()
			r.ResourceName, r.ResourceType, r.ErrorCode = "week", kmsg.ConfigResourceTypeTopic, kerr.TopicAuthorizationFailed.Code
			resp.Resources = append(resp.Resources, r)
			return resp, nil, true
		})
		if _, err := headsEnd(t.Context(), adm, reader, heads[:1]); err == nil {
			t.Error("a refusal is not told")
		}
	})
}
