// Package registry is a fake OCI registry that behaves like ghcr.io or quay.io.
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

// Hosts of registries that differ from a plain one.
const (
	GHCR = "ghcr.io"
	Quay = "quay.io"
)

// profile has the differences between hosts that a client can see.
type profile struct {
	host      string
	tokenPath string
	// badLogin answers a token request with wrong credentials.
	badLogin refusal
	// absent and private answer an anonymous token request for such a repository. If they are
	// nil, the client gets a token without rights, which is then answered with 401. On ghcr.io
	// absent and forbidden packages look the same to an anonymous client (ublue-os/cosmic#72),
	// but private ones do not (openai/tunnel-client#75).
	absent, private *refusal
}

var (
	profileGHCR = profile{
		host:      GHCR,
		tokenPath: "/token",
		badLogin:  refusal{http.StatusForbidden, "DENIED", "denied"},
		absent:    &refusal{http.StatusForbidden, "DENIED", "requested access to the resource is denied"},
		private:   &refusal{http.StatusUnauthorized, "UNAUTHORIZED", "authentication required"},
	}
	profileQuay = profile{
		host:      Quay,
		tokenPath: "/v2/auth",
		badLogin:  refusal{http.StatusUnauthorized, "UNAUTHORIZED", "invalid username or password"},
	}
)

// profileOf returns the profile of a host. Unknown registries behave like quay.io.
func profileOf(host string) profile {
	switch host {
	case GHCR:
		return profileGHCR
	case Quay:
		return profileQuay
	}
	return profile{host: host, tokenPath: "/token", badLogin: profileQuay.badLogin}
}

// Rights returns what a caller may do with a repository.
type Rights = func(repository string) (pull, push bool)

// Guests checks a password other than the registry's own. It returns the caller's rights, and
// reports false for an unknown password.
type Guests func(password string) (rights Rights, valid bool)

// Registry is an OCI registry. It wraps go-containerregistry's, which keeps manifests and serves
// blobs, and adds access control and the manifest checks of real registries. Uploads go to disk,
// and a blob is known only in the repository that it was pushed to.
type Registry struct {
	profile
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

// New returns a registry that answers as host and keeps its blobs in dir. The password token may
// pull and push everywhere. If guests is not nil, it checks all other passwords.
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
		profile: profileOf(host), token: token, key: key, blobs: blobs, guests: guests,
		uploads:   &uploads{dir: filepath.Join(dir, "uploads"), open: map[string]*upload{}},
		inner:     ggcr.New(ggcr.WithBlobHandler(blobs), ggcr.Logger(log.New(io.Discard, "", 0))),
		published: map[string]bool{}, hidden: map[string]bool{},
	}, nil
}

// refusal is an error answer as in the OCI distribution specification.
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
	// An error means that the client has gone.
	json.NewEncoder(rw).Encode(map[string][]item{"errors": {{e.code, e.message}}})
}

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

func internal(err error) *refusal {
	return &refusal{http.StatusInternalServerError, "UNKNOWN", err.Error()}
}

// target is the content that a request names.
type target struct {
	repository, kind, name string
}

const pathComponent = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`

var (
	targetPattern     = regexp.MustCompile(`^/v2/(.+)/(blobs/uploads|blobs|manifests|tags)/([^/]*)$`)
	repositoryPattern = regexp.MustCompile(`^` + pathComponent + `(?:/` + pathComponent + `)*$`)
	referencePattern  = regexp.MustCompile(`^(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|sha256:[0-9a-f]{64})$`)
)

// parseTarget parses the path of a request. It rejects referrers, because ghcr.io has none and
// clients fall back to tags on 404.
func parseTarget(path string) (target, *refusal) {
	if strings.HasSuffix(path, "/blobs/uploads") {
		path += "/" // clients begin uploads with either form
	}
	m := targetPattern.FindStringSubmatch(path)
	if m == nil {
		return target{}, &refusal{http.StatusNotFound, "UNSUPPORTED", "no such endpoint: " + path}
	}
	t := target{m[1], m[2], m[3]}
	if !repositoryPattern.MatchString(t.repository) {
		return target{}, refuse(http.StatusBadRequest, "NAME_INVALID", "invalid repository name %q", t.repository)
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
	// ghcr.io deletes only by its own API.
	return &refusal{http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported"}
}

// SetPrivate makes a repository private, so that pulls need credentials, or public again.
// Repositories are public by default.
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
