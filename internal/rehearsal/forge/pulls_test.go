package forge_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

// offer pushes a branch with one commit on top of main.
func offer(t *testing.T, w *networktest.Network, clone, branch, file, content string) string {
	t.Helper()
	networktest.Git(t, w, clone, "checkout", "--quiet", "-B", branch, "origin/main")
	sha := networktest.CommitFile(t, w, clone, file, content)
	networktest.Git(t, w, clone, "push", "--quiet", "--force", "origin", branch)
	return sha
}

func ask(head, base, title string) *github.NewPullRequest {
	return &github.NewPullRequest{Head: &head, Base: &base, Title: &title}
}

func openPull(t *testing.T, w *networktest.Network, head string) *github.PullRequest {
	t.Helper()
	p, _, err := networktest.Hub(w).PullRequests.Create(t.Context(), owner, repo, ask(head, "main", "Bump "+head))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mergePull(t *testing.T, w *networktest.Network, number int, o *github.PullRequestOptions) (*github.PullRequestMergeResult, error) {
	t.Helper()
	result, _, err := networktest.Hub(w).PullRequests.Merge(t.Context(), owner, repo, number, "", o)
	return result, err
}

func theOne(t *testing.T, w *networktest.Network) forge.PullRequest {
	t.Helper()
	all := w.Forge.PullRequests(networktest.Repository)
	if len(all) != 1 {
		t.Fatalf("pull requests %+v, want 1", all)
	}
	return all[0]
}

func TestPullRequestIsMerged(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
	clone := networktest.Seed(t, w, networktest.Repository, forge.Repository{})
	head := offer(t, w, clone, "bump", "b", "1\n")
	networktest.Git(t, w, clone, "checkout", "--quiet", "main")
	base := networktest.CommitFile(t, w, clone, "c", "1\n")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	p := openPull(t, w, owner+":bump")
	if p.GetNumber() != 1 || p.GetState() != "open" || p.Head.GetSHA() != head || p.Head.GetRef() != "bump" || p.Base.GetSHA() != base ||
		p.Base.Repo.GetFullName() != networktest.Repository {
		t.Errorf("opened %v", p)
	}
	if !p.GetMergeable() || p.GetMergeableState() != "clean" || p.GetCommits() != 1 || p.GetChangedFiles() != 1 || p.GetAdditions() != 1 {
		t.Errorf("opened %v, want it to be mergeable, of one commit and file", p)
	}
	if merged, _, err := networktest.Hub(w).PullRequests.IsMerged(t.Context(), owner, repo, 1); err != nil || merged {
		t.Errorf("merged %t (%v), want not yet", merged, err)
	}
	result, err := mergePull(t, w, 1, &github.PullRequestOptions{SHA: head})
	if err != nil || !result.GetMerged() {
		t.Fatalf("merge: %v (%v)", result, err)
	}
	networktest.Git(t, w, clone, "pull", "--quiet", "--ff-only", "origin", "main")
	want := strings.Join(
		[]string{
			result.GetSHA(),
			base + " " + head,
			forge.MainLogin,
			"2026-01-02T03:04:05+00:00",
			"Merge pull request #1 from kubestellar/bump",
			"Bump kubestellar:bump",
		},
		"\n",
	)
	if got := networktest.Git(t, w, clone, "log", "-1", "--format=%H%n%P%n%an%n%cI%n%s%n%b"); got != want {
		t.Errorf("main is\n%s\nwant\n%s", got, want)
	}
	if got := networktest.Git(t, w, clone, "ls-tree", "--name-only", "HEAD"); got != "README.md\nb\nc" {
		t.Errorf("main holds %q", got)
	}
	networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "fsck", "--strict")
	p, _, err = networktest.Hub(w).PullRequests.Get(t.Context(), owner, repo, 1)
	if err != nil || !p.GetMerged() || p.GetState() != "closed" || p.GetMergeCommitSHA() != result.GetSHA() || p.MergedAt == nil ||
		p.GetMergedBy().GetLogin() != forge.MainLogin ||
		p.GetCommits() != 1 {
		t.Errorf("merged %v (%v)", p, err)
	}
	if merged, _, err := networktest.Hub(w).PullRequests.IsMerged(t.Context(), owner, repo, 1); err != nil || !merged {
		t.Errorf("merged %t (%v), want so", merged, err)
	}
	if got := theOne(
		t,
		w,
	); !got.Merged || got.State != "closed" || got.MergeCommit != result.GetSHA() || got.HeadSHA != head || got.Base != "main" ||
		got.Head != "bump" {
		t.Errorf("the forge has %+v", got)
	}
}

func TestPullRequestRefusals(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "bump", "b", "1")
	openPull(t, w, "bump")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "origin/main:refs/heads/same")
	networktest.Git(t, w, clone, "checkout", "--quiet", "--orphan", "alone")
	networktest.CommitFile(t, w, clone, "c", "1")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "alone")
	for _, tc := range []struct {
		head, base, title string
		status            int
		message           string
	}{
		{"bump", "main", "again", 422, "A pull request already exists for kubestellar:bump."},
		{"kubestellar:bump", "main", "again", 422, "A pull request already exists for kubestellar:bump."},
		{"none", "main", "x", 422, "Field:head Code:invalid"},
		{"other:bump", "main", "x", 422, "Field:head Code:invalid"},
		{"bump", "none", "x", 422, "Field:base Code:invalid"},
		{"same", "main", "x", 422, "No commits between main and same"},
		{"main", "main", "x", 422, "No commits between main and main"},
		{"alone", "main", "x", 422, "The alone branch has no history in common with main"},
		{"bump", "same", " ", 422, "Resource:Issue Field:title Code:missing_field"},
		{"", "main", "x", 422, `"head" wasn't supplied.`},
		{"bump", "", "x", 422, `"base" wasn't supplied.`},
		{"bump", "same", "another base", 0, ""},
	} {
		_, _, err := networktest.Hub(w).PullRequests.Create(t.Context(), owner, repo, ask(tc.head, tc.base, tc.title))
		networktest.WantStatus(t, tc.head+" into "+tc.base, err, tc.status)
		if err != nil && !strings.Contains(err.Error(), tc.message) {
			t.Errorf("%s into %s: %v, want %q", tc.head, tc.base, err, tc.message)
		}
	}
	fork := ask("bump", "main", "x")
	fork.HeadRepo = github.String("fork")
	_, _, err := networktest.Hub(w).PullRequests.Create(t.Context(), owner, repo, fork)
	networktest.WantStatus(t, "from a fork", err, 501)
	_, _, err = networktest.Hub(w).PullRequests.Get(t.Context(), owner, repo, 3)
	networktest.WantStatus(t, "no such number", err, 404)
	if got := w.Forge.PullRequests(networktest.Repository); len(got) != 2 {
		t.Errorf("refused ones left %+v", got)
	}
	if got := w.Forge.PullRequests("no/such"); got != nil {
		t.Errorf("no repository has %v", got)
	}
}

// TestEveryWriteNeedsTheRight requests every endpoint that writes, without the token and
// with it, in a repository that it may only read.
func TestEveryWriteNeedsTheRight(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	if err := w.Forge.CreateRepository("o/read", forge.Repository{Rights: "read"}); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, e := range forge.Endpoints() {
		if e.Method == "GET" || !strings.HasPrefix(e.Path, forge.RepoPath) {
			continue
		}
		path := strings.NewReplacer("{owner}", "o", "{repo}", "read", "{number#}", "1", "{id#}", "1").Replace(e.Path)
		for token, want := range map[string]int{"": 401, w.Token(): 403} {
			req, err := http.NewRequestWithContext(t.Context(), e.Method, "https://api.github.com"+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			asked++
			if status, body := networktest.Do(t, w, req); status != want {
				t.Errorf("%s %s with %q: %d %s, want %d", e.Method, path, token, status, body, want)
			}
		}
	}
	if asked < 20 {
		t.Errorf("asked only %d times", asked)
	}
}

func TestPullRequestsAreListed(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "origin/main:refs/heads/release-1.0")
	for _, branch := range []string{"one", "two", "three"} {
		offer(t, w, clone, branch, branch, "1")
		openPull(t, w, branch)
	}
	if _, _, err := networktest.Hub(w).PullRequests.Create(t.Context(), owner, repo, ask("two", "release-1.0", "x")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := networktest.Hub(w).PullRequests.Edit(t.Context(), owner, repo, 1, &github.PullRequest{State: github.String("closed")}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		o    github.PullRequestListOptions
		want []int
	}{
		{github.PullRequestListOptions{}, []int{4, 3, 2}},
		{github.PullRequestListOptions{State: "all"}, []int{4, 3, 2, 1}},
		{github.PullRequestListOptions{State: "closed"}, []int{1}},
		{github.PullRequestListOptions{Head: "kubestellar:two"}, []int{4, 2}},
		{github.PullRequestListOptions{Head: "kubestellar:two", Base: "main"}, []int{2}},
		{github.PullRequestListOptions{Head: "kubestellar:one"}, nil},
		{github.PullRequestListOptions{Head: "other:two"}, nil},
		{github.PullRequestListOptions{Head: "two"}, []int{4, 3, 2}},
		{github.PullRequestListOptions{Base: "release-1.0"}, []int{4}},
		{github.PullRequestListOptions{Direction: "asc"}, []int{2, 3, 4}},
		{github.PullRequestListOptions{State: "all", Sort: "updated", Direction: "desc"}, []int{1, 4, 3, 2}},
		{github.PullRequestListOptions{State: "all", Sort: "updated"}, []int{2, 3, 4, 1}},
		{github.PullRequestListOptions{ListOptions: github.ListOptions{PerPage: 2}}, []int{4, 3}},
		{github.PullRequestListOptions{ListOptions: github.ListOptions{PerPage: 2, Page: 2}}, []int{2}},
	} {
		found, resp, err := networktest.Hub(w).PullRequests.List(t.Context(), owner, repo, &tc.o)
		var got []int
		for _, p := range found {
			got = append(got, p.GetNumber())
		}
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%+v: %v (%v), want %v", tc.o, got, err, tc.want)
		}
		if err == nil && tc.o.PerPage > 0 && tc.o.Page == 0 && resp.NextPage != 2 {
			t.Errorf("%+v: next page %d, want 2", tc.o, resp.NextPage)
		}
	}
	_, _, err := networktest.Hub(w).PullRequests.List(t.Context(), owner, repo, &github.PullRequestListOptions{State: "merged"})
	networktest.WantStatus(t, "no such state", err, 422)
	_, _, err = networktest.Hub(w).PullRequests.List(t.Context(), owner, repo, &github.PullRequestListOptions{Sort: "popularity"})
	networktest.WantStatus(t, "an order that the forge has not", err, 501)
}

func TestPullRequestIsEdited(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "bump", "b", "1")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "origin/main:refs/heads/other")
	openPull(t, w, "bump")
	edit := func(p github.PullRequest) error {
		_, _, err := networktest.Hub(w).PullRequests.Edit(t.Context(), owner, repo, 1, &p)
		return err
	}
	if err := edit(github.PullRequest{Title: github.String("new"), Body: github.String("why")}); err != nil {
		t.Error(err)
	}
	if got := theOne(t, w); got.Title != "new" || got.Body != "why" || got.State != "open" {
		t.Errorf("edited to %+v", got)
	}
	wantField(t, "no title", edit(github.PullRequest{Title: github.String(""), Body: github.String("lost")}), "missing_field", "title")
	wantField(t, "unknown state", edit(github.PullRequest{State: github.String("merged")}), "invalid", "state")
	wantField(t, "unknown base", edit(github.PullRequest{Base: &github.PullRequestBranch{Ref: github.String("none")}}), "invalid", "base")
	if err := edit(github.PullRequest{Base: &github.PullRequestBranch{Ref: github.String("other")}}); err != nil {
		t.Error(err)
	}
	if err := edit(github.PullRequest{State: github.String("closed")}); err != nil {
		t.Error(err)
	}
	if got := theOne(t, w); got.Title != "new" || got.Body != "why" || got.Base != "other" || got.State != "closed" || got.Merged {
		t.Errorf("closed %+v", got)
	}
	onMain := &github.PullRequest{Base: &github.PullRequestBranch{Ref: github.String("main")}}
	_, _, err := networktest.Hub(w).PullRequests.Edit(t.Context(), owner, repo, 1, onMain)
	wantMessage(t, err, "Cannot change base branch of closed pull request")
	second := ask("bump", "other", "second")
	if _, _, err := networktest.Hub(w).PullRequests.Create(t.Context(), owner, repo, second); err != nil {
		t.Error(err)
	}
	wantMessage(t, edit(github.PullRequest{State: github.String("open")}), "A pull request already exists for kubestellar:bump.")
	if _, err := mergePull(t, w, 2, nil); err != nil {
		t.Error(err)
	}
	_, _, err = networktest.Hub(w).PullRequests.Edit(t.Context(), owner, repo, 2, &github.PullRequest{State: github.String("open")})
	wantField(t, "a merged one is not opened again", err, "custom", "state")
	wantMessage(t, edit(github.PullRequest{State: github.String("open")}), "No commits between other and bump")
}

func TestReopenedPullRequestIsWhereItsBranchIs(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "bump", "b", "1")
	openPull(t, w, "bump")
	for _, state := range []string{"closed", "open"} {
		head := offer(t, w, clone, "bump", "b", state)
		p, _, err := networktest.Hub(w).PullRequests.Edit(t.Context(), owner, repo, 1, &github.PullRequest{State: &state})
		if err != nil || p.GetState() != state || p.Head.GetSHA() != head || (p.ClosedAt != nil) != (state == "closed") {
			t.Errorf("%s: %v (%v), want it at %s", state, p, err, head)
		}
	}
}

func TestMergeRefusals(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	head := offer(t, w, clone, "clash", "README.md", "theirs\n")
	offer(t, w, clone, "fine", "b", "1")
	offer(t, w, clone, "early", "c", "1")
	openPull(t, w, "clash")
	openPull(t, w, "fine")
	early := ask("early", "main", "x")
	early.Draft = github.Bool(true)
	if _, _, err := networktest.Hub(w).PullRequests.Create(t.Context(), owner, repo, early); err != nil {
		t.Fatal(err)
	}
	main := offer(t, w, clone, "main", "README.md", "ours\n")
	for _, tc := range []struct {
		number  int
		o       github.PullRequestOptions
		status  int
		message string
	}{
		{1, github.PullRequestOptions{}, 405, "Pull Request is not mergeable"},
		{2, github.PullRequestOptions{SHA: head}, 409, "Head branch was modified. Review and try the merge again."},
		{2, github.PullRequestOptions{MergeMethod: "rebase"}, 405, "Rebase merges are not allowed on this repository."},
		{2, github.PullRequestOptions{MergeMethod: "octopus"}, 422, "octopus"},
		{3, github.PullRequestOptions{}, 405, "Pull Request is still a draft"},
		{4, github.PullRequestOptions{}, 404, "Not Found"},
	} {
		_, err := mergePull(t, w, tc.number, &tc.o)
		networktest.WantStatus(t, fmt.Sprintf("%d %+v", tc.number, tc.o), err, tc.status)
		if err != nil && !strings.Contains(err.Error(), tc.message) {
			t.Errorf("%d %+v: %v, want %q", tc.number, tc.o, err, tc.message)
		}
	}
	p, _, err := networktest.Hub(w).PullRequests.Get(t.Context(), owner, repo, 1)
	if err != nil || p.Mergeable == nil || p.GetMergeable() || p.GetMergeableState() != "dirty" {
		t.Errorf("in conflict: %v (%v)", p, err)
	}
	if _, _, err := networktest.Hub(w).PullRequests.Edit(t.Context(), owner, repo, 2, &github.PullRequest{State: github.String("closed")}); err != nil {
		t.Fatal(err)
	}
	_, err = mergePull(t, w, 2, nil)
	networktest.WantStatus(t, "a closed one", err, 405)
	status, message := w.Forge.MoveRef(networktest.Repository, "refs/heads/main", head, head)
	if status != 405 || message != "Base branch was modified. Review and try the merge again." {
		t.Errorf("a push was faster: %d %q", status, message)
	}
	if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "main"); got != main {
		t.Errorf("refused merges moved main to %s, want %s", got, main)
	}
}

func TestSquash(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "one", "a", "1")
	offer(t, w, clone, "two", "b", "1")
	networktest.CommitFile(t, w, clone, "c", "1")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "two")
	openPull(t, w, "one")
	openPull(t, w, "two")
	for number, want := range map[int]string{1: "change a (#1)", 2: "Bump two (#2)\n\n* change b\n\n* change c"} {
		base := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "main")
		result, err := mergePull(t, w, number, &github.PullRequestOptions{MergeMethod: "squash"})
		if err != nil {
			t.Fatal(err)
		}
		if got := networktest.Git(
			t,
			w,
			w.Forge.RepositoryDir(networktest.Repository),
			"log",
			"-1",
			"--format=%H %P%n%B",
			"main",
		); got != result.GetSHA()+" "+base+"\n"+want {
			t.Errorf("squashed to %q, want %q", got, want)
		}
	}
	if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "ls-tree", "--name-only", "main"); got != "README.md\na\nb\nc" {
		t.Errorf("main holds %q", got)
	}
}

func TestMergeWithoutABodyAndWithItsOwnText(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "one", "a", "1")
	offer(t, w, clone, "two", "b", "1")
	openPull(t, w, "one")
	openPull(t, w, "two")
	req, err := http.NewRequestWithContext(t.Context(), "PUT", "https://api.github.com/repos/"+networktest.Repository+"/pulls/1/merge", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.Token())
	if status, body := networktest.Do(t, w, req); status != 200 {
		t.Errorf("without a body: %d %s", status, body)
	}
	if _, err := mergePull(t, w, 2, &github.PullRequestOptions{CommitTitle: "mine", DontDefaultIfBlank: true}); err != nil {
		t.Error(err)
	}
	if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "log", "-1", "--format=%B", "main"); got != "mine" {
		t.Errorf("text %q, want its own", got)
	}
}

func TestPullRequestFollowsItsBranches(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		push   []string // after "origin"
		state  string
		merged bool
	}{
		{"more commits", []string{"more:bump"}, "open", false},
		{"head is gone", []string{":bump"}, "closed", false},
		{"base is gone", []string{":base"}, "closed", false},
		{"merged by a push", []string{"bump:base"}, "closed", true},
		{"merged by a push, and the head is gone", []string{"bump:base", ":bump"}, "closed", true},
		{"merged with more commits by a push", []string{"more:bump", "more:base"}, "closed", true},
		{"set back to the base", []string{"+origin/main:bump"}, "closed", false},
		{"set beside the base", []string{"+beside:bump"}, "open", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, clone := networktest.Seeded(t, forge.Repository{})
			networktest.Git(t, w, clone, "push", "--quiet", "origin", "main:base")
			offer(t, w, clone, "beside", "b", "2")
			offer(t, w, clone, "bump", "b", "1")
			networktest.Git(t, w, clone, "checkout", "--quiet", "-b", "more")
			networktest.CommitFile(t, w, clone, "b", "3")
			if _, _, err := networktest.Hub(w).PullRequests.Create(t.Context(), owner, repo, ask("bump", "base", "x")); err != nil {
				t.Fatal(err)
			}
			networktest.Git(t, w, clone, append([]string{"push", "--quiet", "origin"}, tc.push...)...)
			p, _, err := networktest.Hub(w).PullRequests.Get(t.Context(), owner, repo, 1)
			if err != nil || p.GetState() != tc.state || p.GetMerged() != tc.merged {
				t.Errorf("%v (%v), want %s and merged %t", p, err, tc.state, tc.merged)
			}
			if head, err := networktest.TryGit(
				w,
				w.Forge.RepositoryDir(networktest.Repository),
				"rev-parse",
				"--verify",
				"bump",
			); err == nil &&
				p.Head.GetSHA() != head {
				t.Errorf("head %s, want the branch's %s", p.Head.GetSHA(), head)
			}
			if got := theOne(t, w); got.State != tc.state || got.Merged != tc.merged {
				t.Errorf("the forge has %+v", got)
			}
		})
	}
}

func TestPullRequestsOutliveTheWorld(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "bump", "b", "1")
	openPull(t, w, "bump")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := theOne(t, w); got.Title != "Bump bump" || got.State != "open" {
		t.Errorf("after Close %+v", got)
	}
}

func TestPullRequestFiles(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	networktest.Git(t, w, clone, "checkout", "--quiet", "-b", "bump")
	networktest.CommitFile(t, w, clone, "odd name\té.txt", "1\n2\n")
	networktest.CommitFile(t, w, clone, "binary", "\x00\x01")
	networktest.Git(t, w, clone, "rm", "--quiet", "README.md")
	networktest.Git(t, w, clone, "commit", "--quiet", "-m", "remove")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "bump")
	openPull(t, w, "bump")
	files, _, err := networktest.Hub(w).PullRequests.ListFiles(t.Context(), owner, repo, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, fmt.Sprintf("%s %s +%d-%d", f.GetStatus(), f.GetFilename(), f.GetAdditions(), f.GetDeletions()))
		if kind, err := w.Forge.Git(networktest.Repository, "", "cat-file", "-t", f.GetSHA()); err != nil || kind != "blob\n" {
			t.Errorf("%s is %q (%v), want a blob", f.GetSHA(), kind, err)
		}
		status, body, err := networktest.Get(w, f.GetBlobURL())
		if want := map[bool]int{true: 404, false: 200}[f.GetStatus() == "removed"]; err != nil || status != want {
			t.Errorf("%s: %d %s (%v), want %d", f.GetBlobURL(), status, body, err, want)
		}
	}
	if want := []string{"removed README.md +0-1", "added binary +0-0", "added odd name\té.txt +2-0"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestLabelsAndComments(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "bump", "b", "1")
	openPull(t, w, "bump")
	issues := networktest.Hub(w).Issues
	if _, _, err := issues.AddLabelsToIssue(t.Context(), owner, repo, 1, []string{"kind/bump", "auto"}); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(
		t.Context(),
		"POST",
		"https://api.github.com/repos/"+networktest.Repository+"/issues/1/labels",
		strings.NewReader(`{"labels":["AUTO","new"]}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.Token())
	if status, body := networktest.Do(t, w, req); status != 200 || !strings.Contains(body, `"kind/bump"`) {
		t.Errorf("labels in an object: %d %s, want all labels", status, body)
	}
	_, _, err = issues.AddLabelsToIssue(t.Context(), owner, repo, 1, []string{" "})
	wantField(t, "label without a name", err, "missing_field", "name")
	_, _, err = issues.AddLabelsToIssue(t.Context(), owner, repo, 2, []string{"x"})
	networktest.WantStatus(t, "label on nothing", err, 404)
	made, _, err := issues.CreateComment(t.Context(), owner, repo, 1, &github.IssueComment{Body: github.String("hello")})
	if err != nil || made.GetBody() != "hello" || made.GetID() == 0 ||
		!strings.HasSuffix(made.GetHTMLURL(), fmt.Sprintf("/pull/1#issuecomment-%d", made.GetID())) {
		t.Errorf("comment %v (%v)", made, err)
	}
	_, _, err = issues.CreateComment(t.Context(), owner, repo, 1, &github.IssueComment{Body: github.String("")})
	wantField(t, "empty comment", err, "missing_field", "body")
	_, _, err = issues.CreateComment(t.Context(), owner, repo, 2, &github.IssueComment{Body: github.String("x")})
	networktest.WantStatus(t, "comment on nothing", err, 404)
	if got := theOne(t, w); !slices.Equal(got.Labels, []string{"kind/bump", "auto", "new"}) || !slices.Equal(got.Comments, []string{"hello"}) {
		t.Errorf("the forge has %+v", got)
	}
	labels, _, err := issues.ListLabelsByIssue(t.Context(), owner, repo, 1, nil)
	if err != nil || len(labels) != 3 || labels[0].GetID() == 0 || labels[0].GetName() != "kind/bump" {
		t.Errorf("labels %v (%v)", labels, err)
	}
	comments, _, err := issues.ListComments(t.Context(), owner, repo, 1, nil)
	if err != nil || len(comments) != 1 || comments[0].GetBody() != "hello" {
		t.Errorf("comments %v (%v)", comments, err)
	}
	p, _, err := networktest.Hub(w).PullRequests.Get(t.Context(), owner, repo, 1)
	if err != nil || len(p.Labels) != 3 || p.GetComments() != 1 {
		t.Errorf("pull request %v (%v)", p, err)
	}
}
