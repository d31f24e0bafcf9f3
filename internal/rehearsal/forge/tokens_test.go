package forge_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

func addToken(t *testing.T, w *networktest.Network, token forge.Token) string {
	t.Helper()
	secret, err := w.Forge.AddToken(token)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// callAs sends JSON with a token, or without if it is "", and returns the status, the message and
// the header.
func callAs(t *testing.T, w *networktest.Network, token, method, path, body string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.github.com"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: w.Transport()}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := decodeAnswer(resp)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer, resp.Header
}

func decodeAnswer(resp *http.Response) (string, error) {
	answer, err := forge.Decode(&http.Request{Body: resp.Body})
	if fields, is := answer.(map[string]any); is && fields["message"] != nil {
		return fmt.Sprint(fields["message"]), nil
	}
	if resp.StatusCode == http.StatusNoContent {
		return "", nil
	}
	return "", err
}

// with returns one repository with permissions, each "name=level".
func with(fullName string, permissions ...string) map[string]forge.Permissions {
	given := forge.Permissions{}
	for _, p := range permissions {
		name, level, _ := strings.Cut(p, "=")
		given[name] = level
	}
	return map[string]forge.Permissions{fullName: given}
}

func TestTokensDoWhatTheyWereGiven(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	networktest.Seed(t, w, networktest.Repository, forge.Repository{})
	networktest.Seed(t, w, "kubestellar/secret", forge.Repository{Private: true})
	networktest.Seed(t, w, "kubestellar/other", forge.Repository{})
	bot := func(given map[string]forge.Permissions) forge.Token {
		return forge.Token{Kind: forge.InstallationToken, Login: "bumper[bot]", Repositories: given}
	}
	const byApp, byPerson = "Resource not accessible by integration", "Resource not accessible by personal access token"
	secret := "/repos/kubestellar/secret"
	label, blob := `{"labels":["x"]}`, `{"content":"x"}`
	for _, tc := range []struct {
		name               string
		token              forge.Token
		method, path, body string
		status             int
		message            string
	}{
		{"reads what is public", bot(nil), "GET", inRepo(""), "", 200, ""},
		{"reads contents that are public", bot(nil), "GET", inRepo("/commits/main"), "", 200, ""},
		{"writes without a grant", bot(nil), "POST", inRepo("/git/blobs"), blob, 403, byApp},
		{"writes with read", bot(with(networktest.Repository, "contents=read")), "POST", inRepo("/git/blobs"), blob, 403, byApp},
		{"writes with write", bot(with(networktest.Repository, "contents=write")), "POST", inRepo("/git/blobs"), blob, 201, ""},
		{"writes elsewhere", bot(with(networktest.Repository, "contents=write")), "POST", "/repos/kubestellar/other/git/blobs", blob, 403, byApp},
		{"labels by contents", bot(with(networktest.Repository, "contents=write")), "POST", inRepo("/issues/1/labels"), label, 403, byApp},
		{"labels by issues", bot(with(networktest.Repository, "issues=write")), "POST", inRepo("/issues/1/labels"), label, 404, "Not Found"},
		{"labels by pull requests", bot(with(networktest.Repository, "pull_requests=write")), "POST", inRepo("/issues/1/labels"), label, 404, "Not Found"},
		{"does not see what is private", bot(nil), "GET", secret, "", 404, "Not Found"},
		{"does not write to what it does not see", bot(nil), "POST", secret + "/git/blobs", blob, 404, "Not Found"},
		{"sees what is private", bot(with("kubestellar/secret")), "GET", secret, "", 200, ""},
		{"reads what is private by another right", bot(with("kubestellar/secret", "issues=read")), "GET", secret + "/commits/main", "", 403, byApp},
		{"reads what is private", bot(with("kubestellar/secret", "contents=read")), "GET", secret + "/commits/main", "", 200, ""},
		{"a person's words", forge.Token{Kind: forge.PersonToken, Login: "alice"}, "POST", inRepo("/git/blobs"), blob, 403, byPerson},
		{"a workflow at home", forge.Token{Kind: forge.WorkflowToken, Repositories: with(networktest.Repository, "contents=write")}, "POST",
			inRepo("/git/blobs"), blob, 201, ""},
		{"a workflow abroad", forge.Token{Kind: forge.WorkflowToken, Repositories: with(networktest.Repository, "contents=write")}, "POST",
			"/repos/kubestellar/other/git/blobs", blob, 403, byApp},
		{"a workflow and a private neighbour", forge.Token{Kind: forge.WorkflowToken, Repositories: with(networktest.Repository, "contents=write")}, "GET",
			secret, "", 404, "Not Found"},
		{"who am I, App", bot(nil), "GET", "/user", "", 403, byApp},
		{"who am I, person", forge.Token{Kind: forge.PersonToken, Login: "alice"}, "GET", "/user", "", 200, ""},
		{"what may I, person", forge.Token{Kind: forge.PersonToken, Login: "alice"}, "GET", "/installation/repositories", "", 403,
			"You must authenticate with an installation access token in order to list repositories for an installation."},
	} {
		status, message, header := callAs(t, w, addToken(t, w, tc.token), tc.method, tc.path, tc.body)
		if status != tc.status || message != tc.message {
			t.Errorf("%s: %d %s, want %d %s", tc.name, status, message, tc.status, tc.message)
		}
		if accepted := header.Get("X-Accepted-Github-Permissions"); (accepted != "") != (status == 403 && strings.HasPrefix(tc.path, "/repos")) {
			t.Errorf("%s: accepted permissions %q", tc.name, accepted)
		}
	}
	_, _, header := callAs(t, w, addToken(t, w, bot(nil)), "POST", inRepo("/issues/1/labels"), label)
	if got := header.Get("X-Accepted-Github-Permissions"); got != "issues=write; pull_requests=write" {
		t.Errorf("accepted permissions %q", got)
	}
	if status, message, _ := callAs(t, w, "ghs_unknown", "GET", inRepo(""), ""); status != 401 || message != "Bad credentials" {
		t.Errorf("unknown token: %d %s", status, message)
	}
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	var hours atomic.Int64
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := networktest.New(t, network.Options{Now: func() time.Time { return start.Add(time.Duration(hours.Load()) * time.Hour) }})
	short := addToken(t, w, forge.Token{Kind: forge.PersonToken, Login: "alice", Expires: start.Add(time.Hour)})
	long := addToken(t, w, forge.Token{Kind: forge.PersonToken, Login: "alice"})
	want := func(token string, status int) {
		t.Helper()
		if got, _, _ := callAs(t, w, token, "GET", "/user", ""); got != status {
			t.Errorf("%d, want %d", got, status)
		}
	}
	want(short, 200)
	hours.Store(1)
	want(short, 401)
	want(long, 200)
	if err := w.Forge.RevokeToken(long); err != nil {
		t.Error(err)
	}
	want(long, 401)
	want(w.Token(), 200)
	if err := w.Forge.RevokeToken(long); err == nil {
		t.Error("revoked twice")
	}
}

func TestTokensThatCannotBe(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	for _, token := range []forge.Token{
		{},
		{Kind: forge.PersonToken},
		{Kind: "classic", Login: "alice"},
		{Kind: forge.PersonToken, Login: "app[bot]"},
		{Kind: forge.InstallationToken, Login: "alice"},
		{Kind: forge.WorkflowToken},
		{Kind: forge.WorkflowToken, Login: "app[bot]", Repositories: with(networktest.Repository)},
		{Kind: forge.WorkflowToken, Repositories: with(networktest.Repository, "workflows=write")},
		{Kind: forge.InstallationToken, Login: "app[bot]", Repositories: with(networktest.Repository, "contents=admin")},
	} {
		if _, err := w.Forge.AddToken(token); err == nil {
			t.Errorf("%+v was made", token)
		}
	}
}

func TestWhatTokensAreToldOfTheirRights(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	for token, push := range map[string]bool{
		addToken(t, w, forge.Token{Kind: forge.PersonToken, Login: "alice", Repositories: with(networktest.Repository, "contents=write")}):          true,
		addToken(t, w, forge.Token{Kind: forge.PersonToken, Login: "alice", Repositories: with(networktest.Repository, "contents=read")}):           false,
		addToken(t, w, forge.Token{Kind: forge.InstallationToken, Login: "app[bot]", Repositories: with(networktest.Repository, "contents=write")}): false,
		w.Token(): true,
	} {
		r, _, err := networktest.HubAs(w, token).Repositories.Get(t.Context(), owner, repo)
		if err != nil || r.GetPermissions()["push"] != push {
			t.Errorf("permissions %v (%v), want push %t", r.GetPermissions(), err, push)
		}
	}
	app := addToken(t, w, forge.Token{Kind: forge.InstallationToken, Login: "app[bot]", Repositories: with(networktest.Repository, "contents=write")})
	list, _, err := networktest.HubAs(w, app).Apps.ListRepos(t.Context(), nil)
	if err != nil || list.GetTotalCount() != 1 || list.Repositories[0].GetFullName() != networktest.Repository {
		t.Errorf("installed in %v (%v)", list, err)
	}
}

func TestWhoeverActsIsNamed(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	for login, kind := range map[string]forge.TokenKind{"alice": forge.PersonToken, "bumper[bot]": forge.InstallationToken,
		forge.WorkflowLogin: forge.WorkflowToken} {
		token := addToken(t, w, forge.Token{Kind: kind, Login: login, Repositories: with(networktest.Repository, "contents=write", "pull_requests=write")})
		branch := strings.TrimSuffix(login, "[bot]")
		offer(t, w, clone, branch, branch, "1")
		hub := networktest.HubAs(w, token)
		p, _, err := hub.PullRequests.Create(t.Context(), owner, repo, ask(branch, "main", "x"))
		if err != nil || p.User.GetLogin() != login {
			t.Fatalf("%s opened %v (%v)", login, p, err)
		}
		comment, _, err := hub.Issues.CreateComment(t.Context(), owner, repo, p.GetNumber(), &github.IssueComment{Body: &login})
		if err != nil || comment.User.GetLogin() != login {
			t.Errorf("%s wrote %v (%v)", login, comment, err)
		}
		merged, _, err := hub.PullRequests.Merge(t.Context(), owner, repo, p.GetNumber(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		head, _, err := hub.Repositories.GetCommit(t.Context(), owner, repo, merged.GetSHA(), nil)
		if err != nil || head.Author.GetLogin() != login || !head.Commit.GetVerification().GetVerified() {
			t.Errorf("%s merged %v (%v)", login, head, err)
		}
		req, err := hub.NewRequest("POST", "repos/"+networktest.Repository+"/git/commits", map[string]string{"message": "m", "tree": treeOf(t, w, "main")})
		if err != nil {
			t.Fatal(err)
		}
		var made github.Commit
		if _, err := hub.Do(t.Context(), req, &made); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(
			"%d+%s@users.noreply.github.com",
			forge.UserID(login),
			login,
		); made.Author.GetEmail() != want ||
			made.GetVerification().GetVerified() != (kind != forge.PersonToken) {
			t.Errorf("%s committed %v", login, made)
		}
	}
}

// TestGitObeysTokens clones and pushes with each token in the address, as workflows do.
func TestGitObeysTokens(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	networktest.Seed(t, w, "kubestellar/secret", forge.Repository{Private: true})
	for _, tc := range []struct {
		name                  string
		given                 map[string]forge.Permissions
		fetch, push, workflow bool
	}{
		{"nothing", nil, false, false, false},
		{"another right", with("kubestellar/secret", "issues=write"), false, false, false},
		{"read", with("kubestellar/secret", "contents=read"), true, false, false},
		{"write", with("kubestellar/secret", "contents=write"), true, true, false},
		{"workflows too", with("kubestellar/secret", "contents=write", "workflows=write"), true, true, true},
	} {
		token := addToken(t, w, forge.Token{Kind: forge.InstallationToken, Login: "app[bot]", Repositories: tc.given})
		address := "https://x-access-token:" + token + "@github.com/kubestellar/secret"
		clone := filepath.Join(t.TempDir(), "clone")
		_, err := networktest.TryGit(w, ".", "clone", "--quiet", address, clone)
		if (err == nil) != tc.fetch {
			t.Errorf("%s: fetch %v, want %t", tc.name, err, tc.fetch)
		}
		if err != nil {
			continue
		}
		networktest.CommitFile(t, w, clone, "f", tc.name)
		if _, err := networktest.TryGit(w, clone, "push", "--quiet", "origin", "main"); (err == nil) != tc.push {
			t.Errorf("%s: push %v, want %t", tc.name, err, tc.push)
		}
		if err := os.MkdirAll(filepath.Join(clone, forge.GuardedFolder), 0o755); err != nil {
			t.Fatal(err)
		}
		networktest.CommitFile(t, w, clone, forge.GuardedFolder+"ci.yml", tc.name)
		out, err := networktest.TryGit(w, clone, "push", "--quiet", "origin", "main:refs/heads/"+strings.ReplaceAll(tc.name, " ", "-"))
		if (err == nil) != tc.workflow || tc.push && !tc.workflow && !strings.Contains(err.Error(), "without 'workflows' permission") {
			t.Errorf("%s: push of a workflow %s %v, want %t", tc.name, out, err, tc.workflow)
		}
	}
}

func TestWorkflowFilesWantTheirPermission(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	body := `{"tree":[{"path":".github/workflows/ci.yml","mode":"100644","content":"x"}]}`
	for status, given := range map[int]map[string]forge.Permissions{
		403: with(networktest.Repository, "contents=write"),
		201: with(networktest.Repository, "contents=write", "workflows=write"),
	} {
		token := addToken(t, w, forge.Token{Kind: forge.InstallationToken, Login: "app[bot]", Repositories: given})
		if got, message, _ := callAs(t, w, token, "POST", inRepo("/git/trees"), body); got != status {
			t.Errorf("%d %s, want %d", got, message, status)
		}
	}
}

// TestEveryEndpointHasItsPermission checks that the table covers all endpoints below a repository.
func TestEveryEndpointHasItsPermission(t *testing.T) {
	t.Parallel()
	for _, e := range append(forge.Endpoints(), forge.UploadEndpoints()...) {
		if strings.HasPrefix(e.Path, forge.RepoPath) && len(e.Permissions) == 0 {
			t.Errorf("%s %s: no line of permissionsOf fits; add one from GitHub's list", e.Method, e.Path)
		}
	}
}
