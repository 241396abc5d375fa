package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/output"
)

// healthTimeout bounds one question to the probes.
const healthTimeout = 3 * time.Second

func healthCommand() *cobra.Command {
	var file, address string
	var out command.Answer
	c := &cobra.Command{
		Use:   "health [ready|live] [-c FILE] [-a HOST:PORT]",
		Short: "Ask the probes of an instance, for an image without a shell",
		Long: `Health asks the probes of an instance that runs here: ready (the default) or
live. It exits with 0 if the answer is ok, with 1 if it is not, and with 4 if no
one answers.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] != "ready" && args[0] != "live" {
				return fmt.Errorf("%q: use ready or live", strings.Join(args, " "))
			}
			return nil
		},
		ValidArgs: []string{"ready", "live"},
		RunE: func(c *cobra.Command, args []string) error {
			probe := "ready"
			if len(args) > 0 {
				probe = args[0]
			}
			if address == "" {
				cfg := config.Default()
				if file != "" {
					var err error
					if cfg, err = config.LoadPublic(file, os.LookupEnv); err != nil {
						return err
					}
				}
				if cfg.Probes.Listen == "" {
					return command.Usage(errors.New("probes.listen is empty, so this instance has no probes; set it, or name another port with --address"))
				}
				address = local(cfg.Probes.Listen)
			}
			return askProbe(c, out.Printer(c), address, probe)
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "settings `file` that names the port (default: 127.0.0.1:8088)")
	c.Flags().StringVarP(&address, "address", "a", "", "port of the probes as `host:port` (default: probes.listen)")
	out.Flag(c, "health", output.Prose())
	return c
}

// probed is what a probe answered.
type probed struct {
	Probe   string `json:"probe"`   // ready or live
	Address string `json:"address"` // host:port
	OK      bool   `json:"ok"`
	Answer  string `json:"answer"` // the word in the command.Answer
}

func askProbe(c *cobra.Command, p output.Printer, address, probe string) error {
	client := &http.Client{Timeout: healthTimeout, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, "http://"+address+"/"+probe+"z", nil)
	if err != nil {
		return command.Usage(fmt.Errorf("--address %q is not valid; use host:port", address))
	}
	resp, err := client.Do(req)
	if err != nil {
		return silent{fmt.Errorf("%w; is `bridge run` running there?", err)}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 100))
	if err != nil {
		return silent{err}
	}
	got := probed{probe, address, resp.StatusCode == http.StatusOK, strings.TrimSpace(string(body))}
	switch {
	case p.Data():
		err = p.Object(got)
	case got.OK:
		err = p.Line(got.Answer)
	}
	if err == nil && !got.OK {
		err = fmt.Errorf("%s: %s; `bridge status` says why", probe, got.Answer)
	}
	return err
}

// silent is the error of a port where no one answers.
type silent struct{ error }

func (e silent) Unwrap() error { return e.error }

// ExitCode is [command.ExitUnreachable].
func (silent) ExitCode() int { return command.ExitUnreachable }
