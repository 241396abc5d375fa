package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options of a store. The zero value of a size is the default.
type Options struct {
	Group    string // consumer group of the status pipeline; a store of another group is wiped
	Log      *slog.Logger
	Cache    int64  // bytes of blocks that are kept in memory
	Memtable uint64 // bytes that are collected in memory before they are written
	InMemory bool   // nothing is written to a disk, and Close forgets all: for the demo

	fs    vfs.FS
	pause time.Duration
}

const (
	defaultCache    = 16 << 20
	defaultMemtable = 8 << 20

	// flushEvery bounds what a crash loses, in the time of the checkpoints. Without a crash
	// nothing is lost: Close writes the rest.
	flushEvery = time.Minute

	// retryPause is the time between two attempts of a write that the disk refuses.
	retryPause = time.Second
)

// Errors that a caller may tell apart.
var (
	// ErrDamaged means that the store must be closed and opened again, which empties it.
	ErrDamaged = errors.New("the local store of trade status is damaged: close it and open it again, which empties it")

	errPanic  = errors.New("start again, which empties the store")
	errLayout = errors.New("not in the store's format")
)

// Store keeps encoded trade status by partition and key. All methods may be called at the same
// time, Close last.
type Store struct {
	folder folder
	disk   *disk
	lock   io.Closer
	db     *pebble.DB
	log    *slog.Logger

	turn    chan struct{} // taken by the one who writes
	flushed time.Time     // checkpoint time of the last flush that was asked for; taken with turn

	abandoned bool // Open gave up waiting for the disk
	emptied   bool // Open found files that it could not use

	damage  atomic.Pointer[error]
	marking sync.Once
}

// Open opens the store in a folder, or makes it. A store that is damaged, of another group or of
// an older format is emptied: Kafka has everything. It fails when the folder has other files, when
// another process has it open, and when the disk refuses to be read or written.
func Open(path string, o Options) (*Store, error) {
	s, err := open(path, o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("store of trade status in %s: %w", path, err)
	}
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Cache == 0 {
		o.Cache = defaultCache
	}
	if o.Memtable == 0 {
		o.Memtable = defaultMemtable
	}
	if o.InMemory {
		o.fs = vfs.NewMem()
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if o.pause == 0 {
		o.pause = retryPause
	}
	return o
}

func open(path string, o Options) (*Store, error) {
	s := &Store{
		folder: folder{fs: o.fs, path: path, group: o.Group}, disk: newDisk(o.fs, o.pause), log: o.Log,
		turn: make(chan struct{}, 1),
	}
	if err := o.fs.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	if _, err := s.folder.ours(); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(path, o.fs)
	if err != nil {
		return nil, fmt.Errorf("in use by another process; give each its own folder: %w", err)
	}
	s.lock = lock
	if err := s.openDatabase(o, lock); err != nil {
		if !s.abandoned {
			err = errors.Join(err, lock.Close())
		}
		return nil, err
	}
	return s, nil
}

// openDatabase opens what is there, if it is ours and sound, else an empty database.
func (s *Store) openDatabase(o Options, lock *pebble.Lock) error {
	files, err := s.folder.ours()
	if err != nil {
		return err
	}
	reason, err := s.folder.unfit(files)
	if err != nil {
		return err
	}
	if len(files) > 0 && reason == "" {
		err := s.openPebble(o, lock, true)
		if err == nil && s.lost(files) { // a manifest that is damaged early ends there: what is behind is not known any more
			s.emptied = true
			s.log.Warn("the local store of trade status has lost its tables; trade status is read from Kafka again", "folder", s.folder.path)
		}
		if err == nil || environment(err) {
			return err
		}
		reason = err.Error()
	}
	if reason != "" {
		s.emptied = true
		s.log.Warn("emptying the local store of trade status, which is read from Kafka again", "folder", s.folder.path, "reason", reason)
	}
	if err := s.folder.wipe(); err != nil {
		return fmt.Errorf("empty it: %w", err)
	}
	if err := s.folder.identify(); err != nil {
		return err
	}
	s.damage.Store(nil)
	s.marking = sync.Once{}
	return s.openPebble(o, lock, false)
}

// lost reports whether the database has no table although the folder has some.
func (s *Store) lost(files []string) bool {
	isTable := func(name string) bool { return strings.HasSuffix(name, ".sst") }
	tables := s.db.Metrics().Total()
	return tables.TablesCount == 0 && slices.ContainsFunc(files, isTable)
}

// environment reports whether an error is about the machine, not about the files' content, or
// leaves the lock unusable for a second try.
func environment(err error) bool {
	for _, e := range []error{errPanic, os.ErrPermission, syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// openPebble opens the database. A disk that refuses writes ends the wait, not the opening: it is
// closed again when the disk takes writes, and the folder is locked until then.
func (s *Store) openPebble(o Options, lock *pebble.Lock, exists bool) error {
	type opened struct {
		db  *pebble.DB
		err error
	}
	done := make(chan opened, 1)
	raised, _ := s.disk.refusal()
	go func() {
		db, err := s.tryPebble(o, lock, exists)
		done <- opened{db, err}
	}()
	select {
	case r := <-done:
		s.db = r.db
		return r.err
	case <-raised:
		_, err := s.disk.refusal()
		s.abandoned = true
		go func() {
			r := <-done
			if r.db != nil {
				_ = r.db.Close() // nothing was written
			}
			_ = lock.Close()
		}()
		return known(err)
	}
}

// tryPebble opens the database. It writes no log of its own (DisableWAL): after a crash the
// database is as it was at its last flush, a prefix of all writes, and Kafka has the rest.
func (s *Store) tryPebble(o Options, lock *pebble.Lock, exists bool) (db *pebble.DB, err error) {
	defer func() {
		if p := recover(); p != nil { // on damage that Pebble does not expect; the next start empties the store
			err = fmt.Errorf("%w: %w", errPanic, s.damaged(fmt.Errorf("pebble: panic: %v", p)))
		}
	}()
	return pebble.Open(s.folder.path, &pebble.Options{
		FS: s.disk, Lock: lock, DisableWAL: true, ErrorIfNotExists: exists, ErrorIfExists: !exists,
		CacheSize: o.Cache, MemTableSize: o.Memtable,
		MemTableStopWritesThreshold: 4, L0StopWritesThreshold: 64, // a restore writes faster than it is flushed and compacted
		L0CompactionThreshold: 16, // four times the default: compactions took four tenths of the work of a restore
		FormatMajorVersion:    pebble.FormatNewest,
		Levels:                [7]pebble.LevelOptions{{FilterPolicy: bloom.FilterPolicy(10)}}, // most new orders are not there yet
		Logger:                quiet{},
		EventListener: &pebble.EventListener{
			DataCorruption: func(i pebble.DataCorruptionInfo) { _ = s.damaged(fmt.Errorf("%s: %w", i.Path, i.Details)) },
		},
	})
}

// quiet drops Pebble's log. Fatalf must not return. Refused writes do not lead to it, because disk
// repeats them.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf("store: pebble: "+format, args...))
}

// damaged makes the next Open empty the store, and all calls until then fail.
func (s *Store) damaged(cause error) error {
	s.marking.Do(func() {
		err := fmt.Errorf("%w: %w", ErrDamaged, cause)
		s.damage.Store(&err)
		if err := s.folder.write(damagedFile, cause.Error()); err != nil {
			s.log.Warn("the local store of trade status is damaged and could not be marked: delete its folder before the next start",
				"folder", s.folder.path, "error", err)
		}
	})
	return *s.damage.Load()
}

// checked returns err, as damage where it is about the content.
func (s *Store) checked(err error) error {
	switch {
	case err == nil:
		return nil
	case pebble.IsCorruptionError(err), errors.Is(err, errLayout):
		return s.damaged(err)
	}
	return fmt.Errorf("store of trade status in %s: %w", s.folder.path, err)
}

func (s *Store) usable() error {
	if d := s.damage.Load(); d != nil {
		return *d
	}
	return nil
}

// Emptied reports whether Open found files that it could not use.
func (s *Store) Emptied() bool { return s.emptied }

// Size is the store's bytes on the disk.
func (s *Store) Size() int64 { return int64(s.db.Metrics().DiskSpaceUsage()) } //nolint:gosec // a disk has fewer

// Close writes what is in memory and closes the store. While the disk refuses writes it only
// gives up: the lock is held until the process ends, and what was not written is lost.
func (s *Store) Close() error {
	if err := s.take(); err != nil {
		return s.checked(err)
	}
	done := make(chan error, 1)
	raised, _ := s.disk.refusal()
	go func() { done <- errors.Join(s.flush(), s.db.Close(), s.lock.Close()) }()
	select {
	case err := <-done:
		return s.checked(err)
	case <-raised:
		_, err := s.disk.refusal()
		return s.checked(known(err))
	}
}

func (s *Store) flush() error {
	if s.usable() != nil {
		return nil // it is going to be emptied
	}
	return s.db.Flush()
}
