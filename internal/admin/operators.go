package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	goroutines "runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"

	"alipay-kafka-bridge/internal/output"
)

// Bounds of a status.
const (
	pageWaiting    = 20     // events on the page
	defaultWaiting = 100    // in JSON
	maxWaiting     = 10_000 // that a client may ask for
	maxAsking      = 4      // requests for a status at a time: each passes over all that an engine holds
)

// Operators is the handler of the admin port. It only reads, except for the log level.
type Operators struct {
	Status  func(waiting int) Status // with at most so many events that wait
	Level   *slog.LevelVar           // of the log
	Log     *slog.Logger
	Metrics http.Handler // as on their own port, for an incident; nil: none
	Pprof   bool         // serves profiles
}

// Handler serves the port. Whoever may use it has been let through.
func (o Operators) Handler() http.Handler {
	mux := http.NewServeMux()
	places := make(chan struct{}, maxAsking)
	bounded := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
				h(w, r)
			default:
				http.Error(w, "too many ask for the status; try again", http.StatusServiceUnavailable)
			}
		}
	}
	mux.Handle("GET /{$}", http.RedirectHandler("/status", http.StatusSeeOther))
	mux.HandleFunc("GET /status", bounded(o.page))
	mux.HandleFunc("GET /status.json", bounded(o.json))
	var one sync.Mutex // an alert that reads it must not take "too many ask" for trouble: it waits
	mux.HandleFunc("GET /progressing", func(w http.ResponseWriter, _ *http.Request) {
		one.Lock()
		s := o.Status(0)
		one.Unlock()
		progressing(w, &s)
	})
	mux.HandleFunc("GET /log-level", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, levelWord(o.Level)) })
	mux.HandleFunc("POST /log-level", o.setLevel)
	mux.HandleFunc("GET /goroutines", bounded(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = goroutines.Lookup("goroutine").WriteTo(w, 1) // without arguments; the client went away
	}))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	if o.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	}
	return mux
}

func (o Operators) page(w http.ResponseWriter, r *http.Request) {
	refresh := defaultRefresh
	if text := r.URL.Query().Get("refresh"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || !slices.Contains(intervals, n) {
			http.Error(w, "refresh is 2, 5, 30 or 0", http.StatusBadRequest)
			return
		}
		refresh = n
	}
	s := o.Status(pageWaiting)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := writePage(w, &s, refresh); err != nil {
		o.Log.Error("the status page cannot be written; use /status.json", "error", err)
	}
}

func (o Operators) json(w http.ResponseWriter, r *http.Request) {
	n := defaultWaiting
	if text := r.URL.Query().Get("waiting"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 0 || n > maxWaiting {
			http.Error(w, fmt.Sprintf("waiting is a number from 0 to %d", maxWaiting), http.StatusBadRequest)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o.Status(n)) // the client went away
}

// progressing answers 503 with the reason where something that could go on does not. It is for alerts, and never for a probe:
// a restart moves the cause to another instance.
func progressing(w http.ResponseWriter, s *Status) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, find := range []func(*Status) (Verdict, bool){startWaits, pipelineInTrouble, stalled} {
		if v, found := find(s); found && v.Level == LevelStopped {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintln(w, output.Escape(v.Text))
			return
		}
	}
	_, _ = fmt.Fprintln(w, "ok")
}

// setLevel changes the log level until the settings file is read again.
func (o Operators) setLevel(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 16))
	word := strings.TrimSpace(string(body))
	var level slog.Level
	if err != nil || !slices.Contains([]string{"debug", "info", "warn", "error"}, word) || level.UnmarshalText([]byte(word)) != nil {
		http.Error(w, "the level is debug, info, warn or error, as the body of the request", http.StatusBadRequest)
		return
	}
	from := levelWord(o.Level)
	o.Level.Set(level)
	o.Log.Warn("the log level was changed", "from", from, "to", word)
	_, _ = fmt.Fprintln(w, word)
}

func levelWord(l *slog.LevelVar) string { return strings.ToLower(l.Level().String()) }
