package avro_test

import (
	"testing"
	"time"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

// projectionCost is what reading a writer's schema one version apart may take, of what reading
// our own takes.
const projectionCost = 1.5

// BenchmarkDecode reports what decoding an event takes with the same schema and with one a
// version apart, in turn, so that a busy machine disturbs both alike.
func BenchmarkDecode(b *testing.B) {
	reader := avro.MustCodec(schemas.OrderEvent)
	const events = 100
	var codecs [2]*avro.Codec
	var values [2][]byte
	for i, schema := range []string{schemas.OrderEvent, oneVersionApart(b)} {
		var err error
		codecs[i] = avro.MustCodec(schema)
		if values[i], err = encode(codecs[i], nil, sampleEvent()); err != nil {
			b.Fatal(err)
		}
	}
	least := [2]time.Duration{time.Hour, time.Hour} // of many turns: other work of the machine only adds
	for b.Loop() {
		for i, c := range codecs {
			begin := time.Now()
			for range events {
				if _, err := c.DecodeAs(reader, values[i]); err != nil {
					b.Fatal(err)
				}
			}
			least[i] = min(least[i], time.Since(begin))
		}
	}
	cost := least[1].Seconds() / least[0].Seconds()
	b.ReportMetric(float64(least[0].Nanoseconds())/events, "ns/same")
	b.ReportMetric(float64(least[1].Nanoseconds())/events, "ns/apart")
	b.ReportMetric(cost, "apart/same")
	if b.N > 100 && cost > projectionCost {
		b.Errorf("a schema one version apart costs %.2f of the same, want at most %.2f", cost, projectionCost)
	}
}

// BenchmarkK5_Verify is what reading checks in each record before it decodes it (security K5).
func BenchmarkK5_Verify(b *testing.B) {
	c := avro.MustCodec(schemas.OrderEvent)
	value, err := encode(c, nil, sampleEvent())
	if err != nil {
		b.Fatal(err)
	}
	const records = 1000
	least := time.Hour
	for b.Loop() {
		begin := time.Now()
		for range records {
			if err := c.Verify(value); err != nil {
				b.Fatal(err)
			}
		}
		least = min(least, time.Since(begin))
	}
	b.ReportMetric(float64(least.Nanoseconds())/records, "ns/checks")
}
