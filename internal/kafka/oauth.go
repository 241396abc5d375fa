package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"alipay-kafka-bridge/internal/config"
)

const (
	// tokenLeeway is how long before it expires a token is replaced: a broker ends the session when the
	// token expires.
	tokenLeeway = time.Minute
	// tokenTimeout is the time limit for one request for a token, which may have to try both ways of
	// sending the secret.
	tokenTimeout = 10 * time.Second
)

// tokenOf returns a function that returns tokens for OAUTHBEARER: from the file, which is read each
// time, or from the token endpoint, when the last token expires.
func tokenOf(s config.SASL, log *slog.Logger) (func(context.Context) (string, error), error) {
	if !s.TokenFile.IsZero() {
		file, err := config.NewFileValue("kafka.sasl", log, s.TokenFile.Read)
		if err != nil {
			return nil, fmt.Errorf("kafka.sasl: %w", err)
		}
		return func(context.Context) (string, error) { return file.Get().Reveal(), nil }, nil
	}
	secret, err := config.NewFileValue("kafka.sasl", log, s.ClientSecretFile.Read)
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w", err)
	}
	dial, err := TLSDialer("kafka.sasl", TLSFiles{CA: s.TokenCAFile}, nil, log)
	if err != nil {
		return nil, err
	}
	return newTokenEndpoint(s, secret, &http.Client{
		Transport:     &http.Transport{DialTLSContext: dial}, // no proxy from the environment (security G1)
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).token, nil
}

// tokenEndpoint requests tokens with client credentials (RFC 6749, 4.4), one request at a time.
type tokenEndpoint struct {
	client *http.Client
	secret *config.FileValue[config.Secret]

	semaphore chan struct{}            // full while a goroutine uses the fields below
	config    clientcredentials.Config // kept, because it remembers how the endpoint expects the secret
	last      oauth2.Token
}

func newTokenEndpoint(s config.SASL, secret *config.FileValue[config.Secret], client *http.Client) *tokenEndpoint {
	e := &tokenEndpoint{client: client, secret: secret, semaphore: make(chan struct{}, 1)}
	e.config.ClientID, e.config.TokenURL = s.ClientID, s.TokenURL
	if s.Scope != "" {
		e.config.Scopes = []string{s.Scope}
	}
	return e
}

// token returns the last token, or a new one if that expires soon or has no known end. Waiting for a
// request of another goroutine ends with ctx.
func (e *tokenEndpoint) token(ctx context.Context) (string, error) {
	select {
	case e.semaphore <- struct{}{}:
		defer func() { <-e.semaphore }()
	case <-ctx.Done():
		return "", fmt.Errorf("kafka.sasl: wait for a token from %s: %w", e.config.TokenURL, context.Cause(ctx))
	}
	if time.Until(e.last.Expiry) > tokenLeeway {
		return e.last.AccessToken, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	e.config.ClientSecret = e.secret.Get().Reveal()
	t, err := e.config.Token(context.WithValue(ctx, oauth2.HTTPClient, e.client))
	if err != nil {
		return "", fmt.Errorf("kafka.sasl: request a token from %s: %w", e.config.TokenURL, refusalCode(err))
	}
	e.last = *t
	return t.AccessToken, nil
}

// refusalCode keeps the code of a refusal and nothing of its text, which comes from outside and may
// repeat what was sent.
func refusalCode(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return fmt.Errorf("it answered with status %d and error %.60q; check client_id, client_secret_file and scope", refused.Response.StatusCode, refused.ErrorCode)
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return errors.New("its answer is not a token; check token_url")
}
