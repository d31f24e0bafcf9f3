package world

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"
)

// faulty lets every request to the API suffer f.
func faulty(w *World, f Fault) {
	w.Intercept(func(r Request) Fault {
		if r.Host == hostAPI {
			return f
		}
		return Fault{}
	})
}

// askAPI answers with what was read of the body and how the reading ended.
func askAPI(t *testing.T, w *World, method, path, body string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.github.com"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+w.Token())
	resp, err := (&http.Client{Transport: w.Transport()}).Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	return resp, read, err
}

// Who schedules requests learns who sent each, and when it is over, however it ends.
func TestDoneIsTold(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t, Repository{})
	for name, fault := range map[string]Fault{"answered": {}, "refused": {Status: 502}, "cut before": {CutBefore: true}, "cut after": {CutAfter: true}} {
		done := make(chan string, 1)
		w.Intercept(func(r Request) Fault {
			fault := fault
			fault.Done = func() { done <- r.Agent }
			return fault
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.github.com"+inRepo("/labels"), strings.NewReader(`{"name":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", "somebody")
		if resp, err := w.Transport().RoundTrip(req); err == nil {
			resp.Body.Close()
		}
		select {
		case agent := <-done:
			if agent != "somebody" {
				t.Errorf("%s: sent by %q, want somebody", name, agent)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: nobody said that it is over", name)
		}
	}
}

func TestTruncatedAnswer(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t, Repository{})
	_, whole, err := askAPI(t, w, "GET", inRepo(""), "")
	if err != nil {
		t.Fatal(err)
	}
	faulty(w, Fault{Truncated: true})
	resp, half, err := askAPI(t, w, "GET", inRepo(""), "")
	if !errors.Is(err, io.ErrUnexpectedEOF) || resp.StatusCode != 200 || string(half) != string(whole[:len(whole)/2]) {
		t.Errorf("%v, %d of %d bytes (%v), want half of them and an early end", resp, len(half), len(whole), err)
	}
	if _, _, err := askAPI(t, w, "POST", inRepo("/labels"), `{"name":"done"}`); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a write: %v, want an early end", err)
	}
	if _, _, err := askAPI(t, w, "POST", inRepo("/dispatches"), `{"event_type":"x"}`); err == nil {
		t.Error("an answer without a body came, want none")
	}
	w.Intercept(nil)
	labels, _, err := hub(w).Issues.ListLabels(t.Context(), owner, repo, nil)
	if err != nil || len(labels) != 1 || len(w.Dispatches(testRepository)) != 1 {
		t.Errorf("labels %v (%v) and %d dispatches, want the writes done", labels, err, len(w.Dispatches(testRepository)))
	}
	for _, r := range w.Requests() {
		if r.Path == inRepo("/labels") && r.Effect && r.Status != 201 {
			t.Errorf("recorded %+v, want what the forge answered", r)
		}
	}
}

func TestTrickledAnswer(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t, Repository{})
	_, whole, err := askAPI(t, w, "GET", "/rate_limit", "")
	if err != nil {
		t.Fatal(err)
	}
	const pause = 5 * time.Millisecond
	faulty(w, Fault{Trickle: pause})
	begin := time.Now()
	_, body, err := askAPI(t, w, "GET", "/rate_limit", "")
	pieces := (len(whole) + trickleSize - 1) / trickleSize
	if took := time.Since(begin); err != nil || len(body) != len(whole) || took < time.Duration(pieces)*pause {
		t.Errorf("%d bytes in %s (%v), want %d in %d pieces", len(body), took, err, len(whole), pieces)
	}
	slow := TooManyRequests(time.Second)
	slow.Trickle = pause
	faulty(w, slow)
	begin = time.Now()
	resp, body, err := askAPI(t, w, "GET", "/rate_limit", "")
	if took := time.Since(begin); err != nil || resp.StatusCode != 429 || string(body) != slow.Body || took < time.Duration(len(body)/trickleSize)*pause {
		t.Errorf("%v %s in %s (%v), want a slow refusal", resp, body, took, err)
	}
}

// TestLimits asks go-github, which knows GitHub's limits, what it takes the answers for.
func TestLimits(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t, Repository{})
	reset := time.Now().Add(time.Hour).Truncate(time.Second)
	for _, tc := range []struct {
		name  string
		fault Fault
		want  func(error) bool
	}{
		{"429", TooManyRequests(1500 * time.Millisecond), func(err error) bool {
			var e *github.ErrorResponse
			return errors.As(err, &e) && e.Response.StatusCode == 429 && e.Response.Header.Get("Retry-After") == "2"
		}},
		{"secondary", SecondaryLimit(time.Minute), func(err error) bool {
			var e *github.AbuseRateLimitError
			return errors.As(err, &e) && e.GetRetryAfter() == time.Minute
		}},
		{"secondary that does not tell", SecondaryLimit(0), func(err error) bool {
			var e *github.AbuseRateLimitError
			return errors.As(err, &e) && e.RetryAfter == nil && e.Response.Header.Get("X-RateLimit-Remaining") != "0"
		}},
		{"primary", PrimaryLimit(reset), func(err error) bool {
			var e *github.RateLimitError
			return errors.As(err, &e) && e.Rate.Remaining == 0 && e.Rate.Reset.Equal(github.Timestamp{Time: reset})
		}},
	} {
		faulty(w, tc.fault)
		if _, _, err := hub(w).Repositories.Get(t.Context(), owner, repo); !tc.want(err) {
			t.Errorf("%s: go-github says %T %v", tc.name, err, err)
		}
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	w, clone := seeded(t, Repository{})
	app := addToken(t, w, Token{Kind: InstallationToken, Login: "app[bot]", Repositories: with(testRepository, "contents=write")})
	mustCall(t, w, "POST", "/releases", `{"tag_name":"v1"}`)
	before, _, err := hub(w).Repositories.Get(t.Context(), owner, repo)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Rename(testRepository, "new-owner/name"); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: w.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, tc := range []struct {
		method, url string
		status      int
		location    string
	}{
		{"GET", "https://api.github.com/repos/kubestellar/actions", 301, fmt.Sprintf("https://api.github.com/repositories/%d", before.GetID())},
		{"GET", "https://api.github.com/repos/kubestellar/actions/pulls?state=all&page=2", 301, fmt.Sprintf("https://api.github.com/repositories/%d/pulls?state=all&page=2", before.GetID())},
		{"POST", "https://api.github.com/repos/kubestellar/actions/git/blobs", 307, fmt.Sprintf("https://api.github.com/repositories/%d/git/blobs", before.GetID())},
		{"GET", "https://github.com/api/v3/repos/kubestellar/actions/pulls", 301, fmt.Sprintf("https://github.com/api/v3/repositories/%d/pulls", before.GetID())},
		{"GET", "https://github.com/kubestellar/actions/blob/main/README.md", 301, "https://github.com/new-owner/name/blob/main/README.md"},
		{"GET", "https://github.com/kubestellar/actions.git/info/refs?service=git-upload-pack", 301, "https://github.com/new-owner/name.git/info/refs?service=git-upload-pack"},
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
	after, _, err := hub(w).Repositories.Get(t.Context(), owner, repo)
	if err != nil || after.GetFullName() != "new-owner/name" || after.GetID() != before.GetID() {
		t.Errorf("by the old name %v (%v)", after, err)
	}
	if status, _, _ := callAs(t, w, app, "POST", inRepo("/git/blobs"), `{"content":"x"}`); status != 201 {
		t.Errorf("a write that follows: %d, want 201", status)
	}
	sha := commitFile(t, w, clone, "b", "1")
	git(t, w, clone, "push", "--quiet", "origin", "main")
	if got := git(t, w, w.RepositoryDir("new-owner/name"), "rev-parse", "main"); got != sha {
		t.Errorf("a push to the old name came to %s, want %s", got, sha)
	}
	seed(t, w, testRepository, Repository{})
	fresh, _, err := hub(w).Repositories.Get(t.Context(), owner, repo)
	if err != nil || fresh.GetID() == before.GetID() || fresh.GetFullName() != testRepository {
		t.Errorf("taken anew, the old name leads to %v (%v)", fresh, err)
	}
	for _, names := range [][2]string{{"no/such", "a/b"}, {testRepository, "new-owner/name"}, {testRepository, "no-owner"}} {
		if err := w.Rename(names[0], names[1]); err == nil {
			t.Errorf("%s renamed to %s", names[0], names[1])
		}
	}
}

func TestPrivateRepositoryIsNotGivenAwayByItsOldName(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t, Repository{Private: true})
	if err := w.Rename(testRepository, "new/name"); err != nil {
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

// TestReadsLag looks at everything that a train reads after it wrote.
func TestReadsLag(t *testing.T) {
	t.Parallel()
	w, clone := seeded(t, Repository{})
	offer(t, w, clone, "bump", "b", "1")
	first := git(t, w, w.RepositoryDir(testRepository), "rev-parse", "main")
	w.Lag(Lag{Reads: 4})
	second := mustCall(t, w, "POST", "/git/commits", fmt.Sprintf(`{"message":"m","tree":%q,"parents":[%q]}`, treeOf(t, w, "main"), first))["sha"].(string)
	w.Lag(Lag{Reads: 4})
	mustCall(t, w, "PATCH", "/git/refs/heads/main", fmt.Sprintf(`{"sha":%q}`, second))
	for i := range 6 {
		ref, _, err := hub(w).Git.GetRef(t.Context(), owner, repo, "heads/main")
		want := first
		if i >= 4 {
			want = second
		}
		if err != nil || ref.Object.GetSHA() != want {
			t.Errorf("read %d: %v (%v), want %s", i+1, ref, err, want)
		}
	}
	if got := git(t, w, clone, "ls-remote", "origin", "refs/heads/main"); !strings.HasPrefix(got, second) {
		t.Errorf("git says %s, want %s", got, second)
	}
	if status, answer := callAPI(t, w, "PATCH", inRepo("/git/refs/heads/main"), fmt.Sprintf(`{"sha":%q}`, first)); status != 422 {
		t.Errorf("a write that is no fast forward in truth: %d %v", status, answer)
	}
}

func TestReadsOfPullsLag(t *testing.T) {
	t.Parallel()
	var seconds atomic.Int64
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := newWorld(t, Options{Now: func() time.Time { return start.Add(time.Duration(seconds.Load()) * time.Second) }})
	clone := seed(t, w, testRepository, Repository{})
	head := offer(t, w, clone, "bump", "b", "1")
	w.Lag(Lag{For: 3 * time.Second})
	look := func() string {
		t.Helper()
		all, _, err := hub(w).PullRequests.List(t.Context(), owner, repo, nil)
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
	_, _, err := hub(w).PullRequests.Create(t.Context(), owner, repo, ask("bump", "main", "again"))
	wantMessage(t, err, "A pull request already exists for kubestellar:bump.")
	_, _, err = hub(w).PullRequests.Get(t.Context(), owner, repo, 1)
	wantStatus(t, "one that cannot be seen yet", err, 404)
	for _, step := range []struct {
		at   int64
		want string
		act  func()
	}{
		{0, "", nil},
		{2, "", func() {
			if _, _, err := hub(w).PullRequests.Edit(t.Context(), owner, repo, 1, &github.PullRequest{Title: github.String("new")}); err != nil {
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
	w.Lag(Lag{})
	if err := w.Person("alice").Close(testRepository, 1); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "" {
		t.Errorf("without lag %q", got)
	}
}

// TestRunsLag looks at a run and at a status, which change in place, before and after.
func TestRunsLag(t *testing.T) {
	t.Parallel()
	w := withWorkflows(t, map[string]string{"bump.yml": "on: workflow_dispatch\njobs: {}\n"})
	head := git(t, w, w.RepositoryDir(testRepository), "rev-parse", "main")
	token := addToken(t, w, Token{Kind: InstallationToken, Login: "app[bot]", Repositories: with(testRepository, "actions=write")})
	w.Lag(Lag{Reads: 2})
	if status, message, _ := callAs(t, w, token, "POST", inRepo("/actions/workflows/bump.yml/dispatches"), `{"ref":"main"}`); status != 204 {
		t.Fatalf("dispatch: %d %s", status, message)
	}
	for i, want := range []int{0, 0, 1} {
		runs, _, err := hub(w).Actions.ListRepositoryWorkflowRuns(t.Context(), owner, repo, nil)
		if err != nil || runs.GetTotalCount() != want {
			t.Errorf("read %d: %v (%v), want %d runs", i+1, runs, err, want)
		}
		if want == 1 && (len(runs.WorkflowRuns) != 1 || runs.WorkflowRuns[0].GetActor().GetLogin() != "app[bot]") {
			t.Errorf("runs %v, want one of app[bot]'s", runs.WorkflowRuns)
		}
	}
	w.SetStatus(testRepository, head, "lint", "success")
	before := w.forge.repositories[testRepository].copied("")
	w.SetStatus(testRepository, head, "ci", "success")
	w.forge.advance(w.forge.repositories[testRepository].runs[0], runCompleted, "success")
	if len(before.statuses[head]) != 1 || before.runs[0].Status != runQueued {
		t.Errorf("the state before has statuses %v and a run that is %s", before.statuses, before.runs[0].Status)
	}
}
