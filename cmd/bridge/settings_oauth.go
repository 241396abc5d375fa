package main

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
	// tokenLeeway is how long before its end a token is used no more: a broker ends the
	// session with the token.
	tokenLeeway = time.Minute
	// tokenTimeout bounds one request for a token.
	tokenTimeout = 10 * time.Second
)

// tokenOf returns where OAUTHBEARER's tokens come from: the file, read each time, or the token
// endpoint, which is asked when the last token ends.
func tokenOf(s config.SASL, log *slog.Logger) (func(context.Context) (string, error), error) {
	if !s.TokenFile.IsZero() {
		file, err := newFresh("kafka.sasl", log, s.TokenFile.Read)
		if err != nil {
			return nil, fmt.Errorf("kafka.sasl: %w", err)
		}
		return func(context.Context) (string, error) { return file.get().Reveal(), nil }, nil
	}
	secret, err := newFresh("kafka.sasl", log, s.ClientSecretFile.Read)
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w", err)
	}
	dial, err := dialerOf("kafka.sasl", tlsFiles{ca: s.TokenCAFile}, log)
	if err != nil {
		return nil, err
	}
	source := oauth2.ReuseTokenSourceWithExpiry(nil, &tokenEndpoint{s, secret, &http.Client{
		Transport:     &http.Transport{DialTLSContext: dial}, // no proxy from the environment (security G1)
		Timeout:       tokenTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, tokenLeeway)
	return func(context.Context) (string, error) {
		t, err := source.Token()
		if err != nil {
			return "", fmt.Errorf("kafka.sasl: ask %s for a token: %w", s.TokenURL, answered(err))
		}
		return t.AccessToken, nil
	}, nil
}

// tokenEndpoint asks for tokens by client credentials (RFC 6749, 4.4).
type tokenEndpoint struct {
	s      config.SASL
	secret *fresh[config.Secret]
	client *http.Client
}

// Token asks with the secret as its file has it now.
func (e *tokenEndpoint) Token() (*oauth2.Token, error) {
	c := clientcredentials.Config{ClientID: e.s.ClientID, ClientSecret: e.secret.get().Reveal(), TokenURL: e.s.TokenURL}
	if e.s.Scope != "" {
		c.Scopes = []string{e.s.Scope}
	}
	t, err := c.Token(context.WithValue(context.Background(), oauth2.HTTPClient, e.client))
	if err == nil && t.Expiry.IsZero() {
		t.Expiry = time.Now() // nobody says how long it lives: the next session gets its own
	}
	return t, err
}

// answered keeps the code of a refusal and nothing of its text, which is foreign and may
// repeat what was sent.
func answered(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return fmt.Errorf("it answers %d %.60q", refused.Response.StatusCode, refused.ErrorCode)
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return errors.New("its answer is no token")
}
