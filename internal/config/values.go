package config

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

// visibleForm is what may become a parameter or a header.
var visibleForm = regexp.MustCompile(`^[!-~]{1,128}$`)

// number wants lo to hi.
func (fs *findings) number(path string, n, lo, hi int) {
	if n < lo || n > hi {
		fs.add(path, "is %d; want %d to %d", n, lo, hi)
	}
}

// duration wants lo to hi.
func (fs *findings) duration(path string, d, lo, hi time.Duration) {
	if d < lo || d > hi {
		fs.add(path, "is %s; want %s to %s", short(d), short(lo), short(hi))
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

// oneOf wants one of the words.
func (fs *findings) oneOf(path, word string, words ...string) bool {
	if slices.Contains(words, word) {
		return true
	}
	want := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	if word == "" && !fs.given(path) {
		fs.add(path, "is missing; want %s", want)
		return false
	}
	fs.add(path, "is %s; want %s%s", fs.text(path), want, meant(word, words))
	return false
}

// hostPort wants an address to dial or to listen on.
func (fs *findings) hostPort(path, text string) {
	_, port, err := net.SplitHostPort(text)
	n, errPort := strconv.Atoi(port)
	if err != nil || errPort != nil || n < 0 || n > 65535 {
		fs.add(path, "is %s; want host:port", fs.text(path))
	}
}

// address wants an absolute URL without credentials, and returns it.
func (fs *findings) address(path, text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		fs.add(path, "is not an absolute http or https URL") // not shown: it may hold a password
		return nil, false
	case u.User != nil:
		fs.add(path, "holds a user or password; URLs end in logs, so give them in settings of their own")
		return nil, false
	case u.Fragment != "" || u.RawQuery != "":
		fs.add(path, "has a query or fragment; want none")
		return nil, false
	}
	return u, true
}

// secureURL wants https, or http that does not leave the machine (security G1).
func (fs *findings) secureURL(path, text string) {
	u, ok := fs.address(path, text)
	if ok && u.Scheme != "https" && !loopback(u.Hostname()) {
		fs.add(path, "uses http to %s; want https (http only on this machine)", u.Hostname())
	}
}

// loopback says whether a host can only be this machine.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// word wants visible ASCII without spaces: it becomes a parameter or a header.
func (fs *findings) word(path, text string) {
	if text != "" && !visibleForm.MatchString(text) {
		fs.add(path, "has spaces, other than ASCII, or more than 128 characters; want visible ASCII")
	}
}

// unique reports values of a list that come twice.
func (fs *findings) unique(path string, list []string) {
	for i, v := range list {
		if slices.Contains(list[:i], v) {
			fs.add(index(path, i), "is in the list twice; keep one")
		}
	}
}

// index is the path of an entry of a list.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// length wants at most so many characters.
func (fs *findings) length(path, text string, most int) {
	if n := len([]rune(text)); n > most {
		fs.add(path, "has %d characters; want %d at most", n, most)
	}
}

// allOf wants every word of a list to be known.
func (fs *findings) allOf(path string, words, known []string) {
	for i, w := range words {
		if p := index(path, i); !slices.Contains(known, w) {
			hint := meant(w, known)
			if hint == "" {
				hint = "; known: " + strings.Join(known, ", ")
			}
			fs.add(p, "is %s, which is unknown%s", fs.text(p), hint)
		}
	}
	fs.unique(path, words)
}

// required wants a setting.
func (fs *findings) required(path string, missing bool, what string) {
	if missing {
		fs.add(path, "is missing; want %s", what)
	}
}

// rate wants a rate per second and a burst.
func (fs *findings) rate(path string, rate float64, burst int) {
	if !(rate >= 0 && rate <= 1e6) { // so that NaN is refused as well
		fs.add(path+".rate", "is %s; want 0 (no limit) to 1000000 a second", fs.text(path+".rate"))
	}
	fs.number(path+".burst", burst, 1, 100_000)
}
