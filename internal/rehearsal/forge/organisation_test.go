package forge_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

// An organisation's list has the repositories that the caller may see, page by page, in the
// requested order.
func TestOrganisation(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	const more = 33
	for i := range more {
		if err := w.Forge.CreateRepository(fmt.Sprintf("o/r%02d", i), forge.Repository{Private: i == 0}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Forge.CreateRepository("other/x", forge.Repository{}); err != nil {
		t.Fatal(err)
	}
	w.Forge.Archive("o/r01")
	list := func(token string, o github.RepositoryListByOrgOptions) ([]*github.Repository, *github.Response) {
		t.Helper()
		got, res, err := networktest.HubAs(w, token).Repositories.ListByOrg(t.Context(), "o", &o)
		if err != nil {
			t.Fatal(err)
		}
		return got, res
	}
	first, res := list(w.Token(), github.RepositoryListByOrgOptions{Sort: "full_name"})
	if len(first) != 30 || first[0].GetFullName() != "o/r00" || !first[1].GetArchived() || first[2].GetArchived() || res.NextPage != 2 {
		t.Errorf("the first page: %d of them, next %d, %v", len(first), res.NextPage, first[0])
	}
	last, res := list(w.Token(), github.RepositoryListByOrgOptions{Sort: "full_name", ListOptions: github.ListOptions{Page: 2}})
	if len(last) != more-30 || res.NextPage != 0 || last[2].GetFullName() != "o/r32" {
		t.Errorf("the last page: %d of them, next %d", len(last), res.NextPage)
	}
	public, _ := list("", github.RepositoryListByOrgOptions{Direction: "asc", ListOptions: github.ListOptions{PerPage: 100}})
	if len(public) != more-1 || public[0].GetName() != "r01" {
		t.Errorf("the public sees %d, first %s", len(public), public[0].GetName())
	}
	_, _, err := networktest.Hub(w).Repositories.ListByOrg(t.Context(), "nobody", nil)
	networktest.WantStatus(t, "an organisation that is not there", err, 404)
}

// Contents are files, folders and links, by branch, tag and commit. An unchanged one is not sent
// twice.
func TestContents(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	if err := os.MkdirAll(filepath.Join(clone, "a dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("README.md", filepath.Join(clone, "link")); err != nil {
		t.Fatal(err)
	}
	networktest.Git(t, w, clone, "add", "link")
	old := networktest.CommitFile(t, w, clone, "a dir/f.txt", "one\n")
	networktest.CommitFile(t, w, clone, "a dir/f.txt", "two\n")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	contents := func(path, ref string) (*github.RepositoryContent, []*github.RepositoryContent, error) {
		file, dir, _, err := networktest.Hub(w).Repositories.GetContents(t.Context(), owner, repo, path, &github.RepositoryContentGetOptions{Ref: ref})
		return file, dir, err
	}
	for ref, want := range map[string]string{"": "two\n", "main": "two\n", old: "one\n"} {
		file, _, err := contents("a dir/f.txt", ref)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := file.GetContent(); got != want || err != nil {
			t.Errorf("at %q: %q, %v, want %q", ref, got, err, want)
		}
	}
	_, dir, err := contents("a dir", "")
	if err != nil || len(dir) != 1 || dir[0].GetPath() != "a dir/f.txt" || dir[0].GetSize() != 4 {
		t.Errorf("the folder: %v, %v", dir, err)
	}
	link, _, err := contents("link", "")
	if err != nil || link.GetType() != "symlink" || link.GetTarget() != "README.md" {
		t.Errorf("the link: %v, %v", link, err)
	}
	for _, path := range []string{"none", "a dir/none", "a dir/f.txt/x"} {
		_, _, err := contents(path, "")
		networktest.WantStatus(t, path, err, 404)
	}
	_, _, err = contents("README.md", "no-such-branch")
	networktest.WantStatus(t, "a ref that is not there", err, 404)
}

func TestWhatIsKeptIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	edits := 0
	for url, change := range map[string]func(){
		"https://api.github.com/orgs/kubestellar/repos":                          func() { w.Forge.Archive(networktest.Repository) },
		"https://api.github.com/repos/kubestellar/actions/contents/README.md":    nil,
		"https://github.com/api/v3/repos/kubestellar/actions/contents/README.md": nil,
	} {
		if change == nil {
			change = func() {
				edits++
				networktest.CommitFile(t, w, clone, "README.md", fmt.Sprint(edits))
				networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
			}
		}
		for _, accept := range []string{"", "application/vnd.github.raw+json"} {
			if strings.Contains(url, "orgs") && accept != "" {
				continue
			}
			tag, body, status := askWith(t, w, url, accept, "")
			if status != http.StatusOK || tag == "" || len(body) == 0 {
				t.Fatalf("%s: %d, tag %q", url, status, tag)
			}
			if again, body, status := askWith(t, w, url, accept, tag); status != http.StatusNotModified || len(body) != 0 || again != tag {
				t.Errorf("%s, asked again: %d, %d bytes, tag %q, want 304 and nothing", url, status, len(body), again)
			}
			change()
			if other, body, status := askWith(t, w, url, accept, tag); status != http.StatusOK || len(body) == 0 || other == tag {
				t.Errorf("%s, changed: %d, %d bytes, tag %q", url, status, len(body), other)
			}
		}
	}
}

func askWith(t *testing.T, w *networktest.Network, url, accept, tag string) (newTag, body string, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Accept": accept, "If-None-Match": tag} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := (&http.Client{Transport: w.Transport()}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.Header.Get("ETag"), b.String(), res.StatusCode
}
