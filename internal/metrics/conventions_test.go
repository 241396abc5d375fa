package metrics_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"

	"alipay-kafka-bridge/internal/metrics"
)

// conventions are the metrics of the semantic conventions.
var conventions = map[string]bool{
	httpconv.ClientRequestDuration{}.Name(): true, messagingconv.ClientOperationDuration{}.Name(): true,
	messagingconv.ClientSentMessages{}.Name(): true, messagingconv.ClientConsumedMessages{}.Name(): true, messagingconv.ProcessDuration{}.Name(): true,
}

// TestConventions: names, units and required attributes are those of the version of the conventions that the
// traces use.
func TestConventions(t *testing.T) {
	duration, _ := httpconv.NewClientRequestDuration(noop.Meter{})
	operation, _ := messagingconv.NewClientOperationDuration(noop.Meter{})
	sent, _ := messagingconv.NewClientSentMessages(noop.Meter{})
	consumed, _ := messagingconv.NewClientConsumedMessages(noop.Meter{})
	process, _ := messagingconv.NewProcessDuration(noop.Meter{})
	messaging := []attribute.Key{semconv.MessagingSystemKey, semconv.MessagingOperationNameKey, semconv.ErrorTypeKey, semconv.MessagingDestinationNameKey, semconv.MessagingConsumerGroupNameKey}
	for m, want := range map[*metrics.Metric]struct {
		name, unit string
		labels     []attribute.Key
	}{
		&metrics.HTTPDuration:      {duration.Name(), duration.Unit(), []attribute.Key{semconv.HTTPRequestMethodKey, semconv.ServerAddressKey, semconv.ServerPortKey, semconv.HTTPResponseStatusCodeKey, semconv.ErrorTypeKey}},
		&metrics.OperationDuration: {operation.Name(), operation.Unit(), messaging},
		&metrics.MessagesSent:      {sent.Name(), sent.Unit(), messaging},
		&metrics.MessagesConsumed:  {consumed.Name(), consumed.Unit(), messaging},
		&metrics.ProcessDuration:   {process.Name(), process.Unit(), messaging},
	} {
		if m.Name != want.name || m.Unit != want.unit {
			t.Errorf("%s in %s: the conventions say %s in %s", m.Name, m.Unit, want.name, want.unit)
		}
		known := map[string]bool{}
		for _, key := range want.labels {
			known[string(key)] = true
		}
		for _, l := range m.Labels {
			if !known[l.Name] {
				t.Errorf("%s: the conventions know no %s", m.Name, l.Name)
			}
		}
	}
}

// TestAbsentLabels: what did not fail has no error.type, neither in a scrape nor in a push, and numbers are
// pushed as numbers.
func TestAbsentLabels(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	s, err := metrics.New(metrics.Options{Values: values(), Push: []sdkmetric.Reader{reader}})
	if err != nil {
		t.Fatal(err)
	}
	s.Record(t.Context(), &metrics.HTTPDuration, 0.1, "POST", "openapi.alipay.com", "443", "200", "")
	for _, l := range gather(t, s)["http_client_request_duration_seconds"].GetMetric()[0].GetLabel() {
		if l.GetName() == "error_type" {
			t.Errorf("%s is %q", l.GetName(), l.GetValue())
		}
	}
	got := map[attribute.Key]attribute.Value{}
	for _, kv := range pushed(t, reader, "http.client.request.duration") {
		got[kv.Key] = kv.Value
	}
	if _, there := got[semconv.ErrorTypeKey]; there || len(got) != 4 || got[semconv.ServerPortKey].AsInt64() != 443 || got[semconv.HTTPResponseStatusCodeKey].AsInt64() != 200 {
		t.Errorf("pushed: %v", got)
	}
}

// pushed are the attributes of the first point of a histogram.
func pushed(t *testing.T, reader *sdkmetric.ManualReader, name string) []attribute.KeyValue {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
			return h.DataPoints[0].Attributes.ToSlice()
		}
	}
	t.Fatalf("%s is not pushed", name)
	return nil
}

// TestPrometheusNames: what a scrape makes of the names of the conventions.
func TestPrometheusNames(t *testing.T) {
	for m, want := range map[*metrics.Metric]string{
		&metrics.HTTPDuration:      "http_client_request_duration_seconds: http_request_method server_address server_port http_response_status_code error_type",
		&metrics.OperationDuration: "messaging_client_operation_duration_seconds: messaging_system messaging_operation_name messaging_consumer_group_name error_type",
		&metrics.MessagesSent:      "messaging_client_sent_messages_total: messaging_system messaging_operation_name messaging_destination_name error_type",
		&metrics.MessagesConsumed:  "messaging_client_consumed_messages_total: messaging_system messaging_operation_name messaging_destination_name messaging_consumer_group_name",
		&metrics.ProcessDuration:   "messaging_process_duration_seconds: messaging_system messaging_operation_name messaging_destination_name messaging_consumer_group_name error_type",
	} {
		if got := m.Prometheus() + ": " + strings.Join(m.LabelNames(), " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
