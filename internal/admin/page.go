package admin

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // page and style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/output"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

// pagePolicy lets a page have our style and nothing else: no script, no image, no other site.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// intervals are the choices of the refresh, in seconds; 0: off.
var intervals = []int{2, 5, 30, 0}

// defaultRefresh is how often the page is loaded again.
const defaultRefresh = 5

// maxAccounts is how many accounts the page lists. Those in trouble come first.
const maxAccounts = 20

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"esc": output.Escape, "num": number, "mib": func(n int) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) },
	"percent": func(f float64) string { return fmt.Sprintf("%.0f %%", 100*f) },
}).Parse(pageText))

// view is what the template shows.
type view struct {
	S         *Status
	Accounts  []Account
	Lags      []lag
	AsOf      string
	Word      string
	Style     template.CSS
	Refresh   int
	Intervals []interval

	AccountsOmitted int

	Strip Strip

	Notifications        []Notifications // those whose last one was refused come first
	NotificationsOmitted int
}

type lag struct {
	Topic, Cause, Meaning string
	Records               int
}

type interval struct {
	Value   int
	Text    string
	Current bool
}

// words are the levels in capitals: a colour never stands alone.
var words = map[string]string{
	LevelFine: "FINE.", LevelStarting: "STARTING.", LevelSlow: "ATTENTION.", LevelProvider: "ALIPAY FAILS.", LevelStopped: "STOPPED.", LevelRisk: "AT RISK.",
}

// Meanings says what each cause of lag means, in the order of a chart.
func Meanings() [][2]string {
	return [][2]string{
		{"ready", "would be handled if there were room: the only lag that more instances reduce"},
		{"own_order", "behind an earlier event of the same order"},
		{"calling", "their calls are made now"},
		{"breaker", "a circuit breaker is open, or lets few calls pass"},
		{"rate_limit", "the rate limit of the app"},
		{"retry", "the pause before another attempt"},
		{"person", "someone must correct a key, token or permission"},
		{"stopped", "an operator must decide about the partition"},
		{"window_full", "the first record of the partition is too far behind"},
		{"settling", "finished; the transaction is under way"},
		{"unread", "not read yet"},
	}
}

// writePage writes the page. beijing is Alipay's time.
func writePage(w io.Writer, s *Status, refresh int) error {
	v := view{S: s, Style: template.CSS(style), Refresh: refresh, Word: words[s.Verdict.Level]}
	v.AsOf = s.AsOf.In(beijing).Format("2006-01-02 15:04:05 -07:00") + " (" + s.AsOf.UTC().Format("15:04:05 UTC") + ")"
	for _, n := range intervals {
		i := interval{n, fmt.Sprintf("%d s", n), n == refresh}
		if n == 0 {
			i.Text = "off"
		}
		v.Intervals = append(v.Intervals, i)
	}
	for _, t := range s.Topics {
		for _, m := range Meanings() {
			if n := t.Lag[m[0]]; n > 0 {
				v.Lags = append(v.Lags, lag{t.Name, m[0], m[1], int(n)})
			}
		}
	}
	v.Strip = s.strip()
	v.Accounts, v.AccountsOmitted = worst(s.Accounts, func(a Account) (bool, string) { return !a.StoppedSince.IsZero(), a.Name })
	v.Notifications, v.NotificationsOmitted = worst(s.Notifications, func(n Notifications) (bool, string) { return n.LastRefused.After(n.LastTaken), n.Account })
	var b bytes.Buffer // an error must not leave half a page
	if err := page.Execute(&b, v); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

// worst returns at most maxAccounts, by name, those that are bad first, and how many it left out.
func worst[T any](all []T, about func(T) (bad bool, name string)) (first []T, omitted int) {
	first = slices.SortedStableFunc(slices.Values(all), func(a, b T) int {
		bad, name := about(a)
		other, otherName := about(b)
		switch {
		case bad == other:
			return strings.Compare(name, otherName)
		case bad:
			return -1
		}
		return 1
	})
	omitted = max(0, len(first)-maxAccounts)
	return first[:len(first)-omitted], omitted
}

// Ago is how long ago a time was.
func (v view) Ago(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return Span(v.S.AsOf.Sub(at))
}

// Until is how long it is until a time.
func (v view) Until(at time.Time) string { return Span(max(0, at.Sub(v.S.AsOf))) }

// beijing is the time zone of Alipay's consoles and support.
var beijing = time.FixedZone("+08:00", 8*60*60)
