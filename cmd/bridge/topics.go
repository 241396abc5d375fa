package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/progress"
)

func topicsCommand() *cobra.Command {
	c := &cobra.Command{Use: "topics", Short: "Create the topics that the bridge uses", Args: command.AnyArguments, RunE: command.OneOf}
	c.AddCommand(topicsCreateCommand())
	return c
}

func topicsCreateCommand() *cobra.Command {
	var t target
	var out command.Answer
	var yes, dry bool
	var partitions, replication int
	c := &cobra.Command{
		Use:   "create",
		Short: "Create missing topics and register their schemas",
		Long: `Create shows what it is going to do and asks for confirmation. It does not
change topics that exist. It registers schemas under <topic>-value, with
compatibility FULL_TRANSITIVE. --dry-run only shows it, and exits with 3 if a
topic is missing.`,
		Args: command.NoArguments,
		RunE: t.explained(func(c *cobra.Command, _ []string) error {
			cfg, err := t.load()
			if err != nil {
				return err
			}
			for flag, n := range map[string]int{"partitions": partitions, "replication": replication} {
				if c.Flags().Changed(flag) && (n < 1 || n > maxOfFlag[flag]) {
					return command.Usage(fmt.Errorf("--%s %d: use a number from 1 to %d", flag, n, maxOfFlag[flag]))
				}
			}
			if partitions > 0 {
				cfg.Topics.Partitions = partitions
			}
			if replication > 0 {
				cfg.Topics.Replication = replication
			}
			return createTopics(c, &t, &out, cfg, yes, dry)
		}),
	}
	t.flags(c)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	c.Flags().BoolVar(&dry, "dry-run", false, "show what would be done, and do nothing")
	c.Flags().IntVar(&partitions, "partitions", 0, "`number` of partitions of new topics (default: topics.partitions, 8)")
	c.Flags().IntVar(&replication, "replication", 0, "`number` of replicas of new topics (default: topics.replication, or the default of the cluster)")
	out.Flag(c, "topics-create", output.Lists(), []output.Heading{
		{Name: "topic", Whole: true, About: "name of the topic"}, {Name: "role", About: "what the topic is for"},
		{Name: "state", About: "missing, created or existed", Paint: func(state string) output.Colour {
			return map[string]output.Colour{"missing": output.Yellow, "created": output.Green}[state]
		}},
		{Name: "schema", About: "its name, if it has one"}, {Name: "id", Right: true, About: "of the schema in the registry, once it is registered"},
	}...)
	return c
}

// topicState is a topic and what was done about it.
type topicState struct {
	Topic  string `json:"topic"`
	Role   string `json:"role"`
	State  string `json:"state"`               // missing, created or existed
	Schema string `json:"schema,omitempty"`    // its name
	ID     int    `json:"schema_id,omitempty"` // in the registry, once it is registered
}

// maxOfFlag is the largest number that a flag may have: of replicas, Kafka's own limit.
var maxOfFlag = map[string]int{"partitions": 10_000, "replication": 1<<15 - 1}

func createTopics(c *cobra.Command, t *target, out *command.Answer, cfg config.Config, yes, dry bool) error {
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	cl, closeIt, err := t.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer closeIt()
	adm := kadm.NewClient(cl)
	all := kafka.Topics(cfg.Topics)
	missing, err := kafka.MissingTopics(ctx, adm, all)
	if err != nil {
		return fmt.Errorf("list topics at %s: %w", strings.Join(cfg.Kafka.Brokers, ","), err)
	}
	if err := enoughBrokers(ctx, adm, cfg.Topics.Replication); err != nil {
		return err
	}
	states := statesOf(all, missing)
	if dry {
		if err := printTopics(out.Printer(c), out.Columns, states); err != nil {
			return err
		}
		if n := len(missing); n > 0 {
			return command.Missing(fmt.Errorf("%s missing; nothing was changed", output.Count(n, "topic")))
		}
		return nil
	}
	talk := c.ErrOrStderr()
	if yes && out.Printer(c).Data() { // no one is asked
		talk = io.Discard
	}
	for _, m := range missing {
		_, _ = fmt.Fprintf(talk, "create topic %s: %d partitions, retention %s\n", m.Name, cfg.Topics.Partitions, output.Count(m.Days, "day"))
	}
	for _, m := range all {
		if m.Schema != "" && cfg.Registry.URL != "" {
			_, _ = fmt.Fprintf(talk, "register the schema of %s\n", m.Name)
		}
	}
	if !yes {
		if err := command.Confirm(c, talk); err != nil {
			return err
		}
	}
	bar := command.StartProgress(c, "creating", "topic")
	defer bar.End()
	bar.Total(int64(len(missing)))
	if err := makeTopics(ctx, bar, cl, cfg, missing, states); err != nil {
		return err
	}
	bar.End()
	if err := printTopics(out.Printer(c), out.Columns, states); err != nil {
		return err
	}
	command.Summary(c, "%s created, %d existed already", output.Count(len(missing), "topic"), len(all)-len(missing))
	return nil
}

func statesOf(all, missing []kafka.Topic) []topicState {
	var states []topicState
	for _, m := range all {
		s := topicState{Topic: m.Name, Role: m.Role, State: "existed"}
		if m.Schema != "" {
			s.Schema = check.SchemaOf(m.Schema).Name
		}
		if slices.ContainsFunc(missing, func(other kafka.Topic) bool { return other.Name == m.Name }) {
			s.State = "missing"
		}
		states = append(states, s)
	}
	return states
}

func printTopics(p output.Printer, columns []output.Heading, states []topicState) error {
	var rows [][]string
	for _, s := range states {
		id := ""
		if s.ID > 0 {
			id = strconv.Itoa(s.ID)
		}
		rows = append(rows, []string{s.Topic, s.Role, s.State, s.Schema, id})
	}
	return output.List(p, columns, rows, states)
}

// makeTopics creates topics and registers schemas, and notes it in states.
func makeTopics(ctx context.Context, bar *progress.Bar, cl *kgo.Client, cfg config.Config, missing []kafka.Topic, states []topicState) error {
	adm := kadm.NewClient(cl)
	for _, m := range missing {
		if err := kafka.CreateTopic(ctx, adm, m, cfg.Topics); err != nil {
			return err
		}
		bar.Add(1)
	}
	if err := kafka.AwaitTopics(ctx, cl, missing); err != nil {
		return err
	}
	for i := range states {
		if states[i].State == "missing" {
			states[i].State = "created"
		}
	}
	if cfg.Registry.URL == "" {
		return nil
	}
	return registerSchemas(ctx, cfg, states)
}

// enoughBrokers refuses replicas that the cluster cannot have, also where all topics exist already.
func enoughBrokers(ctx context.Context, adm *kadm.Client, replicas int) error {
	m, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("list the brokers: %w", err)
	}
	if len(m.Brokers) < replicas {
		return fmt.Errorf("%s per topic need as many brokers, but the cluster has %d; set --replication or topics.replication to that number or less", output.Count(replicas, "replica"), len(m.Brokers))
	}
	return nil
}

func registerSchemas(ctx context.Context, cfg config.Config, states []topicState) error {
	registry, err := app.OpenTopics(cfg, 0, app.Options{})
	if err != nil {
		return err
	}
	defer registry.Close()
	for i, m := range kafka.Topics(cfg.Topics) {
		if m.Schema == "" {
			continue
		}
		id, err := registry.Register(ctx, m.Name, avro.MustCodec(m.Schema))
		if err != nil {
			return err
		}
		states[i].ID = int(id)
	}
	return nil
}
