// Package cache keeps fetched data from one run to the next. It holds copies
// only: if it is missing or damaged, a run fetches more and prints the same.
package cache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Dir is a folder of entries, one file each. Only its owner can read it, because
// entries may be private. Several processes may use it at once, because each file
// is renamed into place when it is complete.
type Dir struct{ path string }

// Open returns the cache in a folder. It creates the folder if necessary.
func Open(path string) (Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return Dir{}, fmt.Errorf("making the cache: %w", err)
	}
	return Dir{path}, nil
}

// file returns the path of an entry. Its name is a digest, because others choose
// parts of the key.
func (d Dir) file(key string) string {
	return filepath.Join(d.path, fmt.Sprintf("%x", sha256.Sum256([]byte(key))))
}

// seal returns the digest that an entry begins with. It covers the key as well,
// so an entry in the wrong place is not used.
func seal(key string, data []byte) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s", len(key), key)
	h.Write(data)
	return h.Sum(nil)
}

// Load returns the data that was saved under a key. An entry that is damaged or
// cannot be read counts as absent.
func (d Dir) Load(key string) (data []byte, found bool) {
	kept, err := os.ReadFile(d.file(key))
	if err != nil || len(kept) < sha256.Size {
		return nil, false
	}
	data = kept[sha256.Size:]
	return data, bytes.Equal(kept[:sha256.Size], seal(key, data))
}

// Save saves data under a key. It replaces an earlier entry.
func (d Dir) Save(key string, data []byte) error {
	file, err := os.CreateTemp(d.path, "new-*")
	if err != nil {
		return failed(err)
	}
	_, err = io.Copy(file, io.MultiReader(bytes.NewReader(seal(key, data)), bytes.NewReader(data)))
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), d.file(key))
	}
	if err != nil {
		return errors.Join(failed(err), os.Remove(file.Name()))
	}
	return nil
}

func failed(err error) error {
	return fmt.Errorf("writing to the cache: %w; name another folder with --cache", err)
}
