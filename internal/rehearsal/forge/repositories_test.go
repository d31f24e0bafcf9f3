package forge_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

func TestRename(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	app := addToken(t, w, forge.Token{Kind: forge.InstallationToken, Login: "app[bot]", Repositories: with(networktest.Repository, "contents=write")})
	mustCall(t, w, "POST", "/releases", `{"tag_name":"v1"}`)
	before, _, err := networktest.Hub(w).Repositories.Get(t.Context(), owner, repo)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Forge.Rename(networktest.Repository, "new-owner/name"); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: w.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, tc := range []struct {
		method, url string
		status      int
		location    string
	}{
		{"GET", "https://api.github.com/repos/kubestellar/actions", 301, fmt.Sprintf("https://api.github.com/repositories/%d", before.GetID())},
		{"GET", "https://api.github.com/repos/kubestellar/actions/pulls?state=all&page=2", 301,
			fmt.Sprintf("https://api.github.com/repositories/%d/pulls?state=all&page=2", before.GetID())},
		{"POST", "https://api.github.com/repos/kubestellar/actions/git/blobs", 307,
			fmt.Sprintf("https://api.github.com/repositories/%d/git/blobs", before.GetID())},
		{"GET", "https://github.com/api/v3/repos/kubestellar/actions/pulls", 301,
			fmt.Sprintf("https://github.com/api/v3/repositories/%d/pulls", before.GetID())},
		{"GET", "https://github.com/kubestellar/actions/blob/main/README.md", 301, "https://github.com/new-owner/name/blob/main/README.md"},
		{"GET", "https://github.com/kubestellar/actions.git/info/refs?service=git-upload-pack", 301,
			"https://github.com/new-owner/name.git/info/refs?service=git-upload-pack"},
		{"GET", "https://github.com/kubestellar/actions/releases/download/v1/x", 301, "https://github.com/new-owner/name/releases/download/v1/x"},
		{"GET", "https://raw.githubusercontent.com/kubestellar/actions/main/README.md", 301, "https://raw.githubusercontent.com/new-owner/name/main/README.md"},
		{"GET", "https://api.github.com/repositories/999/pulls", 404, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, tc.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Location"); resp.StatusCode != tc.status || got != tc.location {
			t.Errorf("%s %s: %d to %q, want %d to %q", tc.method, tc.url, resp.StatusCode, got, tc.status, tc.location)
		}
	}
	after, _, err := networktest.Hub(w).Repositories.Get(t.Context(), owner, repo)
	if err != nil || after.GetFullName() != "new-owner/name" || after.GetID() != before.GetID() {
		t.Errorf("by the old name %v (%v)", after, err)
	}
	if status, _, _ := callAs(t, w, app, "POST", inRepo("/git/blobs"), `{"content":"x"}`); status != 201 {
		t.Errorf("a write that follows: %d, want 201", status)
	}
	sha := networktest.CommitFile(t, w, clone, "b", "1")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	if got := networktest.Git(t, w, w.Forge.RepositoryDir("new-owner/name"), "rev-parse", "main"); got != sha {
		t.Errorf("a push to the old name set %s, want %s", got, sha)
	}
	networktest.Seed(t, w, networktest.Repository, forge.Repository{})
	fresh, _, err := networktest.Hub(w).Repositories.Get(t.Context(), owner, repo)
	if err != nil || fresh.GetID() == before.GetID() || fresh.GetFullName() != networktest.Repository {
		t.Errorf("taken again, the old name leads to %v (%v)", fresh, err)
	}
	for _, names := range [][2]string{{"no/such", "a/b"}, {networktest.Repository, "new-owner/name"}, {networktest.Repository, "no-owner"}} {
		if err := w.Forge.Rename(names[0], names[1]); err == nil {
			t.Errorf("%s renamed to %s", names[0], names[1])
		}
	}
}

func TestPrivateRepositoryIsNotGivenAwayByItsOldName(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{Private: true})
	if err := w.Forge.Rename(networktest.Repository, "new/name"); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]int{
		"https://api.github.com/repos/kubestellar/actions":                             404,
		"https://api.github.com/repositories/1":                                        404,
		"https://github.com/kubestellar/actions/blob/main/README.md":                   404,
		"https://github.com/kubestellar/actions.git/info/refs?service=git-upload-pack": 401,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d to %q, want %d", url, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
}

// TestReadsLag checks everything that a release reads after a write.
func TestReadsLag(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "bump", "b", "1")
	first := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "main")
	w.Forge.SetLag(forge.Lag{Reads: 4})
	second := mustCall(t, w, "POST", "/git/commits", fmt.Sprintf(`{"message":"m","tree":%q,"parents":[%q]}`, treeOf(t, w, "main"), first))["sha"].(string)
	w.Forge.SetLag(forge.Lag{Reads: 4})
	mustCall(t, w, "PATCH", "/git/refs/heads/main", fmt.Sprintf(`{"sha":%q}`, second))
	for i := range 6 {
		ref, _, err := networktest.Hub(w).Git.GetRef(t.Context(), owner, repo, "heads/main")
		want := first
		if i >= 4 {
			want = second
		}
		if err != nil || ref.Object.GetSHA() != want {
			t.Errorf("read %d: %v (%v), want %s", i+1, ref, err, want)
		}
	}
	if got := networktest.Git(t, w, clone, "ls-remote", "origin", "refs/heads/main"); !strings.HasPrefix(got, second) {
		t.Errorf("git has %s, want %s", got, second)
	}
	if status, answer := callAPI(t, w, "PATCH", inRepo("/git/refs/heads/main"), fmt.Sprintf(`{"sha":%q}`, first)); status != 422 {
		t.Errorf("a write that is not really a fast forward: %d %v", status, answer)
	}
}

func TestReadsOfPullsLag(t *testing.T) {
	t.Parallel()
	var seconds atomic.Int64
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := networktest.New(t, network.Options{Now: func() time.Time { return start.Add(time.Duration(seconds.Load()) * time.Second) }})
	clone := networktest.Seed(t, w, networktest.Repository, forge.Repository{})
	head := offer(t, w, clone, "bump", "b", "1")
	w.Forge.SetLag(forge.Lag{For: 3 * time.Second})
	look := func() string {
		t.Helper()
		all, _, err := networktest.Hub(w).PullRequests.List(t.Context(), owner, repo, nil)
		if err != nil {
			t.Fatal(err)
		}
		shown := ""
		for _, p := range all {
			shown += fmt.Sprintf("%d %s %s", p.GetNumber(), p.GetTitle(), map[bool]string{true: "first", false: "second"}[p.Head.GetSHA() == head])
		}
		return shown
	}
	openPull(t, w, "bump")
	_, _, err := networktest.Hub(w).PullRequests.Create(t.Context(), owner, repo, ask("bump", "main", "again"))
	wantMessage(t, err, "A pull request already exists for kubestellar:bump.")
	_, _, err = networktest.Hub(w).PullRequests.Get(t.Context(), owner, repo, 1)
	networktest.WantStatus(t, "one that cannot be seen yet", err, 404)
	for _, step := range []struct {
		at   int64
		want string
		act  func()
	}{
		{0, "", nil},
		{2, "", func() {
			if _, _, err := networktest.Hub(w).PullRequests.Edit(t.Context(), owner, repo, 1, &github.PullRequest{Title: github.String("new")}); err != nil {
				t.Error(err)
			}
		}},
		{3, "1 Bump bump first", nil},
		{4, "1 Bump bump first", func() { offer(t, w, clone, "bump", "b", "2") }},
		{5, "1 new first", nil},
		{6, "1 new first", nil},
		{7, "1 new second", nil},
	} {
		seconds.Store(step.at)
		if got := look(); got != step.want {
			t.Errorf("after %d seconds %q, want %q", step.at, got, step.want)
		}
		if step.act != nil {
			step.act()
		}
	}
	w.Forge.SetLag(forge.Lag{})
	if err := w.Person("alice").Close(networktest.Repository, 1); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "" {
		t.Errorf("without lag %q", got)
	}
}

// TestRunsLag checks a run and a status, which change in place, before and after.
func TestRunsLag(t *testing.T) {
	t.Parallel()
	w := withWorkflows(t, map[string]string{"bump.yml": "on: workflow_dispatch\njobs: {}\n"})
	head := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "main")
	token := addToken(t, w, forge.Token{Kind: forge.InstallationToken, Login: "app[bot]", Repositories: with(networktest.Repository, "actions=write")})
	w.Forge.SetLag(forge.Lag{Reads: 2})
	if status, message, _ := callAs(t, w, token, "POST", inRepo("/actions/workflows/bump.yml/dispatches"), `{"ref":"main"}`); status != 204 {
		t.Fatalf("dispatch: %d %s", status, message)
	}
	for i, want := range []int{0, 0, 1} {
		runs, _, err := networktest.Hub(w).Actions.ListRepositoryWorkflowRuns(t.Context(), owner, repo, nil)
		if err != nil || runs.GetTotalCount() != want {
			t.Errorf("read %d: %v (%v), want %d runs", i+1, runs, err, want)
		}
		if want == 1 && (len(runs.WorkflowRuns) != 1 || runs.WorkflowRuns[0].GetActor().GetLogin() != "app[bot]") {
			t.Errorf("runs %v, want one of app[bot]'s", runs.WorkflowRuns)
		}
	}
	w.Forge.SetStatus(networktest.Repository, head, "lint", "success")
	statuses, run := w.Forge.Snapshot(networktest.Repository, head)
	w.Forge.SetStatus(networktest.Repository, head, "ci", "success")
	w.Forge.CompleteRun(networktest.Repository, "success")
	if statuses() != 1 || run() != forge.RunQueued {
		t.Errorf("the state before has %d statuses and a run that is %s", statuses(), run())
	}
}
