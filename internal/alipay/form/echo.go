package form

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Mismatch compares the text that the gateway computed for a request with the one that
// was signed. It never holds values: app_auth_token is one of them.
type Mismatch struct {
	Missing []string // parameters that the gateway did not see
	Added   []string // parameters that the gateway saw and we did not sign
	Changed []string // parameters with another value
	Offset  int      // the first byte that differs, in UTF-8; -1: the texts are equal

	OurLength, TheirLength int    // in bytes of UTF-8
	OurSHA256, TheirSHA256 string // hexadecimal
}

// Error reports what differs and what that means.
func (m *Mismatch) Error() string {
	if m.Offset < 0 {
		return "the gateway computed the same text to sign: the application public key at Alipay does not belong to our private key, or the sign_type differs"
	}
	s := fmt.Sprintf("the gateway computed another text to sign, from byte %d on (%d bytes against ours of %d, SHA-256 %s against %s)",
		m.Offset, m.TheirLength, m.OurLength, m.TheirSHA256, m.OurSHA256)
	for _, group := range []struct {
		what  string
		names []string
	}{{"not seen", m.Missing}, {"added", m.Added}, {"changed", m.Changed}} {
		if len(group.names) > 0 {
			s += "; " + group.what + ": " + strings.Join(group.names, ", ")
		}
	}
	return s
}

// publicNames are the parameters that a request may have (common parameters of every page, and
// those of certificate mode and encryption), in the order of the signed text.
var publicNames = []string{
	"alipay_root_cert_sn", "app_auth_token", "app_cert_sn", "app_id", "auth_token", "biz_content", "charset", "encrypt_type",
	"format", "method", "notify_url", "return_url", "sign_type", "timestamp", "version",
}

// UnescapeHTML undoes the escaping of HTML. The standard library also reads &notify_id as an
// escape.
func UnescapeHTML(text string) string { return htmlEscapes.Replace(text) }

var htmlEscapes = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#34;", `"`, "&#39;", "'", "&apos;", "'")

// CompareEcho compares the text that we signed with the one in a refusal; nil if it has none.
func CompareEcho(ours, subMsg string) *Mismatch {
	theirs := signedTextIn(UnescapeHTML(subMsg))
	if ours == "" || theirs == "" {
		return nil
	}
	m := &Mismatch{
		Offset: firstDifference(ours, theirs), OurLength: len(ours), TheirLength: len(theirs),
		OurSHA256: sha256Hex(ours), TheirSHA256: sha256Hex(theirs),
	}
	a, b := splitCanonical(ours), splitCanonical(theirs)
	for _, name := range publicNames {
		x, mine := a[name]
		y, there := b[name]
		switch {
		case mine && !there:
			m.Missing = append(m.Missing, name)
		case !mine && there:
			m.Added = append(m.Added, name)
		case x != y:
			m.Changed = append(m.Changed, name)
		}
	}
	return m
}

// signedTextIn finds the signed text after the words of a refusal.
func signedTextIn(text string) string {
	first := -1
	for _, name := range publicNames {
		if i := strings.Index(text, name+"="); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first < 0 {
		return ""
	}
	return text[first:]
}

// splitCanonical splits a text to sign at its parameters. Values may hold & and =; a piece
// begins a parameter only if it has a known name that comes after the previous one.
func splitCanonical(text string) map[string]string {
	values := map[string]string{}
	last := ""
	for piece := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(piece, "=")
		if slices.Contains(publicNames, name) && name > last {
			values[name], last = value, name
			continue
		}
		values[last] += "&" + piece
	}
	return values
}

func firstDifference(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) == len(b) {
		return -1
	}
	return min(len(a), len(b))
}

func sha256Hex(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}
