package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Files of the folder that are not Pebble's.
const (
	identityFile = "STORE"     // whose store this is
	newIdentity  = "STORE.tmp" // the identity while it is written
	damagedFile  = "DAMAGED"   // the next Open wipes
	lockFile     = "LOCK"      // held while the store is open
	lostFound    = "lost+found"
)

// format is raised whenever the layout of the database changes: an older store is wiped.
const format = 1

// made are the files that the store itself makes. It removes no others.
var made = regexp.MustCompile(`^(STORE|STORE\.tmp|DAMAGED|MANIFEST-\d+|OPTIONS-\d+|CURRENT|CURRENT\.\d+\.dbtmp|` +
	`temporary\.\d+\.dbtmp|marker\.[a-z-]+\.\d+\.\S*|\d+(-\d+)?\.(sst|log|blob|dbtmp)|REMOTE-OBJ-CATALOG-\d+)$`)

func identity(group string) string {
	return fmt.Sprintf("trade status of the bridge, format %d\ngroup %s\n", format, group)
}

// folder is the store's folder, and whose it should be.
type folder struct {
	fs    vfs.FS
	path  string
	group string
}

func (d folder) file(name string) string { return d.fs.PathJoin(d.path, name) }

// ours lists the files of the store. It fails when there are others: the folder might be
// another program's, and a wipe must not touch it.
func (d folder) ours() ([]string, error) {
	names, err := d.fs.List(d.path)
	if err != nil {
		return nil, err
	}
	var ours []string
	for _, name := range names {
		switch {
		case made.MatchString(name):
			ours = append(ours, name)
		case name != lockFile && name != lostFound:
			return nil, fmt.Errorf("the folder has a file that is not the store's: %s; give the store a folder of its own", name)
		}
	}
	return ours, nil
}

// unfit says why the files cannot be used, or "" when they can or when there are none.
func (d folder) unfit(files []string) (string, error) {
	if len(files) == 0 {
		return "", nil
	}
	if mark, err := d.read(damagedFile); err == nil {
		return "marked as damaged: " + mark, nil
	}
	text, err := d.read(identityFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "no file " + identityFile, nil
	case err != nil:
		return "", err
	case text != identity(d.group):
		return "of another group or format, or its file " + identityFile + " is damaged", nil
	}
	return "", nil
}

// wipe removes the store's files, its identity last: a wipe that was stopped is repeated.
func (d folder) wipe() error {
	files, err := d.ours()
	if err != nil {
		return err
	}
	last := []string{damagedFile, identityFile}
	files = slices.DeleteFunc(files, func(name string) bool { return slices.Contains(last, name) })
	for _, name := range append(files, last...) {
		if err := d.fs.Remove(d.file(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// identify writes the identity, before the first file of the database.
func (d folder) identify() error {
	if err := d.write(newIdentity, identity(d.group)); err != nil {
		return err
	}
	return d.fs.Rename(d.file(newIdentity), d.file(identityFile))
}

// maxText bounds the small files that are read: a foreign one may have any size.
const maxText = 4096

func (d folder) read(name string) (string, error) {
	f, err := d.fs.Open(d.file(name))
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(f, maxText))
	return string(b), err
}

func (d folder) write(name, text string) error {
	f, err := d.fs.Create(d.file(name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	return errors.Join(err, f.Sync(), f.Close())
}
