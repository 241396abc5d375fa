package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/progress"
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
		Args: command.AnyArguments,
		RunE: command.OneOf,
	}
	c.AddCommand(schemasListCommand(), schemasCheckCommand(), schemasRegisterCommand())
	return c
}

// schemasOptions are the flags that the schemas commands share.
type schemasOptions struct {
	target
	folder string
	out    command.Answer
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
		Long:  "List prints topic, role, record and file of each schema; as JSON or YAML\nalso the schema.",
		Args:  command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			topics, _, err := o.topics(nil)
			if err != nil {
				return err
			}
			return listSchemas(&o.out, o.out.Printer(c), topics)
		},
	}
	o.sharedFlags(c)
	o.out.Flag(c, "schemas-list", output.Lists(), []output.Heading{
		{Name: "topic", Whole: true, About: "name of the topic"}, {Name: "role", About: "what the topic is for"},
		{Name: "record", About: "name of the schema"}, {Name: "file", About: "file with the schema in the folder schemas"},
	}...)
	return c
}

func listSchemas(a *command.Answer, p output.Printer, topics []kafka.Topic) error {
	all, rows := []listed{}, [][]string{}
	for _, t := range topics {
		s := check.SchemaOf(t.Schema)
		all = append(all, listed{t.Name, t.Role, s.Name, s.File, json.RawMessage(s.Text)})
		rows = append(rows, []string{t.Name, t.Role, s.Name, s.File})
	}
	return output.List(p, a.Columns, rows, all)
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
	return kafka.Topic{}, command.Usage(fmt.Errorf("%s is not a topic of the contract; write TOPIC=RECORD, with a record that bridge schemas list shows", arg))
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
		ValidArgsFunction: completeTopics(&o.target, anyNumber),
		RunE: o.explained(func(c *cobra.Command, args []string) error {
			bar := command.StartProgress(c, "checking schemas", "")
			defer bar.End()
			found, err := o.check(c.Context(), args)
			if err != nil {
				return err
			}
			bar.End()
			return o.report(c, o.completeSchemas(found))
		}),
	}
	o.sharedFlags(c)
	o.out.Flag(c, "schemas-check", output.Reports(), []output.Heading{
		{Name: "level", Whole: true, About: "fail; note for what stops no one", Paint: findingColour},
		{Name: "where", Whole: true, About: "file, or topic and version"},
		{Name: "field", Whole: true, About: "path of the field; empty: the whole schema"},
		{Name: "what", Wrap: true, About: "what is wrong"},
		{Name: "why", Wrap: true, About: "and why"},
		{Name: "calls", Wide: true, About: "the Alipay calls that lose the value"},
	}...)
	c.Flags().StringVar(&o.folder, "folder", "", "check the .avsc files in this `folder` instead")
	return c
}

func (o *schemasOptions) report(c *cobra.Command, r check.SchemaReport) error {
	var rows [][]string
	for _, n := range r.NotWritten {
		rows = append(rows, []string{"note", n.Where, n.Field, "is not written", "stays empty in calls", strings.Join(n.Calls, ", ")})
	}
	for _, n := range r.Notes {
		rows = append(rows, []string{"note", "", "", n, "", ""})
	}
	for _, f := range r.Findings {
		rows = append(rows, []string{"fail", f.Where, f.Field, f.What, f.Why, strings.Join(f.Calls, ", ")})
	}
	return command.Report(c, &o.out, r, rows)
}

func (o *schemasOptions) check(ctx context.Context, args []string) (check.SchemaReport, error) {
	if o.folder != "" {
		if len(args) > 0 {
			return check.SchemaReport{}, command.Usage(errors.New("topics cannot be used together with --folder, which finds records by name; remove one of them"))
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
		ValidArgsFunction: completeTopics(&o.target, anyNumber),
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
			bar := command.StartProgress(c, "registering", "schema")
			defer bar.End()
			bar.Total(int64(len(topics)))
			done, refused := registerListed(ctx, bar, registry, topics)
			bar.End()
			rows := [][]string{}
			for _, r := range done {
				rows = append(rows, []string{r.Topic, r.Record, strconv.Itoa(r.ID)})
			}
			if err := output.List(o.out.Printer(c), o.out.Columns, rows, done); err != nil {
				return err
			}
			command.Summary(c, "%s registered, %d refused", output.Count(len(done), "schema"), len(topics)-len(done))
			return refused
		}),
	}
	o.sharedFlags(c)
	o.out.Flag(c, "schemas-register", output.Lists(), []output.Heading{
		{Name: "topic", Whole: true, About: "name of the topic"}, {Name: "record", About: "name of the schema"}, {Name: "id", Right: true, About: "of the schema in the registry"},
	}...)
	return c
}

// registered is a schema that the registry has.
type registered struct {
	Topic  string `json:"topic"`
	Record string `json:"record"` // name of the schema
	ID     int    `json:"id"`     // in the registry
}

// registerListed goes on after a refusal, so that the history of one topic does not stop the others.
func registerListed(ctx context.Context, bar *progress.Bar, registry *avro.Registry, topics []kafka.Topic) (done []registered, refused error) {
	done = []registered{}
	for _, t := range topics {
		codec := avro.MustCodec(t.Schema)
		id, err := registry.Register(ctx, t.Name, codec)
		if err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		bar.Add(1)
		done = append(done, registered{t.Name, codec.Name(), int(id)})
	}
	return done, refused
}
