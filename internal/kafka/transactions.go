package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrNoTransactions means that the cluster cannot run the transactions of the bridge: its calls would
// be made, and nothing would ever be published. It does not go away by itself.
var ErrNoTransactions = errors.New("the bridge needs transactions, and makes no call without them")

// transactionRequests are what a producer in a transaction sends.
func transactionRequests() []kmsg.Request {
	return []kmsg.Request{
		kmsg.NewPtrFindCoordinatorRequest(), kmsg.NewPtrInitProducerIDRequest(), kmsg.NewPtrAddPartitionsToTxnRequest(),
		kmsg.NewPtrAddOffsetsToTxnRequest(), kmsg.NewPtrTxnOffsetCommitRequest(), kmsg.NewPtrEndTxnRequest(),
	}
}

// FindTransactions returns an error if the brokers do not offer transactions, or have no coordinator
// for this transactional id. It changes nothing. An error that is not [ErrNoTransactions] may go away.
func FindTransactions(ctx context.Context, cl *kgo.Client, id string) error {
	if err := offersTransactions(ctx, cl); err != nil {
		return err
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = 1, id, []string{id} // 1: transactions
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return transactionError("find the transaction coordinator", id, err)
	}
	code := resp.ErrorCode
	for _, c := range resp.Coordinators {
		code = c.ErrorCode
	}
	return transactionError("find the transaction coordinator", id, kerr.ErrorForCode(code))
}

// offersTransactions asks one broker which requests it knows.
func offersTransactions(ctx context.Context, cl *kgo.Client) error {
	resp, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("ask a broker which requests it knows: %w", err)
	}
	known := map[int16]bool{}
	for _, k := range resp.ApiKeys {
		known[k.ApiKey] = true
	}
	var missing []string
	for _, r := range transactionRequests() {
		if !known[r.Key()] {
			missing = append(missing, kmsg.NameForKey(r.Key()))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the brokers do not know %s; use a cluster that has transactions (Kafka 2.5 or later): %w", strings.Join(missing, ", "), ErrNoTransactions)
	}
	return nil
}

// OpenTransactions is [FindTransactions], and opens a producer with this transactional id. That ends
// the producer of another process with the same id, so only its owner may do it.
func OpenTransactions(ctx context.Context, cl *kgo.Client, id string, timeout time.Duration) error {
	if err := FindTransactions(ctx, cl, id); err != nil {
		return err
	}
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &id, int32(timeout.Milliseconds())
	req.ProducerID, req.ProducerEpoch = -1, -1
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	return transactionError("open a producer", id, err)
}

// transactionError says what to do about an error. What a broker answered and does not call temporary
// is [ErrNoTransactions].
func transactionError(doing, id string, err error) error {
	if err == nil {
		return nil
	}
	doing = fmt.Sprintf("%s of transactional id %s", doing, id)
	var answered *kerr.Error
	switch {
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return fmt.Errorf("%s: Write on transactional-id %s is not allowed; bridge check --acls prints the command that allows it: %w: %w", doing, id, ErrNoTransactions, err)
	case errors.Is(err, kerr.InvalidTransactionTimeout):
		return fmt.Errorf("%s: kafka.transaction_timeout is longer than transaction.max.timeout.ms of the brokers; lower it: %w: %w", doing, ErrNoTransactions, err)
	case errors.Is(err, kerr.CoordinatorNotAvailable):
		return fmt.Errorf("%s: the cluster has no coordinator for it; check that transaction.state.log.replication.factor and transaction.state.log.min.isr are not above the number of brokers: %w", doing, err)
	case errors.As(err, &answered) && !answered.Retriable && !errors.Is(err, kerr.ConcurrentTransactions):
		return fmt.Errorf("%s: check that the cluster has transactions: %w: %w", doing, ErrNoTransactions, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
