package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/avro/writers"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/telemetry"
)

// OpenTopics opens the schema registry with the rules of the input topics: which schemas of producers
// are accepted.
func OpenTopics(c config.Config, maxRecord int, o Options) (*avro.Registry, error) {
	registry, err := OpenRegistry(c.Registry, maxRecord, o)
	if err != nil {
		return nil, err
	}
	rules := map[string]writers.Rules{}
	for _, in := range slices.Concat(c.Topics.Inputs, c.Topics.Queries) {
		rules[in.Name] = writers.Rules{Subject: in.Subject, Records: in.Records, IgnoreCase: in.IgnoreCase}
	}
	return registry.WithRules(rules), nil
}

// OpenRegistry opens the schema registry, or the folder that replaces it.
func OpenRegistry(r config.Registry, maxRecord int, o Options) (*avro.Registry, error) {
	o = o.withDefaults()
	if r.Folder != "" {
		return avro.NewFolder(os.DirFS(r.Folder), maxRecord)
	}
	dialTLS, err := kafka.TLSDialer("registry", kafka.TLSFiles{CA: r.CAFile, Cert: r.CertFile, Key: r.KeyFile}, o.Dial, o.Log)
	if err != nil {
		return nil, err
	}
	authorize, err := authorizationOf(r, o.Log)
	if err != nil {
		return nil, err
	}
	trouble := telemetry.NewTrouble(o.Log.With("url", r.URL), "the schema registry does not answer", "the schema registry answers again")
	return avro.NewRegistry(avro.RegistryOptions{URL: r.URL, Authorize: watchAnswers(trouble, authorize), DialContext: o.Dial, DialTLSContext: dialTLS, MaxRecord: maxRecord})
}

// authorizationOf adds our credentials to each request, with the secret that the file holds at that moment.
func authorizationOf(r config.Registry, log *slog.Logger) (func(*http.Request) error, error) {
	file := r.PasswordFile
	if r.User == "" {
		file = r.TokenFile
	}
	if file.IsZero() {
		return nil, nil
	}
	secret, err := config.NewFileValue("registry", log, file.Read)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return func(req *http.Request) error {
		if text := secret.Get().Reveal(); r.User != "" {
			req.SetBasicAuth(r.User, text)
		} else {
			req.Header.Set("Authorization", "Bearer "+text)
		}
		return nil
	}, nil
}

// SchemasReady returns an error if the schemas of the output topics cannot be used.
func SchemasReady(ctx context.Context, registry *avro.Registry, t config.Topics) error {
	return records.NewEncoder(order.NewCodec(registry), OutputTopics(t), nil).Ready(ctx)
}
