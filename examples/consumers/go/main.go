// Consumer reads trade-status: what is paid, refunded or held, one current state per order.
//
// Copy it, and replace what is in store.go. The environment has BROKERS, REGISTRY, TOPIC, GROUP, ENVIRONMENT (production,
// sandbox or simulator) and STORE (a file). With --to-end it stops at the end of the topic and prints order, version, state.
package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// status has the fields of the schema TradeStatus that this reader needs. A record is decoded with the schema that it
// was written with, so new fields do no harm.
type status struct {
	Environment string   `avro:"environment"`
	Version     int64    `avro:"version"`
	State       string   `avro:"state"`
	Anomalies   []string `avro:"anomalies"`
}

var (
	group    = env("GROUP", "shop-go")
	registry *sr.Client
	schemas  = map[uint32]avro.Schema{} // by their id
)

func env(name, fallback string) string { return cmp.Or(os.Getenv(name), fallback) }

func main() {
	if err := run(slices.Contains(os.Args, "--to-end")); err != nil {
		log.Fatal(err)
	}
}

func run(toEnd bool) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	db, err := openStore(env("STORE", "orders-go.tsv"))
	if err != nil {
		return err
	}
	if registry, err = sr.NewClient(sr.URLs(env("REGISTRY", "http://127.0.0.1:8081/apis/ccompat/v7"))); err != nil {
		return err
	}
	kafka, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(env("BROKERS", "127.0.0.1:9092"), ",")...),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(env("TOPIC", "trade-status")),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),      // others see records of transactions that were aborted
		kgo.DisableAutoCommit(),                           // offsets are committed after the work, not before it
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // a new reader begins with the state of every order
		kgo.BlockRebalanceOnPoll(),                        // partitions move between batches only
		kgo.SessionTimeout(10*time.Second),                // after a crash, the next one waits so long
		kgo.KeepControlRecords())                          // so that offsets also pass the ends of transactions
	if err != nil {
		return err
	}
	defer kafka.CloseAllowingRebalance()
	for ctx.Err() == nil {
		n, err := batch(ctx, kafka, db)
		if err != nil {
			return err
		}
		if n > 0 || !toEnd {
			continue
		}
		lags, err := kadm.NewClient(kafka).Lag(ctx, group)
		if err != nil {
			return err
		}
		if l := lags[group]; l.Error() == nil && len(l.Lag) > 0 && l.Lag.Total() == 0 {
			return db.print()
		}
	}
	return nil
}

// batch handles what one poll returns, and then commits its offsets.
func batch(ctx context.Context, kafka *kgo.Client, db *store) (int, error) {
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	fetches := kafka.PollRecords(wait, 500)
	defer kafka.AllowRebalance()
	if err := fetches.Err(); err != nil && wait.Err() == nil {
		return 0, err
	}
	for _, r := range fetches.Records() {
		if err := handle(ctx, db, r); err != nil {
			return 0, fmt.Errorf("partition %d, offset %d: %w", r.Partition, r.Offset, err)
		}
	}
	if err := db.file.Sync(); err != nil { // first the work, then the offsets: a crash between them repeats, and loses nothing
		return 0, err
	}
	return fetches.NumRecords(), kafka.CommitUncommittedOffsets(context.WithoutCancel(ctx))
}

func handle(ctx context.Context, db *store, r *kgo.Record) error {
	key, seen := string(r.Key), db.orders[string(r.Key)].version
	if r.Attrs.IsControl() || r.Value == nil && seen == 0 {
		return nil
	}
	if r.Value == nil { // a tombstone: the order is forgotten, and its versions begin again
		return db.put(key, 0, "")
	}
	s, err := decode(ctx, r.Value)
	if err != nil {
		return err
	}
	if s.Environment != env("ENVIRONMENT", "production") {
		return fmt.Errorf("%s is of environment %q: this reader has another environment's topic", key, s.Environment)
	}
	if s.Version <= seen { // compaction leaves gaps in the versions, a restart repeats some; only a higher one is news
		return nil
	}
	act(key, s)
	return db.put(key, s.Version, s.State)
}

// decode reads Confluent's frame: zero, the id of the schema in four bytes, Avro.
func decode(ctx context.Context, value []byte) (s status, err error) {
	if len(value) < 5 || value[0] != 0 {
		return s, errors.New("not an Avro record in Confluent's frame")
	}
	id := binary.BigEndian.Uint32(value[1:])
	if schemas[id] == nil {
		text, err := registry.SchemaByID(ctx, int(id))
		if err == nil {
			schemas[id], err = avro.Parse(text.Schema)
		}
		if err != nil {
			return s, err
		}
	}
	return s, avro.Unmarshal(schemas[id], value[5:], &s)
}
