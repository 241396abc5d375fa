package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/app/apptest"
)

// TestTopicsCreateWaitsUntilTheyShow: a broker learns of a new topic after the controller has
// answered. A check right after `topics create` must not find topics missing.
func TestTopicsCreateWaitsUntilTheyShow(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	apptest.NoError(t, err)
	defer cluster.Close()
	asked := 0
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		meta := req.(*kmsg.MetadataRequest)
		if len(meta.Topics) == 0 {
			return nil, nil, false
		}
		if asked++; asked == 3 {
			return nil, nil, false
		}
		resp := meta.ResponseKind().(*kmsg.MetadataResponse)
		for _, topic := range meta.Topics {
			resp.Topics = append(resp.Topics, kmsg.MetadataResponseTopic{Topic: topic.Topic, ErrorCode: kerr.UnknownTopicOrPartition.Code})
		}
		return resp, nil, true
	})
	var said bytes.Buffer
	c := rootCommand()
	c.SetArgs([]string{"topics", "create", "--yes", "--brokers", cluster.ListenAddrs()[0], "--registry", ""})
	c.SetErr(&said)
	apptest.NoError(t, c.ExecuteContext(t.Context()))
	if asked != 3 || !strings.HasSuffix(said.String(), "topics created, 0 existed already\n") {
		t.Errorf("asked %d times for new topics, want until they showed, the third time; said:\n%s", asked, said.String())
	}
}
