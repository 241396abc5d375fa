package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/records"
)

type tailOptions struct {
	target
	from   string
	count  int
	toEnd  bool
	format output.Format
}

func tailCommand() *cobra.Command {
	var o tailOptions
	c := &cobra.Command{
		Use:   "tail TOPIC",
		Short: "Show decoded records of a topic",
		Long: `Tail reads a topic from its start and follows it until it is stopped. TOPIC is a
role (results, snapshots, observations, journal, dead-letters, events or
queries) or the name of a topic. Only committed records are shown.

It prints tab-separated columns. For results: time of the outcome, key, event
type, outcome, class, code, reason or sub code, trade number, attempts. For
other topics: time, key, and the record as JSON without empty fields; dead
letters have reason and error before the record.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if o.from != "earliest" && o.from != "latest" {
				return usageError{fmt.Errorf("--from %s: use earliest or latest", o.from)}
			}
			return tail(c.Context(), c.OutOrStdout(), o, args[0])
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.from, "from", "earliest", "`position` to begin at: earliest or latest")
	c.Flags().IntVarP(&o.count, "count", "n", 0, "stop after this `number` of records")
	c.Flags().BoolVar(&o.toEnd, "to-end", false, "stop at the current end of the topic")
	formatFlag(c, &o.format, "text or json (one object per line)")
	return c
}

func tail(ctx context.Context, out io.Writer, o tailOptions, name string) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	for _, t := range kafka.Topics(cfg.Topics) {
		if t.Role == name {
			name = t.Name
			break
		}
	}
	registry, err := app.OpenTopics(cfg, 4<<20, app.Options{Log: slog.Default()})
	if err != nil {
		return err
	}
	defer registry.Close()
	from := kgo.NewOffset().AtStart()
	if o.from == "latest" {
		from = kgo.NewOffset().AtEnd()
	}
	cl, err := kafka.NewClient(ctx, cfg.Kafka, slog.Default(), kgo.ConsumeTopics(name), kgo.ConsumeStartOffset(from), kgo.ConsumeResetOffset(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := kafka.RequireTopic(ctx, cl, cfg, name); err != nil {
		return err
	}
	p := recordPrinter{Printer: output.New(out, o.format), codec: order.NewCodec(registry), results: name == cfg.Topics.Results}
	return p.follow(ctx, cl, name, o)
}

// recordPrinter prints decoded records.
type recordPrinter struct {
	output.Printer

	codec   *order.Codec
	results bool // of a topic of results
}

// follow prints until ctx ends, the count is reached or, with toEnd, two polls in a row were empty.
func (p *recordPrinter) follow(ctx context.Context, cl *kgo.Client, name string, o tailOptions) error {
	shown, idle := 0, 0
	for idle < 2 || !o.toEnd {
		pollCtx, cancel := context.WithTimeout(ctx, time.Second)
		fetches := cl.PollFetches(pollCtx)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return fmt.Errorf("read %s: %w", name, e.Err)
			}
		}
		idle++
		for _, r := range fetches.Records() {
			idle = 0
			if err := p.print(ctx, r); err != nil {
				return err
			}
			if shown++; shown == o.count {
				return nil
			}
		}
	}
	return nil
}

func (p *recordPrinter) print(ctx context.Context, r *kgo.Record) error {
	name, text, err := p.decode(ctx, r)
	if !p.Text() {
		return p.printObject(r, name, text, err)
	}
	if err != nil {
		return p.Columns(formatTime(r.Timestamp), string(r.Key), position(r), "not decoded: "+err.Error())
	}
	if p.results {
		if res, err := p.codec.DecodeResult(ctx, r.Topic, r.Value); err == nil {
			return p.result(r, res)
		}
	}
	columns := append([]string{formatTime(r.Timestamp), string(r.Key)}, deadLetterColumns(r)...)
	return p.Columns(append(columns, omitEmpty(text))...)
}

// omitEmpty leaves out empty members. A text that is not an object stays as it is.
func omitEmpty(text []byte) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return string(text)
	}
	for name, v := range members {
		switch string(v) {
		case `""`, "null", "[]", "{}", "0", "false":
			delete(members, name)
		}
	}
	short, err := json.Marshal(members)
	if err != nil {
		return string(text)
	}
	return string(short)
}

// decode reads a record with the schema of its topic, and a dead letter with that of its original topic.
func (p *recordPrinter) decode(ctx context.Context, r *kgo.Record) (string, []byte, error) {
	topic := r.Topic
	if from := header(r, records.HeaderDeadTopic); from != "" {
		topic = from
	}
	return p.codec.JSON(ctx, topic, r.Value)
}

func (p *recordPrinter) result(r *kgo.Record, res order.Result) error {
	reason := cmp.Or(res.Reason, res.SubCode)
	if res.Outcome == order.OutcomeInvalid && res.Message != "" {
		reason += ": " + res.Message
	}
	return p.Columns(
		formatTime(res.FinishedAt), string(r.Key), string(res.EventType), string(res.Outcome), string(res.CallClass),
		output.Dash(res.Code), output.Dash(reason), output.Dash(string(res.TradeNo)), fmt.Sprint(res.Attempts),
	)
}

// printObject prints all parts of a record as one JSON object. A value that cannot be decoded is
// printed in base64.
func (p *recordPrinter) printObject(r *kgo.Record, name string, text []byte, decodeErr error) error {
	o := struct {
		Topic     string            `json:"topic"`
		Partition int32             `json:"partition"`
		Offset    int64             `json:"offset"`
		Timestamp time.Time         `json:"timestamp"`
		Key       string            `json:"key"`
		Headers   map[string]string `json:"headers,omitempty"`
		Schema    string            `json:"schema,omitempty"`
		Record    json.RawMessage   `json:"record,omitempty"`
		Error     string            `json:"error,omitempty"`
		Value     []byte            `json:"value,omitempty"`
	}{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC(), Key: printable(r.Key), Schema: name, Record: text}
	if decodeErr != nil {
		o.Error, o.Value, o.Record = decodeErr.Error(), r.Value, nil
	}
	for _, h := range r.Headers {
		if o.Headers == nil {
			o.Headers = map[string]string{}
		}
		o.Headers[h.Key] = printable(h.Value)
	}
	if err := p.Object(o); err != nil {
		return fmt.Errorf("print %s: %w", position(r), err)
	}
	return nil
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// deadLetterColumns are the reason and the error of a dead letter.
func deadLetterColumns(r *kgo.Record) []string {
	if reason := header(r, records.HeaderDeadReason); reason != "" {
		return []string{reason, output.Dash(header(r, records.HeaderDeadError))}
	}
	return nil
}

func position(r *kgo.Record) string { return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset) }

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func printable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return fmt.Sprintf("%q", b)
}
