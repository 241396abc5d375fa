package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/schemas"
)

// registryTimeout bounds what a schemas command asks in all.
const registryTimeout = time.Minute

func schemasCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schemas",
		Short: "List, check and register the schemas of the contract",
		Long: `The bridge's records are Avro; their schemas are compiled in. Topics are those of the
settings file, or the defaults. A topic of another name is written TOPIC=RECORD, as in
shop-orders=OrderEvent.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(schemasListCommand(), schemasCheckCommand(), schemasRegisterCommand())
	return c
}

// schemasOptions are the flags that the schemas commands share.
type schemasOptions struct {
	target
	folder string
	format output.Format
}

func (o *schemasOptions) sharedFlags(c *cobra.Command) {
	c.Flags().StringVarP(&o.file, "config", "c", "", "settings `file` that names registry and topics")
	c.Flags().StringVar(&o.registry, "registry", localRegistry, "schema registry `URL`, without a settings file")
}

// listed is one schema of the contract and where it is used.
type listed struct {
	Topic  string          `json:"topic"`
	Role   string          `json:"role"`
	Record string          `json:"record"`
	File   string          `json:"file"`
	Schema json.RawMessage `json:"schema"`
}

func schemasListCommand() *cobra.Command {
	var o schemasOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "List the schemas by topic",
		Long:  "List prints topic, role, record and file. With -o json each line has the schema too.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			topics, _, err := o.topics(nil)
			if err != nil {
				return err
			}
			return listSchemas(output.New(c.OutOrStdout(), o.format), topics)
		},
	}
	o.sharedFlags(c)
	formatFlag(c, &o.format, "text or json")
	return c
}

func listSchemas(p output.Printer, topics []kafka.Topic) error {
	for _, t := range topics {
		s := check.SchemaOf(t.Schema)
		var err error
		if p.Text() {
			err = p.Columns(t.Name, t.Role, s.Name, s.File)
		} else {
			err = p.Object(listed{t.Name, t.Role, s.Name, s.File, json.RawMessage(s.Text)})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// topics returns the topics that hold records of ours, or those that the arguments name, and
// how to open their registry.
func (o *schemasOptions) topics(args []string) ([]kafka.Topic, func() (*avro.Registry, error), error) {
	cfg, err := o.load()
	if err != nil {
		return nil, nil, err
	}
	open := func() (*avro.Registry, error) {
		return app.OpenRegistry(cfg.Registry, 0, app.Options{Log: slog.Default()})
	}
	known := slices.DeleteFunc(kafka.Topics(cfg.Topics), func(t kafka.Topic) bool { return t.Schema == "" })
	if len(args) == 0 {
		return known, open, nil
	}
	var chosen []kafka.Topic
	for _, arg := range args {
		t, err := findTopic(known, arg)
		if err != nil {
			return nil, nil, err
		}
		chosen = append(chosen, t)
	}
	return chosen, open, nil
}

// findTopic finds a topic by name or role, or reads TOPIC=RECORD.
func findTopic(known []kafka.Topic, arg string) (kafka.Topic, error) {
	name, record, given := strings.Cut(arg, "=")
	for _, s := range schemas.All() {
		if given && s.Name == record {
			return kafka.Topic{Name: name, Role: "given", Schema: s.Text}, nil
		}
	}
	for _, t := range known {
		if !given && (t.Name == arg || t.Role == arg) {
			return t, nil
		}
	}
	return kafka.Topic{}, usageError{fmt.Errorf("%s: no topic of the contract; write TOPIC=RECORD, with a record of: bridge schemas list", arg)}
}

func schemasCheckCommand() *cobra.Command {
	var o schemasOptions
	c := &cobra.Command{
		Use:   "check [TOPIC...]",
		Short: "Check schemas against the contract",
		Long: `Check compares the contract's schemas with every version that the registry lists for the
topics; or, with --folder and without any network, with the .avsc files of a producer or a
reader, by the names of their records. It prints one finding a line, with the Alipay calls that
lose their value, and exits with 3 when there are any.`,
		Example: `  bridge schemas check --registry https://registry.example.com
  bridge schemas check --folder ./avro      # in a producer's CI`,
		RunE: func(c *cobra.Command, args []string) error {
			found, err := o.check(c.Context(), args)
			if err != nil {
				return err
			}
			return output.New(c.OutOrStdout(), o.format).Report(found)
		},
	}
	o.sharedFlags(c)
	formatFlag(c, &o.format, "text or json")
	c.Flags().StringVar(&o.folder, "folder", "", "check the .avsc files under this `folder` instead, offline")
	return c
}

func (o *schemasOptions) check(ctx context.Context, args []string) (check.SchemaReport, error) {
	if o.folder != "" {
		if len(args) > 0 {
			return check.SchemaReport{}, usageError{errors.New("--folder takes no topics: records are found by name")}
		}
		return check.SchemaFolder(o.folder)
	}
	topics, open, err := o.topics(args)
	if err != nil {
		return check.SchemaReport{}, err
	}
	registry, err := open()
	if err != nil {
		return check.SchemaReport{}, err
	}
	defer registry.Close()
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	return check.SchemaRegistry(ctx, registry, topics)
}

func schemasRegisterCommand() *cobra.Command {
	var o schemasOptions
	c := &cobra.Command{
		Use:   "register [TOPIC...]",
		Short: "Register the contract's schemas",
		Long: `Register lists each topic's schema under <topic>-value and sets the subject's compatibility
to FULL_TRANSITIVE. What is listed already stays as it is; the registry refuses what older
versions cannot live with.`,
		RunE: func(c *cobra.Command, args []string) error {
			topics, open, err := o.topics(args)
			if err != nil {
				return err
			}
			registry, err := open()
			if err != nil {
				return err
			}
			defer registry.Close()
			ctx, cancel := context.WithTimeout(c.Context(), registryTimeout)
			defer cancel()
			return registerListed(ctx, output.New(c.OutOrStdout(), output.Text), registry, topics)
		},
	}
	o.sharedFlags(c)
	return c
}

// registerListed goes on after a refusal, so that one topic's history stops no other.
func registerListed(ctx context.Context, p output.Printer, registry *avro.Registry, topics []kafka.Topic) error {
	var refused error
	for _, t := range topics {
		codec := avro.MustCodec(t.Schema)
		id, err := registry.Register(ctx, t.Name, codec)
		if err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		if err := p.Columns(t.Name, codec.Name(), fmt.Sprint("id ", id)); err != nil {
			return err
		}
	}
	return refused
}
