package app

import (
	"context"
	"log/slog"
	"time"
)

// warnAt are the days before an end of which operators are told, the last being the end itself.
var warnAt = []int{30, 14, 3, 0}

// warnOfEnds tells when certificates and keys are about to end, once for each of warnAt.
func (r *reloader) warnOfEnds(now time.Time) {
	for app, a := range r.service.parts.Apps {
		for what, end := range a.App.Ends() {
			left, key := end.Sub(now), app+" "+what+" "+end.String()
			passed := 0
			for _, days := range warnAt {
				if left <= time.Duration(days)*24*time.Hour {
					passed++
				}
			}
			if passed > r.warned[key] {
				r.warned[key] = passed
				r.Log.Log(context.Background(), levelOf(left), "a key or certificate ends", "app", app, "what", what, "end", end.Format(time.RFC3339))
			}
		}
	}
}

func levelOf(left time.Duration) slog.Level {
	if left <= 0 {
		return slog.LevelError
	}
	return slog.LevelWarn
}
