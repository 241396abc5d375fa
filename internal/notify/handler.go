package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/form"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/telemetry"
)

// ServeHTTP answers one request with success or fail.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	began := time.Now()
	// The sender's hanging up changes nothing: he repeats, and it is cheaper to finish.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), answerWithin)
	defer cancel()
	v := &visit{receiver: r, request: req, began: began}
	verdict := v.judge(ctx)
	v.answer(w, verdict)
	if verdict.remedy() != "" && v.account != nil {
		r.refusals.Add(refusal{v.account.Name, verdict}, 1)
	}
	if r.o.Answered != nil {
		r.o.Answered(ctx, v.name(), verdict, time.Since(began))
	}
}

// visit is one request.
type visit struct {
	receiver *Receiver
	request  *http.Request
	began    time.Time
	account  *Account // nil: the path names none
}

func (v *visit) name() order.Account {
	if v.account == nil {
		return ""
	}
	return v.account.Name
}

// answer writes the only two answers that there are. A connection whose body was not read is closed.
func (v *visit) answer(w http.ResponseWriter, verdict Verdict) {
	body := alipay.NotificationTaken
	if !verdict.Taken() {
		body = alipay.NotificationRefused
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(verdict.status())
	_, _ = io.WriteString(w, body)
}

// judge lets nothing end the process: what fails is answered with fail, and Alipay repeats it.
func (v *visit) judge(ctx context.Context) (verdict Verdict) {
	defer func() {
		if p := recover(); p != nil {
			// The value may hold a text of the sender's, the stack does not.
			v.receiver.o.Log.ErrorContext(ctx, "a notification made the receiver panic; it was answered with fail", "account", v.name(), "type", fmt.Sprintf("%T", p), "stack", stackTop())
			verdict = Panicked
		}
	}()
	if refused := v.checkHead(); refused != "" {
		return refused
	}
	from := sender(v.receiver.o.Proxies.client(v.request))
	if !v.receiver.requests.take(from) {
		return Busy
	}
	defer v.receiver.requests.give(from)
	body, refused := v.readBody()
	if refused != "" {
		return refused
	}
	var read reading
	if !v.receiver.verifying.do(ctx, func() { read = v.read(ctx, body) }) {
		return Busy
	}
	if read.records == nil {
		return read.verdict
	}
	return v.publish(ctx, read)
}

// maxStack is how much of a stack is logged.
const maxStack = 4 << 10

func stackTop() string {
	s := debug.Stack()
	return string(s[:min(len(s), maxStack)])
}

// checkHead checks what costs nothing, before the body is read (security N2, N7, N8).
func (v *visit) checkHead() Verdict {
	req := v.request
	if req.Method != http.MethodPost {
		return WrongMethod
	}
	if v.account = find(*v.receiver.accounts.Load(), req.URL.Path); v.account == nil {
		return UnknownPath
	}
	if len(req.Header.Values("Content-Encoding")) > 0 {
		return Encoded
	}
	if req.ContentLength > maxBody {
		return TooLarge
	}
	return ""
}

func (v *visit) readBody() ([]byte, Verdict) {
	var body bytes.Buffer
	body.Grow(int(min(max(v.request.ContentLength, 0), usualBody)) + bytes.MinRead) // no more: who announces a body need not send it
	_, err := body.ReadFrom(io.LimitReader(v.request.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, Unreadable
	case body.Len() > maxBody:
		return nil, TooLarge
	}
	return body.Bytes(), ""
}

// reading is what a body says. With records, its verdict holds once they are durable.
type reading struct {
	verdict Verdict
	records []*kgo.Record
	span    trace.Span
}

// read verifies a body and encodes what it says: all that needs a processor.
func (v *visit) read(ctx context.Context, body []byte) reading {
	n, err := v.account.Verifier.Notification(body)
	switch {
	case err != nil:
		return reading{verdict: refusedAs(err, body)}
	case !n.IsTrade():
		return reading{verdict: OtherType}
	case n.OutTradeNo == "":
		return reading{verdict: Unreadable}
	}
	now := v.receiver.o.Now()
	said := notification{Notification: n, account: v.account, late: isLate(n.Time, now), received: now}
	out := reading{verdict: Accepted}
	if said.late {
		out.verdict = Late
	}
	ctx, out.span = v.startSpan(ctx, said, out.verdict)
	if out.records, err = v.receiver.encoder.records(ctx, said); err != nil {
		v.receiver.publisher.trouble.Note(err, "remedy", "check the schema registry, and the schemas of both topics with bridge schemas check")
		out.end(err)
		return reading{verdict: NotDurable}
	}
	return out
}

// refusedAs says why the verifier did not believe a body.
func refusedAs(err error, body []byte) Verdict {
	switch {
	case errors.Is(err, gateway.ErrUnknownCertificate):
		return UnknownCertificate
	case errors.Is(err, gateway.ErrNotOurs):
		return NotOurs
	}
	if _, err := form.Parse(body); err != nil {
		return Unreadable
	}
	return Forged
}

func (v *visit) publish(ctx context.Context, read reading) Verdict {
	err := v.receiver.publisher.publish(ctx, read.records)
	errorType := ""
	if err != nil {
		errorType = string(NotDurable)
	}
	telemetry.Sent(v.receiver.o.Tracer, read.records, v.began, errorType)
	read.end(err)
	switch {
	case errors.Is(err, kgo.ErrMaxBuffered):
		return Busy
	case err != nil:
		return NotDurable
	}
	return read.verdict
}

// Attributes of spans: ids and words alone (security O6).
const (
	keyAccount = attribute.Key("bridge.account")
	keyOrder   = attribute.Key("bridge.order_no")
	keyTrade   = attribute.Key("bridge.trade_no")
	keyNotify  = attribute.Key("bridge.notify_id")
	keyVerdict = attribute.Key("bridge.verdict")
)

// startSpan begins a trace. The headers of the sender's are not looked at, and forged requests make none: they
// could make as many as they like.
func (v *visit) startSpan(ctx context.Context, n notification, verdict Verdict) (context.Context, trace.Span) {
	id := strings.Clone // a span that waits for its export must not keep the body
	return v.receiver.o.Tracer.Start(ctx, "POST "+pathPrefix+"{account}", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(v.began),
		trace.WithAttributes(
			semconv.HTTPRequestMethodPost, semconv.HTTPRoute(pathPrefix+"{account}"),
			keyAccount.String(string(n.account.Name)), keyOrder.String(id(string(n.OutTradeNo))), keyTrade.String(id(string(n.TradeNo))),
			keyNotify.String(id(n.ID)), keyVerdict.String(string(verdict)),
		))
}

// end ends the span.
func (r reading) end(err error) {
	if err != nil {
		r.span.SetAttributes(semconv.ErrorTypeKey.String(string(NotDurable)))
		r.span.SetStatus(codes.Error, string(NotDurable))
	}
	r.span.End()
}
