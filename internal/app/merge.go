package app

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"maps"
	"reflect"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/config"
)

// merge returns the settings in force with what a reload may change (security Y6). A reload
// only ever takes permissions away: who is paid, which members of JSON texts are passed on, which
// accounts a topic may name, which events become calls. Whatever can move money to another
// receiver, or make a call that was not made before, waits for a restart, so that an edit of
// a mounted file alone moves no money. order.Policies lists the settings.
func merge(now, read config.Config) config.Config {
	next := now
	next.Accounts = map[string]config.Account{}
	for name, old := range now.Accounts {
		if a, ok := read.Accounts[name]; ok {
			next.Accounts[name] = mergeAccount(old, a, now, read)
		}
	}
	next.Topics.Inputs = narrowInputs(now.Topics.Inputs, read.Topics.Inputs, next.Accounts)
	next.Topics.Queries = narrowInputs(now.Topics.Queries, read.Topics.Queries, next.Accounts)
	return next
}

func mergeAccount(old, read config.Account, now, readConfig config.Config) config.Account {
	app, edited := now.Apps[old.App], readConfig.Apps[old.App]
	if read.App != old.App || edited.Environment != app.Environment || edited.Kind != app.Kind {
		return old // written for another app
	}
	a := old
	a.ExpiresAs, a.BusinessParamsAs = read.ExpiresAs, read.BusinessParamsAs
	a.Defaults.TimeoutExpress = read.Defaults.TimeoutExpress
	if onlySkipsMore(old.Mapping, read.Mapping) {
		a.Mapping = read.Mapping
	}
	a.AllowViolated = old.AllowViolated && read.AllowViolated
	a.ExtraMoney = old.ExtraMoney && read.ExtraMoney
	a.Extra = intersect(old.Extra, read.Extra)
	a.Payees = nil
	for field, values := range read.Payees {
		if kept := intersect(old.Payees[field], values); len(kept) > 0 {
			if a.Payees == nil {
				a.Payees = map[string][]string{}
			}
			a.Payees[field] = kept
		}
	}
	return a
}

// onlySkipsMore reports whether read has all rows of old in the same order, and otherwise only rows that skip:
// fewer events become calls.
func onlySkipsMore(old, read []config.Row) bool {
	for _, row := range read {
		if len(old) > 0 && reflect.DeepEqual(row, old[0]) {
			old = old[1:]
		} else if row.Skip == "" {
			return false
		}
	}
	return len(old) == 0
}

// narrowInputs takes accounts away from topics. The topics themselves stay.
func narrowInputs(now, read []config.Input, accounts map[string]config.Account) []config.Input {
	out := slices.Clone(now)
	for i, in := range out {
		at := slices.IndexFunc(read, func(r config.Input) bool { return r.Name == in.Name })
		allowed := in.Accounts
		if at >= 0 {
			allowed = intersect(in.Accounts, read[at].Accounts)
		}
		in.Accounts = slices.DeleteFunc(slices.Clone(allowed), func(name string) bool { _, ok := accounts[name]; return !ok })
		if !slices.Contains(in.Accounts, in.DefaultAccount) {
			in.DefaultAccount = ""
		}
		out[i] = in
	}
	return out
}

// intersect returns the entries of both lists, in the order of the second.
func intersect(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(b), func(s string) bool { return !slices.Contains(a, s) })
}

// trustFingerprints returns the fingerprints of the keys that an app trusts, by setting: the
// SHA-256 of a key's SubjectPublicKeyInfo, or of a file of certificates (security G7).
func trustFingerprints(a config.App) []string {
	files := map[string]config.File{
		"alipay_public_key_file": a.AlipayPublicKeyFile, "alipay_cert_file": a.AlipayCertFile, "alipay_root_cert_file": a.AlipayRootCertFile,
	}
	for version, f := range a.PlatformKeys {
		files["platform_keys."+version] = f
	}
	for version, f := range a.PlatformECKeys {
		files["platform_ec_keys."+version] = f
	}
	for _, k := range a.MoreAlipayKeys {
		files["more_alipay_keys "+k.Until] = k.File
	}
	var out []string
	for _, setting := range slices.Sorted(maps.Keys(files)) {
		if f := files[setting]; !f.IsZero() {
			out = append(out, strings.TrimSpace(setting)+" sha256:"+fingerprint([]byte(f.Text)))
		}
	}
	return out
}

func fingerprint(text []byte) string {
	var key any
	if k, err := keys.ParsePublic(text); err == nil {
		key = k
	} else if k, err := keys.ParseECPublic(text); err == nil {
		key = k
	}
	if der, err := x509.MarshalPKIXPublicKey(key); key != nil && err == nil {
		text = der
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
