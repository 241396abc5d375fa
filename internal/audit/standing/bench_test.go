package standing

import (
	"testing"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/schemas"
)

// BenchmarkEvent is what the audit of an event costs, apart from the fetch: its result is decoded and noted.
func BenchmarkEvent(b *testing.B) {
	registry, err := avro.NewFolder(schemas.FS, 0)
	if err != nil {
		b.Fatal(err)
	}
	books := &books{o: Options{Codec: order.NewCodec(registry), Outputs: Outputs{Results: "results"}}, ledger: newLedger()}
	books.ledger.follow(in0, at(0))
	record, err := resultRecord(b.Context(), books.o.Codec, 0, order.OutcomeApplied)
	if err != nil {
		b.Fatal(err)
	}
	for offset := int64(0); b.Loop(); offset++ {
		if err := books.mark(b.Context(), record); err != nil {
			b.Fatal(err)
		}
		books.ledger.mark(evidenceResult, in0, offset+1, offset+2, false)
		if offset%1000 == 0 {
			books.ledger.advance(in0, offset, 0)
		}
	}
}
