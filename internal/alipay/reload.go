package alipay

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// reloadEvery is how often key files are read again: soon enough for a change of keys that a
// person watches. (security, Y3)
const reloadEvery = 30 * time.Second

// KeyFiles are the files of an app's signing keys, as file: URIs.
type KeyFiles struct {
	Current string
	Next    string        // empty: none; a file that is not there is none either
	Every   time.Duration // 0 is 30 s

	// Changed hears of every change of content: nil when the new keys are in use, or why the old
	// ones stay. nil: nobody wants to know.
	Changed func(err error)
}

// WatchSigners reads the files again until ctx ends and puts changed keys in use. It goes by
// content: what renews files may touch them for nothing. A bad new file leaves the old keys in
// use, and is told once.
func (a *App) WatchSigners(ctx context.Context, k KeyFiles) error {
	seen, _ := k.read()
	tick := time.NewTicker(cmp.Or(max(k.Every, 0), reloadEvery))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := k.read()
		if now == seen {
			continue
		}
		seen = now
		if err == nil {
			err = a.useFiles(ctx, k)
		}
		if k.Changed != nil {
			k.Changed(err)
		}
	}
}

// read returns a digest of what the files hold, errors included.
func (k KeyFiles) read() (digest [sha256.Size]byte, err error) {
	current, err := readKeyFile(strings.TrimPrefix(k.Current, "file:"))
	var next []byte
	if k.Next != "" && err == nil {
		if next, err = readKeyFile(strings.TrimPrefix(k.Next, "file:")); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return sha256.Sum256(fmt.Appendf(nil, "%d %s %d %s %v", len(current), current, len(next), next, err)), err
}

// useFiles opens the files and puts their keys in use.
func (a *App) useFiles(ctx context.Context, k KeyFiles) error {
	current, err := OpenSigner(ctx, k.Current, KeyOptions{})
	if err != nil {
		return err
	}
	if k.Next == "" {
		return a.SetSigners(current, nil)
	}
	next, err := OpenSigner(ctx, k.Next, KeyOptions{})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.SetSigners(current, next)
}
