package cache

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

func open(t *testing.T) Dir {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "a", "cache"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func save(t *testing.T, d Dir, key, data string) {
	t.Helper()
	if err := d.Save(key, []byte(data)); err != nil {
		t.Error(err)
	}
}

func TestLoadReturnsSavedData(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, data := range []string{"first", "", "third"} {
		save(t, d, "../k/ey\n", data)
		if got, found := d.Load("../k/ey\n"); !found || string(got) != data {
			t.Errorf("got %q, %t, want %q", got, found, data)
		}
	}
	if _, found := d.Load("other"); found {
		t.Error("found data that was never saved")
	}
	entries, err := os.ReadDir(d.path)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d files (%v), want one: the last for the key", len(entries), err)
	}
	for _, name := range []string{d.path, filepath.Join(d.path, entries[0].Name())} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v, want only the owner to read it", name, info.Mode(), err)
		}
	}
}

// An entry with one changed byte, a truncated entry and an entry of another key count as absent.
func TestDamageIsNoticed(t *testing.T) {
	t.Parallel()
	d := open(t)
	save(t, d, "key", "data")
	whole, err := os.ReadFile(d.file("key"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{append(bytes.Clone(whole), 'x')}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1
		damaged = append(damaged, flipped, whole[:i])
	}
	for _, data := range damaged {
		if err := os.WriteFile(d.file("key"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, found := d.Load("key"); found {
			t.Errorf("trusted %q for %q: %q", data, whole, got)
		}
	}
	if err := os.WriteFile(d.file("other"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, found := d.Load("other"); found {
		t.Error("loaded the entry of another key")
	}
	save(t, d, "key", "again")
	if got, found := d.Load("key"); !found || string(got) != "again" {
		t.Errorf("after the damage: %q, %t", got, found)
	}
}

// A read during writes returns one of the complete values.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	values := map[string]bool{}
	for i := range 8 {
		values[string(bytes.Repeat([]byte(strconv.Itoa(i)), 1<<16))] = true
	}
	save(t, d, "key", string(bytes.Repeat([]byte("0"), 1<<16)))
	var all sync.WaitGroup
	for value := range values {
		all.Go(func() {
			for range 20 {
				save(t, d, "key", value)
				if got, found := d.Load("key"); !found || !values[string(got)] {
					t.Errorf("read %d bytes, %t, that were never written", len(got), found)
				}
			}
		})
	}
	all.Wait()
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	d := open(t)
	if err := os.RemoveAll(d.path); err != nil {
		t.Fatal(err)
	}
	if err := d.Save("key", nil); err == nil {
		t.Error("saved into a folder that is gone")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil {
		t.Error("opened a file as a folder")
	}
}
