package forge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

const serverHost = "git.example.test"

func newServer319(t *testing.T) (*networktest.Network, *github.Client) {
	t.Helper()
	w := networktest.New(t, network.Options{Enterprise: serverHost})
	if err := w.Forge.CreateRepository(networktest.Repository, forge.Repository{}); err != nil {
		t.Fatal(err)
	}
	client, err := networktest.Hub(w).WithEnterpriseURLs("https://"+serverHost, "https://"+serverHost)
	if err != nil {
		t.Fatal(err)
	}
	return w, client
}

// TestEnterpriseIsOneHost uses a little of everything on the one host: git, an unmodified client,
// and the environment of a workflow there.
func TestEnterpriseIsOneHost(t *testing.T) {
	t.Parallel()
	w, client := newServer319(t)
	clone := filepath.Join(t.TempDir(), "clone")
	networktest.Git(t, w, ".", "clone", "--quiet", "https://"+serverHost+"/"+networktest.Repository, clone)
	head := networktest.CommitFile(t, w, clone, "README.md", "first\n")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	rel, _, err := client.Repositories.CreateRelease(t.Context(), owner, repo, &github.RepositoryRelease{TagName: github.String("v1")})
	if err != nil {
		t.Fatal(err)
	}
	req, err := client.NewUploadRequest(
		fmt.Sprintf("repos/%s/releases/%d/assets?name=x", networktest.Repository, rel.GetID()),
		strings.NewReader("bytes"),
		5,
		"text/plain",
	)
	if err != nil {
		t.Fatal(err)
	}
	var asset github.ReleaseAsset
	if _, err := client.Do(t.Context(), req, &asset); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		asset.GetBrowserDownloadURL(): "bytes",
		"https://" + serverHost + "/raw/" + networktest.Repository + "/main/README.md":  "first\n",
		"https://" + serverHost + "/" + networktest.Repository + "/raw/main/README.md":  "first\n",
		"https://" + serverHost + "/" + networktest.Repository + "/blob/main/README.md": networktest.Repository + ": blob README.md at main\n",
	} {
		if status, body, err := networktest.Get(w, url); err != nil || status != 200 || body != want {
			t.Errorf("%s: %d %q (%v), want %q", url, status, body, err, want)
		}
	}
	commit, resp, err := client.Repositories.GetCommit(t.Context(), owner, repo, "main", nil)
	if err != nil || commit.GetSHA() != head || resp.Header.Get("X-GitHub-Enterprise-Version") == "" || resp.Header.Get("X-RateLimit-Limit") != "" {
		t.Errorf("main is %v, header %v (%v)", commit, resp.Header, err)
	}
	whole, err := json.Marshal([]any{rel, asset, commit})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(whole), "github.com") {
		t.Errorf("the server's answers lead to github.com: %s", whole)
	}
	for _, r := range w.Requests() {
		if r.Host != serverHost {
			t.Errorf("%s of %s, want all on %s", r.Path, r.Host, serverHost)
		}
	}
	if status, _, err := networktest.Get(w, "https://api.github.com/rate_limit"); err == nil {
		t.Errorf("api.github.com answers %d, want no answer: this network has none", status)
	}
	env := strings.Join(w.Env(), "\n")
	for _, want := range []string{"GITHUB_SERVER_URL=https://" + serverHost, "GITHUB_API_URL=https://" + serverHost + "/api/v3"} {
		if !strings.Contains(env, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
}

func TestEnterpriseLacks(t *testing.T) {
	t.Parallel()
	w, client := newServer319(t)
	clone := filepath.Join(t.TempDir(), "clone")
	networktest.Git(t, w, ".", "clone", "--quiet", "https://"+serverHost+"/"+networktest.Repository, clone)
	networktest.CommitFile(t, w, clone, "README.md", "first\n")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	for _, tc := range []struct {
		method, path string
		body         any
		status       int
		message      string
	}{
		{"GET", "/immutable-releases", nil, 404, "Not Found"},
		{"GET", "/attestations/sha256:00", nil, 404, "Not Found"},
		{"POST", "/actions/workflows/bump.yml/dispatches", map[string]any{"ref": "main", "return_run_details": true}, 400,
			"Invalid request.\n\n\"return_run_details\" is not a permitted key."},
	} {
		req, err := client.NewRequest(tc.method, "repos/"+networktest.Repository+tc.path, tc.body)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Do(t.Context(), req, nil)
		networktest.WantStatus(t, tc.path, err, tc.status)
		if err != nil && !strings.Contains(err.Error(), tc.message) {
			t.Errorf("%s: %v, want %q", tc.path, err, tc.message)
		}
	}
	_, _, err := client.RateLimit.Get(t.Context())
	networktest.WantStatus(t, "limits", err, 404)
	body := map[string]any{"message": "m", "tree": treeOf(t, w, "main")}
	req, err := client.NewRequest("POST", "repos/"+networktest.Repository+"/git/commits", body)
	if err != nil {
		t.Fatal(err)
	}
	var made github.Commit
	if _, err := client.Do(t.Context(), req, &made); err != nil {
		t.Fatal(err)
	}
	if v := made.GetVerification(); v.GetVerified() || v.GetReason() != "unsigned" || made.Committer.GetName() != forge.MainLogin ||
		!strings.HasSuffix(made.Author.GetEmail(), "@users.noreply."+serverHost) {
		t.Errorf("committed %v, want it unsigned and by the bot", made)
	}
	if err := w.Forge.CreateRepository("a/b", forge.Repository{Immutable: true}); err == nil {
		t.Error("made a repository with immutable releases")
	}
	if err := w.Forge.SetImmutable(networktest.Repository, true); err == nil {
		t.Error("turned immutable releases on")
	}
}

func TestEnterpriseNeedsAName(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"https://git.example.test", "git.example.test:8443", "localhost", "GIT.example.test"} {
		if w, err := networktest.Start(filepath.Join(t.TempDir(), "network"), network.Options{Enterprise: host}); err == nil {
			w.Close()
			t.Errorf("%s was taken", host)
		}
	}
}

// TestPeekLeavesTheBody checks that peeking consumes nothing of the body.
func TestPeekLeavesTheBody(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"a":1}`, `[1]`, ``, `{`} {
		r := &http.Request{Body: http.NoBody}
		if body != "" {
			r, _ = http.NewRequest("POST", "https://x.test", strings.NewReader(body))
		}
		keys, again, err := forge.Peek(r)
		if err != nil {
			t.Fatal(err)
		}
		rest := make([]byte, len(body))
		if n, _ := again.Read(rest); n != len(body) || string(rest) != body || (len(keys) == 1) != (body == `{"a":1}`) {
			t.Errorf("%q: left %q, keys %v", body, rest[:n], keys)
		}
	}
}
