package registry

import (
	"bytes"
	"context"
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
	maxManifest = 4 << 20 // bytes; the specification asks registries to take at least so much
	tagsPage    = 100     // tags in one answer unless the client asks for another number
)

// links are the parts of a manifest, image or index, that name other content.
type links struct {
	Config    *v1.Descriptor  `json:"config"`
	Layers    []v1.Descriptor `json:"layers"`
	Manifests []v1.Descriptor `json:"manifests"`
}

// putManifest takes a manifest only if all that it names is in its repository.
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
		return nil, &refusal{http.StatusRequestEntityTooLarge, "SIZE_INVALID", fmt.Sprintf("manifest is larger than %d bytes", maxManifest)}
	case !referencePattern.MatchString(t.name):
		return nil, &refusal{http.StatusBadRequest, "TAG_INVALID", fmt.Sprintf("invalid reference %q", t.name)}
	case strings.HasPrefix(t.name, "sha256:") && t.name != digestOf(body):
		return nil, &refusal{http.StatusBadRequest, "DIGEST_INVALID", fmt.Sprintf("saw %s, want %s", digestOf(body), t.name)}
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
			return &refusal{http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry: " + d.Digest.String()}
		}
	}
	for _, d := range l.Manifests {
		if r.ask(http.MethodHead, repository, d.Digest.String()) != http.StatusOK {
			return &refusal{http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", "manifest unknown to registry: " + d.Digest.String()}
		}
	}
	return nil
}

// ask puts a request about a manifest to the inner registry and tells the status.
func (r *Registry) ask(method, repository, ref string) int {
	status, _ := r.read(method, "/v2/"+repository+"/manifests/"+ref)
	return status
}

// read is a request to the inner registry that passes no network.
func (r *Registry) read(method, path string) (int, []byte) {
	req := (&http.Request{Method: method, URL: &url.URL{Path: path}, Header: http.Header{}, Body: http.NoBody}).WithContext(context.Background())
	kept := &keep{header: http.Header{}}
	r.inner.ServeHTTP(kept, req)
	return kept.status, kept.body.Bytes()
}

// keep is a ResponseWriter that keeps what it is given.
type keep struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *keep) Header() http.Header         { return k.header }
func (k *keep) Write(b []byte) (int, error) { return k.body.Write(b) }
func (k *keep) WriteHeader(status int)      { k.status = status }

// serveTags lists tags page by page with a Link to the next one, which the inner registry does
// not; a client that ignores the link sees what it would miss.
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
	json.NewEncoder(rw).Encode(map[string]any{"name": t.repository, "tags": page}) // a client that has gone needs no answer
	return nil
}

// tags are sorted; the list is empty, not nil, for a repository that has only digests.
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
			r.ask(http.MethodDelete, repository, tag) // it was there a moment ago; gone is as good
		}
	}
	return nil
}
