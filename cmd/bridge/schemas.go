package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// registryTimeout is the time limit for all requests of one command.
const registryTimeout = time.Minute

func schemasCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schemas",
		Short: "List, check and register the schemas of the contract",
		Long: `The records of the bridge are in Avro, and the program contains their schemas.
The topics are those of the settings file, or the default ones. Write a topic
with another name as TOPIC=RECORD, such as shop-orders=OrderEvent.`,
		Args: anyArguments,
		RunE: oneOf,
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
	c.Flags().StringVarP(&o.file, "config", "c", "", "settings `file` with registry and topics")
	c.Flags().StringVar(&o.registry, "registry", localRegistry, "schema registry `URL`, if there is no settings file")
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
		Long:  "List prints topic, role, record and file of each schema; with -o json also\nthe schema.",
		Args:  noArguments,
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

// topics returns the topics whose records have a schema of ours, or those that the arguments name,
// and a function that opens their registry.
func (o *schemasOptions) topics(args []string) ([]kafka.Topic, func() (*avro.Registry, error), error) {
	cfg, err := o.load()
	if err != nil {
		return nil, nil, err
	}
	open := func() (*avro.Registry, error) {
		return app.OpenTopics(cfg, 0, app.Options{})
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
	return kafka.Topic{}, usageError{fmt.Errorf("%s is not a topic of the contract; write TOPIC=RECORD, with a record that bridge schemas list shows", arg)}
}

func schemasCheckCommand() *cobra.Command {
	var o schemasOptions
	c := &cobra.Command{
		Use:   "check [TOPIC...]",
		Short: "Check schemas against the contract",
		Long: `Check compares the schemas of the contract with all versions that the registry
has for the topics. With --folder it compares them with the .avsc files of a
producer or reader, by the names of the records, and uses no network.

It prints one finding per line, with the Alipay calls that would lose a value,
and exits with 3 if there are any.`,
		Example: `  bridge schemas check --registry https://registry.example.com
  bridge schemas check --folder ./avro      # in a producer's CI`,
		ValidArgsFunction: completeTopics(&o.target),
		RunE: o.explained(func(c *cobra.Command, args []string) error {
			found, err := o.check(c.Context(), args)
			if err != nil {
				return err
			}
			return output.New(c.OutOrStdout(), o.format).Report(o.completeSchemas(found))
		}),
	}
	o.sharedFlags(c)
	formatFlag(c, &o.format, "text or json")
	c.Flags().StringVar(&o.folder, "folder", "", "check the .avsc files in this `folder` instead")
	return c
}

func (o *schemasOptions) check(ctx context.Context, args []string) (check.SchemaReport, error) {
	if o.folder != "" {
		if len(args) > 0 {
			return check.SchemaReport{}, usageError{errors.New("topics cannot be used together with --folder, which finds records by name; remove one of them")}
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
		Long: `Register registers the schema of each topic under <topic>-value and sets the
compatibility of that subject to FULL_TRANSITIVE. Schemas that are registered
already stay as they are. The registry refuses a schema that is not compatible
with older ones.`,
		ValidArgsFunction: completeTopics(&o.target),
		RunE: o.explained(func(c *cobra.Command, args []string) error {
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
		}),
	}
	o.sharedFlags(c)
	return c
}

// registerListed goes on after a refusal, so that the history of one topic does not stop the others.
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
