package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/telemetry"
)

// Bounds of what waits for brokers.
const (
	maxUnconfirmed      = 2048 // records: two for each notification
	maxUnconfirmedBytes = 16 << 20
)

// publisher makes records durable. Both records of a notification are produced together, without a Kafka transaction:
// if only one becomes durable, Alipay repeats the notification and both are written again, which readers of
// either topic expect anyway. So receivers need no slot, and never wait for one another.
type publisher struct {
	client  *kgo.Client
	trouble *telemetry.Trouble
}

func newPublisher(opts []kgo.Opt, log *slog.Logger) (*publisher, error) {
	cl, err := kgo.NewClient(append(slices.Clone(opts),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(64<<10, true, true, nil)), // by key, as the pipelines do
		kgo.ProducerLinger(0),                                                       // the sender waits, and what arrives meanwhile makes the next batch
		kgo.MaxBufferedRecords(maxUnconfirmed), kgo.MaxBufferedBytes(maxUnconfirmedBytes),
		kgo.MetadataMinAge(250*time.Millisecond), // the default of 5 s is most of the time that a sender waits
		kgo.UnknownTopicRetries(1),
		kgo.RecordDeliveryTimeout(answerWithin),
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return &publisher{cl, telemetry.NewTrouble(log, "notifications cannot be made durable; Alipay is not answered with success, and repeats them", "notifications are made durable again")}, nil
}

// errUnconfirmed: it may or may not become durable.
var errUnconfirmed = errors.New("the brokers have not confirmed the records in time")

// publish returns once all records are durable, or ctx ends.
func (p *publisher) publish(ctx context.Context, all []*kgo.Record) (err error) {
	done := make(chan error, len(all)) // so that no callback waits
	for _, r := range all {
		p.client.TryProduce(ctx, r, func(_ *kgo.Record, err error) { done <- err })
	}
	for range all {
		select {
		case failed := <-done:
			err = errors.Join(err, failed)
		case <-ctx.Done():
			err = errUnconfirmed
		}
	}
	if !errors.Is(err, kgo.ErrMaxBuffered) { // which says nothing of the brokers
		p.trouble.Note(err, "remedy", "check the brokers, and the permission to write both topics; nothing is lost while Alipay repeats, for a day")
	}
	return err
}

// close drops what is still buffered: no one waits for it any more, and Alipay repeats it.
func (p *publisher) close() { p.client.Close() }
