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

// VisibleForm is what may become a parameter or a header.
var VisibleForm = regexp.MustCompile(`^[!-~]{1,128}$`)

// Number wants lo to hi.
func (fs *Findings) Number(path string, n, lo, hi int) {
	if n < lo || n > hi {
		fs.Add(path, "is %d; want %d to %d", n, lo, hi)
	}
}

// Duration wants lo to hi.
func (fs *Findings) Duration(path string, d, lo, hi time.Duration) {
	if d < lo || d > hi {
		fs.Add(path, "is %s; want %s to %s", short(d), short(lo), short(hi))
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

// OneOf wants one of the words.
func (fs *Findings) OneOf(path, word string, words ...string) bool {
	if slices.Contains(words, word) {
		return true
	}
	want := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	if word == "" && !fs.Given(path) {
		fs.Add(path, "is missing; want %s", want)
		return false
	}
	fs.Add(path, "is %s; want %s%s", fs.Quoted(path), want, DidYouMean(word, words))
	return false
}

// HostPort wants an address to dial or to listen on.
func (fs *Findings) HostPort(path, text string) {
	_, port, err := net.SplitHostPort(text)
	n, errPort := strconv.Atoi(port)
	if err != nil || errPort != nil || n < 0 || n > 65535 {
		fs.Add(path, "is %s; want host:port", fs.Quoted(path))
	}
}

// Address wants an absolute URL without credentials, and returns it.
func (fs *Findings) Address(path, text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		fs.Add(path, "is not an absolute http or https URL") // not shown: it may hold a password
		return nil, false
	case u.User != nil:
		fs.Add(path, "holds a user or password; URLs end in logs, so give them in settings of their own")
		return nil, false
	case u.Fragment != "" || u.RawQuery != "":
		fs.Add(path, "has a query or fragment; want none")
		return nil, false
	}
	return u, true
}

// SecureURL wants https, or http that does not leave the machine (security G1).
func (fs *Findings) SecureURL(path, text string) {
	u, ok := fs.Address(path, text)
	if ok && u.Scheme != "https" && !Loopback(u.Hostname()) {
		fs.Add(path, "uses http to %s; want https (http only on this machine)", u.Hostname())
	}
}

// Loopback says whether a host can only be this machine.
func Loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Word wants visible ASCII without spaces: it becomes a parameter or a header.
func (fs *Findings) Word(path, text string) {
	if text != "" && !VisibleForm.MatchString(text) {
		fs.Add(path, "has spaces, other than ASCII, or more than 128 characters; want visible ASCII")
	}
}

// Unique reports values of a list that come twice.
func (fs *Findings) Unique(path string, list []string) {
	for i, v := range list {
		if slices.Contains(list[:i], v) {
			fs.Add(Index(path, i), "is in the list twice; keep one")
		}
	}
}

// Index is the path of an entry of a list.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Length wants at most so many characters.
func (fs *Findings) Length(path, text string, most int) {
	if n := len([]rune(text)); n > most {
		fs.Add(path, "has %d characters; want %d at most", n, most)
	}
}

// AllOf wants every word of a list to be known.
func (fs *Findings) AllOf(path string, words, known []string) {
	for i, w := range words {
		if p := Index(path, i); !slices.Contains(known, w) {
			hint := DidYouMean(w, known)
			if hint == "" {
				hint = "; known: " + strings.Join(known, ", ")
			}
			fs.Add(p, "is %s, which is unknown%s", fs.Quoted(p), hint)
		}
	}
	fs.Unique(path, words)
}

// Required wants a setting.
func (fs *Findings) Required(path string, missing bool, what string) {
	if missing {
		fs.Add(path, "is missing; want %s", what)
	}
}

// Rate wants a rate per second and a burst.
func (fs *Findings) Rate(path string, rate float64, burst int) {
	if !(rate >= 0 && rate <= 1e6) { // so that NaN is refused as well
		fs.Add(path+".rate", "is %s; want 0 (no limit) to 1000000 a second", fs.Quoted(path+".rate"))
	}
	fs.Number(path+".burst", burst, 1, 100_000)
}
