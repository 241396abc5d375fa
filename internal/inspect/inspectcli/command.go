package inspectcli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/config/fault"
	"alipay-kafka-bridge/internal/inspect"
	"alipay-kafka-bridge/internal/output"
)

// maxCapture is the size limit of a captured file. The bridge itself reads at most 1 MiB of an answer.
const maxCapture = 2 << 20

// Command is bridge inspect.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect",
		Short: "Explain why a request, answer or notification is believed or not",
		Long: `Inspect reads a captured message and explains step by step how the bridge judges
it and why. It uses the same code as the bridge does, and sends nothing. A file
has either the body alone or a whole HTTP message with its headers; - means
standard input. Of these commands, only request shows the values of fields.

Capture the raw bytes, before any framework decodes them:
  a notification: the body of the POST, as your web server reads it from the
    socket (php://input, request.get_data(), r.Body), not its parameters, its
    log line or its JSON;
  an answer: curl --raw -i, or the body that your HTTP client returns, before
    it is parsed.
Write them to the file as they are, without a line feed at the end. If the
signature is not good, inspect tries what tools usually do to a capture, and
names the damage only if the signature proves it.

It exits with 3 if the message is not believed.`,
		Args: command.AnyArguments,
		RunE: command.OneOf,
	}
	c.AddCommand(requestCommand(), responseCommand(), hkCommand(), notificationCommand())
	return c
}

// printExplanation prints an explanation. Its error says whether anything is wrong.
func printExplanation(p output.Printer, e gateway.Explanation) error {
	if p.Data() {
		if err := p.Object(e); err != nil {
			return err
		}
		return verifiedError(e)
	}
	verified := "no"
	if e.Verified {
		verified = "yes"
	}
	lines := [][]string{{"verified", verified}, {"class", e.Class.String()}, {"code", output.Dash(e.Code)}, {"sub_code", output.Dash(e.SubCode)}, {"reason", e.Reason}}
	for i, s := range e.Steps {
		mark := "ok"
		if !s.OK {
			mark = "FAILED"
		}
		lines = append(lines, []string{fmt.Sprintf("step %d", i+1), s.Name, mark, s.Detail})
	}
	for _, l := range lines {
		if err := p.Line(l...); err != nil {
			return err
		}
	}
	return verifiedError(e)
}

// verifiedError is the error of an inspection of something that is not believed.
func verifiedError(e gateway.Explanation) error {
	if e.Verified && e.Class != alipay.Untrusted {
		return nil
	}
	return notVerified{}
}

// notVerified is the error of an inspection whose answer is no.
type notVerified struct{}

func (notVerified) Error() string { return "not believed" }

func (notVerified) ExitCode() int { return output.ExitFound }

// readFile reads a file of the command line, - for standard input.
func readFile(c *cobra.Command, name string) ([]byte, error) {
	in := c.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // read only
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxCapture+1))
	if err == nil && len(b) > maxCapture {
		err = fmt.Errorf("%s is larger than 2 MiB; capture one message only", name)
	}
	return b, err
}

// parseFile reads a file and parses it; an empty name gives the zero value.
func parseFile[T any](c *cobra.Command, name string, parse func([]byte) (T, error)) (T, error) {
	var none T
	if name == "" {
		return none, nil
	}
	b, err := readFile(c, name)
	if err != nil {
		return none, err
	}
	v, err := parse(b)
	if err != nil {
		return none, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// parseVersioned reads flags of the form VERSION=FILE.
func parseVersioned[T any](c *cobra.Command, flags []string, parse func([]byte) (T, error)) (map[string]T, error) {
	keys := map[string]T{}
	for _, f := range flags {
		version, name, ok := strings.Cut(f, "=")
		if !ok || version == "" || name == "" {
			return nil, command.Usage(fmt.Errorf("%s: use VERSION=FILE", f))
		}
		k, err := parseFile(c, name, parse)
		if err != nil {
			return nil, err
		}
		keys[version] = k
	}
	return keys, nil
}

// accountFlags name an account of a settings file, whose keys are used instead of key flags.
type accountFlags struct{ file, name string }

func (f *accountFlags) flags(c *cobra.Command) {
	c.Flags().StringVarP(&f.file, "config", "c", "bridge.yaml", "settings `file`, for --account")
	c.Flags().StringVar(&f.name, "account", "", "`name` of an account in the settings file; its keys, charset and mapping are used")
	_ = c.RegisterFlagCompletionFunc("account", command.CompleteAccounts(&f.file))
}

// load reads the settings. It refuses flags that would say the same.
func (f *accountFlags) load(c *cobra.Command, kind config.Kind, instead ...string) (inspect.Account, error) {
	for _, name := range instead {
		if c.Flags().Changed(name) {
			return inspect.Account{}, command.Usage(fmt.Errorf("--%s and --account cannot be used together", name))
		}
	}
	cfg, err := config.Load(f.file, os.LookupEnv)
	if err != nil {
		return inspect.Account{}, err
	}
	a, ok := cfg.Accounts[f.name]
	if !ok {
		names := slices.Sorted(maps.Keys(cfg.Accounts))
		return inspect.Account{}, command.Usage(fmt.Errorf("--account %s: there is no such account; the settings have %s%s", f.name, strings.Join(names, ", "), fault.DidYouMean(f.name, names)))
	}
	in := inspect.Account{Account: a, App: cfg.Apps[a.App]}
	if kind != "" && in.App.Kind != kind {
		return inspect.Account{}, command.Usage(fmt.Errorf("--account %s is under an app of kind %s; this command needs kind %s", f.name, in.App.Kind, kind))
	}
	return in, nil
}

// owner fills in which notifications belong to the account, where flags do not say it.
func (f *accountFlags) owner(c *cobra.Command, v *gateway.VerifierOptions) error {
	in, err := f.load(c, config.OpenAPI)
	if err != nil {
		return err
	}
	in.SetOwner(v)
	return nil
}
