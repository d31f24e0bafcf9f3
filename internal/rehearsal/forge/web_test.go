package forge_test

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

// documented creates a repository whose tags and branches make addresses ambiguous.
func documented(t *testing.T) (w *networktest.Network, head string) {
	t.Helper()
	w, clone := networktest.Seeded(t, forge.Repository{})
	networktest.CommitFile(t, w, clone, "-odd [a] %41.txt", "odd")
	networktest.CommitFile(t, w, clone, "bin", "\xff\xfe")
	networktest.CommitFile(t, w, clone, "b", "on main")
	networktest.Git(t, w, clone, "update-index", "--add", "--cacheinfo", "100644,"+networktest.Git(t, w, clone, "hash-object", "-w", "b")+",docs/a b.md")
	networktest.Git(t, w, clone, "update-index", "--add", "--cacheinfo", "160000,"+networktest.Git(t, w, clone, "rev-parse", "HEAD")+",module")
	networktest.Git(t, w, clone, "commit", "--quiet", "-m", "docs")
	head = networktest.Git(t, w, clone, "rev-parse", "HEAD")
	networktest.Git(t, w, clone, "tag", "-a", "-m", "x", "v1.0.0")
	networktest.Git(t, w, clone, "tag", "a", "main~1") // there is no docs there
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main", "main:refs/heads/a/b", "main:refs/heads/release", "v1.0.0", "a")
	return w, head
}

// wantPage requests the page, whose body it returns, and its head alone.
func wantPage(t *testing.T, w *networktest.Network, url string, status int) string {
	t.Helper()
	got, body, err := networktest.Get(w, url)
	if err != nil || got != status {
		t.Errorf("%s: %d %q (%v), want %d", url, got, body, err, status)
	}
	resp, err := (&http.Client{Transport: w.Transport()}).Head(url)
	if err != nil {
		t.Errorf("HEAD %s: %v", url, err)
		return body
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		t.Errorf("HEAD %s: %d, want %d", url, resp.StatusCode, status)
	}
	return body
}

func TestRawFiles(t *testing.T) {
	t.Parallel()
	w, head := documented(t)
	for _, tc := range []struct {
		rest, body string
		status     int
	}{
		{"main/README.md", "first\n", 200},
		{"v1.0.0/README.md", "first\n", 200},
		{"HEAD/README.md", "first\n", 200},
		{head + "/README.md", "first\n", 200},
		{head[:7] + "/README.md", "first\n", 200},
		{"refs/heads/main/README.md", "first\n", 200},
		{"refs/tags/v1.0.0/README.md", "first\n", 200},
		{"main/docs/a%20b.md", "on main", 200},
		{"main/-odd%20%5Ba%5D%20%2541.txt", "odd", 200},
		{"refs/heads/a/b/docs/a%20b.md", "on main", 200},
		{"a/b/docs/a%20b.md", "on main", 200},
		{"refs/heads/a/b/README.md", "first\n", 200},
		{"a/README.md", "first\n", 200}, // the tag
		{"a/b", "", 404},                // the branch, without a remaining path
		{"main/bin", "\xff\xfe", 200},
		{"main/none", "", 404},
		{"main/docs", "", 404},
		{"main/module", "", 404},
		{"main/README.md/x", "", 404},
		{"main/README.md/", "", 404},
		{"main/./README.md", "", 404},
		{"main/docs/../README.md", "", 404},
		{"main/README.m%3F", "", 404},
		{"main/:(top)README.md", "", 404},
		{"main/%00", "", 404},
		{"heads/main/README.md", "", 404},
		{"refs/tags/main/README.md", "", 404},
		{"refs/heads/v1.0.0/README.md", "", 404},
		{"v1.0.1/README.md", "", 404},
		{strings.Repeat("a", 40) + "/README.md", "", 404},
		{"main~0/README.md", "", 404},
		{"--help/README.md", "", 404},
		{"main", "", 400},
	} {
		body := wantPage(t, w, "https://raw.githubusercontent.com/"+networktest.Repository+"/"+tc.rest, tc.status)
		if tc.status == 200 && body != tc.body {
			t.Errorf("%s: %q, want %q", tc.rest, body, tc.body)
		}
	}
}

func TestRawAccess(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{Private: true})
	url := "https://raw.githubusercontent.com/" + networktest.Repository + "/main/README.md"
	wantPage(t, w, url, 404)
	wantPage(t, w, "https://raw.githubusercontent.com/no/such/main/README.md", 404)
	create(t, w, published("v1.0.0"))
	wantPage(t, w, "https://github.com/"+networktest.Repository+"/releases/tag/v1.0.0", 404)
	wantPage(t, w, "https://github.com/"+networktest.Repository+"/blob/main/README.md", 404)
	networktest.Seed(t, w, "o/public", forge.Repository{})
	public := "https://raw.githubusercontent.com/o/public/main/README.md"
	wantPage(t, w, public, 200)
	for _, tc := range []struct {
		url, token string
		want       int
	}{{url, w.Token(), 200}, {url, "wrong", 404}, {public, w.Token(), 200}, {public, "wrong", 404}} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", tc.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "token "+tc.token)
		if status, body := networktest.Do(t, w, req); status != tc.want {
			t.Errorf("%s with %q: %d %s, want %d", tc.url, tc.token, status, body, tc.want)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+w.Token())
	if status, body := networktest.Do(t, w, req); status != 404 {
		t.Errorf("a post: %d %s", status, body)
	}
}

func TestWebPages(t *testing.T) {
	t.Parallel()
	w, head := documented(t)
	create(t, w, draft("v2.0.0"))
	create(t, w, published("release-only"))
	for rest, status := range map[string]int{
		"blob/main/README.md":                   200,
		"blob/v1.0.0/README.md":                 200,
		"blob/" + head + "/docs/a%20b.md":       200,
		"blob/refs/heads/a/b/docs/a%20b.md":     200,
		"blob/1.0.0/README.md":                  404,
		"blob/main/none.md":                     404,
		"blob/main":                             404,
		"blob/main/docs":                        200, // by a redirect
		"blob/main/module":                      404,
		"tree/main":                             200,
		"tree/main/":                            200,
		"tree/a/b":                              200,
		"tree/v1.0.0/docs":                      200,
		"tree/v1.0.0/docs/":                     200,
		"tree/main/README.md":                   200, // by a redirect
		"tree/main/none":                        404,
		"tree/main/.":                           404,
		"tree/none":                             404,
		"raw/main/README.md":                    200,
		"raw/main/docs/a%20b.md":                200,
		"raw/main/none.md":                      404,
		"raw/main/docs":                         404,
		"raw/main":                              404,
		"releases/tag/release-only":             200,
		"releases/tag/v1.0.0":                   200, // a tag without a release
		"releases/tag/v2.0.0":                   404, // a draft
		"releases/tag/v3.0.0":                   404,
		"releases/tag/main":                     404,
		"archive/refs/tags/v1.0.0.tar.gz":       200,
		"archive/refs/tags/v1.0.1.tar.gz":       404,
		"archive/refs/heads/a/b.zip":            200,
		"archive/v1.0.0.tar.gz":                 200,
		"archive/" + head + ".zip":              200,
		"archive/refs/tags/v1.0.0/docs.tar.gz":  404,
		"archive/refs/tags/v1.0.0.rar":          404,
		"archive/refs/tags/v1.0.0":              404,
		"releases/download/release-only/absent": 404,
	} {
		wantPage(t, w, "https://github.com/"+networktest.Repository+"/"+rest, status)
	}
	wantPage(t, w, "https://github.com/no/such/blob/main/README.md", 404)
	if got := wantPage(t, w, "https://github.com/"+networktest.Repository+"/raw/v1.0.0/README.md", 200); got != "first\n" {
		t.Errorf("raw is %q", got)
	}
}

func TestArchiveHoldsTheFiles(t *testing.T) {
	t.Parallel()
	w, _ := documented(t)
	body := wantPage(t, w, "https://github.com/"+networktest.Repository+"/archive/refs/tags/v1.0.0.tar.gz", 200)
	unzipped, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for files := tar.NewReader(unzipped); ; {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found = found || h.Name == "actions-1.0.0/README.md"
	}
	if !found {
		t.Error("the archive lacks actions-1.0.0/README.md")
	}
	body = wantPage(t, w, "https://github.com/"+networktest.Repository+"/archive/refs/heads/a/b.zip", 200)
	zipped, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := zipped.Open("actions-a-b/README.md"); err != nil {
		t.Error(err)
	}
}

func TestDownloadsByTheirWebAddress(t *testing.T) {
	t.Parallel()
	const at = "https://github.com/" + networktest.Repository + "/releases/download/v1.0.0/tool.tar.gz"
	w, hidden := networktest.New(t, network.Options{}), networktest.New(t, network.Options{})
	for _, one := range []*networktest.Network{w, hidden} {
		networktest.Seed(t, one, networktest.Repository, forge.Repository{Private: one == hidden})
		rel := create(t, one, draft("v1.0.0"))
		if _, err := attach(t, one, rel.GetID(), "tool.tar.gz", "bytes"); err != nil {
			t.Fatal(err)
		}
		wantPage(t, one, at, 404)
		if _, err := publish(t.Context(), one, rel.GetID()); err != nil {
			t.Fatal(err)
		}
	}
	wantPage(t, hidden, at, 404)
	for _, url := range []string{at, "https://github.com/" + networktest.Repository + "/releases/latest/download/tool.tar.gz"} {
		if got := wantPage(t, w, url, 200); got != "bytes" {
			t.Errorf("%s: %q", url, got)
		}
	}
	resp, err := (&http.Client{Transport: w.Transport()}).Head(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ContentLength != 5 {
		t.Errorf("HEAD has %d bytes, want 5", resp.ContentLength)
	}
}
