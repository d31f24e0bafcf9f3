package registry_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/rehearsal/registry"
	"github.com/kubestellar/actions/test/networktest"
)

func mustRef(t *testing.T, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func anonymous(w *networktest.Network) []remote.Option {
	return []remote.Option{remote.WithTransport(w.Transport()), remote.WithAuth(authn.Anonymous), remote.WithRetryPredicate(never)}
}

func never(error) bool { return false }

// known returns options with the credentials of the network's docker configuration.
func known(t *testing.T, w *networktest.Network) []remote.Option {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(variable(w, "DOCKER_CONFIG"), "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	return append(anonymous(w), remote.WithAuth(authn.FromConfig(config.Auths["ghcr.io"])))
}

// variable returns a variable of the network's environment.
func variable(w *networktest.Network, name string) string {
	for _, entry := range w.Env() {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

func push(t *testing.T, w *networktest.Network, at string) v1.Image {
	t.Helper()
	img, err := random.Image(1<<10, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(mustRef(t, at), img, known(t, w)...); err != nil {
		t.Fatal(err)
	}
	return img
}

func digest(t *testing.T, img interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

func wantDenied(t *testing.T, what string, err error, status int, code transport.ErrorCode) {
	t.Helper()
	var e *transport.Error
	if !errors.As(err, &e) || e.StatusCode != status || len(e.Errors) != 1 || e.Errors[0].Code != code {
		t.Errorf("%s: %v, want %d %s", what, err, status, code)
	}
}

func TestPushAndPull(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"ghcr.io", "quay.io"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			w := networktest.New(t, network.Options{})
			img := push(t, w, host+"/kubestellar/a/b:1.0.0")
			got, err := remote.Image(mustRef(t, host+"/kubestellar/a/b:1.0.0"), anonymous(w)...)
			if err != nil {
				t.Fatal(err)
			}
			if digest(t, got) != digest(t, img) {
				t.Errorf("pulled %s, want %s", digest(t, got), digest(t, img))
			}
			layers, err := got.Layers()
			if err != nil || len(layers) != 2 {
				t.Fatalf("%d layers (%v), want 2", len(layers), err)
			}
			rc, err := layers[0].Compressed()
			if err != nil {
				t.Fatal(err)
			}
			defer rc.Close()
			if _, err := io.Copy(io.Discard, rc); err != nil {
				t.Error(err) // the library checks the digest while it reads
			}
		})
	}
}

// TestKeychain is not parallel: the library reads DOCKER_CONFIG of the process.
func TestKeychain(t *testing.T) {
	w := networktest.New(t, network.Options{})
	for _, pair := range w.Env() {
		if key, value, _ := strings.Cut(pair, "="); key == "DOCKER_CONFIG" {
			t.Setenv(key, value)
		}
	}
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"ghcr.io", "quay.io"} {
		err := remote.Write(mustRef(t, host+"/a/b:1"), img, remote.WithTransport(w.Transport()), remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestRegistryAccess(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	img := push(t, w, "ghcr.io/a/public:1")
	push(t, w, "ghcr.io/a/hidden:1")
	push(t, w, "quay.io/a/hidden:1")
	w.Registry("ghcr.io").SetPrivate("a/hidden", true)
	w.Registry("quay.io").SetPrivate("a/hidden", true)
	w.Registry("ghcr.io").DenyPush("a/closed")
	wrong := append(anonymous(w), remote.WithAuth(&authn.Basic{Username: "x", Password: "wrong"}))
	pull := func(at string, o []remote.Option) error {
		_, err := remote.Get(mustRef(t, at), o...)
		return err
	}
	write := func(at string, o []remote.Option) error { return remote.Write(mustRef(t, at), img, o...) }

	wantDenied(t, "anonymous push", write("ghcr.io/a/public:2", anonymous(w)), 403, transport.DeniedErrorCode)
	wantDenied(t, "denied prefix", write("ghcr.io/a/closed-too:1", known(t, w)), 403, transport.DeniedErrorCode)
	wantDenied(t, "wrong password at ghcr", pull("ghcr.io/a/public:1", wrong), 403, transport.DeniedErrorCode)
	wantDenied(t, "wrong password at quay", pull("quay.io/a/hidden:1", wrong), 401, transport.UnauthorizedErrorCode)
	wantDenied(t, "private at ghcr", pull("ghcr.io/a/hidden:1", anonymous(w)), 401, transport.UnauthorizedErrorCode)
	wantDenied(t, "private at quay", pull("quay.io/a/hidden:1", anonymous(w)), 401, transport.UnauthorizedErrorCode)
	wantDenied(t, "absent at ghcr, anonymous", pull("ghcr.io/a/none:1", anonymous(w)), 403, transport.DeniedErrorCode)
	wantDenied(t, "absent at quay, anonymous", pull("quay.io/a/none:1", anonymous(w)), 401, transport.UnauthorizedErrorCode)
	wantDenied(t, "absent, known", pull("ghcr.io/a/none:1", known(t, w)), 404, transport.NameUnknownErrorCode)
	wantDenied(t, "absent tag, anonymous", pull("ghcr.io/a/public:none", anonymous(w)), 404, transport.ManifestUnknownErrorCode)
	for _, at := range []string{"ghcr.io/a/hidden:1", "quay.io/a/hidden:1"} {
		if err := pull(at, known(t, w)); err != nil {
			t.Errorf("private %s with credentials: %v", at, err)
		}
	}
	w.Registry("ghcr.io").SetPrivate("a/hidden", false)
	if err := pull("ghcr.io/a/hidden:1", anonymous(w)); err != nil {
		t.Errorf("public again: %v", err)
	}
}

func TestChallengeNamesTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	for url, want := range map[string]string{
		"https://ghcr.io/v2/":                 `Bearer realm="https://ghcr.io/token",service="ghcr.io"`,
		"https://ghcr.io/v2/a/b/manifests/1":  `Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull"`,
		"https://quay.io/v2/a/blobs/uploads/": `Bearer realm="https://quay.io/v2/auth",service="quay.io",scope="repository:a:pull"`,
	} {
		resp, err := (&http.Client{Transport: w.Transport()}).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 401 || got != want {
			t.Errorf("%s: %d %s, want 401 %s", url, resp.StatusCode, got, want)
		}
	}
}

// as asks with a bearer token that was given for the scope.
func as(t *testing.T, w *networktest.Network, host, scope, method, url, body string) (int, string) {
	t.Helper()
	tokenURL := "https://" + host + w.Registry(host).TokenPath() + "?scope=" + scope
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tokenURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("anyone", w.Token())
	var answer struct{ Token string }
	if status, b := networktest.Do(t, w, req); status != 200 || json.Unmarshal([]byte(b), &answer) != nil {
		t.Fatalf("token: %d %s", status, b)
	}
	req, err = http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+answer.Token)
	req.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	return networktest.Do(t, w, req)
}

func TestTokensAreBoundToScopeAndHost(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	for _, tc := range []struct {
		scope, method, path string
		want                int
	}{
		{"repository:a:pull,push", "POST", "/v2/a/blobs/uploads/", 202},
		{"repository:a:pull", "POST", "/v2/a/blobs/uploads/", 403},
		{"repository:b:pull,push", "POST", "/v2/a/blobs/uploads/", 403},
		{"repository:a:pull,push", "GET", "/v2/", 200},
		{"repository:a:pull,push", "GET", "/v2/UPPER/manifests/1", 400},
		{"repository:a:pull,push", "GET", "/v2/a/referrers/x", 404},
		{"repository:a:pull,push", "DELETE", "/v2/a/manifests/1", 405},
	} {
		if status, body := as(t, w, "ghcr.io", tc.scope, tc.method, "https://ghcr.io"+tc.path, ""); status != tc.want {
			t.Errorf("%s %s with %s: %d %s, want %d", tc.method, tc.path, tc.scope, status, body, tc.want)
		}
	}
	if status, _ := as(t, w, "ghcr.io", "repository:a:pull", "GET", "https://quay.io/v2/", ""); status != 401 {
		t.Errorf("a token of ghcr.io at quay.io: %d, want 401", status)
	}
}

func TestManifestNeedsItsContent(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	img := push(t, w, "ghcr.io/a/one:1")
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	put := func(repository, ref, body string) (int, string) {
		return as(t, w, "ghcr.io", "repository:"+repository+":pull,push", "PUT", "https://ghcr.io/v2/"+repository+"/manifests/"+ref, body)
	}
	// Another repository has the blobs, this one has not.
	if status, body := put("a/two", "1", string(raw)); status != 400 || !strings.Contains(body, "MANIFEST_BLOB_UNKNOWN") {
		t.Errorf("manifest without blobs: %d %s, want 400 MANIFEST_BLOB_UNKNOWN", status, body)
	}
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":1}]}`, digest(t, img))
	if status, body := put("a/two", "1", index); status != 400 || !strings.Contains(body, "MANIFEST_BLOB_UNKNOWN") {
		t.Errorf("index without its manifest: %d %s, want 400", status, body)
	}
	if status, body := put("a/one", "2", index); status != 201 {
		t.Errorf("index with its manifest: %d %s, want 201", status, body)
	}
	if status, body := put("a/one", "sha256:"+strings.Repeat("0", 64), string(raw)); status != 400 || !strings.Contains(body, "DIGEST_INVALID") {
		t.Errorf("manifest under another digest: %d %s, want 400 DIGEST_INVALID", status, body)
	}
	if status, _ := put("a/one", ".bad", string(raw)); status != 400 {
		t.Errorf("bad tag: %d, want 400", status)
	}
}

func TestMountAndCopyKeepTheDigest(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	img := push(t, w, "ghcr.io/a/staging:1")
	staged, err := remote.Get(mustRef(t, "ghcr.io/a/staging:1"), known(t, w)...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := staged.Image()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(mustRef(t, "ghcr.io/a/final:1"), got, known(t, w)...); err != nil {
		t.Fatal(err)
	}
	final, err := remote.Head(mustRef(t, "ghcr.io/a/final:1"), anonymous(w)...)
	if err != nil || final.Digest.String() != digest(t, img) {
		t.Errorf("copied %v (%v), want %s", final, err, digest(t, img))
	}
	mounts := 0
	for _, r := range w.Requests() {
		if strings.Contains(r.Query, "mount=") && r.Status == 201 {
			mounts++
		}
	}
	if mounts == 0 {
		t.Error("no blob was mounted: the copy uploaded all")
	}
}

func TestBlobUploads(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	const scope, at = "repository:a:pull,push", "https://ghcr.io/v2/a/blobs/uploads/"
	sum := registry.DigestOf([]byte("hello"))
	if status, body := as(t, w, "ghcr.io", scope, "POST", at+"?digest="+sum, "hello"); status != 201 {
		t.Errorf("whole blob at once: %d %s", status, body)
	}
	if status, body := as(t, w, "ghcr.io", scope, "POST", at+"?digest="+sum, "other"); status != 400 || !strings.Contains(body, "DIGEST_INVALID") {
		t.Errorf("wrong digest: %d %s, want 400", status, body)
	}
	if status, body := as(t, w, "ghcr.io", scope, "PATCH", at+"unknown", "x"); status != 404 || !strings.Contains(body, "BLOB_UPLOAD_UNKNOWN") {
		t.Errorf("unknown upload: %d %s, want 404", status, body)
	}
	if status, body := as(t, w, "ghcr.io", scope, "GET", "https://ghcr.io/v2/a/blobs/"+sum, ""); status != 200 || body != "hello" {
		t.Errorf("blob: %d %q", status, body)
	}
	if status, _ := as(t, w, "ghcr.io", "repository:b:pull", "GET", "https://ghcr.io/v2/b/blobs/"+sum, ""); status != 404 {
		t.Errorf("the blob in another repository: %d, want 404", status)
	}
}

func TestBigLayerGoesToDisk(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	img, err := random.Image(16<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(mustRef(t, "ghcr.io/a/big:1"), img, known(t, w)...); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(variable(w, "SSL_CERT_FILE")), "registry", "ghcr.io", "blobs", "sha256-*"))
	if err != nil || len(files) != 2 {
		t.Errorf("blob files %q (%v), want the layer and the config", files, err)
	}
	if left, err := os.ReadDir(filepath.Join(filepath.Dir(variable(w, "SSL_CERT_FILE")), "registry", "ghcr.io", "uploads")); err != nil || len(left) != 0 {
		t.Errorf("uploads left behind: %v (%v)", left, err)
	}
}

func TestTagsArePaged(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	img := push(t, w, "ghcr.io/a/b:t000")
	repo, err := name.NewRepository("ghcr.io/a/b")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"t000"}
	for i := 1; i <= registry.TagsPage+1; i++ {
		want = append(want, fmt.Sprintf("t%03d", i))
		if err := remote.Tag(repo.Tag(want[i]), img, known(t, w)...); err != nil {
			t.Fatal(err)
		}
	}
	got, err := remote.List(repo, append(anonymous(w), remote.WithPageSize(7))...)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("all pages: %d tags (%v), want %d", len(got), err, len(want))
	}
	status, body := as(t, w, "ghcr.io", "repository:a/b:pull", "GET", "https://ghcr.io/v2/a/b/tags/list", "")
	var first struct{ Tags []string }
	if err := json.Unmarshal([]byte(body), &first); err != nil || status != 200 || len(first.Tags) != registry.TagsPage {
		t.Errorf("first page: %d, %d tags (%v), want %d", status, len(first.Tags), err, registry.TagsPage)
	}
}

func TestDeleteManifest(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	img := push(t, w, "quay.io/a/b:1")
	if err := remote.Tag(mustRef(t, "quay.io/a/b:2").(name.Tag), img, known(t, w)...); err != nil {
		t.Fatal(err)
	}
	if err := w.Registry("quay.io").DeleteManifest("a/b", "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(mustRef(t, "quay.io/a/b:2"), anonymous(w)...); err != nil {
		t.Errorf("the other tag: %v", err)
	}
	if err := w.Registry("quay.io").DeleteManifest("a/b", digest(t, img)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"quay.io/a/b:1", "quay.io/a/b:2", "quay.io/a/b@" + digest(t, img)} {
		_, err := remote.Get(mustRef(t, at), anonymous(w)...)
		wantDenied(t, at, err, 404, transport.ManifestUnknownErrorCode)
	}
	if err := w.Registry("quay.io").DeleteManifest("a/b", "1"); err == nil {
		t.Error("deleted twice without an error")
	}
	if _, err := w.Network.Registry("docker.io"); err == nil || !strings.Contains(err.Error(), "docker.io") {
		t.Errorf("unknown registry: %v", err)
	}
}

func TestCutAfterManifestDidHappen(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	w.Intercept(func(r networktest.Request) networktest.Fault {
		return networktest.Fault{CutAfter: r.Method == http.MethodPut && strings.Contains(r.Path, "/manifests/")}
	})
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(mustRef(t, "ghcr.io/a/b:1"), img, known(t, w)...); err == nil {
		t.Error("the push saw no error")
	}
	w.Intercept(nil)
	got, err := remote.Head(mustRef(t, "ghcr.io/a/b:1"), anonymous(w)...)
	if err != nil || got.Digest.String() != digest(t, img) {
		t.Errorf("after the cut: %v (%v), want %s", got, err, digest(t, img))
	}
}

func TestATokenOutlivesNoVisibility(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	push(t, w, "ghcr.io/a/b:1")
	token, err := w.Registry("ghcr.io").Seal(registry.Grant{Scopes: map[string][]string{"a/b": {"pull"}}})
	if err != nil {
		t.Fatal(err)
	}
	pull := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://ghcr.io/v2/a/b/manifests/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		status, _ := networktest.Do(t, w, req)
		return status
	}
	if got := pull(); got != 200 {
		t.Errorf("while public: %d, want 200", got)
	}
	w.Registry("ghcr.io").SetPrivate("a/b", true)
	if got := pull(); got != 401 {
		t.Errorf("since private: %d, want 401", got)
	}
}

// TestCutAfterShowsNothing has an answer too big for any buffer on the way.
func TestCutAfterShowsNothing(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	const scope = "repository:a:pull,push"
	blob := noise(t, 4<<20)
	at := "https://ghcr.io/v2/a/blobs/"
	if status, body := as(t, w, "ghcr.io", scope, "POST", at+"uploads/?digest="+registry.DigestOf([]byte(blob)), blob); status != 201 {
		t.Fatalf("push: %d %s", status, body)
	}
	token, err := w.Registry("ghcr.io").Seal(registry.Grant{Known: true, Scopes: map[string][]string{"a": {"pull"}}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+registry.DigestOf([]byte(blob)), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	w.Intercept(func(networktest.Request) networktest.Fault { return networktest.Fault{CutAfter: true} })
	if resp, err := (&http.Client{Transport: w.Transport()}).Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("saw status %d, want no answer", resp.StatusCode)
	}
}

// workflowToken returns a token of a workflow in o/a with one permission, such as packages=write.
func workflowToken(t *testing.T, w *networktest.Network, permission string) string {
	t.Helper()
	name, level, _ := strings.Cut(permission, "=")
	secret, err := w.Forge.AddToken(forge.Token{Kind: forge.WorkflowToken, Repositories: map[string]forge.Permissions{"o/a": {name: level}}})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestPackagesTakeAWorkflowsToken(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	if err := w.Forge.CreateRepository("o/a", forge.Repository{}); err != nil {
		t.Fatal(err)
	}
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	writes := func(at string, permission string) error {
		secret := workflowToken(t, w, permission)
		return remote.Write(mustRef(t, at), image, append(anonymous(w), remote.WithAuth(&authn.Basic{Username: "x", Password: secret}))...)
	}
	if err := writes("ghcr.io/o/a:1", "packages=write"); err != nil {
		t.Errorf("with the permission: %v", err)
	}
	for at, permission := range map[string]string{
		"ghcr.io/o/a:2": "contents=write", "ghcr.io/o/a:3": "packages=read", "ghcr.io/other/a:1": "packages=write", "quay.io/o/a:1": "packages=write",
	} {
		if err := writes(at, permission); err == nil {
			t.Errorf("%s with %s was pushed", at, permission)
		}
	}
	w.Registry("ghcr.io").SetPrivate("o/a", true)
	for permission, want := range map[string]bool{"packages=read": true, "contents=read": false} {
		secret := workflowToken(t, w, permission)
		_, err := remote.Get(mustRef(t, "ghcr.io/o/a:1"), append(anonymous(w), remote.WithAuth(&authn.Basic{Username: "x", Password: secret}))...)
		if (err == nil) != want {
			t.Errorf("a private package with %s: %v", permission, err)
		}
	}
}

func noise(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
