package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"alipay-kafka-bridge/internal/status/store"
)

// filled is a closed store with tables in several levels; its values are long enough to be damaged.
func filled(t *testing.T, folder string) string {
	t.Helper()
	s := open(t, folder, store.Options{Group: "g", Memtable: 64 << 10})
	for i := int64(1); i <= 30; i++ {
		check(t, s.Write(1, checkpoint(i), batch(i)))
	}
	check(t, s.Close())
	return folder
}

// batch is 40 entries over 400 keys, each with its number.
func batch(i int64) []store.Entry {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	entries := make([]store.Entry, 40)
	for j := range entries {
		entries[j] = entry(fmt.Sprintf("order-%04d", (int(i)*40+j)%400), fmt.Sprintf("%d %x", i, r.Uint64()), at(int(i)))
		entries[j].Value = append(entries[j].Value, make([]byte, 200)...)
	}
	return entries
}

// sound checks that all values are those of the checkpoint; it returns the first error.
func sound(s *store.Store) error {
	cp, ok, err := s.Checkpoint(1)
	if err != nil || !ok {
		return err
	}
	for i := max(1, cp.Next-9); i <= cp.Next; i++ { // each key is in one of the last ten batches
		for _, e := range batch(i) {
			got, err := s.Get(1, e.Key)
			if err != nil {
				return err
			}
			if string(got) != string(e.Value) {
				return fmt.Errorf("checkpoint %d: %s is %.20q, want %.20q", cp.Next, e.Key, got, e.Value)
			}
		}
	}
	return nil
}

// Each kind of file, damaged in each way: the store opens, empty or sound, or a read says that it
// is damaged and the next Open empties it. It never returns a wrong value.
func TestDamagedFiles(t *testing.T) {
	kinds := []string{`^STORE$`, `^MANIFEST-`, `^OPTIONS-`, `^marker\.manifest`, `^marker\.format`, `\.sst$`}
	ways := map[string]func(t *testing.T, path string, b []byte){
		"removed":   func(t *testing.T, path string, _ []byte) { check(t, os.Remove(path)) },
		"empty":     func(t *testing.T, path string, _ []byte) { check(t, os.Truncate(path, 0)) },
		"truncated": func(t *testing.T, path string, b []byte) { check(t, os.Truncate(path, int64(len(b)*2/3))) },
		"bits": func(t *testing.T, path string, b []byte) {
			for i := range b {
				b[i] ^= 0x55
			}
			check(t, os.WriteFile(path, b, 0o600))
		},
		"a block": func(t *testing.T, path string, b []byte) {
			for i := len(b) / 3; i < len(b)/3+min(40, len(b)/3); i++ {
				b[i] = 0
			}
			check(t, os.WriteFile(path, b, 0o600))
		},
	}
	whole := filled(t, t.TempDir())
	for _, kind := range kinds {
		for way, damage := range ways {
			t.Run(kind+" "+way, func(t *testing.T) {
				folder := t.TempDir()
				check(t, os.CopyFS(folder, os.DirFS(whole)))
				hit := 0
				names, _ := os.ReadDir(folder)
				for _, n := range names {
					if path := filepath.Join(folder, n.Name()); regexp.MustCompile(kind).MatchString(n.Name()) {
						b, err := os.ReadFile(path)
						check(t, err)
						damage(t, path, b)
						hit++
					}
				}
				if hit == 0 {
					t.Fatalf("no file %s in %v", kind, names)
				}
				s, log := reopen(t, nil, folder, "g")
				_, full, err := s.Checkpoint(1)
				if err == nil {
					err = sound(s)
				}
				switch {
				case errors.Is(err, store.ErrDamaged):
					if err := s.Write(1, checkpoint(1), nil); !errors.Is(err, store.ErrDamaged) {
						t.Errorf("a write into a damaged store: %v", err)
					}
				case err != nil:
					t.Errorf("unsound: %v", err)
				case !full && strings.Count(log, "level=WARN") != 1:
					t.Errorf("empty without one warning: %s", log)
				}
				damaged := err != nil
				s, log = reopen(t, s, folder, "g")
				if damaged && strings.Count(log, "level=WARN") != 1 {
					t.Errorf("the next open does not empty the damaged store: %s", log)
				}
				if err := sound(s); err != nil {
					t.Errorf("after the second open: %v", err)
				}
				check(t, s.Write(1, checkpoint(1), batch(1)))
				check(t, s.Close())
			})
		}
	}
}

// A manifest that ends early, wherever: the store opens sound, or empty with one warning.
func TestManifestThatEndsEarly(t *testing.T) {
	whole := filled(t, t.TempDir())
	empty := 0
	for n, length := 0, 1; n < length; n += 25 {
		folder := t.TempDir()
		check(t, os.CopyFS(folder, os.DirFS(whole)))
		manifests, err := filepath.Glob(filepath.Join(folder, "MANIFEST-*"))
		check(t, err)
		b, err := os.ReadFile(manifests[0])
		check(t, err)
		length = len(b)
		check(t, os.Truncate(manifests[0], int64(n)))
		s, log := reopen(t, nil, folder, "g")
		check(t, sound(s))
		if _, full, err := s.Checkpoint(1); err != nil || !full {
			if empty++; err != nil || strings.Count(log, "level=WARN") != 1 {
				t.Errorf("the first %d bytes of %d: empty without one warning: %v, %s", n, length, err, log)
			}
		}
		check(t, s.Close())
	}
	if empty == 0 {
		t.Error("no manifest was short enough to lose the tables")
	}
}

// A store of an older format has another identity.
func TestAnotherFormatStartsEmpty(t *testing.T) {
	folder := filled(t, t.TempDir())
	path := filepath.Join(folder, "STORE")
	b, err := os.ReadFile(path)
	check(t, err)
	check(t, os.WriteFile(path, []byte(strings.Replace(string(b), "format 1", "format 0", 1)), 0o600))
	s, log := reopen(t, nil, folder, "g")
	wantNext(t, s, 1, 0)
	if strings.Count(log, "level=WARN") != 1 {
		t.Errorf("log: %s", log)
	}
	check(t, s.Close())
}

// fullDisk refuses writes while it is full, and counts the refusals.
type fullDisk struct {
	vfs.FS
	full    atomic.Bool
	refused atomic.Int64
}

func (d *fullDisk) refuse() error {
	if !d.full.Load() {
		return nil
	}
	d.refused.Add(1)
	return &os.PathError{Op: "write", Err: syscall.ENOSPC}
}

func (d *fullDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.refuse(); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name, c)
	return fullFile{f, d}, err
}

type fullFile struct {
	vfs.File
	disk *fullDisk
}

// Write takes half of what it is given before it is full.
func (f fullFile) Write(p []byte) (int, error) {
	if err := f.disk.refuse(); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f fullFile) Sync() error {
	return errors.Join(f.disk.refuse(), f.File.Sync())
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.After(5 * time.Minute); !ok(); {
		select {
		case <-deadline:
			t.Fatalf("not within five minutes: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestAFullDiskRefusesWritesUntilThereIsSpace(t *testing.T) {
	disk := &fullDisk{FS: vfs.Default}
	folder := t.TempDir()
	o := store.Options{Group: "g", Memtable: 64 << 10}.On(disk)
	s := open(t, folder, o)
	check(t, s.Write(1, checkpoint(1), batch(1)))
	disk.full.Store(true)

	next, stored := int64(2), int64(1)
	var err error
	eventually(t, "a write is refused", func() bool {
		if err = s.Write(1, checkpoint(next), batch(next)); err == nil {
			next, stored = next+1, next
		}
		return err != nil
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free space") {
		t.Errorf("the error of a full disk: %v", err)
	}
	check(t, sound(s)) // reads go on
	if cp, _, _ := s.Checkpoint(1); cp.Next != stored && cp.Next != next {
		t.Errorf("checkpoint %d, want %d or %d", cp.Next, stored, next)
	}
	if err := s.Write(1, checkpoint(next), batch(next)); err == nil {
		t.Error("a second write is taken")
	}

	disk.full.Store(false)
	eventually(t, "writes are taken again", func() bool { return s.Write(1, checkpoint(next), batch(next)) == nil })
	for i := next + 1; i < next+20; i++ {
		check(t, s.Write(1, checkpoint(i), batch(i)))
	}
	check(t, s.Close())
	s = open(t, folder, o)
	check(t, sound(s))
	wantNext(t, s, 1, next+19)
	check(t, s.Close())
}

func TestCloseDoesNotWaitForAFullDisk(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem()}
	s := open(t, "store", store.Options{}.On(disk))
	check(t, s.Write(1, checkpoint(1), batch(1)))
	disk.full.Store(true)
	if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("close: %v", err)
	}
	disk.full.Store(false) // the goroutines of the test end
}

func TestOpenOnAFullDiskFails(t *testing.T) {
	for _, existing := range []bool{false, true} {
		disk := &fullDisk{FS: vfs.NewMem()}
		o := store.Options{}.On(disk)
		if existing {
			check(t, open(t, "store", o).Close())
		}
		disk.full.Store(true)
		if _, err := store.Open("store", o); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("existing %t: %v", existing, err)
		}
		disk.full.Store(false)
		eventually(t, "the store opens", func() bool {
			s, err := store.Open("store", o)
			return err == nil && s.Close() == nil
		})
	}
}
