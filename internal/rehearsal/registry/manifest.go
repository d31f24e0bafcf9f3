package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	maxManifest = 4 << 20 // bytes; the minimum that the specification requires
	tagsPage    = 100     // tags in one answer by default
)

// links are the descriptors in a manifest of an image or index.
type links struct {
	Config    *v1.Descriptor  `json:"config"`
	Layers    []v1.Descriptor `json:"layers"`
	Manifests []v1.Descriptor `json:"manifests"`
}

// putManifest stores a manifest if everything that it names is in its repository.
func (r *Registry) putManifest(rw http.ResponseWriter, req *http.Request, t target) *refusal {
	body, refused := readManifest(req, t)
	if refused != nil {
		return refused
	}
	if refused := r.checkLinks(t.repository, body); refused != nil {
		return refused
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	rw.Header().Set("Location", "/v2/"+t.repository+"/manifests/"+digestOf(body))
	r.inner.ServeHTTP(rw, req)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.published[t.repository] = true
	return nil
}

func readManifest(req *http.Request, t target) ([]byte, *refusal) {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxManifest+1))
	switch {
	case err != nil:
		return nil, &refusal{http.StatusBadRequest, "MANIFEST_INVALID", err.Error()}
	case len(body) > maxManifest:
		return nil, refuse(http.StatusRequestEntityTooLarge, "SIZE_INVALID",
			"manifest is larger than %d bytes", maxManifest)
	case !referencePattern.MatchString(t.name):
		return nil, refuse(http.StatusBadRequest, "TAG_INVALID", "invalid reference %q", t.name)
	case strings.HasPrefix(t.name, "sha256:") && t.name != digestOf(body):
		return nil, refuse(http.StatusBadRequest, "DIGEST_INVALID", "saw %s, want %s", digestOf(body), t.name)
	}
	return body, nil
}

func digestOf(b []byte) string {
	h, _, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		panic(err) // reading memory does not fail
	}
	return h.String()
}

func (r *Registry) checkLinks(repository string, body []byte) *refusal {
	var l links
	if err := json.Unmarshal(body, &l); err != nil {
		return &refusal{http.StatusBadRequest, "MANIFEST_INVALID", err.Error()}
	}
	blobs := l.Layers
	if l.Config != nil {
		blobs = append(blobs, *l.Config)
	}
	for _, d := range blobs {
		if d.MediaType.IsDistributable() && !r.blobs.holds(repository, d.Digest) {
			return refuse(http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry: %s", d.Digest)
		}
	}
	for _, d := range l.Manifests {
		if r.ask(http.MethodHead, repository, d.Digest.String()) != http.StatusOK {
			return refuse(http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", "manifest unknown to registry: %s", d.Digest)
		}
	}
	return nil
}

// ask sends a request about a manifest to the inner registry, and returns the status.
func (r *Registry) ask(method, repository, ref string) int {
	status, _ := r.read(method, "/v2/"+repository+"/manifests/"+ref)
	return status
}

// read sends a request to the inner registry in the process.
func (r *Registry) read(method, path string) (int, []byte) {
	req := &http.Request{Method: method, URL: &url.URL{Path: path}, Header: http.Header{}, Body: http.NoBody}
	answer := &recorder{header: http.Header{}}
	r.inner.ServeHTTP(answer, req)
	return answer.status, answer.body.Bytes()
}

// recorder is a ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) WriteHeader(status int)      { r.status = status }

// serveTags lists tags in pages with a Link header, which the inner registry lacks. So a client
// that ignores the header misses tags, as on real registries.
func (r *Registry) serveTags(rw http.ResponseWriter, req *http.Request, t target) *refusal {
	tags, refused := r.tags(t.repository)
	if refused != nil {
		return refused
	}
	query := req.URL.Query()
	n, err := strconv.Atoi(query.Get("n"))
	if err != nil || n <= 0 {
		n = tagsPage
	}
	page := after(tags, query.Get("last"))
	if len(page) > n {
		page = page[:n]
		next := url.Values{"last": {page[n-1]}, "n": {strconv.Itoa(n)}}
		rw.Header().Set("Link", fmt.Sprintf(`</v2/%s/tags/list?%s>; rel="next"`, t.repository, next.Encode()))
	}
	rw.Header().Set("Content-Type", "application/json")
	// An error means that the client has gone.
	json.NewEncoder(rw).Encode(map[string]any{"name": t.repository, "tags": page})
	return nil
}

// tags returns the sorted tags, and an empty list, not nil, if a repository has only digests.
func (r *Registry) tags(repository string) ([]string, *refusal) {
	status, body := r.read(http.MethodGet, "/v2/"+repository+"/tags/list")
	if status == http.StatusNotFound {
		return nil, &refusal{http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry"}
	}
	var list struct{ Tags []string }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, internal(err)
	}
	return append([]string{}, list.Tags...), nil
}

func after(tags []string, last string) []string {
	for i, tag := range tags {
		if tag > last {
			return tags[i:]
		}
	}
	return []string{}
}

func (r *Registry) deleteManifest(repository, ref string) error {
	if r.ask(http.MethodDelete, repository, ref) != http.StatusAccepted {
		return errors.New("no such manifest")
	}
	if !strings.HasPrefix(ref, "sha256:") {
		return nil
	}
	tags, refused := r.tags(repository)
	if refused != nil {
		return errors.New(refused.message)
	}
	for _, tag := range tags {
		if _, body := r.read(http.MethodGet, "/v2/"+repository+"/manifests/"+tag); digestOf(body) == ref {
			r.ask(http.MethodDelete, repository, tag) // a tag that is gone meanwhile is fine
		}
	}
	return nil
}
