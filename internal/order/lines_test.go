package order_test

import (
	"errors"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/order"
)

// Files of editors begin with a mark, and files of another kind do not fill the screen.
func TestReadEvents(t *testing.T) {
	codec := order.NewCodec(nil)
	line := `{"event_id":"e1","event_type":"CREATED","occurred_at":"2026-01-31T00:00:00Z","order_no":"o1"}`
	events, err := order.ReadEvents("f", strings.NewReader("\ufeff"+line+"\r\n\n\ufeff"+line+"\n"), codec)
	if err != nil || len(events) != 2 {
		t.Errorf("%d events, %v", len(events), err)
	}
	_, err = order.ReadEvents("README.md", strings.NewReader(strings.Repeat("# title\n", 130)), codec)
	if err == nil {
		t.Fatal("accepted")
	}
	var list interface{ Unwrap() []error }
	if !errors.As(err, &list) || len(list.Unwrap()) != 11 || !strings.Contains(err.Error(), "README.md: 120 more bad lines") {
		t.Errorf("%v", err)
	}
}
