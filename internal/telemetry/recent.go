package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of [Recent].
const (
	recentLines = 50
	recentText  = 500 // bytes of one line
)

// Recent keeps the last notable lines of a log: warnings and errors. It may be used by many goroutines.
type Recent struct {
	mu    sync.Mutex
	lines []Line // the last ones, the oldest first; guarded by mu
}

// Line is one line of a log.
type Line struct {
	At    time.Time
	Level slog.Level
	Text  string // message and attributes, cut where it is long
}

// Lines returns the lines, the last first.
func (r *Recent) Lines() []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.lines)
	slices.Reverse(out)
	return out
}

func (r *Recent) add(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) >= recentLines {
		r.lines = slices.Delete(r.lines, 0, 1)
	}
	r.lines = append(r.lines, l)
}

// recentHandler passes lines on and keeps the notable ones.
type recentHandler struct {
	slog.Handler

	attrs  string // of WithAttrs
	recent *Recent
}

func (h recentHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		var b strings.Builder
		b.WriteString(r.Message + h.attrs)
		r.Attrs(func(a slog.Attr) bool {
			b.WriteString(" " + a.String())
			return b.Len() < recentText
		})
		h.recent.add(Line{r.Time, r.Level, cut(b.String())})
	}
	return h.Handler.Handle(ctx, r)
}

func (h recentHandler) WithAttrs(as []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(as)
	for _, a := range as {
		h.attrs = cut(h.attrs + " " + a.String())
	}
	return h
}

func (h recentHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}

// cut shortens a text to the bound of a line.
func cut(s string) string {
	if len(s) <= recentText {
		return s
	}
	return strings.ToValidUTF8(s[:recentText], "") + "..."
}
