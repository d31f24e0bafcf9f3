package lookup_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/resolve"
)

// serve serves files by their paths over https, and answers 403 for empty ones.
func serve(t *testing.T, files map[string]string) (host string, r *lookup.Repositories) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch text, ok := files[req.URL.Path]; {
		case !ok:
			http.NotFound(w, req)
		case text == "":
			http.Error(w, "no", http.StatusForbidden)
		case strings.HasPrefix(text, "http"):
			http.Redirect(w, req, text, http.StatusFound)
		default:
			fmt.Fprint(w, text)
		}
	}))
	t.Cleanup(server.Close)
	return "https://" + server.Listener.Addr().String(), &lookup.Repositories{HTTP: server.Client().Transport}
}

const index = `apiVersion: v1
entries:
  other:
  - apiVersion: v2
    name: other
    urls: [other-1.0.0.tgz]
    version: 1.0.0
  web:
  - apiVersion: v2
    description: |
      several

      lines
    digest: %s
    name: web
    urls:
    - https://gone.invalid/web-1.4.0.tgz
    - packages/web-1.4.0.tgz
    version: 1.4.0
  - name: web
    urls: [oci://registry.example.io/charts/web:1.3.0]
    version: v1.3.0
  - name: web
    urls: [http://plain.example.io/web.tgz]
    version: 1.2.0
generated: "2026-01-01T00:00:00Z"
`

func TestChartRepository(t *testing.T) {
	t.Parallel()
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte("package")))
	host, r := serve(t, map[string]string{
		"/charts/index.yaml": fmt.Sprintf(index, digest), "/charts/packages/web-1.4.0.tgz": "package",
		"/json/index.yaml":    `{"apiVersion": "v1", "entries": {"web": [{"version": "1.4.0", "urls": ["/charts/packages/web-1.4.0.tgz"]}]}}`,
		"/private/index.yaml": "", "/page/index.yaml": "<html></html>", "/words/index.yaml": "a: [", "/plain/index.yaml": "http://plain.example.io",
		"/wrong/index.yaml": fmt.Sprintf(index, strings.Repeat("0", 64)), "/wrong/packages/web-1.4.0.tgz": "package",
	})
	for _, test := range []struct {
		at, version, digest string
		absent              bool
		err                 string // part of the error
	}{
		{"/charts/web", "1.4.0", "sha256:" + digest, false, ""},
		{"/charts/web", "v1.4.0", "sha256:" + digest, false, ""},
		{"/charts/web", "1.3.0", "", false, ""},
		{"/charts/web", "1.5.0", "", true, "not found"},
		{"/charts/we", "1.4.0", "", true, "not found"},
		{"/json/web", "1.4.0", "", false, ""},
		{"/json/web", "1.4.1", "", true, "not found"},
		{"/none/web", "1.4.0", "", false, "could not ask: "},
		{"/private/web", "1.4.0", "", false, "403"},
		{"/page/web", "1.4.0", "", false, "is not the index of a chart repository"},
		{"/words/web", "1.4.0", "", false, "is not the index of a chart repository"},
		{"/plain/web", "1.4.0", "", false, "redirected to http://plain"},
	} {
		target := resolve.Target{Kind: resolve.Chart, At: host + test.at, Tag: test.version}
		a := lookup.Resolver{Repositories: r}.Resolve(t.Context(), target)
		if a.Digest != test.digest || a.Absent() != test.absent || (a.Err == nil) != (test.err == "") ||
			a.Err != nil && !strings.Contains(a.Err.Error(), test.err) {
			t.Errorf("%s %s: got %q and %v, want %q and %q", test.at, test.version, a.Digest, a.Err, test.digest, test.err)
		}
	}
	registry := func(_ context.Context, at, tag string) ([]byte, error) { return []byte(at + " " + tag), nil }
	for _, test := range []struct{ at, version, archive, err string }{
		{"/charts/web", "1.4.0", "package", ""},
		{"/json/web", "1.4.0", "package", ""},
		{"/charts/web", "1.3.0", "registry.example.io/charts/web 1.3.0", ""},
		{"/charts/web", "1.2.0", "", "want https"},
		{"/wrong/web", "1.4.0", "", "the index records 000"},
	} {
		archive, err := r.Archive(t.Context(), host+test.at, test.version, registry)
		if string(archive) != test.archive || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s %s: got %q and %v, want %q and %q", test.at, test.version, archive, err, test.archive, test.err)
		}
	}
	if _, err := r.Archive(t.Context(), host+"/charts/web", "9.0.0", registry); !errors.Is(err, outcome.ErrAbsent) {
		t.Errorf("a version that is not there: %v", err)
	}
}

// A chart that is declared as one of a registry, and is in a chart repository over https, could not be asked for.
func TestChartRepositoryWithoutScheme(t *testing.T) {
	t.Parallel()
	host, r := serve(t, map[string]string{"/charts/index.yaml": fmt.Sprintf(index, "\"\"")})
	at := strings.TrimPrefix(host, "https://") + "/charts/"
	by := lookup.Resolver{Repositories: r, Registry: &oci.Registry{Transport: r.HTTP}, Brief: true}
	a := by.Resolve(t.Context(), resolve.Target{Kind: resolve.Chart, At: at + "web", Tag: "1.4.0"})
	if a.Err == nil || a.Absent() || !strings.Contains(a.Err.Error(), "write at: "+host+"/charts/web") {
		t.Errorf("got %v", a.Err)
	}
	a = by.Resolve(t.Context(), resolve.Target{Kind: resolve.Chart, At: at + "more", Tag: "1.4.0"})
	if a.Err == nil || strings.Contains(a.Err.Error(), "write at") {
		t.Errorf("got %v", a.Err)
	}
}
