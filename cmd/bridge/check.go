package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/output"
)

// checkFlags are the flags of check.
type checkFlags struct {
	check.Options
	file     string
	format   output.Format
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
any. A note says what it was not allowed to examine.

--offline examines only settings, keys and certificates. --acls prints the ACLs
that the bridge needs with these settings, as commands, and checks nothing.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.run(c.Context(), c.OutOrStdout())
		},
	}
	c.Flags().StringVarP(&o.file, "config", "c", "bridge.yaml", "settings `file`")
	formatFlag(c, &o.format, "text or json")
	c.Flags().BoolVar(&o.Offline, "offline", false, "use no network: check settings, keys and certificates only")
	c.Flags().BoolVar(&o.printing, "print", false, "print all settings with their defaults; secrets are not shown")
	c.Flags().BoolVar(&o.acls, "acls", false, "print the ACLs that the bridge needs, as commands")
	c.Flags().StringVar(&o.Principal, "principal", "", "`principal` that gets the ACLs, such as User:bridge (default: the user of the settings)")
	c.Flags().StringVar(&o.slot, "slot", "", "`name` of the instance to check for (default: kafka.slot, or the name of the host)")
	return c
}

func (o checkFlags) run(ctx context.Context, out io.Writer) error {
	cfg, err := config.Load(o.file, os.LookupEnv)
	p := output.New(out, o.format)
	if f, ok := check.SettingsFaults(err); ok {
		return p.Report(f)
	}
	if err != nil {
		return err
	}
	if err := cfg.Kafka.UseSlot(o.slot); err != nil {
		return usageError{err}
	}
	switch {
	case o.printing:
		return cfg.Print(out)
	case o.acls:
		return printACLs(p, cfg, o.Principal)
	}
	found := check.Run(ctx, cfg, o.Options)
	if ctx.Err() != nil { // later findings may be due to the interruption
		return context.Cause(ctx)
	}
	return p.Report((&target{file: o.file}).completeFindings(found))
}

// printedACL is one line of check --acls -o json.
type printedACL struct {
	kafka.ACL
	Principal string `json:"principal"`
	Command   string `json:"command"`
}

func printACLs(p output.Printer, c config.Config, principal string) error {
	for _, a := range kafka.NeededACLs(c) {
		command := a.Command(c, principal)
		var err error
		if p.Text() {
			err = p.Line(command)
		} else {
			err = p.Object(printedACL{a, kafka.Principal(c, principal), command})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
