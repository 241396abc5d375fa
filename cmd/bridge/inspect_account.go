package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/config"
)

// accountFlags name an account of a settings file, whose keys are used instead of key flags.
type accountFlags struct{ file, name string }

func (f *accountFlags) flags(c *cobra.Command) {
	c.Flags().StringVarP(&f.file, "config", "c", "bridge.yaml", "settings `file`, with --account")
	c.Flags().StringVar(&f.name, "account", "", "account of the settings file whose keys, charset and mapping are used")
}

// inspected is an account with its app.
type inspected struct {
	account config.Account
	app     config.App
}

// load reads the settings. flags of the command line that would say the same are refused.
func (f *accountFlags) load(c *cobra.Command, kind config.Kind, instead ...string) (inspected, error) {
	for _, name := range instead {
		if c.Flags().Changed(name) {
			return inspected{}, usageError{fmt.Errorf("--%s and --account exclude each other", name)}
		}
	}
	cfg, err := config.Load(f.file, os.LookupEnv)
	if err != nil {
		return inspected{}, err
	}
	a, ok := cfg.Accounts[f.name]
	if !ok {
		return inspected{}, usageError{fmt.Errorf("--account %s: the settings have %s", f.name, strings.Join(slices.Sorted(maps.Keys(cfg.Accounts)), ", "))}
	}
	in := inspected{a, cfg.Apps[a.App]}
	if kind != "" && in.app.Kind != kind {
		return inspected{}, usageError{fmt.Errorf("--account %s is under an app of kind %s, want %s", f.name, in.app.Kind, kind)}
	}
	return in, nil
}

// nobody hears of what an inspected app does, and no key that is elsewhere is asked for.
func (in inspected) quiet() (context.Context, config.App, telling) {
	a := in.app
	a.PrivateKeyURI, a.NextPrivateKeyURI = "", ""
	return context.Background(), a, telling{noop.Tracer{}, slog.New(slog.DiscardHandler)}
}

func (in inspected) openAPI() (alipay.OpenAPIOptions, error) {
	return openAPIOptions(in.quiet())
}

func (in inspected) hk() (alipay.HKOptions, error) {
	return hkOptions(in.quiet())
}

// owner fills in whose notifications are the account's, where flags do not say.
func (f *accountFlags) owner(c *cobra.Command, v *alipay.VerifierOptions) error {
	in, err := f.load(c, config.OpenAPI)
	if err != nil {
		return err
	}
	v.AppID = cmp.Or(v.AppID, in.app.AppID)
	if in.account.SellerID != "" && len(v.SellerIDs) == 0 {
		v.SellerIDs = []string{in.account.SellerID}
	}
	return nil
}

// errNotShown is why a signature stays hidden: with the rest of the request it is a credential
// that never expires (security G2).
var errNotShown = usageError{errors.New("--show-signature: only for a key that bridge simulate made and a gateway on this machine")}

// showable says whether a signature may be shown.
func showable(key, gateway string) bool {
	return strings.Contains(key, config.SimulatorMark) && loopback(gateway)
}
