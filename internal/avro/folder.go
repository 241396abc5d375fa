package avro

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// idsFile is the file of a schema folder that gives each schema its id:
// {"order_event.avsc": 1, ...}.
const idsFile = "ids.json"

// folder is the source without a registry: the same ids and schemas for every topic.
type folder struct {
	texts map[SchemaID]string // compacted
	ids   map[string]SchemaID // by compacted text
}

var errNoWrite = errors.New("a schema folder accepts no registrations: add the file and its id by hand")

// NewFolder returns a Registry that reads schemas from a folder, where ids.json names the id
// of each file. maxRecord is as in [RegistryOptions].
func NewFolder(dir fs.FS, maxRecord int) (*Registry, error) {
	list, err := fs.ReadFile(dir, idsFile)
	if err != nil {
		return nil, fmt.Errorf("schema folder: %w", err)
	}
	var files map[string]SchemaID
	d := json.NewDecoder(bytes.NewReader(list))
	if err := d.Decode(&files); err != nil {
		return nil, fmt.Errorf("schema folder: %s: %w", idsFile, err)
	}
	f := &folder{map[SchemaID]string{}, map[string]SchemaID{}}
	for name, id := range files {
		if err := f.add(dir, name, id); err != nil {
			return nil, fmt.Errorf("schema folder: %s: %w", name, err)
		}
	}
	return newRegistry(f, maxRecord), nil
}

func (f *folder) add(dir fs.FS, name string, id SchemaID) error {
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	if _, err := NewCodec(string(text)); err != nil {
		return err
	}
	short := compactJSON(string(text))
	if _, taken := f.texts[id]; taken || id <= 0 {
		return fmt.Errorf("id %d is used twice, or not above zero", id)
	}
	f.texts[id] = short
	f.ids[short] = id
	return nil
}

func (f *folder) schema(_ context.Context, _ string, id SchemaID, _ func(string) string) (writerSchema, error) {
	if text, ok := f.texts[id]; ok {
		return writerSchema{text: text}, nil
	}
	return writerSchema{}, undecodable("the schema folder has no such id")
}

func (f *folder) idOf(_ context.Context, _, text string) (SchemaID, error) {
	if id, ok := f.ids[compactJSON(text)]; ok {
		return id, nil
	}
	return 0, errors.New("the schema folder does not have this schema")
}

func (f *folder) register(ctx context.Context, subject, text string) (SchemaID, error) {
	if id, err := f.idOf(ctx, subject, text); err == nil {
		return id, nil
	}
	return 0, errNoWrite
}

func (f *folder) history(context.Context, string) (History, error) {
	return History{}, errors.New("a schema folder keeps no versions")
}

func (f *folder) close() {}
