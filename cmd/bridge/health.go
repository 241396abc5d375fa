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

	"alipay-kafka-bridge/internal/config"
)

// healthTimeout bounds one question to the probes.
const healthTimeout = 3 * time.Second

func healthCommand() *cobra.Command {
	var file, address string
	c := &cobra.Command{
		Use:   "health [ready|live] [-c FILE] [-a HOST:PORT]",
		Short: "Ask the probes of an instance, for an image without a shell",
		Long: `Health asks the probes of an instance that runs here: ready (the default) or
live. It exits with 0 if the answer is ok, with 1 if it is not, and with 4 if no
one answers.`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
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
					return usageError{errors.New("probes.listen is empty, so this instance has no probes; set it, or name another port with --address")}
				}
				address = local(cfg.Probes.Listen)
			}
			return askProbe(c, address, probe)
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "settings `file` that names the port (default: 127.0.0.1:8088)")
	c.Flags().StringVarP(&address, "address", "a", "", "port of the probes as `host:port` (default: probes.listen)")
	return c
}

func askProbe(c *cobra.Command, address, probe string) error {
	client := &http.Client{Timeout: healthTimeout, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, "http://"+address+"/"+probe+"z", nil)
	if err != nil {
		return usageError{fmt.Errorf("--address %q is not valid; use host:port", address)}
	}
	resp, err := client.Do(req)
	if err != nil {
		return silent{fmt.Errorf("%w; is `bridge run` running there?", err)}
	}
	defer func() { _ = resp.Body.Close() }()
	word, err := io.ReadAll(io.LimitReader(resp.Body, 100))
	if err != nil {
		return silent{err}
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s; `bridge status` says why", probe, strings.TrimSpace(string(word)))
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), strings.TrimSpace(string(word)))
	return err
}

// silent is the error of a port where no one answers.
type silent struct{ error }

func (e silent) Unwrap() error { return e.error }

// ExitCode is [exitUnreachable].
func (silent) ExitCode() int { return exitUnreachable }
