package registry

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// uploads are the blob uploads in progress, each in its own file.
type uploads struct {
	dir  string
	mu   sync.Mutex
	open map[string]*upload
}

type upload struct {
	mu         sync.Mutex
	repository string
	id, path   string
	size       int64
}

func (s *uploads) begin(repository string) (*upload, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	id := hex.EncodeToString(b[:])
	u := &upload{repository: repository, id: id, path: filepath.Join(s.dir, id)}
	if err := os.WriteFile(u.path, nil, 0o644); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[id] = u
	return u, nil
}

func (s *uploads) find(t target) (*upload, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.open[t.name]
	if !ok || u.repository != t.repository {
		return nil, &refusal{http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"}
	}
	return u, nil
}

func (s *uploads) end(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, u.id)
}

// append appends body to the file. After a broken connection the client can resume.
func (u *upload) append(body io.Reader) error {
	f, err := os.OpenFile(u.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, body)
	u.size += n
	return errors.Join(err, f.Close())
}

func (u *upload) location() string {
	return "/v2/" + u.repository + "/blobs/uploads/" + u.id
}

// describe sets the headers that report the progress of an upload.
func (u *upload) describe(h http.Header) {
	h.Set("Location", u.location())
	h.Set("Docker-Upload-UUID", u.id)
	h.Set("Range", fmt.Sprintf("0-%d", max(u.size-1, 0)))
}

func (r *Registry) serveUpload(rw http.ResponseWriter, req *http.Request, t target) *refusal {
	if t.name == "" {
		return r.beginUpload(rw, req, t)
	}
	u, refused := r.uploads.find(t)
	if refused != nil {
		return refused
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch req.Method {
	case http.MethodGet:
		return u.answer(rw, http.StatusNoContent)
	case http.MethodPatch:
		return u.patch(rw, req)
	case http.MethodPut:
		return r.finishUpload(rw, req, u)
	}
	return &refusal{http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported"}
}

// beginUpload starts an upload. A successful mount, or a digest with the whole blob, also ends it.
func (r *Registry) beginUpload(rw http.ResponseWriter, req *http.Request, t target) *refusal {
	if req.Method != http.MethodPost {
		return &refusal{http.StatusMethodNotAllowed, "UNSUPPORTED", "begin an upload with POST"}
	}
	query := req.URL.Query()
	if h, err := v1.NewHash(query.Get("mount")); err == nil && r.mayMount(req, query.Get("from"), h) {
		r.blobs.link(t.repository, h)
		return created(rw, "/v2/"+t.repository+"/blobs/"+h.String(), h.String())
	}
	u, err := r.uploads.begin(t.repository)
	if err != nil {
		return internal(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if query.Get("digest") != "" {
		return r.finishUpload(rw, req, u)
	}
	return u.answer(rw, http.StatusAccepted)
}

// mayMount reports whether the token permits to pull the source, without which the client uploads.
func (r *Registry) mayMount(req *http.Request, from string, h v1.Hash) bool {
	g, _ := r.unseal(bearer(req))
	return g.allows(from, actionPull) && r.blobs.holds(from, h)
}

func (u *upload) answer(rw http.ResponseWriter, status int) *refusal {
	u.describe(rw.Header())
	rw.WriteHeader(status)
	return nil
}

func (u *upload) patch(rw http.ResponseWriter, req *http.Request) *refusal {
	if span := req.Header.Get("Content-Range"); span != "" {
		var start, end int64
		if _, err := fmt.Sscanf(span, "%d-%d", &start, &end); err != nil || start != u.size {
			u.describe(rw.Header())
			return refuse(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID",
				"saw range %q, want it to begin at %d", span, u.size)
		}
	}
	if err := u.append(req.Body); err != nil {
		return &refusal{http.StatusBadRequest, "BLOB_UPLOAD_INVALID", err.Error()}
	}
	return u.answer(rw, http.StatusAccepted)
}

func (r *Registry) finishUpload(rw http.ResponseWriter, req *http.Request, u *upload) *refusal {
	h, err := v1.NewHash(req.URL.Query().Get("digest"))
	if err != nil {
		return &refusal{http.StatusBadRequest, "DIGEST_INVALID", err.Error()}
	}
	if err := u.append(req.Body); err != nil {
		return &refusal{http.StatusBadRequest, "BLOB_UPLOAD_INVALID", err.Error()}
	}
	if err := r.blobs.take(u.repository, u.path, h); errors.Is(err, errDigest) {
		return &refusal{http.StatusBadRequest, "DIGEST_INVALID", err.Error()}
	} else if err != nil {
		return internal(err)
	}
	r.uploads.end(u)
	return created(rw, "/v2/"+u.repository+"/blobs/"+h.String(), h.String())
}

func created(rw http.ResponseWriter, location, digest string) *refusal {
	rw.Header().Set("Location", location)
	rw.Header().Set("Docker-Content-Digest", digest)
	rw.WriteHeader(http.StatusCreated)
	return nil
}
