package config

import (
	"net/url"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// checkOwnKeys wants our key in a file or behind an address, and Vault's token with the latter.
func (a App) checkOwnKeys(fs *fault.Findings, path string) {
	fs.Required(path+".private_key_file", a.PrivateKeyFile.IsZero() && a.PrivateKeyURI == "", "the file with our private key")
	checkPrivateKey(fs, path+".private_key_file", a.PrivateKeyFile)
	checkPrivateKey(fs, path+".next_private_key_file", a.NextPrivateKeyFile)
	checkKeyURI(fs, path+".private_key_uri", a.PrivateKeyURI, a.PrivateKeyFile)
	checkKeyURI(fs, path+".next_private_key_uri", a.NextPrivateKeyURI, a.NextPrivateKeyFile)
	held := a.PrivateKeyURI != "" || a.NextPrivateKeyURI != ""
	fs.Required(path+".vault_token_file", held && a.VaultTokenFile.IsZero(), "the file with the token for Vault")
	if !held && !a.VaultTokenFile.IsZero() {
		fs.Add(path+".vault_token_file", "is for keys that Vault holds; name one as private_key_uri, or leave it out")
	}
}

// keyURI checks the address of a key without showing it: a key may stand in its place.
func checkKeyURI(fs *fault.Findings, path, uri string, file SecretFile) {
	if uri == "" {
		return
	}
	u, err := url.Parse(uri)
	switch {
	case !file.IsZero():
		fs.Add(path, "and %s exclude each other; keep one", strings.TrimSuffix(path[strings.LastIndex(path, ".")+1:], "_uri")+"_file")
	case err != nil || u.Scheme != "vault" || u.Host == "" || u.User != nil || strings.Count(strings.Trim(u.Path, "/"), "/") != 1 || u.RawQuery != "":
		fs.Add(path, "is no address of a key; want vault://host:8200/mount/key")
	}
}
