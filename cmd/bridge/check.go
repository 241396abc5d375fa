package main

import (
	"bytes"
	"context"
	"strconv"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/output"
)

// checkFlags are the flags of check.
type checkFlags struct {
	check.Options
	file     string
	out      command.Answer
	slot     string
	printing bool
	acls     bool
}

func checkCommand() *cobra.Command {
	var o checkFlags
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check settings, keys, Kafka, schemas and gateways",
		Long: `Check examines the settings, keys and certificates, topics with their
configuration, the permissions of the bridge in Kafka, schemas, gateways and the
clock. It changes nothing and makes no Alipay call.

It prints one finding per line, with what to do, and exits with 3 if there are
any. bridge explain WORD says more about the word or setting before its text. A note says what it was not allowed to examine.

--offline examines only settings, keys and certificates. --acls prints the ACLs
that the bridge needs with these settings, as commands, and checks nothing.`,
		Args: command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.run(c)
		},
	}
	c.Flags().StringVarP(&o.file, "config", "c", "bridge.yaml", "settings `file`")
	c.Flags().BoolVar(&o.Offline, "offline", false, "use no network: check settings, keys and certificates only")
	c.Flags().BoolVar(&o.printing, "print", false, "print all settings with their defaults; secrets are not shown")
	c.Flags().BoolVar(&o.acls, "acls", false, "print the ACLs that the bridge needs, as commands")
	c.Flags().Var(&o.Only, "only", "check and print what bridge run needs with the same `parts` (default: all that the settings describe)")
	c.Flags().StringVar(&o.Principal, "principal", "", "`principal` that gets the ACLs, such as User:bridge (default: the user of the settings)")
	c.Flags().StringVar(&o.slot, "slot", "", "`name` of the instance to check for (default: kafka.slot, or the name of the host)")
	o.out.Flag(c, "check", output.Reports(), findingColumns...)
	return c
}

func (o *checkFlags) run(c *cobra.Command) error {
	ctx := c.Context()
	cfg, err := o.Load(o.file)
	if f, ok := check.SettingsFaults(err); ok {
		return o.report(c, f)
	}
	if err != nil {
		return err
	}
	if err := cfg.Kafka.UseSlot(o.slot); err != nil {
		return command.Usage(err)
	}
	switch {
	case o.printing:
		return o.print(c, cfg)
	case o.acls:
		return printACLs(o.out.Printer(c), cfg, o.Options)
	}
	bar := command.StartProgress(c, "checking", "")
	found := check.Run(ctx, cfg, o.Options)
	bar.End()
	if ctx.Err() != nil { // later findings may be due to the interruption
		return context.Cause(ctx)
	}
	return o.report(c, (&target{file: o.file}).completeFindings(found))
}

// printedACL is one line of check --acls -o json.
type printedACL struct {
	kafka.ACL
	Principal string `json:"principal"`
	Command   string `json:"command"`
}

var aclColumns = []output.Heading{{Name: "operation"}, {Name: "resource"}, {Name: "name", Whole: true}, {Name: "principal", Whole: true}, {Name: "command", Wide: true}}

func printACLs(p output.Printer, c config.Config, o check.Options) error {
	all, rows := []printedACL{}, [][]string{}
	for _, a := range kafka.NeededACLs(c, o.Only...) {
		one := printedACL{a, kafka.Principal(c, o.Principal), a.Command(c, o.Principal)}
		if p.Layout() == output.Text {
			if err := p.Line(one.Command); err != nil {
				return err
			}
		}
		all, rows = append(all, one), append(rows, []string{a.Operation, a.Resource, a.Name, one.Principal, one.Command})
	}
	if p.Layout() == output.Text {
		return nil
	}
	return output.List(p, aclColumns, rows, all)
}

// print shows the settings in force, which are YAML already.
func (o *checkFlags) print(c *cobra.Command, cfg config.Config) error {
	p := o.out.Printer(c)
	if !p.Data() {
		return cfg.Print(c.OutOrStdout())
	}
	var text bytes.Buffer
	if err := cfg.Print(&text); err != nil {
		return err
	}
	var settings any
	if err := yaml.Unmarshal(text.Bytes(), &settings); err != nil {
		return err
	}
	return p.Object(settings)
}

var findingColumns = []output.Heading{
	{Name: "level", Whole: true, About: "fail, or note for what was not examined", Paint: findingColour},
	{Name: "part", About: "what was examined"},
	{Name: "line", Right: true, Wide: true, About: "of the settings file"},
	{Name: "setting", Wide: true, About: "path of the key"},
	{Name: "what", Wrap: true, About: "what is wrong"},
	{Name: "remedy", Wrap: true, About: "what to do"},
	{Name: "finding", Whole: true, About: "what bridge explain knows it by"},
}

func findingColour(level string) output.Colour {
	if level == "fail" {
		return output.Red
	}
	return output.Dim
}

func (o *checkFlags) report(c *cobra.Command, r check.Report) error {
	var rows [][]string
	for _, n := range r.Notes {
		rows = append(rows, []string{"note", "", "", "", n, "", ""})
	}
	for _, f := range r.Findings {
		line := ""
		if f.Line > 0 {
			line = strconv.Itoa(f.Line)
		}
		rows = append(rows, []string{"fail", f.Part, line, f.Setting, f.What, f.Remedy, f.ID})
	}
	return command.Report(c, &o.out, r, rows)
}
