package config

import "alipay-kafka-bridge/internal/config/fault"

// Integrity says how the bridge knows its own internal records.
type Integrity struct {
	// File with a key of at least 32 characters, the same for all instances. With a key, observations have a seal
	// (HMAC-SHA256), and trade status believes no others (security C4).
	KeyFile SecretFile `yaml:"key_file,omitempty"`
	// File with a further key that is believed, while keys are changed: first give all instances the new key here, then
	// exchange the two, then remove the old one.
	OtherKeyFile SecretFile `yaml:"other_key_file,omitempty"`
}

// IsZero reports whether there is no key.
func (i Integrity) IsZero() bool { return i.KeyFile.IsZero() && i.OtherKeyFile.IsZero() }

// minIntegrityKey is the length of key that HMAC-SHA256 needs (RFC 2104, "Keys").
const minIntegrityKey = 32

func (i Integrity) check(fs *fault.Findings) {
	for path, f := range map[string]SecretFile{"integrity.key_file": i.KeyFile, "integrity.other_key_file": i.OtherKeyFile} {
		if key := f.Text.Reveal(); key != "" && len(key) < minIntegrityKey {
			fs.Add(path, "%s has fewer than %d characters; make a key with: openssl rand -base64 32", f.Path, minIntegrityKey)
		}
	}
	if i.KeyFile.IsZero() && !i.OtherKeyFile.IsZero() {
		fs.Add("integrity.other_key_file", "is set, but key_file is not; set key_file to the key that seals")
	}
}
