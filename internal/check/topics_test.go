package check

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/kafka"
)

// TestCheckTellsConfigsItCannotRead: a broker that gives no configuration is said to give none;
// nothing is concluded from keys that it left out.
func TestCheckTellsConfigsItCannotRead(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	apptest.NoError(t, err)
	defer cluster.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	apptest.NoError(t, err)
	defer cl.Close()
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp, "kafka: {brokers: ['"+cluster.ListenAddrs()[0]+"'], slot: s, start: earliest}\n")
	for _, m := range kafka.Topics(cfg.Topics) {
		apptest.NoError(t, kafka.CreateTopic(t.Context(), kadm.NewClient(cl), m, cfg.Topics))
	}
	code := kerr.InvalidRequest.Code
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, r := range req.(*kmsg.DescribeConfigsRequest).Resources {
			resp.Resources = append(resp.Resources, kmsg.DescribeConfigsResponseResource{ErrorCode: code, ResourceType: r.ResourceType, ResourceName: r.ResourceName})
		}
		return resp, nil, true
	})
	c := &checker{cfg: cfg}
	c.kafka(t.Context())
	text := c.Text()
	if strings.Contains(text, "cleanup.policy") || !strings.Contains(text, "configuration of topic alipay-results: INVALID_REQUEST") || !strings.Contains(text, "configuration of broker 0: INVALID_REQUEST") {
		t.Error(text)
	}
	code = 0
	c = &checker{cfg: cfg}
	c.kafka(t.Context())
	wantFound(t, c.Report)
}
