package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
)

type tailOptions struct {
	target
	from   string
	count  int
	toEnd  bool
	output output
}

func tailCommand() *cobra.Command {
	var o tailOptions
	c := &cobra.Command{
		Use:   "tail TOPIC",
		Short: "Show decoded records of a topic",
		Long: `Tail reads a topic from its start and goes on until it is stopped. TOPIC is a role (results,
snapshots, observations, journal, dead-letters, events, queries) or a topic's own name. Only
committed records are shown.

Results come as tab-separated columns: finished, key, event type, outcome, class, code, reason
or sub code, trade number, attempts. Other topics: time, key, record as JSON without what is
empty; dead letters have reason and error before it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.output.check(); err != nil {
				return err
			}
			if o.from != "earliest" && o.from != "latest" {
				return usageError{fmt.Errorf("--from %s: want earliest or latest", o.from)}
			}
			return tail(c.Context(), c.OutOrStdout(), o, args[0])
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.from, "from", "earliest", "where to begin: earliest or latest")
	c.Flags().IntVarP(&o.count, "count", "n", 0, "stop after this many records")
	c.Flags().BoolVar(&o.toEnd, "to-end", false, "stop at the end of what is there now")
	o.output.flagFor(c, "text or json (one object a line)")
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
	registry, err := app.OpenRegistry(cfg.Registry, 4<<20, app.Options{Log: slog.Default()})
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
	p := printer{out: safeWriter(out), codec: order.NewCodec(registry), json: o.output == "json", results: name == cfg.Topics.Results}
	return p.follow(ctx, cl, name, o)
}

// printer writes decoded records.
type printer struct {
	out     io.Writer
	codec   *order.Codec
	json    bool
	results bool
}

// follow prints until ctx ends, the count is reached or, with toEnd, nothing has come for
// two polls.
func (p *printer) follow(ctx context.Context, cl *kgo.Client, name string, o tailOptions) error {
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

func (p *printer) print(ctx context.Context, r *kgo.Record) error {
	name, text, err := p.decode(ctx, r)
	if p.json {
		return p.printObject(r, name, text, err)
	}
	if err != nil {
		_, err = fmt.Fprintf(p.out, "%s\t%s\t%s\tnot decoded: %s\n", formatTime(r.Timestamp), escapeLine(string(r.Key)), position(r), escapeLine(err.Error()))
		return err
	}
	if p.results {
		if res, err := p.codec.DecodeResult(ctx, r.Topic, r.Value); err == nil {
			return p.result(r, res)
		}
	}
	_, err = fmt.Fprintf(p.out, "%s\t%s\t%s%s\n", formatTime(r.Timestamp), escapeLine(string(r.Key)), deadLetterColumns(r), omitEmpty(text))
	return err
}

// omitEmpty leaves out members that say nothing. A text that is no object stays as it is.
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

// decode reads a record as its topic's, or a dead letter as the topic's it came from.
func (p *printer) decode(ctx context.Context, r *kgo.Record) (string, []byte, error) {
	topic := r.Topic
	if from := header(r, records.HeaderDeadTopic); from != "" {
		topic = from
	}
	return p.codec.JSON(ctx, topic, r.Value)
}

func (p *printer) result(r *kgo.Record, res order.Result) error {
	reason := cmp.Or(res.Reason, res.SubCode)
	if res.Outcome == order.OutcomeInvalid && res.Message != "" {
		reason += ": " + res.Message
	}
	columns := []string{
		formatTime(res.FinishedAt), string(r.Key), string(res.EventType), string(res.Outcome), string(res.CallClass),
		dash(res.Code), dash(reason), dash(string(res.TradeNo)), fmt.Sprint(res.Attempts),
	}
	for i, c := range columns {
		columns[i] = escapeLine(c)
	}
	_, err := fmt.Fprintln(p.out, strings.Join(columns, "\t"))
	return err
}

// printObject prints everything of a record as one JSON object. A value that cannot be decoded
// is printed as base64.
func (p *printer) printObject(r *kgo.Record, name string, text []byte, decodeErr error) error {
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
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(o); err != nil {
		return fmt.Errorf("print %s: %w", position(r), err)
	}
	_, err := p.out.Write(b.Bytes())
	return err
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// deadLetterColumns is a dead letter's reason and error, as columns of their own.
func deadLetterColumns(r *kgo.Record) string {
	if reason := header(r, records.HeaderDeadReason); reason != "" {
		return escapeLine(reason) + "\t" + escapeLine(dash(header(r, records.HeaderDeadError))) + "\t"
	}
	return ""
}

func position(r *kgo.Record) string { return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset) }

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func printable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return fmt.Sprintf("%q", b)
}
