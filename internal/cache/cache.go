// Package cache keeps what was fetched from one run to the next. It holds
// copies only: without it, or with any part of it damaged, a run fetches more
// and says the same.
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

// Dir is a folder of entries, one file each. What is kept may be private, so
// nobody but its owner reads it. Several processes may use one at once: a file
// is whole or not there.
type Dir struct{ path string }

// Open makes the folder, if there is none.
func Open(path string) (Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return Dir{}, fmt.Errorf("making the cache: %w", err)
	}
	return Dir{path}, nil
}

// file is named by the key's digest: keys hold what others have chosen.
func (d Dir) file(key string) string {
	return filepath.Join(d.path, fmt.Sprintf("%x", sha256.Sum256([]byte(key))))
}

// seal is the digest that an entry begins with. The key is in it, so that no
// entry is taken for another.
func seal(key string, data []byte) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s", len(key), key)
	h.Write(data)
	return h.Sum(nil)
}

// Load gives what was saved under a key. An entry that is damaged counts as
// absent, and so does one that cannot be read.
func (d Dir) Load(key string) (data []byte, found bool) {
	kept, err := os.ReadFile(d.file(key))
	if err != nil || len(kept) < sha256.Size {
		return nil, false
	}
	data = kept[sha256.Size:]
	return data, bytes.Equal(kept[:sha256.Size], seal(key, data))
}

// Save keeps data under a key, in place of what was there.
func (d Dir) Save(key string, data []byte) error {
	file, err := os.CreateTemp(d.path, "new-*")
	if err != nil {
		return fmt.Errorf("keeping what was fetched: %w; name another folder by --cache", err)
	}
	_, err = io.Copy(file, io.MultiReader(bytes.NewReader(seal(key, data)), bytes.NewReader(data)))
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), d.file(key))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keeping what was fetched: %w; name another folder by --cache", err), os.Remove(file.Name()))
	}
	return nil
}
