package fault

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// VisibleForm is the form of texts that become a parameter or a header.
var VisibleForm = regexp.MustCompile(`^[!-~]{1,128}$`)

// Number requires a number from lo to hi.
func (fs *Findings) Number(path string, n, lo, hi int) {
	if n < lo || n > hi {
		fs.Add(path, "is %d; use %d to %d", n, lo, hi)
	}
}

// Duration requires a duration from lo to hi.
func (fs *Findings) Duration(path string, d, lo, hi time.Duration) {
	if d < lo || d > hi {
		fs.Add(path, "is %s; use %s to %s", short(d), short(lo), short(hi))
	}
}

// short writes a duration without its empty parts.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// OneOf requires one of the words.
func (fs *Findings) OneOf(path, word string, words ...string) bool {
	if slices.Contains(words, word) {
		return true
	}
	want := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	if word == "" && !fs.Given(path) {
		fs.Add(path, "is missing; set it to %s", want)
		return false
	}
	fs.Add(path, "is %s; use %s%s", fs.Quoted(path), want, DidYouMean(word, words))
	return false
}

// HostPort requires an address to connect to or to listen on.
func (fs *Findings) HostPort(path, text string) {
	_, port, err := net.SplitHostPort(text)
	n, errPort := strconv.Atoi(port)
	if err != nil || errPort != nil || n < 0 || n > 65535 {
		fs.Add(path, "is %s; use the form host:port", fs.Quoted(path))
	}
}

// Address requires an absolute URL without credentials, and returns it.
func (fs *Findings) Address(path, text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		fs.Add(path, "is not an absolute http or https URL; use one such as https://example.com") // not shown: it may hold a password
		return nil, false
	case u.User != nil:
		fs.Add(path, "has a user or password, and URLs are logged; use the settings for user and password")
		return nil, false
	case u.Fragment != "" || u.RawQuery != "":
		fs.Add(path, "has a query or fragment; remove it")
		return nil, false
	}
	return u, true
}

// SecureURL requires https, or http that does not leave this machine (security G1).
func (fs *Findings) SecureURL(path, text string) {
	u, ok := fs.Address(path, text)
	if ok && u.Scheme != "https" && !Loopback(u.Hostname()) {
		fs.Add(path, "uses http to %s; use https (http only on this machine)", u.Hostname())
	}
}

// Loopback reports whether a host can only be this machine.
func Loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Word requires visible ASCII without spaces, because the text becomes a parameter or a header.
func (fs *Findings) Word(path, text string) {
	if text != "" && !VisibleForm.MatchString(text) {
		fs.Add(path, "has spaces, characters that are not ASCII, or more than 128 characters; use visible ASCII characters")
	}
}

// Unique requires that no value is in a list twice.
func (fs *Findings) Unique(path string, list []string) {
	for i, v := range list {
		if slices.Contains(list[:i], v) {
			fs.Add(Index(path, i), "is in the list twice; keep one")
		}
	}
}

// Index is the path of an entry of a list.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Length requires at most so many characters.
func (fs *Findings) Length(path, text string, most int) {
	if n := len([]rune(text)); n > most {
		fs.Add(path, "has %d characters; use at most %d", n, most)
	}
}

// AllOf requires that all words of a list are known.
func (fs *Findings) AllOf(path string, words, known []string) {
	for i, w := range words {
		if p := Index(path, i); !slices.Contains(known, w) {
			hint := DidYouMean(w, known)
			if hint == "" {
				hint = "; use one of " + strings.Join(known, ", ")
			}
			fs.Add(p, "is %s, which is unknown%s", fs.Quoted(p), hint)
		}
	}
	fs.Unique(path, words)
}

// Required requires a setting.
func (fs *Findings) Required(path string, missing bool, what string) {
	if missing {
		fs.Add(path, "is missing; set it to %s", what)
	}
}

// Rate requires a rate per second and a burst.
func (fs *Findings) Rate(path string, rate float64, burst int) {
	if !(rate >= 0 && rate <= 1e6) { // so that NaN is refused as well
		fs.Add(path+".rate", "is %s; use 0 (no limit) to 1000000 per second", fs.Quoted(path+".rate"))
	}
	fs.Number(path+".burst", burst, 1, 100_000)
}
