package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"alipay-kafka-bridge/internal/telemetry"
)

// registryPatience is how long a registry may take to begin its answer, before that is a trouble:
// less than the time-out of its client, 5 s, which would end the waiting first.
const registryPatience = 4 * time.Second

var errNoAnswer = fmt.Errorf("no answer within %s", registryPatience)

// watchAnswers notes for each request whether the registry answers. next may add to the request; nil:
// nothing.
func watchAnswers(trouble *telemetry.Trouble, next func(*http.Request) error) func(*http.Request) error {
	note := func(err error) {
		trouble.Note(err, "remedy", "start it, or fix the settings under registry; records with schemas that are known go on")
	}
	return func(req *http.Request) error {
		asked, connected := req.Context(), new(atomic.Bool)
		silent := time.AfterFunc(registryPatience, func() {
			if !connected.Load() || !errors.Is(asked.Err(), context.Canceled) { // no one waits any more
				note(errNoAnswer)
			}
		})
		*req = *req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) {
				connected.Store(true)
				silent.Reset(registryPatience)
			},
			ConnectDone: func(_, _ string, err error) {
				if err != nil && silent.Stop() {
					note(err)
				}
			},
			GotFirstResponseByte: func() {
				silent.Stop()
				note(nil)
			},
		}))
		if next == nil {
			return nil
		}
		err := next(req)
		if err != nil {
			silent.Stop() // nothing is asked
		}
		return err
	}
}
