package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// blobStore keeps blobs in files named by their hash, and the blobs of each repository. In a real
// registry a blob is unknown to a second repository until it is pushed or mounted there.
type blobStore struct {
	dir string
	mu  sync.Mutex
	has map[string]map[v1.Hash]bool
}

func newBlobStore(dir string) *blobStore {
	return &blobStore{dir: dir, has: map[string]map[v1.Hash]bool{}}
}

func (s *blobStore) path(h v1.Hash) string { return filepath.Join(s.dir, h.Algorithm+"-"+h.Hex) }

func (s *blobStore) holds(repository string, h v1.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has[repository][h]
}

func (s *blobStore) link(repository string, h v1.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has[repository] == nil {
		s.has[repository] = map[v1.Hash]bool{}
	}
	s.has[repository][h] = true
}

// Stat returns the blob's size in bytes, or registry.ErrNotFound.
func (s *blobStore) Stat(_ context.Context, repository string, h v1.Hash) (int64, error) {
	if !s.holds(repository, h) {
		return 0, ggcr.ErrNotFound
	}
	info, err := os.Stat(s.path(h))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Get opens the blob. It returns registry.ErrNotFound if the repository has none.
func (s *blobStore) Get(_ context.Context, repository string, h v1.Hash) (io.ReadCloser, error) {
	if !s.holds(repository, h) {
		return nil, ggcr.ErrNotFound
	}
	return os.Open(s.path(h))
}

var errDigest = errors.New("digest does not match the content")

// take moves a file into the store after it has checked its hash.
func (s *blobStore) take(repository, file string, h v1.Hash) error {
	sum, err := hashFile(file)
	if err != nil {
		return err
	}
	if h.Algorithm != "sha256" || sum != h.Hex {
		return fmt.Errorf("%w: saw sha256:%s, want %s", errDigest, sum, h)
	}
	if err := os.Rename(file, s.path(h)); err != nil {
		return err
	}
	s.link(repository, h)
	return nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
