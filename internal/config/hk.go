package config

import (
	"maps"
	"mime"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/config/fault"
)

// hkKeys are the settings that only an app of AlipayHK has.
var hkKeys = []string{
	"client_id", "platform_keys", "key_version", "platform_ec_keys", "ecc", "algorithm", "signing_path", "time_layout",
	"time_zone", "order_times", "request_ids", "skew", "any_time", "try_all_keys", "refuse_unsigned", "encrypt", "classes",
}

// ECC are details of ECC224, which the pages name and do not explain.
type ECC struct {
	Hash string `yaml:"hash,omitempty"` // hash function: sha-224 or sha-256 [sha-224]
	Form string `yaml:"form,omitempty"` // form of a signature: der or p1363 [der]
}

// Encrypt says how bodies are encrypted (AlipayHK Synchronize Order, "Encrypt").
type Encrypt struct {
	// Encrypts requests and asks for encrypted answers. A signed answer in plain is read as well; one that is
	// encrypted but not signed is not.
	Enabled bool `yaml:"enabled,omitempty"`
	// Files with AlipayHK's public keys to encrypt with, by version [the app's platform_keys]
	PlatformKeys map[string]File       `yaml:"platform_keys,omitempty"`
	KeyVersion   string                `yaml:"key_version,omitempty"` // version of the platform key to encrypt with [the newest]
	OurKeys      map[string]SecretFile `yaml:"our_keys,omitempty"`    // files with private keys to decrypt answers with, by version
	MediaType    string                `yaml:"media_type,omitempty"`  // Content-Type of encrypted bodies [text/plain; charset=UTF-8]
	Bits         int                   `yaml:"bits,omitempty"`        // length of the AES key: 128, 192 or 256 [256]
}

// completeHK fills in what the page's own sample has, or what the official SDKs do.
func (a *App) completeHK(fs *fault.Findings, path string) {
	for key, setting := range map[string]struct {
		to    *string
		usual string
	}{
		".ecc.hash": {&a.ECC.Hash, "sha-224"}, ".ecc.form": {&a.ECC.Form, "der"},
		".time_layout": {&a.TimeLayout, "page"}, ".time_zone": {&a.TimeZone, "+08:00"},
		".order_times": {&a.OrderTimes, "milliseconds"}, ".request_ids": {&a.RequestIDs, "hex"},
	} {
		if !fs.Given(path + key) {
			*setting.to = setting.usual
		}
	}
	if !fs.Given(path + ".skew") {
		a.Skew = 5 * time.Minute
	}
	if !fs.Given(path+".encrypt.bits") && a.Encrypt.Enabled {
		a.Encrypt.Bits = 256
	}
}

func (a App) checkHK(fs *fault.Findings, path string) {
	for version, f := range a.PlatformECKeys {
		checkPublicKey(fs, path+".platform_ec_keys."+version, f)
	}
	fs.OneOf(path+".ecc.hash", a.ECC.Hash, "sha-224", "sha-256")
	fs.OneOf(path+".ecc.form", a.ECC.Form, "der", "p1363")
	if fs.Word(path+".algorithm", a.Algorithm); strings.ContainsAny(a.Algorithm, ",=") {
		fs.Add(path+".algorithm", "has a comma or an equal sign, which would end a part of the header; remove it")
	}
	if fs.Word(path+".signing_path", a.SigningPath); a.SigningPath != "" && a.SigningPath[0] != '/' {
		fs.Add(path+".signing_path", "is %s; use a path that begins with /", fs.Quoted(path+".signing_path"))
	}
	fs.OneOf(path+".time_layout", a.TimeLayout, "page", "millis", "compact", "epoch")
	if _, err := time.Parse("-07:00", a.TimeZone); err != nil {
		fs.Add(path+".time_zone", "is %s; use an offset such as +08:00", fs.Quoted(path+".time_zone"))
	}
	fs.OneOf(path+".order_times", a.OrderTimes, "milliseconds", "seconds")
	fs.OneOf(path+".request_ids", a.RequestIDs, "hex", "uuid")
	fs.Duration(path+".skew", a.Skew, time.Second, 24*time.Hour)
	for _, code := range slices.Sorted(maps.Keys(a.Classes)) {
		fs.OneOf(path+".classes."+code, a.Classes[code], "REJECTED", "MISCONFIGURED", "TRANSIENT", "THROTTLED")
	}
	a.checkEncrypt(fs, path+".encrypt")
}

func (a App) checkEncrypt(fs *fault.Findings, path string) {
	e := a.Encrypt
	if !e.Enabled {
		if fs.Given(path) && !fs.Given(path+".enabled") {
			fs.Add(path+".enabled", "is missing; set it to true, or remove encrypt")
		}
		return
	}
	to, at := e.PlatformKeys, path+".platform_keys"
	if len(to) == 0 {
		to = a.PlatformKeys
	}
	if _, ok := to[e.KeyVersion]; e.KeyVersion != "" && !ok {
		fs.Add(path+".key_version", "is %s, but no platform key has this version; use the version of one", fs.Quoted(path+".key_version"))
	}
	fs.Required(at, len(to) == 0, "AlipayHK's RSA public key files to encrypt to, by version")
	for version, f := range e.PlatformKeys {
		checkPublicKey(fs, at+"."+version, f)
	}
	for version, f := range e.OurKeys {
		checkPrivateKey(fs, path+".our_keys."+version, f)
	}
	if _, _, err := mime.ParseMediaType(e.MediaType); e.MediaType != "" && err != nil {
		fs.Add(path+".media_type", "is %s; use a media type such as text/plain", fs.Quoted(path+".media_type"))
	}
	if e.Bits != 128 && e.Bits != 192 && e.Bits != 256 {
		fs.Add(path+".bits", "is %d; use 128, 192 or 256", e.Bits)
	}
}
