package store

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system below Pebble. Pebble ends the process, or writes into a dead log, when
// the disk refuses a write. So a refused write waits here and is repeated until the disk takes it;
// meanwhile trouble is set, and the store refuses new writes. It works again by itself.
type disk struct {
	vfs.FS
	pause time.Duration // between two attempts

	mu      sync.Mutex
	trouble error         // the first refusal; nil: the disk takes writes
	waiting int           // refused operations
	raised  chan struct{} // closed when trouble is set
}

func newDisk(fs vfs.FS, pause time.Duration) *disk {
	return &disk{FS: fs, pause: pause, raised: make(chan struct{})}
}

// refusal returns a channel that is closed when trouble comes, and the trouble now.
func (d *disk) refusal() (raised <-chan struct{}, trouble error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.raised, d.trouble
}

// until repeats a write that the disk refuses.
func (d *disk) until(write func() error) error {
	err := write()
	if !d.wait(err) {
		return err
	}
	for {
		time.Sleep(d.pause)
		if err := write(); !refused(err) {
			d.over()
			return err
		}
	}
}

// refused reports whether the disk, not the caller, is the reason.
func refused(err error) bool {
	return err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) && !errors.Is(err, os.ErrClosed)
}

func (d *disk) wait(err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !refused(err) {
		return false
	}
	if d.waiting++; d.trouble == nil {
		d.trouble = fmt.Errorf("the disk refuses writes: %w; free space or repair the disk, the store then continues by itself", err)
		close(d.raised)
	}
	return true
}

func (d *disk) over() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting--; d.waiting == 0 {
		d.trouble, d.raised = nil, make(chan struct{})
	}
}

func (d *disk) opened(open func() (vfs.File, error)) (f vfs.File, err error) {
	err = d.until(func() error { f, err = open(); return err })
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, disk: d}, nil
}

func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.opened(func() (vfs.File, error) { return d.FS.Create(name, c) })
}

func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.opened(func() (vfs.File, error) { return d.FS.OpenReadWrite(name, c, o...) })
}

func (d *disk) OpenDir(name string) (vfs.File, error) {
	return d.opened(func() (vfs.File, error) { return d.FS.OpenDir(name) })
}

func (d *disk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.opened(func() (vfs.File, error) { return d.FS.ReuseForWrite(from, to, c) })
}

func (d *disk) Link(from, to string) error {
	return d.until(func() error { return d.FS.Link(from, to) })
}

func (d *disk) Rename(from, to string) error {
	return d.until(func() error { return d.FS.Rename(from, to) })
}

func (d *disk) Unwrap() vfs.FS { return d.FS }

// diskFile is an open file whose writes wait like those of disk.
type diskFile struct {
	vfs.File
	disk *disk
}

// Write goes on behind what the disk took of a refused write.
func (f *diskFile) Write(p []byte) (n int, err error) {
	err = f.disk.until(func() error {
		m, err := f.File.Write(p[n:])
		n += m
		return err
	})
	return n, err
}

func (f *diskFile) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.disk.until(func() error { n, err = f.File.WriteAt(p, at); return err })
	return n, err
}

func (f *diskFile) Sync() error     { return f.disk.until(f.File.Sync) }
func (f *diskFile) SyncData() error { return f.disk.until(f.File.SyncData) }

func (f *diskFile) SyncTo(length int64) (full bool, err error) {
	err = f.disk.until(func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

func (f *diskFile) Preallocate(at, length int64) error {
	return f.disk.until(func() error { return f.File.Preallocate(at, length) })
}
