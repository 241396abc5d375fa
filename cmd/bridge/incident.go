package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/incident"
	"alipay-kafka-bridge/internal/output"
)

func incidentCommand() *cobra.Command {
	var from asked
	var provider bool
	var file string
	c := &cobra.Command{
		Use:   "incident [-c FILE] [-a HOST:PORT]",
		Short: "Save what running instances know about a problem, before a restart removes it",
		Long: `Incident asks the admin ports of running instances and writes one archive: what
each does and what waits, its last notable log lines, goroutines and metrics, and
the settings of -c without their secrets. It has order numbers and names of
accounts, but no keys and tokens. Take it before you restart an instance.

--provider prints a text for Alipay's support instead: the calls that failed,
by code and by number, with Alipay's trace ids and times in +08:00. It has order
numbers, but no name of an account. With -c it has app ids, too.

It exits with 4 if an instance cannot be asked; what the others say is written.`,
		Example: `  bridge incident -c bridge.yaml
  bridge incident -a bridge-admin.shop.svc:8087 --token-file token
  bridge incident -c bridge.yaml --provider > for-alipay.txt`,
		Args: command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			client, addresses, err := from.client()
			if err != nil {
				return err
			}
			return saveIncident(c.Context(), c.OutOrStdout(), client, addresses, from.file, file, provider)
		},
	}
	from.flags(c)
	c.Flags().BoolVar(&provider, "provider", false, "print a text for Alipay's support, and write no archive")
	c.Flags().StringVarP(&file, "file", "f", "", "`file` of the archive, or - for the standard output (default: bridge-incident-TIME.tar.gz)")
	c.MarkFlagsMutuallyExclusive("provider", "file")
	return c
}

func saveIncident(ctx context.Context, out io.Writer, client admin.Client, addresses []string, settings, file string, provider bool) error {
	instances := incident.Collect(ctx, client, addresses)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var answers []admin.Answer
	for k := range instances {
		answers = append(answers, instances[k].Answer)
	}
	unasked := failed(answers)
	var silent notAsked
	if errors.As(unasked, &silent) && len(silent.answers) == len(answers) {
		return unasked
	}
	now := time.Now()
	apps, printed, err := settingsOf(settings)
	if err != nil {
		return err
	}
	forAlipay := incident.ForProvider(now, instances, apps)
	if provider {
		if _, err := io.WriteString(out, forAlipay); err != nil {
			return err
		}
		return unasked
	}
	more := []incident.File{{Name: "for-alipay.txt", Text: []byte(forAlipay)}}
	if printed != nil {
		more = append(more, incident.File{Name: "settings.yaml", Text: printed})
	}
	files, err := incident.Files(now, instances, more...)
	if err != nil {
		return err
	}
	folder := "bridge-incident-" + now.UTC().Format("20060102T150405Z")
	var archive bytes.Buffer
	if err := incident.Write(&archive, folder, now, files); err != nil {
		return err
	}
	if file == "-" {
		if output.IsTerminal(out) {
			return command.Usage(errors.New("the archive is not text; redirect the standard output to a file"))
		}
		if _, err := out.Write(archive.Bytes()); err != nil {
			return err
		}
		return unasked
	}
	if file == "" {
		file = folder + ".tar.gz"
	}
	if err := writeNew(file, archive.Bytes()); err != nil {
		return fmt.Errorf("write the archive: %w; name another file with --file", err)
	}
	fmt.Fprintf(out, "%s: %d files, %d of %d instances answered, %d KiB\n", file, len(files), len(answers)-len(silent.answers), len(answers), (archive.Len()+1023)>>10)
	return unasked
}

// writeNew writes a file that did not exist, for its owner alone.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names his own file
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// settingsOf returns what Alipay knows of the apps, and the settings without their secrets.
func settingsOf(file string) (map[string]incident.App, []byte, error) {
	if file == "" {
		return nil, nil, nil
	}
	cfg, err := config.LoadPublic(file, os.LookupEnv)
	if err != nil {
		return nil, nil, err
	}
	apps := map[string]incident.App{}
	for name, a := range cfg.Apps {
		apps[name] = incident.App{ID: a.AppID + a.ClientID, Gateway: a.URL}
	}
	var text bytes.Buffer
	err = cfg.Print(&text)
	return apps, text.Bytes(), err
}
