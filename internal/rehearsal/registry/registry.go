// Package registry is an OCI registry in the process, which behaves like ghcr.io or quay.io.
package registry

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
)

// Hosts of registries whose ways differ from those of others.
const (
	GHCR = "ghcr.io"
	Quay = "quay.io"
)

// manner is how a host differs from the others in what a client can see.
type manner struct {
	host      string
	tokenPath string
	// badLogin answers a token request with wrong credentials.
	badLogin refusal
	// absent and private answer an anonymous token request for such a repository. Nil: the token
	// is given without rights, and using it is answered with 401. On ghcr.io an anonymous client
	// cannot tell an absent package from a forbidden one (ublue-os/cosmic#72), but does learn
	// that one is private (openai/tunnel-client#75).
	absent, private *refusal
}

var (
	mannerGHCR = manner{
		host:      GHCR,
		tokenPath: "/token",
		badLogin:  refusal{http.StatusForbidden, "DENIED", "denied"},
		absent:    &refusal{http.StatusForbidden, "DENIED", "requested access to the resource is denied"},
		private:   &refusal{http.StatusUnauthorized, "UNAUTHORIZED", "authentication required"},
	}
	mannerQuay = manner{
		host:      Quay,
		tokenPath: "/v2/auth",
		badLogin:  refusal{http.StatusUnauthorized, "UNAUTHORIZED", "invalid username or password"},
	}
)

// mannerOf is how a registry behaves; one of which nothing else is known behaves like quay.io.
func mannerOf(host string) manner {
	switch host {
	case GHCR:
		return mannerGHCR
	case Quay:
		return mannerQuay
	}
	return manner{host: host, tokenPath: "/token", badLogin: mannerQuay.badLogin}
}

// Rights returns what a caller may do with a repository.
type Rights = func(repository string) (pull, push bool)

// Guests checks a password other than the registry's own. It returns the caller's rights, and
// reports false for an unknown password.
type Guests func(password string) (rights Rights, valid bool)

// Registry is an OCI registry. go-containerregistry's keeps the manifests and serves the blobs.
// Around it are access control, uploads that go to disk instead of memory, blobs that belong to
// the repository they were pushed to, and the checks of manifests that real registries make.
type Registry struct {
	manner
	key     []byte // signs the bearer tokens
	blobs   *blobStore
	uploads *uploads
	inner   http.Handler
	guests  Guests // nil if there are none

	mu        sync.Mutex
	token     string          // the valid password
	published map[string]bool // repositories that ever had a manifest
	hidden    map[string]bool // private repositories
	denied    []string        // prefixes of repositories that cannot be pushed to
}

// New returns a registry that answers as host and keeps its blobs in dir. Token is the password
// that may pull and push everywhere; guests, if not nil, checks all others.
func New(dir, host, token string, guests Guests) (*Registry, error) {
	for _, sub := range []string{"blobs", "uploads"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	blobs := newBlobStore(filepath.Join(dir, "blobs"))
	return &Registry{
		manner: mannerOf(host), token: token, key: key, blobs: blobs, guests: guests,
		uploads:   &uploads{dir: filepath.Join(dir, "uploads"), open: map[string]*upload{}},
		inner:     ggcr.New(ggcr.WithBlobHandler(blobs), ggcr.Logger(log.New(io.Discard, "", 0))),
		published: map[string]bool{}, hidden: map[string]bool{},
	}, nil
}

// refusal is an error in the shape that the OCI distribution specification gives.
type refusal struct {
	status        int
	code, message string
}

func (e refusal) write(rw http.ResponseWriter) {
	type item struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(e.status)
	json.NewEncoder(rw).Encode(map[string][]item{"errors": {{e.code, e.message}}}) // a client that has gone needs no answer
}

func internal(err error) *refusal {
	return &refusal{http.StatusInternalServerError, "UNKNOWN", err.Error()}
}

// target is what a request to a registry is about.
type target struct {
	repository, kind, name string
}

var (
	targetPattern     = regexp.MustCompile(`^/v2/(.+)/(blobs/uploads|blobs|manifests|tags)/([^/]*)$`)
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	referencePattern  = regexp.MustCompile(`^(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|sha256:[0-9a-f]{64})$`)
)

// parseTarget knows no referrers: ghcr.io has none, and clients fall back to tags on 404.
func parseTarget(path string) (target, *refusal) {
	if strings.HasSuffix(path, "/blobs/uploads") {
		path += "/" // both forms are in use for the begin of an upload
	}
	m := targetPattern.FindStringSubmatch(path)
	if m == nil {
		return target{}, &refusal{http.StatusNotFound, "UNSUPPORTED", "no such endpoint: " + path}
	}
	t := target{m[1], m[2], m[3]}
	if !repositoryPattern.MatchString(t.repository) {
		return target{}, &refusal{http.StatusBadRequest, "NAME_INVALID", fmt.Sprintf("invalid repository name %q", t.repository)}
	}
	return t, nil
}

func (r *Registry) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	rw.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if refused := r.serve(rw, req); refused != nil {
		refused.write(rw)
	}
}

func (r *Registry) serve(rw http.ResponseWriter, req *http.Request) *refusal {
	switch req.URL.Path {
	case r.tokenPath:
		return r.serveToken(rw, req)
	case "/v2", "/v2/":
		return r.serveBase(rw, req)
	}
	t, refused := parseTarget(req.URL.Path)
	if refused != nil {
		return refused
	}
	if refused := r.admit(rw, req, t.repository); refused != nil {
		return refused
	}
	return r.serveTarget(rw, req, t)
}

func (r *Registry) serveTarget(rw http.ResponseWriter, req *http.Request, t target) *refusal {
	switch {
	case t.kind == "blobs/uploads":
		return r.serveUpload(rw, req, t)
	case t.kind == "tags" && t.name == "list":
		return r.serveTags(rw, req, t)
	case t.kind == "manifests" && req.Method == http.MethodPut:
		return r.putManifest(rw, req, t)
	case req.Method == http.MethodGet || req.Method == http.MethodHead:
		r.inner.ServeHTTP(rw, req)
		return nil
	}
	// ghcr.io deletes by its own API only; nothing here needs it from a client.
	return &refusal{http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported"}
}

// SetPrivate makes a repository private, which is pulled with credentials only, or public again.
// Repositories are public at first.
func (r *Registry) SetPrivate(repository string, private bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hidden[repository] = private
}

// SetToken replaces the valid password. Bearer tokens given out before stay valid.
func (r *Registry) SetToken(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token = token
}

// DenyPush refuses pushes to all repositories whose path begins with prefix, with any token.
func (r *Registry) DenyPush(prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.denied = append(r.denied, prefix)
}

// DeleteManifest deletes a tag, or a digest together with all its tags. It returns an error if
// there is none.
func (r *Registry) DeleteManifest(repository, ref string) error {
	if err := r.deleteManifest(repository, ref); err != nil {
		return fmt.Errorf("deleting %s of %s/%s: %w", ref, r.host, repository, err)
	}
	return nil
}

var _ ggcr.BlobStatHandler = (*blobStore)(nil)
