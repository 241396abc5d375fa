package gateway

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// clockPause is the least time between two lines about the clock: an answer that was sent again, or a proxy with a clock of
// its own, must not fill the log.
const clockPause = time.Minute

// clockWatch compares our clock with the time in each answer, and logs when the difference passes clockLimit and when it is
// right again. Gateways refuse requests whose time is off, and answers are refused by theirs.
type clockWatch struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex    // guards the rest
	off     time.Duration // of the last answer
	wrong   bool
	changed time.Time // when the last line was logged
}

// saw compares the time of an answer to a request that was sealed at a time.
func (c *clockWatch) saw(sealed time.Time, a *answer, rep alipay.Reply) {
	theirs, source, ok := answerTime(a.header, rep.Verified)
	if !ok {
		return
	}
	now := c.now()
	off := offBy(sealed, now, theirs)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
	wrong := off.Abs() > clockLimit
	if wrong == c.wrong || !c.changed.IsZero() && now.Sub(c.changed) < clockPause && !now.Before(c.changed) {
		return
	}
	c.wrong, c.changed = wrong, now
	if !wrong {
		c.log.Warn("our clock agrees with the gateway's again", "compared_with", source)
		return
	}
	c.log.Error("our clock differs from the gateway's; correct the clock of this host, or requests and answers are refused",
		"clock_is", aheadOrBehind(off)+" the gateway's", "by", off.Abs().Round(time.Second).String(), "compared_with", source)
}

// offset is how far our clock is ahead of the gateway's, by the last answer.
func (c *clockWatch) offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off
}

// answerTime is the time that an answer carries: signed in AlipayHK's Response-Time, otherwise the Date of HTTP.
func answerTime(h http.Header, verified bool) (at time.Time, source string, ok bool) {
	if text := h.Get("Response-Time"); verified && text != "" {
		at, err := parseHKTime(text)
		return at, "Response-Time", err == nil
	}
	at, err := http.ParseTime(h.Get("Date"))
	return at, "Date", err == nil
}
