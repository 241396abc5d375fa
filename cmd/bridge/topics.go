package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/output"
)

func topicsCommand() *cobra.Command {
	c := &cobra.Command{Use: "topics", Short: "Create the topics that the bridge uses", Args: anyArguments, RunE: oneOf}
	c.AddCommand(topicsCreateCommand())
	return c
}

func topicsCreateCommand() *cobra.Command {
	var t target
	var yes bool
	var partitions, replication int
	c := &cobra.Command{
		Use:   "create",
		Short: "Create missing topics and register their schemas",
		Long: `Create shows what it is going to do and asks for confirmation. It does not
change topics that exist. It registers schemas under <topic>-value, with
compatibility FULL_TRANSITIVE.`,
		Args: noArguments,
		RunE: t.explained(func(c *cobra.Command, _ []string) error {
			cfg, err := t.load()
			if err != nil {
				return err
			}
			for flag, n := range map[string]int{"partitions": partitions, "replication": replication} {
				if c.Flags().Changed(flag) && (n < 1 || n > maxOfFlag[flag]) {
					return usageError{fmt.Errorf("--%s %d: use a number from 1 to %d", flag, n, maxOfFlag[flag])}
				}
			}
			if partitions > 0 {
				cfg.Topics.Partitions = partitions
			}
			if replication > 0 {
				cfg.Topics.Replication = replication
			}
			return createTopics(c, &t, cfg, yes)
		}),
	}
	t.flags(c)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	c.Flags().IntVar(&partitions, "partitions", 0, "`number` of partitions of new topics (default: topics.partitions, 8)")
	c.Flags().IntVar(&replication, "replication", 0, "`number` of replicas of new topics (default: topics.replication, or the default of the cluster)")
	return c
}

// maxOfFlag is the largest number that a flag may have: of replicas, Kafka's own limit.
var maxOfFlag = map[string]int{"partitions": 10_000, "replication": 1<<15 - 1}

func createTopics(c *cobra.Command, t *target, cfg config.Config, yes bool) error {
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	cl, err := t.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	all := kafka.Topics(cfg.Topics)
	missing, err := kafka.MissingTopics(ctx, adm, all)
	if err != nil {
		return fmt.Errorf("list topics at %s: %w", strings.Join(cfg.Kafka.Brokers, ","), err)
	}
	if err := enoughBrokers(ctx, adm, cfg.Topics.Replication); err != nil {
		return err
	}
	talk := c.ErrOrStderr()
	for _, m := range missing {
		_, _ = fmt.Fprintf(talk, "create topic %s: %d partitions, retention %s\n", m.Name, cfg.Topics.Partitions, output.Count(m.Days, "day"))
	}
	for _, m := range all {
		if m.Schema != "" && cfg.Registry.URL != "" {
			_, _ = fmt.Fprintf(talk, "register the schema of %s\n", m.Name)
		}
	}
	if !yes && !confirmed(stdin{c.Context(), c.InOrStdin()}, talk) {
		if c.Context().Err() != nil {
			return context.Cause(c.Context())
		}
		return errNotConfirmed
	}
	for _, m := range missing {
		if err := kafka.CreateTopic(ctx, adm, m, cfg.Topics); err != nil {
			return err
		}
	}
	if err := kafka.AwaitTopics(ctx, cl, missing); err != nil {
		return err
	}
	if cfg.Registry.URL != "" {
		if err := registerSchemas(ctx, cfg, all); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(talk, "%s created, %d existed already\n", output.Count(len(missing), "topic"), len(all)-len(missing))
	return nil
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

func registerSchemas(ctx context.Context, cfg config.Config, all []kafka.Topic) error {
	registry, err := app.OpenTopics(cfg, 0, app.Options{})
	if err != nil {
		return err
	}
	defer registry.Close()
	for _, m := range all {
		if m.Schema == "" {
			continue
		}
		if _, err := registry.Register(ctx, m.Name, avro.MustCodec(m.Schema)); err != nil {
			return err
		}
	}
	return nil
}

// confirmed asks for confirmation. Any answer other than yes means no.
func confirmed(in io.Reader, talk io.Writer) bool {
	_, _ = fmt.Fprint(talk, "continue? [y/N] ")
	line, _ := bufio.NewReader(in).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}
