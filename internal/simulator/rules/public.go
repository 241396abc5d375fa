package rules

import (
	"net/url"
	"strconv"
	"time"

	"alipay-kafka-bridge/internal/simulator/wire"
)

// maxLengths are those of the public parameters (every page, "public request parameters").
var maxLengths = []struct {
	name string
	max  int
}{
	{"app_id", 32}, {"method", 128}, {"format", 40}, {"charset", 10}, {"sign_type", 10}, {"sign", 344},
	{"timestamp", 19}, {"version", 3}, {"notify_url", 256}, {"app_auth_token", 40},
}

// CheckPublic checks the public parameters, except the method and those that a signature needs. The
// age of the timestamp is not checked: it is not known what Alipay tolerates.
func CheckPublic(p wire.Params) *wire.Reply {
	switch format := p["format"]; {
	case p["timestamp"] == "":
		return wire.Refusal("isv.missing-timestamp", "timestamp is missing")
	case p["version"] == "":
		return wire.Refusal("isv.missing-version", "version is missing")
	case p["version"] != "1.0":
		return wire.Refusal("isv.unsupported-version", "version must be 1.0")
	case format != "" && format != "JSON" && format != "json":
		return wire.Refusal("isv.invalid-format", "format must be JSON")
	}
	if _, err := time.ParseInLocation(wire.TimeLayout, p["timestamp"], wire.Beijing); err != nil {
		return wire.Refusal("isv.invalid-timestamp", "timestamp must have the form yyyy-MM-dd HH:mm:ss")
	}
	for _, l := range maxLengths {
		if len(p[l.name]) > l.max {
			return wire.Refusal("isv.invalid-parameter", l.name+" has more than "+strconv.Itoa(l.max)+" characters")
		}
	}
	if u := p["notify_url"]; u != "" && !isWebAddress(u) {
		return wire.Refusal("isv.invalid-parameter", "notify_url is not an absolute http or https address")
	}
	return nil
}

func isWebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
