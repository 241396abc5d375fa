package produce_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/produce"
)

// A record that is given up when the batch runs out of time says nothing of itself: where another topic answered, its own
// topic is the cause; where none did, no topic is.
func TestRecordsThatAreGivenUp(t *testing.T) {
	records := []*kgo.Record{{Topic: "out"}, {Topic: "status"}}
	for _, given := range []error{context.DeadlineExceeded, context.Canceled} {
		var of *produce.TopicError
		if err := produce.Answers(records, nil, given); !errors.As(err, &of) || !slices.Equal(of.Topics, []string{"status"}) {
			t.Errorf("%v for one of two: %v, want the topic of the other one", given, err)
		}
		if err := produce.Answers(records, given, given); err == nil || errors.As(err, &of) {
			t.Errorf("%v for both: %v, want no topic", given, err)
		}
	}
	if err := produce.Answers(records, nil, nil); err != nil {
		t.Error(err)
	}
}
