package config

import (
	"net/url"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// checkOwnKeys requires our key in a file or in Vault, and the token for Vault in the second case.
func (a App) checkOwnKeys(fs *fault.Findings, path string) {
	fs.Required(path+".private_key_file", !a.keyless && a.PrivateKeyFile.IsZero() && a.PrivateKeyURI == "", "the file with our private key")
	checkPrivateKey(fs, path+".private_key_file", a.PrivateKeyFile)
	checkPrivateKey(fs, path+".next_private_key_file", a.NextPrivateKeyFile)
	checkKeyURI(fs, path+".private_key_uri", a.PrivateKeyURI, a.PrivateKeyFile)
	checkKeyURI(fs, path+".next_private_key_uri", a.NextPrivateKeyURI, a.NextPrivateKeyFile)
	held := a.PrivateKeyURI != "" || a.NextPrivateKeyURI != ""
	fs.Required(path+".vault_token_file", !a.keyless && held && a.VaultTokenFile.IsZero(), "the file with the token for Vault")
	if !held && !a.VaultTokenFile.IsZero() {
		fs.Add(path+".vault_token_file", "has no effect without a key in Vault; set private_key_uri, or remove it")
	}
}

// checkKeyURI checks the address of a key without showing it: someone may have put a key there.
func checkKeyURI(fs *fault.Findings, path, uri string, file SecretFile) {
	if uri == "" {
		return
	}
	u, err := url.Parse(uri)
	switch {
	case !file.IsZero():
		fs.Add(path, "cannot be used together with %s; remove one of them", strings.TrimSuffix(path[strings.LastIndex(path, ".")+1:], "_uri")+"_file")
	case err != nil || u.Scheme != "vault" || u.Host == "" || u.User != nil || strings.Count(strings.Trim(u.Path, "/"), "/") != 1 || u.RawQuery != "":
		fs.Add(path, "is not the address of a key; use vault://host:8200/mount/key")
	}
}
