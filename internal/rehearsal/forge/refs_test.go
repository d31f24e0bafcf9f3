package forge_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

func TestRefs(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	head := networktest.Git(t, w, clone, "rev-parse", "HEAD")
	r, _, err := networktest.Hub(w).Git.GetRef(t.Context(), owner, repo, "heads/main")
	if err != nil || r.GetRef() != "refs/heads/main" || r.Object.GetSHA() != head || r.Object.GetType() != "commit" {
		t.Errorf("main: %v (%v)", r, err)
	}
	_, _, err = networktest.Hub(w).Git.GetRef(t.Context(), owner, repo, "heads/mai")
	networktest.WantStatus(t, "a prefix is no ref", err, 404)
	newRef := func(name, sha string) error {
		_, _, err := networktest.Hub(w).Git.CreateRef(t.Context(), owner, repo, &github.Reference{Ref: &name, Object: &github.GitObject{SHA: &sha}})
		return err
	}
	for _, name := range []string{"refs/heads/release-1.0", "refs/tags/v1.0.0", "refs/heads/a/b"} {
		if err := newRef(name, head); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantMessage(t, newRef("refs/tags/v1.0.0", head), "Reference already exists")
	wantMessage(t, newRef("refs/tags/v1.0.1", strings.Repeat("a", 40)), "Object does not exist")
	wantMessage(t, newRef("refs/tags/v1.0.1", "main"), "Object does not exist")
	wantMessage(t, newRef("refs/tags/v1..1", head), "not a valid ref name")
	wantMessage(t, newRef("refs/one", head), "not a valid ref name")
	wantMessage(t, newRef("refs/tags/v1.0.0/x", head), "Reference update failed")
	found, _, err := networktest.Hub(w).Git.ListMatchingRefs(t.Context(), owner, repo, &github.ReferenceListOptions{Ref: "heads/"})
	if err != nil || len(found) != 3 {
		t.Errorf("branches %v (%v), want 3", found, err)
	}
	none, _, err := networktest.Hub(w).Git.ListMatchingRefs(t.Context(), owner, repo, &github.ReferenceListOptions{Ref: "tags/w"})
	if err != nil || len(none) != 0 {
		t.Errorf("no match: %v (%v), want an empty list", none, err)
	}
}

func wantMessage(t *testing.T, err error, want string) {
	t.Helper()
	networktest.WantStatus(t, want, err, 422)
	if err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("saw %v, want %q", err, want)
	}
}

func TestAnnotatedTag(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	head, kind, name, text := networktest.Git(t, w, clone, "rev-parse", "HEAD"), "commit", "v1.0.0", "Release v1.0.0\n\nSigned-off-by: A <a@b.c>"
	when := github.Timestamp{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	made, _, err := networktest.Hub(w).Git.CreateTag(t.Context(), owner, repo, &github.Tag{
		Tag: &name, Message: &text, Object: &github.GitObject{SHA: &head, Type: &kind},
		Tagger: &github.CommitAuthor{Name: github.String("A"), Email: github.String("a@b.c"), Date: &when},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := networktest.Hub(
		w,
	).Git.CreateRef(
		t.Context(),
		owner,
		repo,
		&github.Reference{Ref: github.String("refs/tags/v1.0.0"), Object: &github.GitObject{SHA: made.SHA}},
	); err != nil {
		t.Fatal(err)
	}
	got, _, err := networktest.Hub(w).Git.GetTag(t.Context(), owner, repo, made.GetSHA())
	if err != nil || got.GetTag() != name || got.GetMessage() != text || got.Object.GetSHA() != head || !got.Tagger.GetDate().Equal(when) {
		t.Errorf("tag %v (%v)", got, err)
	}
	r, _, err := networktest.Hub(w).Git.GetRef(t.Context(), owner, repo, "tags/v1.0.0")
	if err != nil || r.Object.GetType() != "tag" || r.Object.GetSHA() != made.GetSHA() {
		t.Errorf("ref %v (%v), want the tag object", r, err)
	}
	networktest.Git(t, w, clone, "fetch", "--quiet", "--tags", "origin")
	if got := networktest.Git(t, w, clone, "rev-parse", "v1.0.0^{commit}"); got != head {
		t.Errorf("the tag leads to %s, want %s", got, head)
	}
	_, _, err = networktest.Hub(w).Git.GetTag(t.Context(), owner, repo, head)
	networktest.WantStatus(t, "a commit is not a tag object", err, 404)
	_, _, err = networktest.Hub(
		w,
	).Git.CreateTag(
		t.Context(),
		owner,
		repo,
		&github.Tag{Tag: &name, Message: &text, Object: &github.GitObject{SHA: github.String(strings.Repeat("b", 40)), Type: &kind}},
	)
	networktest.WantStatus(t, "a tag of nothing", err, 422)
}

func TestCommits(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	head := networktest.Git(t, w, clone, "rev-parse", "HEAD")
	networktest.Git(t, w, clone, "tag", "-a", "-m", "x", "v1.0.0")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "v1.0.0")
	for _, name := range []string{"main", "heads/main", "v1.0.0", "tags/v1.0.0", head, head[:7], "HEAD"} {
		c, _, err := networktest.Hub(w).Repositories.GetCommit(t.Context(), owner, repo, name, nil)
		if err != nil || c.GetSHA() != head || c.Commit.GetMessage() != "change README.md" || c.Commit.Author.GetName() != "Rehearsal" {
			t.Errorf("%s: %v (%v)", name, c, err)
		}
	}
	if sha, _, err := networktest.Hub(w).Repositories.GetCommitSHA1(t.Context(), owner, repo, "main", ""); err != nil || sha != head {
		t.Errorf("bare SHA %q (%v), want %s", sha, err, head)
	}
	for _, name := range []string{"none", strings.Repeat("a", 40), "aaaaaaa", "main~0", "--all", "main^{tree}"} {
		_, _, err := networktest.Hub(w).Repositories.GetCommit(t.Context(), owner, repo, name, nil)
		networktest.WantStatus(t, name, err, 422)
	}
	b, _, err := networktest.Hub(w).Repositories.GetBranch(t.Context(), owner, repo, "main", 0)
	if err != nil || b.GetName() != "main" || b.Commit.GetSHA() != head {
		t.Errorf("branch %v (%v)", b, err)
	}
	if _, resp, err := networktest.Hub(w).Repositories.GetBranch(t.Context(), owner, repo, "none", 0); err == nil || resp.StatusCode != 404 {
		t.Errorf("absent branch: %v, want 404", err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	base := networktest.Git(t, w, clone, "rev-parse", "HEAD")
	networktest.CommitFile(t, w, clone, "a", "1")
	head := networktest.CommitFile(t, w, clone, "a", "2")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	networktest.Git(t, w, clone, "checkout", "--quiet", "-b", "side", base)
	side := networktest.CommitFile(t, w, clone, "b", "1")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "side")
	for _, tc := range []struct {
		base, head, status string
		ahead, behind      int
	}{
		{base, "main", "ahead", 2, 0},
		{"main", base, "behind", 0, 2},
		{"main", head, "identical", 0, 0},
		{"side", "main", "diverged", 2, 1},
	} {
		c, _, err := networktest.Hub(w).Repositories.CompareCommits(t.Context(), owner, repo, tc.base, tc.head, nil)
		if err != nil || c.GetStatus() != tc.status || c.GetAheadBy() != tc.ahead || c.GetBehindBy() != tc.behind || len(c.Commits) != tc.ahead ||
			c.MergeBaseCommit.GetSHA() == "" {
			t.Errorf("%s...%s: %v (%v), want %s %d %d", tc.base, tc.head, c, err, tc.status, tc.ahead, tc.behind)
		}
		if tc.ahead > 0 && c.Commits[tc.ahead-1].GetSHA() != head {
			t.Errorf("last commit %s, want the newest, %s", c.Commits[tc.ahead-1].GetSHA(), head)
		}
	}
	page, resp, err := networktest.Hub(w).Repositories.CompareCommits(t.Context(), owner, repo, side, "main", &github.ListOptions{PerPage: 1})
	if err != nil || len(page.Commits) != 1 || resp.NextPage != 2 {
		t.Errorf("first page %v, next %d (%v)", page.Commits, resp.NextPage, err)
	}
	networktest.Git(t, w, clone, "checkout", "--quiet", "--orphan", "alone")
	networktest.CommitFile(t, w, clone, "c", "1")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "alone")
	for _, absent := range []string{"none", "alone"} {
		_, _, err = networktest.Hub(w).Repositories.CompareCommits(t.Context(), owner, repo, "main", absent, nil)
		networktest.WantStatus(t, "compare with "+absent, err, 404)
	}
}

func TestRepositoryAndUser(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	r, _, err := networktest.Hub(w).Repositories.Get(t.Context(), owner, repo)
	if err != nil || r.GetFullName() != networktest.Repository || r.GetDefaultBranch() != "main" || !r.GetPermissions()["push"] || r.GetNodeID() == "" {
		t.Errorf("repository %v (%v)", r, err)
	}
	r, _, err = networktest.HubAs(w, "").Repositories.Get(t.Context(), owner, repo)
	if err != nil || r.GetPermissions()["push"] || !r.GetPermissions()["pull"] {
		t.Errorf("for the public %v (%v)", r.GetPermissions(), err)
	}
	u, _, err := networktest.Hub(w).Users.Get(t.Context(), "")
	if err != nil || u.GetLogin() == "" || u.GetID() == 0 {
		t.Errorf("user %v (%v)", u, err)
	}
	limits, _, err := networktest.Hub(w).RateLimit.Get(t.Context())
	if err != nil || limits.Core.Remaining == 0 {
		t.Errorf("limits %v (%v)", limits, err)
	}
}

func TestForgeAccess(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	for name, o := range map[string]forge.Repository{
		"public": {Rights: "none"}, "private": {Private: true}, "readable": {Private: true, Rights: "read"}, "closed": {Private: true, Rights: "none"},
	} {
		if err := w.Forge.CreateRepository("o/"+name, o); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		token, repository string
		read, write       int // 0 is success
	}{
		{"", "public", 0, 401},
		{"", "private", 404, 404},
		{"", "absent", 404, 404},
		{"wrong", "public", 401, 401},
		{w.Token(), "public", 0, 403},
		{w.Token(), "private", 0, 0},
		{w.Token(), "readable", 0, 403},
		{w.Token(), "closed", 404, 404},
		{w.Token(), "absent", 404, 404},
	} {
		client := networktest.HubAs(w, tc.token)
		_, _, err := client.Repositories.Get(t.Context(), "o", tc.repository)
		networktest.WantStatus(t, "reading "+tc.repository+" with "+tc.token, err, tc.read)
		_, _, err = client.Repositories.Dispatch(t.Context(), "o", tc.repository, github.DispatchRequestOptions{EventType: "x"})
		networktest.WantStatus(t, "writing "+tc.repository+" with "+tc.token, err, tc.write)
	}
	_, _, err := networktest.HubAs(w, "").Users.Get(t.Context(), "")
	networktest.WantStatus(t, "nobody's user", err, 401)
}

func TestDispatches(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	send := func(event, payload string) int {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.github.com/repos/"+networktest.Repository+"/dispatches",
			strings.NewReader(`{"event_type":"`+event+`","client_payload":`+payload+`}`))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("x", w.Token())
		req.Header.Set("Content-Type", "application/json")
		status, _ := networktest.Do(t, w, req)
		return status
	}
	for _, tc := range []struct {
		event, payload string
		want           int
	}{
		{"released", `{"component":"a"}`, 204},
		{"bare", `{}`, 204},
		{"null", `null`, 422},
		{"", `{}`, 422},
		{strings.Repeat("x", 101), `{}`, 422},
		{"x", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1}`, 422},
		{"x", `[]`, 422},
		{"x", `{`, 400},
	} {
		if got := send(tc.event, tc.payload); got != tc.want {
			t.Errorf("%s %s: %d, want %d", tc.event, tc.payload, got, tc.want)
		}
	}
	got := w.Forge.Dispatches(networktest.Repository)
	if len(got) != 2 || got[0].EventType != "released" || string(got[0].ClientPayload) != `{"component":"a"}` {
		t.Errorf("received %v", got)
	}
	if got := w.Forge.Dispatches("no/such"); got != nil {
		t.Errorf("no repository received %v", got)
	}
}

func TestUnknownEndpointIsNotAbsence(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	for _, url := range []string{"https://api.github.com/repos/kubestellar/actions/milestones", "https://github.com/kubestellar/actions/wiki",
		"https://uploads.github.com/"} {
		if status, body, err := networktest.Get(w, url); err != nil || status != http.StatusNotImplemented || !strings.Contains(body, "rehearsal") {
			t.Errorf("%s: %d %s (%v), want 501", url, status, body, err)
		}
	}
}
