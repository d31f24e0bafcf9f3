package forge_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
)

const (
	owner = "kubestellar"
	repo  = "actions"
)

func create(t *testing.T, w *networktest.Network, r *github.RepositoryRelease) *github.RepositoryRelease {
	t.Helper()
	made, _, err := networktest.Hub(w).Repositories.CreateRelease(t.Context(), owner, repo, r)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func draft(tag string) *github.RepositoryRelease {
	return &github.RepositoryRelease{TagName: &tag, Draft: github.Bool(true)}
}

func published(tag string) *github.RepositoryRelease {
	return &github.RepositoryRelease{TagName: &tag, Name: &tag}
}

func publish(ctx context.Context, w *networktest.Network, id int64) (*github.RepositoryRelease, error) {
	got, _, err := networktest.Hub(w).Repositories.EditRelease(ctx, owner, repo, id, &github.RepositoryRelease{Draft: github.Bool(false)})
	return got, err
}

func attach(t *testing.T, w *networktest.Network, id int64, name, body string) (*github.ReleaseAsset, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "asset")
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	asset, _, err := networktest.Hub(w).Repositories.UploadReleaseAsset(t.Context(), owner, repo, id, &github.UploadOptions{Name: name}, f)
	return asset, err
}

func TestDraftToPublished(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	head := networktest.Git(t, w, clone, "rev-parse", "HEAD")
	rel := create(t, w, draft("v1.0.0"))
	if _, err := attach(t, w, rel.GetID(), "a b.txt", "content"); err != nil {
		t.Fatal(err)
	}
	_, _, err := networktest.Hub(w).Repositories.GetReleaseByTag(t.Context(), owner, repo, "v1.0.0")
	networktest.WantStatus(t, "a draft by its tag", err, 404)
	_, _, err = networktest.HubAs(w, "").Repositories.GetRelease(t.Context(), owner, repo, rel.GetID())
	networktest.WantStatus(t, "a draft for the public", err, 404)
	if out := networktest.Git(t, w, clone, "ls-remote", "--tags", "origin"); out != "" {
		t.Errorf("a draft made a tag: %s", out)
	}
	done, err := publish(t.Context(), w, rel.GetID())
	if err != nil || done.GetDraft() || done.PublishedAt == nil {
		t.Fatalf("published %+v (%v)", done, err)
	}
	if out := networktest.Git(t, w, clone, "ls-remote", "--tags", "origin"); out != head+"\trefs/tags/v1.0.0" {
		t.Errorf("tags %q, want a lightweight one at %s", out, head)
	}
	status, body, err := networktest.Get(w, done.Assets[0].GetBrowserDownloadURL())
	if err != nil || status != 200 || body != "content" || done.Assets[0].GetName() != "a.b.txt" {
		t.Errorf("download of %s: %d %q (%v)", done.Assets[0].GetBrowserDownloadURL(), status, body, err)
	}
	if status, body, err := networktest.Get(
		w,
		"https://github.com/kubestellar/actions/releases/latest/download/a.b.txt",
	); err != nil || status != 200 ||
		body != "content" {
		t.Errorf("download of the latest: %d %q (%v)", status, body, err)
	}
}

func TestAnExistingTagStays(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	networktest.Git(t, w, clone, "tag", "-a", "-m", "x", "v1.0.0")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "v1.0.0")
	tag := networktest.Git(t, w, clone, "rev-parse", "v1.0.0")
	networktest.CommitFile(t, w, clone, "later", "x")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	create(t, w, published("v1.0.0"))
	if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "v1.0.0"); got != tag {
		t.Errorf("the tag moved to %s, want %s", got, tag)
	}
}

func TestTargetMayBeACommit(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	first := networktest.Git(t, w, clone, "rev-parse", "HEAD")
	networktest.CommitFile(t, w, clone, "later", "x")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	create(t, w, &github.RepositoryRelease{TagName: github.String("v1.0.0"), TargetCommitish: &first})
	if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "v1.0.0"); got != first {
		t.Errorf("the tag is at %s, want %s", got, first)
	}
}

func TestReleaseRefusals(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	create(t, w, published("v1.0.0"))
	second := create(t, w, draft("v1.0.0")) // a draft may have the tag of a published release
	_, err := publish(t.Context(), w, second.GetID())
	wantField(t, "publishing a second release of a tag", err, "already_exists", "tag_name")
	after, _, err := networktest.Hub(w).Repositories.GetRelease(t.Context(), owner, repo, second.GetID())
	if err != nil || !after.GetDraft() {
		t.Errorf("after a refused publication: %+v (%v), want a draft", after, err)
	}
	for name, tc := range map[string]struct {
		release     *github.RepositoryRelease
		code, field string
	}{
		"tag published": {published("v1.0.0"), "already_exists", "tag_name"},
		"no tag":        {&github.RepositoryRelease{}, "missing_field", "tag_name"},
		"bad tag":       {published("v1..0"), "custom", "tag_name"},
		"bad target":    {&github.RepositoryRelease{TagName: github.String("v2"), TargetCommitish: github.String("nowhere")}, "invalid", "target_commitish"},
		"absent commit": {&github.RepositoryRelease{TagName: github.String("v2"), TargetCommitish: github.String(strings.Repeat("a", 40))}, "invalid",
			"target_commitish"},
	} {
		_, _, err := networktest.Hub(w).Repositories.CreateRelease(t.Context(), owner, repo, tc.release)
		wantField(t, name, err, tc.code, tc.field)
	}
}

func wantField(t *testing.T, what string, err error, code, field string) {
	t.Helper()
	networktest.WantStatus(t, what, err, 422)
	if e, ok := err.(*github.ErrorResponse); ok && (len(e.Errors) != 1 || e.Errors[0].Code != code || e.Errors[0].Field != field) {
		t.Errorf("%s: %+v, want %s of %s", what, e.Errors, code, field)
	}
}

func TestReleasesArePaged(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	var want []string
	for i := range 5 {
		tag := fmt.Sprintf("v1.0.%d", i)
		create(t, w, published(tag))
		want = append([]string{tag}, want...)
	}
	create(t, w, draft("v2.0.0"))
	if got := allTags(t, w, networktest.HubAs(w, "")); !slices.Equal(got, want) {
		t.Errorf("the public sees %q, want %q", got, want)
	}
	if got := allTags(t, w, networktest.Hub(w)); !slices.Equal(got, append([]string{"v2.0.0"}, want...)) {
		t.Errorf("a writer sees %q, want the draft too", got)
	}
}

func allTags(t *testing.T, w *networktest.Network, client *github.Client) []string {
	t.Helper()
	var tags []string
	for o := (&github.ListOptions{PerPage: 2}); ; {
		page, resp, err := client.Repositories.ListReleases(t.Context(), owner, repo, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			tags = append(tags, r.GetTagName())
		}
		if o.Page = resp.NextPage; o.Page == 0 {
			return tags
		}
	}
}

func TestLatestRelease(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	latest := func() string {
		got, _, err := networktest.Hub(w).Repositories.GetLatestRelease(t.Context(), owner, repo)
		if err != nil {
			return err.Error()
		}
		return got.GetTagName()
	}
	create(t, w, draft("v0.9.0"))
	_, _, err := networktest.Hub(w).Repositories.GetLatestRelease(t.Context(), owner, repo)
	networktest.WantStatus(t, "latest of none", err, 404)
	first := create(t, w, published("v1.0.0"))
	create(t, w, &github.RepositoryRelease{TagName: github.String("v1.1.0-rc.1"), Prerelease: github.Bool(true)})
	create(t, w, &github.RepositoryRelease{TagName: github.String("v0.9.1"), MakeLatest: github.String("false")})
	if got := latest(); got != "v1.0.0" {
		t.Errorf("latest %s, want v1.0.0", got)
	}
	create(t, w, published("v1.1.0"))
	if got := latest(); got != "v1.1.0" {
		t.Errorf("latest %s, want v1.1.0", got)
	}
	if _, err := networktest.Hub(w).Repositories.DeleteRelease(t.Context(), owner, repo, first.GetID()); err != nil {
		t.Error(err)
	}
	_, _, err = networktest.Hub(w).Repositories.GetRelease(t.Context(), owner, repo, first.GetID())
	networktest.WantStatus(t, "a deleted release", err, 404)
}

func TestAssets(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	rel := create(t, w, draft("v1.0.0"))
	content := noise(t, 5<<20)
	a, err := attach(t, w, rel.GetID(), "tool.tar.gz", content)
	if err != nil {
		t.Fatal(err)
	}
	if a.GetState() != "uploaded" || a.GetSize() != len(content) {
		t.Errorf("asset %+v", a)
	}
	_, err = attach(t, w, rel.GetID(), "tool.tar.gz", "other")
	wantField(t, "same name again", err, "already_exists", "name")
	_, err = attach(t, w, rel.GetID()+99, "x", "x")
	networktest.WantStatus(t, "upload to no release", err, 404)
	_, err = attach(t, w, rel.GetID(), "empty", "")
	networktest.WantStatus(t, "empty upload", err, 400)
	if got := rawDigest(t, w, a.GetURL()); got != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))) {
		t.Errorf("digest %s", got)
	}
	rc, _, err := networktest.Hub(w).Repositories.DownloadReleaseAsset(t.Context(), owner, repo, a.GetID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if b, err := io.ReadAll(rc); err != nil || !bytes.Equal(b, []byte(content)) {
		t.Errorf("downloaded %d bytes (%v), want %d", len(b), err, len(content))
	}
	_, _, err = networktest.HubAs(w, "").Repositories.GetReleaseAsset(t.Context(), owner, repo, a.GetID())
	networktest.WantStatus(t, "asset of a draft for the public", err, 404)
	if _, err := networktest.Hub(w).Repositories.DeleteReleaseAsset(t.Context(), owner, repo, a.GetID()); err != nil {
		t.Error(err)
	}
	left, _, err := networktest.Hub(w).Repositories.ListReleaseAssets(t.Context(), owner, repo, rel.GetID(), nil)
	if err != nil || len(left) != 0 {
		t.Errorf("assets left: %v (%v)", left, err)
	}
}

// rawDigest reads the field that go-github v62 lacks.
func rawDigest(t *testing.T, w *networktest.Network, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+w.Token())
	_, body := networktest.Do(t, w, req)
	var a struct{ Digest string }
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	return a.Digest
}

func TestBrokenUploadBlocksItsName(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	rel := create(t, w, draft("v1.0.0"))
	breakUpload(t, w, rel.GetID(), "half")
	_, err := attach(t, w, rel.GetID(), "half", "whole")
	wantField(t, "after a broken upload", err, "already_exists", "name")
	assets, _, err := networktest.Hub(w).Repositories.ListReleaseAssets(t.Context(), owner, repo, rel.GetID(), nil)
	if err != nil || len(assets) != 1 || assets[0].GetState() != "starter" {
		t.Fatalf("assets %v (%v), want one starter", assets, err)
	}
	if _, err := networktest.Hub(w).Repositories.DeleteReleaseAsset(t.Context(), owner, repo, assets[0].GetID()); err != nil {
		t.Fatal(err)
	}
	if _, err := attach(t, w, rel.GetID(), "half", "whole"); err != nil {
		t.Error(err)
	}
}

// breakUpload promises more than it sends, and waits until the forge notices.
func breakUpload(t *testing.T, w *networktest.Network, id int64, name string) {
	t.Helper()
	transport := w.Transport().(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	var line net.Conn
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		line = c
		return c, err
	}
	url := fmt.Sprintf("https://uploads.github.com/repos/%s/releases/%d/assets?name=%s", networktest.Repository, id, name)
	begun := make(chan struct{})
	w.Intercept(func(networktest.Request) networktest.Fault { close(begun); return networktest.Fault{} })
	body := func(p []byte) (int, error) {
		<-begun
		line.Close()
		return 0, io.ErrUnexpectedEOF
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, readerFunc(body))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 100
	req.Header.Set("Authorization", "Bearer "+w.Token())
	if _, err := (&http.Client{Transport: transport}).Do(req); err == nil {
		t.Error("a broken upload succeeded")
	}
	w.Intercept(nil)
	// Only the record shows when the forge has given up.
	networktest.Until(t, "the forge has given up", func() bool { return w.Requests()[len(w.Requests())-1].Status != 0 })
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestImmutableRelease(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{Immutable: true})
	rel := create(t, w, draft("v1.0.0"))
	a, err := attach(t, w, rel.GetID(), "a", "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := publish(t.Context(), w, rel.GetID()); err != nil {
		t.Fatal(err)
	}
	_, err = attach(t, w, rel.GetID(), "b", "b")
	networktest.WantStatus(t, "upload", err, 422)
	_, err = networktest.Hub(w).Repositories.DeleteReleaseAsset(t.Context(), owner, repo, a.GetID())
	networktest.WantStatus(t, "deleting an asset", err, 422)
	edit := func(r *github.RepositoryRelease) error {
		_, _, err := networktest.Hub(w).Repositories.EditRelease(t.Context(), owner, repo, rel.GetID(), r)
		return err
	}
	networktest.WantStatus(t, "another tag", edit(&github.RepositoryRelease{TagName: github.String("v2")}), 422)
	networktest.WantStatus(t, "back to draft", edit(draft("v1.0.0")), 422)
	if err := edit(&github.RepositoryRelease{Body: github.String("notes"), Prerelease: github.Bool(true)}); err != nil {
		t.Errorf("the texts are free: %v", err)
	}
	networktest.CommitFile(t, w, clone, "a", "b")
	if out, err := networktest.TryGit(w, clone, "push", "--force", "origin", "HEAD:refs/tags/v1.0.0"); err == nil {
		t.Errorf("the tag moved: %s", out)
	}
	if out, err := networktest.TryGit(w, clone, "push", "origin", ":refs/tags/v1.0.0"); err == nil {
		t.Errorf("the tag went: %s", out)
	}
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "HEAD:refs/tags/v1.0.00")
	if _, err := networktest.Hub(w).Repositories.DeleteRelease(t.Context(), owner, repo, rel.GetID()); err != nil {
		t.Fatal(err)
	}
	_, _, err = networktest.Hub(w).Repositories.CreateRelease(t.Context(), owner, repo, published("v1.0.0"))
	wantField(t, "a burned tag", err, "custom", "tag_name")
}

func TestOneOfManyCreations(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	var mu sync.Mutex
	won := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, _, err := networktest.Hub(w).Repositories.CreateRelease(t.Context(), owner, repo, published("v1.0.0")); err == nil {
				mu.Lock()
				defer mu.Unlock()
				won++
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("%d releases of one tag were published, want 1", won)
	}
}

func TestGeneratedNotes(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	rel := create(t, w, &github.RepositoryRelease{TagName: github.String("v1.0.0"), GenerateReleaseNotes: github.Bool(true)})
	if want := "**Full Changelog**: https://github.com/kubestellar/actions/commits/v1.0.0"; rel.GetBody() != want || rel.GetName() != "v1.0.0" {
		t.Errorf("first release %q %q, want %q", rel.GetName(), rel.GetBody(), want)
	}
	notes, _, err := networktest.Hub(w).Repositories.GenerateReleaseNotes(t.Context(), owner, repo, &github.GenerateNotesOptions{TagName: "v1.1.0"})
	if err != nil || !strings.HasSuffix(notes.Body, "/compare/v1.0.0...v1.1.0") {
		t.Errorf("notes %+v (%v)", notes, err)
	}
	for _, r := range w.Requests() {
		if strings.HasSuffix(r.Path, "/generate-notes") && r.Effect {
			t.Errorf("%+v only asks, want no effect", r)
		}
	}
}

func TestCutAfterReleaseDidHappen(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	w.Intercept(func(r networktest.Request) networktest.Fault { return networktest.Fault{CutAfter: r.Effect} })
	if _, _, err := networktest.Hub(w).Repositories.CreateRelease(t.Context(), owner, repo, draft("v1.0.0")); err == nil {
		t.Error("no error was seen")
	}
	w.Intercept(nil)
	if got := allTags(t, w, networktest.Hub(w)); !slices.Equal(got, []string{"v1.0.0"}) {
		t.Errorf("after the cut there are %q, want the draft", got)
	}
}

func TestEnterprisePaths(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	client, err := networktest.Hub(w).WithEnterpriseURLs("https://github.com/", "https://github.com/")
	if err != nil {
		t.Fatal(err)
	}
	rel, _, err := client.Repositories.CreateRelease(t.Context(), owner, repo, draft("v1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := client.Repositories.UploadReleaseAsset(t.Context(), owner, repo, rel.GetID(), &github.UploadOptions{Name: "x"}, f); err != nil {
		t.Error(err)
	}
}
