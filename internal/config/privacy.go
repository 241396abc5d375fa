package config

import (
	"maps"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// Privacy says how results, snapshots and notifications hide what may name a person. Without settings it is
// dropped everywhere (security O7).
type Privacy struct {
	// File with a key of at least 32 characters, the same for all instances. With a key, personal
	// values become masks that are the same for the same person in all outputs; without one, they are
	// left out.
	KeyFile SecretFile          `yaml:"key_file,omitempty"`
	Clear   map[string][]string `yaml:"clear,omitempty"` // fields that are shown unchanged, by topic. See MaskedFields
}

// IsZero reports whether there are only defaults.
func (p Privacy) IsZero() bool { return p.KeyFile.IsZero() && len(p.Clear) == 0 }

// minMaskKey is the length of key that HMAC-SHA256 needs (RFC 2104, "Keys").
const minMaskKey = 32

// MaskedFields returns the fields that Privacy.Clear may list: personal ones, and whole texts.
func MaskedFields() []string {
	return []string{
		"body_json", "buyer_id", "buyer_logon_id", "buyer_open_id", "buyer_user_id", "buyer_user_name", "discount_goods_detail", "hb_fq_pay_info",
		"item_order_vo[].ext_info", "more", "params", "passback_params", "refund_preset_paytool_list", "reply_json", "unparsed", "voucher_detail_list",
	}
}

func (p Privacy) check(fs *fault.Findings, t Topics) {
	if key := p.KeyFile.Text.Reveal(); key != "" && len(key) < minMaskKey {
		fs.Add("privacy.key_file", "%s has fewer than %d characters; make a key with: openssl rand -base64 32", p.KeyFile.Path, minMaskKey)
	}
	for _, topic := range slices.Sorted(maps.Keys(p.Clear)) {
		path := "privacy.clear." + topic
		if topic != t.Results && topic != t.Snapshots && topic != t.Notifications {
			fs.Add(path, "is not masked at all; use the topic of results (%s), of snapshots (%s) or of notifications (%s)", t.Results, t.Snapshots, t.Notifications)
			continue
		}
		for i, field := range p.Clear[topic] {
			if !slices.Contains(MaskedFields(), field) {
				fs.Add(fault.Index(path, i), "is %s; use one of %s%s", fs.Quoted(fault.Index(path, i)), strings.Join(MaskedFields(), ", "), fault.DidYouMean(field, MaskedFields()))
			}
		}
		fs.Unique(path, p.Clear[topic])
	}
}
