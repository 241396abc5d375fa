package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// Access says who may use the admin port (security O2).
type Access struct {
	Hosts []string               // names that requests may have, apart from localhost and addresses
	Token func() (string, error) // what requests must bear; nil: nothing
}

// Handler lets only those through that Access permits: the host is one of ours, so that a page of
// another site cannot reach the port under a name of its own; what changes something does not come from
// a page of another origin; and the token is right.
func (a Access) Handler(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", pagePolicy)
		switch {
		case !a.known(r.Host):
			http.Error(w, "this host is not one of the port's; use its address, or list the host in admin.hosts", http.StatusMisdirectedRequest)
		case !a.admits(r):
			h.Set("WWW-Authenticate", `Bearer realm="bridge"`)
			http.Error(w, "a token is missing or wrong; send the one of admin.token_file as Authorization: Bearer TOKEN", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// known reports whether a Host header names this port.
func (a Access) known(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.EqualFold(host, "localhost") || net.ParseIP(host) != nil { // a page of another site comes with that site's name
		return true
	}
	for _, h := range a.Hosts {
		if strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}

func (a Access) admits(r *http.Request) bool {
	if a.Token == nil {
		return true
	}
	want, err := a.Token()
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if err != nil || want == "" || !ok {
		return false
	}
	w, g := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got)) // equal lengths, whatever the token's
	return subtle.ConstantTimeCompare(w[:], g[:]) == 1
}
