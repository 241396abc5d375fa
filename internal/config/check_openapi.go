package config

import (
	"time"

	"alipay-kafka-bridge/internal/config/fault"
)

// openAPIKeys are the settings that only an app of the classic gateway has.
var openAPIKeys = []string{
	"app_id", "alipay_public_key_file", "mode", "app_cert_file", "alipay_cert_file", "alipay_root_cert_file", "charset",
	"sign_type", "allow_weak", "aes_key_file", "next_private_key_file", "next_private_key_uri", "more_alipay_keys",
}

// checkMode requires either Alipay's public key or the three certificate files.
func (a App) checkMode(fs *fault.Findings, path string) {
	if !fs.OneOf(path+".mode", string(a.Mode), string(KeyMode), string(CertificateMode)) {
		return
	}
	certs := []struct {
		key, what string
		file      File
	}{
		{".app_cert_file", "the file with the app's certificate", a.AppCertFile},
		{".alipay_cert_file", "the file with Alipay's certificate", a.AlipayCertFile},
		{".alipay_root_cert_file", "the file with Alipay's root certificates", a.AlipayRootCertFile},
	}
	if a.Mode == CertificateMode {
		checkOtherMode(fs, path+".alipay_public_key_file", KeyMode)
		checkOtherMode(fs, path+".more_alipay_keys", KeyMode)
		for _, c := range certs {
			fs.Required(path+c.key, c.file.IsZero(), c.what)
			checkPublicKey(fs, path+c.key, c.file)
		}
		return
	}
	for _, c := range certs {
		checkOtherMode(fs, path+c.key, CertificateMode)
	}
	fs.Required(path+".alipay_public_key_file", a.AlipayPublicKeyFile.IsZero(), "the file with Alipay's public key")
	checkPublicKey(fs, path+".alipay_public_key_file", a.AlipayPublicKeyFile)
	for i, k := range a.MoreAlipayKeys {
		k.check(fs, fault.Index(path+".more_alipay_keys", i))
	}
}

// checkOtherMode refuses a setting of the mode that the app does not use.
func checkOtherMode(fs *fault.Findings, path string, owner Mode) {
	if fs.Given(path) {
		fs.Add(path, "belongs to mode %s; remove it", owner)
	}
}

func (k AlipayKey) check(fs *fault.Findings, path string) {
	fs.Required(path+".file", k.File.IsZero(), "the file with Alipay's public key")
	checkPublicKey(fs, path+".file", k.File)
	if k.Until == "" {
		return
	}
	if _, err := time.Parse(time.RFC3339, k.Until); err != nil {
		fs.Add(path+".until", "is %s; use a time such as 2026-01-31T08:00:00+08:00", fs.Quoted(path+".until"))
	}
}

// checkCoding compares charset and sign type with the public parameters of these names.
func (a App) checkCoding(fs *fault.Findings, path string) {
	fs.OneOf(path+".charset", a.Charset, "utf-8", "gbk", "gb2312")
	if fs.OneOf(path+".sign_type", a.SignType, "RSA2", "RSA") && a.SignType == "RSA" && !a.AllowWeak {
		fs.Add(path+".sign_type", "is RSA, which signs with SHA-1; use RSA2, or set allow_weak to true")
	}
}
