package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Bounds of the log, for each minute: lines of one message that differ. Many partitions may stop at
// once, and each must have its line.
const (
	boundedWithin = time.Minute
	maxLines      = 20
	maxErrors     = 200
)

// boundedHandler keeps a trouble from flooding the log. A line that is equal to one of the last minute
// but for its error is counted, and logged once more after the minute with the number. Lines of one
// message that differ are bounded, and those that were left out are counted.
type boundedHandler struct {
	slog.Handler

	attrs string // of WithAttrs and WithGroup
	seen  *seenLines
}

// seenLines are the lines of the last minute.
type seenLines struct {
	mu       sync.Mutex
	byText   map[string]*seenLine // at most maxErrors for each message, and messages are constants; guarded by mu
	messages map[string]*seenMessage
}

type seenLine struct {
	repeated int
	last     slog.Record
}

type seenMessage struct{ lines, omitted int }

func newBoundedHandler(h slog.Handler) boundedHandler {
	return boundedHandler{h, "", &seenLines{byText: map[string]*seenLine{}, messages: map[string]*seenMessage{}}}
}

// Handle writes a line, or counts it.
func (h boundedHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo || h.seen.passes(h, h.textOf(r), r) {
		return h.Handler.Handle(ctx, r)
	}
	return nil
}

// textOf is what makes lines equal.
func (h boundedHandler) textOf(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Level.String() + " " + r.Message + h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "error" {
			b.WriteString(" " + a.String())
		}
		return true
	})
	return b.String()
}

func (s *seenLines) passes(h boundedHandler, text string, r slog.Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.byText[text]; l != nil {
		l.repeated++
		l.last = r.Clone()
		return false
	}
	m := s.messages[r.Message]
	if m == nil {
		m = &seenMessage{}
		s.messages[r.Message] = m
	}
	most := maxLines
	if r.Level >= slog.LevelError {
		most = maxErrors
	}
	if m.lines >= most {
		if m.omitted++; m.omitted == 1 {
			time.AfterFunc(boundedWithin, func() { s.reportOmitted(h, r) })
		}
		return false
	}
	m.lines++
	s.byText[text] = &seenLine{}
	time.AfterFunc(boundedWithin, func() { s.forget(h, text, r.Message) })
	return true
}

// forget ends the minute of a line, and logs how often it was repeated.
func (s *seenLines) forget(h boundedHandler, text, message string) {
	s.mu.Lock()
	l := s.byText[text]
	if l.repeated == 0 {
		delete(s.byText, text)
		if m := s.messages[message]; m.lines == 1 && m.omitted == 0 {
			delete(s.messages, message)
		} else {
			m.lines--
		}
		s.mu.Unlock()
		return
	}
	r := l.last
	r.AddAttrs(slog.Int("repeated", l.repeated))
	l.repeated = 0
	s.mu.Unlock()
	time.AfterFunc(boundedWithin, func() { s.forget(h, text, message) })
	_ = h.Handler.Handle(context.Background(), r) // a log that cannot be written cannot be logged
}

// reportOmitted logs how many lines of a message were left out.
func (s *seenLines) reportOmitted(h boundedHandler, r slog.Record) {
	s.mu.Lock()
	m := s.messages[r.Message]
	n := m.omitted
	m.omitted = 0
	if m.lines == 0 {
		delete(s.messages, r.Message)
	}
	s.mu.Unlock()
	omitted := slog.NewRecord(time.Now(), r.Level, "lines of the log were left out: too many that differ", 0)
	omitted.AddAttrs(slog.String("message", r.Message), slog.Int("count", n))
	_ = h.Handler.Handle(context.Background(), omitted)
}

// WithAttrs returns a handler with more attributes.
func (h boundedHandler) WithAttrs(as []slog.Attr) slog.Handler {
	text := h.attrs
	for _, a := range as {
		text += " " + a.String()
	}
	return boundedHandler{h.Handler.WithAttrs(as), text, h.seen}
}

// WithGroup returns a handler whose attributes are in a group.
func (h boundedHandler) WithGroup(name string) slog.Handler {
	return boundedHandler{h.Handler.WithGroup(name), h.attrs + " " + name + ".", h.seen}
}
