package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
)

// FileValue is a value that is made from files, which are read again for each use: new files need no
// restart. While the files cannot be used, for example because they are being written, the last
// good value stays in force.
type FileValue[T any] struct {
	name string // for the log
	read func() (T, error)
	log  *slog.Logger

	mu    sync.Mutex
	last  T      // last good value
	fault string // of the last read; "" when it was good
}

// NewFileValue reads the value for the first time: then a fault is an error.
func NewFileValue[T any](name string, log *slog.Logger, read func() (T, error)) (*FileValue[T], error) {
	value, err := read()
	return &FileValue[T]{name: name, read: read, log: log, last: value}, err
}

// Get returns the value as the files have it now. A fault is logged once.
func (f *FileValue[T]) Get() T {
	value, err := f.read()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.last, f.fault = value, ""
		return value
	}
	if f.fault != err.Error() {
		f.fault = err.Error()
		f.log.Warn("files cannot be used; their previous contents stay in force", "setting", f.name, "error", f.fault)
	}
	return f.last
}

// CertPool returns the certificates of the file, or nil, which means the roots of the operating
// system, if no file is named.
func (f File) CertPool() (*x509.CertPool, error) {
	if f.IsZero() {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(f.Text)) {
		return nil, fmt.Errorf("%s has no certificate", f.Path)
	}
	return pool, nil
}

// ReadPair reads the files of a certificate and its key again, with the limits of Load.
func ReadPair(certFile File, keyFile SecretFile) (tls.Certificate, error) {
	cert, err := certFile.Read()
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := keyFile.Read()
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key.Reveal()))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s and %s do not belong together: %w", certFile.Path, keyFile.Path, err)
	}
	return pair, nil
}
