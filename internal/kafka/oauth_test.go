package kafka

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
)

func endpointAt(t *testing.T, url string, transport *http.Transport) *tokenEndpoint {
	t.Helper()
	secret, err := config.NewFileValue("kafka.sasl", slog.New(slog.DiscardHandler), func() (config.Secret, error) { return config.Secret{}, nil })
	apptest.NoError(t, err)
	return newTokenEndpoint(config.SASL{ClientID: "me", TokenURL: url}, secret, &http.Client{Transport: transport})
}

// silentNetwork reaches no one. net/http goes on dialling after the caller has gone.
func silentNetwork(t *testing.T) *http.Transport {
	quit := make(chan struct{})
	t.Cleanup(func() { close(quit) })
	return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		<-quit
		return nil, net.ErrClosed
	}}
}

// TestTokenTimeout: an endpoint that keeps silent costs one question's time, though the secret can
// be sent in two ways.
func TestTokenTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		_, err := endpointAt(t, "http://127.0.0.1:1", silentNetwork(t)).token(t.Context())
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != tokenTimeout {
			t.Errorf("%v after %s, want the end of the time after %s", err, took, tokenTimeout)
		}
	})
}

// TestTokenEndsWithItsContext: neither the caller nor one that waits for the answer to another caller's
// question stays longer than its context.
func TestTokenEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := endpointAt(t, "http://127.0.0.1:1", silentNetwork(t))
		asking, stopAsking := context.WithCancel(t.Context())
		waiting, stopWaiting := context.WithCancel(t.Context())
		begin, ended := time.Now(), make(chan error)
		for _, ctx := range []context.Context{asking, waiting} {
			go func() {
				_, err := e.token(ctx)
				ended <- err
			}()
			synctest.Wait()
		}
		stopWaiting()
		if err := <-ended; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "wait for a token") {
			t.Errorf("who waits gets %v", err)
		}
		stopAsking()
		if err := <-ended; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "request a token") {
			t.Errorf("who asks gets %v", err)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("took %s", took)
		}
	})
}

// TestTokenEndpointIsLearned: an endpoint that wants the secret in the form, not in the header, is
// asked in two ways once. A token without an end is used once.
func TestTokenEndpointIsLearned(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.FormValue("client_id") != "me" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"t","token_type":"bearer"}`))
	}))
	defer server.Close()
	e := endpointAt(t, server.URL, &http.Transport{})
	defer e.client.CloseIdleConnections()
	for _, want := range []int64{2, 3} {
		got, err := e.token(t.Context())
		if apptest.NoError(t, err); got != "t" || asked.Load() != want {
			t.Errorf("token %q after %d requests, want %d", got, asked.Load(), want)
		}
	}
}
