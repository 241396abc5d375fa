package app

import (
	"context"
	"log/slog"
	"time"
)

// warnAt are the days before an end on which operators are warned. The last is the end itself.
var warnAt = []int{30, 14, 3, 0}

// warnOfEnds logs certificates and keys that are about to end, once for each of warnAt.
func (r *reloader) warnOfEnds(now time.Time) {
	for app, a := range r.service.apps {
		for what, end := range a.Ends() {
			left, key := end.Sub(now), app+" "+what+" "+end.String()
			passed := 0
			for _, days := range warnAt {
				if left <= time.Duration(days)*24*time.Hour {
					passed++
				}
			}
			if passed > r.warned[key] {
				r.warned[key] = passed
				r.log.Log(context.Background(), levelOf(left), "a key or certificate ends", "app", app, "what", what, "end", end.Format(time.RFC3339))
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
