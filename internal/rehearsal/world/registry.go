package world

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
		host:      hostGHCR,
		tokenPath: "/token",
		badLogin:  refusal{http.StatusForbidden, "DENIED", "denied"},
		absent:    &refusal{http.StatusForbidden, "DENIED", "requested access to the resource is denied"},
		private:   &refusal{http.StatusUnauthorized, "UNAUTHORIZED", "authentication required"},
	}
	mannerQuay = manner{
		host:      hostQuay,
		tokenPath: "/v2/auth",
		badLogin:  refusal{http.StatusUnauthorized, "UNAUTHORIZED", "invalid username or password"},
	}
)

// mannerOf is how a registry behaves; one of which nothing else is known behaves like quay.io.
func mannerOf(host string) manner {
	switch host {
	case hostGHCR:
		return mannerGHCR
	case hostQuay:
		return mannerQuay
	}
	return manner{host: host, tokenPath: "/token", badLogin: mannerQuay.badLogin}
}

// registry is an OCI registry: go-containerregistry's keeps the manifests and serves the blobs;
// around it are the access control, uploads that go to disk instead of memory, blobs that belong
// to the repository they were pushed to, and the checks of manifests that real registries make.
type registry struct {
	manner
	key     []byte // signs the bearer tokens
	blobs   *blobStore
	uploads *uploads
	inner   http.Handler
	guests  func(secret string) *token // nil: none

	mu        sync.Mutex
	token     string          // the good password
	published map[string]bool // repositories that ever had a manifest
	hidden    map[string]bool // private repositories
	denied    []string        // prefixes of repositories that cannot be pushed to
}

func newRegistry(dir string, m manner, token string) (*registry, error) {
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
	return &registry{
		manner: m, token: token, key: key, blobs: blobs,
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

func (r *registry) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	rw.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if refused := r.serve(rw, req); refused != nil {
		refused.write(rw)
	}
}

func (r *registry) serve(rw http.ResponseWriter, req *http.Request) *refusal {
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

func (r *registry) serveTarget(rw http.ResponseWriter, req *http.Request, t target) *refusal {
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

// SetPrivate makes a repository of host private, or public as all are at first: a private one is
// pulled with credentials only. An unknown host panics.
func (w *World) SetPrivate(host, repository string, private bool) {
	r := w.mustRegistry(host)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hidden[repository] = private
}

// SetToken gives host a good password of its own, in place of the world's token.
// What has been given out for the former stays good. An unknown host panics.
func (w *World) SetToken(host, token string) {
	r := w.mustRegistry(host)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token = token
}

// DenyPush lets no one push to the repositories of host whose path begins with prefix, whatever
// their token. An unknown host panics.
func (w *World) DenyPush(host, prefix string) {
	r := w.mustRegistry(host)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.denied = append(r.denied, prefix)
}

// DeleteManifest takes a manifest away: a tag alone by its name, or a digest together with all
// its tags. It returns an error if there is none.
func (w *World) DeleteManifest(host, repository, ref string) error {
	r, err := w.registry(host)
	if err != nil {
		return fmt.Errorf("deleting %s of %s: %w", ref, repository, err)
	}
	if err := r.deleteManifest(repository, ref); err != nil {
		return fmt.Errorf("deleting %s of %s/%s: %w", ref, host, repository, err)
	}
	return nil
}

func (w *World) mustRegistry(host string) *registry {
	r, err := w.registry(host)
	if err != nil {
		panic("world: " + err.Error())
	}
	return r
}

var _ ggcr.BlobStatHandler = (*blobStore)(nil)
