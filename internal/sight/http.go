package sight

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/metrics"
)

// address is where a gateway of the settings is.
type address struct{ host, port string }

// addressOf reads the URL of a gateway; the settings were checked.
func addressOf(text string) address {
	u, err := url.Parse(text)
	if err != nil {
		return address{}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return address{u.Hostname(), port}
}

// Gateways says where the apps' gateways are. It must be called before there are clients.
func (s *Sight) Gateways(apps map[string]config.App) {
	s.gateways = map[string]address{}
	for name := range apps {
		s.gateways[name] = addressOf(apps[name].URL)
	}
}

// request is what is seen of the HTTP request of one attempt, by hooks of net/http. They may be called by several
// goroutines.
type request struct {
	wanted, sent, answered atomic.Bool // a connection was looked for; the head was written; an answer began
}

// watch returns a context whose HTTP request is seen.
func (r *request) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { r.wanted.Store(true) },
		WroteHeaders:         func() { r.sent.Store(true) },
		GotFirstResponseByte: func() { r.answered.Store(true) },
	})
}

// end says how a request ended, as the conventions want it, if there was one.
type end struct{ wanted, sent, answered, late bool }

// end is called when the exchange is over: what opens the answer may download a certificate.
func (r *request) end(ctx context.Context) end {
	return end{r.wanted.Load(), r.sent.Load(), r.answered.Load(), errors.Is(ctx.Err(), context.DeadlineExceeded)}
}

// labels returns the status of the answer and the type of the failure; err is that of the attempt.
func (e end) labels(err error) (status, errorType string) {
	ae, _ := errors.AsType[*alipay.Error](err)
	code := 0
	switch {
	case err == nil:
		code = http.StatusOK // no other status comes with a success
	case ae != nil && ae.HTTPStatus != 0:
		code = ae.HTTPStatus
	case ae != nil && ae.Class == alipay.Untrusted && e.answered:
		code = http.StatusOK // other statuses are refused before signatures are looked at
	case !e.sent:
		return "", "not_sent"
	case e.late, timedOut(err):
		return "", "timeout"
	default:
		return "", "no_answer"
	}
	status = strconv.Itoa(code)
	if code >= http.StatusBadRequest {
		errorType = status
	}
	return status, errorType
}

// timedOut reports whether a deadline ended the request: that of the attempt, or one of the connection.
func timedOut(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

// requested measures a request.
func (c *Client) requested(ctx context.Context, e end, took time.Duration, err error) {
	if !e.wanted {
		return
	}
	status, errorType := e.labels(err)
	c.sight.metrics.Record(ctx, &metrics.HTTPDuration, took.Seconds(), http.MethodPost, c.at.host, c.at.port, status, errorType)
}
