package forge_test

import (
	"encoding/json"
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

// callAPI sends JSON with the token and decodes the answer into a map.
func callAPI(t *testing.T, w *networktest.Network, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.github.com"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+w.Token())
	status, text := networktest.Do(t, w, req)
	answer := map[string]any{}
	if err := json.Unmarshal([]byte(text), &answer); err != nil && text != "" && text[0] == '{' {
		t.Fatalf("%s %s: %d %s: %v", method, path, status, text, err)
	}
	return status, answer
}

func inRepo(path string) string { return "/repos/" + networktest.Repository + path }

func mustCall(t *testing.T, w *networktest.Network, method, path, body string) map[string]any {
	t.Helper()
	status, answer := callAPI(t, w, method, inRepo(path), body)
	if status > 299 {
		t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	return answer
}

func treeOf(t *testing.T, w *networktest.Network, rev string) string {
	t.Helper()
	return networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", rev+"^{tree}")
}

func TestBlobs(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	long := strings.Repeat("longer than a line of base64 ", 10)
	for _, tc := range []struct{ body, want string }{
		{`{"content":"h\u00e9"}`, "hé"},
		{`{"content":"plain","encoding":"utf-8"}`, "plain"},
		{`{"content":"AAH/\nAA==","encoding":"base64"}`, "\x00\x01\xff\x00"},
		{`{"content":""}`, ""},
		{fmt.Sprintf(`{"content":%q}`, long), long},
	} {
		made := mustCall(t, w, "POST", "/git/blobs", tc.body)
		blob, _, err := networktest.Hub(w).Git.GetBlobRaw(t.Context(), owner, repo, made["sha"].(string))
		if err != nil || string(blob) != tc.want {
			t.Errorf("%s: raw %q (%v), want %q", tc.body, blob, err, tc.want)
		}
		shown, _, err := networktest.Hub(w).Git.GetBlob(t.Context(), owner, repo, made["sha"].(string))
		if err != nil || shown.GetSize() != len(tc.want) || shown.GetEncoding() != "base64" {
			t.Errorf("%s: shown as %v (%v)", tc.body, shown, err)
		}
		decoded, err := forge.DecodeBlob(shown.GetContent(), github.String("base64"))
		if err != nil || decoded != tc.want {
			t.Errorf("%s: content %q (%v)", tc.body, decoded, err)
		}
	}
	for body, want := range map[string]int{`{"content":"*","encoding":"base64"}`: 422, `{"content":"x","encoding":"latin1"}`: 422, `{}`: 422, `{`: 400} {
		if status, answer := callAPI(t, w, "POST", inRepo("/git/blobs"), body); status != want {
			t.Errorf("%s: %d %v, want %d", body, status, answer, want)
		}
	}
	for _, sha := range []string{strings.Repeat("0", 40), "main", treeOf(t, w, "main")} {
		if status, _ := callAPI(t, w, "GET", inRepo("/git/blobs/"+sha), ""); status != 404 {
			t.Errorf("%s: %d, want 404", sha, status)
		}
	}
}

// TestTreesAreGits builds each tree by the API and reads it with git.
func TestTreesAreGits(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	networktest.CommitFile(t, w, clone, "keep", "k")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	blob := mustCall(t, w, "POST", "/git/blobs", `{"content":"x"}`)["sha"].(string)
	folder := mustCall(t, w, "POST", "/git/trees",
		`{"tree":[{"path":"in/a","mode":"100644","type":"blob","content":"a"},{"path":"in/b","mode":"100755","content":"b"}]}`)["sha"].(string)
	in := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", folder+":in")
	base, module := treeOf(t, w, "main"), strings.Repeat("a", 40)
	for _, tc := range []struct {
		name, base, entries string
		want                []string
	}{
		{"alone", "", `{"path":"new","mode":"100644","type":"blob","sha":"` + blob + `"}`, []string{"100644 new"}},
		{"on a base", base, `{"path":"d/e/new","mode":"100755","sha":"` + blob + `"}`, []string{"100644 README.md", "100755 d/e/new", "100644 keep"}},
		{"a commit as the base", networktest.Git(t, w, clone, "rev-parse", "HEAD"), `{"path":"new","mode":"100644","content":"y"}`,
			[]string{"100644 README.md", "100644 keep", "100644 new"}},
		{"changed mode", base, `{"path":"keep","mode":"100755","content":"k"}`, []string{"100644 README.md", "100755 keep"}},
		{"symlink", base, `{"path":"l","mode":"120000","content":"keep"}`, []string{"100644 README.md", "100644 keep", "120000 l"}},
		{"submodule", base, `{"path":"m","mode":"160000","type":"commit","sha":"` + module + `"}`, []string{"100644 README.md", "100644 keep", "160000 m"}},
		{"removed", base, `{"path":"keep","mode":"100644","type":"blob","sha":null}`, []string{"100644 README.md"}},
		{"folder", base, `{"path":"f","mode":"040000","type":"tree","sha":"` + in + `"}`,
			[]string{"100644 README.md", "100644 f/a", "100755 f/b", "100644 keep"}},
		{"folder in the place of a file", base, `{"path":"keep","mode":"040000","type":"tree","sha":"` + in + `"}`,
			[]string{"100644 README.md", "100644 keep/a", "100755 keep/b"}},
		{"file in the place of a folder", folder, `{"path":"in","mode":"100644","content":"file"}`, []string{"100644 in"}},
		{"removed folder", folder, `{"path":"in","mode":"040000","type":"tree","sha":null},{"path":"z","mode":"100644","content":""}`, []string{"100644 z"}},
		{"odd names", "",
			`{"path":"*","mode":"100644","content":""},{"path":"a b\tc\nd","mode":"100644","content":""},{"path":"é","mode":"100644","content":""}`,
			[]string{"100644 *", "100644 a b\tc\nd", "100644 é"}},
	} {
		body := `{"tree":[` + tc.entries + `]}`
		if tc.base != "" {
			body = `{"base_tree":"` + tc.base + `","tree":[` + tc.entries + `]}`
		}
		made := mustCall(t, w, "POST", "/git/trees", body)
		var got []string
		for line := range strings.SplitSeq(networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "ls-tree", "-rz", made["sha"].(string)),
			"\x00") {
			if head, path, found := strings.Cut(line, "\t"); found {
				got = append(got, head[:6]+" "+path)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: tree %q, want %q", tc.name, got, tc.want)
		}
	}
	networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "fsck", "--strict")
}

func TestTreesAreRefused(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	base, none := treeOf(t, w, "main"), strings.Repeat("1", 40)
	blob := mustCall(t, w, "POST", "/git/blobs", `{"content":"x"}`)["sha"].(string)
	entry := func(path, mode, rest string) string {
		return fmt.Sprintf(`{"base_tree":%q,"tree":[{"path":%q,"mode":%q,%s}]}`, base, path, mode, rest)
	}
	sha := `"sha":"` + blob + `"`
	for _, tc := range []struct {
		body, message string
		status        int
	}{
		{`{"tree":[]}`, "Invalid tree info", 422},
		{`{"base_tree":"` + none + `","tree":[{"path":"x","mode":"100644","content":"x"}]}`, "Not Found", 404},
		{`{"base_tree":"main","tree":[{"path":"x","mode":"100644","content":"x"}]}`, "base_tree is not a valid tree oid", 422},
		{`{"base_tree":"` + blob + `","tree":[{"path":"x","mode":"100644","content":"x"}]}`, "base_tree is not a valid tree oid", 422},
		{entry("x", "100644", `"sha":"`+none+`"`), "tree.sha " + none + " is not a valid blob", 422},
		{entry("x", "100644", `"sha":"`+base+`"`), "tree.sha " + base + " is not a valid blob", 422},
		{entry("x", "040000", sha), "tree.sha " + blob + " is not a valid tree", 422},
		{entry("x", "100644", `"sha":"short"`), "tree.sha short is not a valid blob", 422},
		{entry("x", "100644", `"sha":7`), "tree.sha 7 is not a valid blob", 422},
		{entry("x", "100600", sha), "Must supply a valid tree.mode", 422},
		{entry("x", "100644", `"type":"tree",`+sha), "tree.type tree does not match tree.mode 100644", 422},
		{entry("x", "100644", `"content":"x",`+sha), "Must supply either tree.sha or tree.content", 422},
		{entry("x", "100644", `"type":"blob"`), "Must supply either tree.sha or tree.content", 422},
		{entry("x", "040000", `"content":"x"`), "tree.content is for a blob, not for a tree", 422},
		{entry("/x", "100644", sha), "tree.path cannot start with a slash", 422},
		{entry("a//x", "100644", sha), "tree.path contains a malformed path component", 422},
		{entry("a/../x", "100644", sha), "tree.path contains a malformed path component", 422},
		{entry("", "100644", sha), "tree.path contains a malformed path component", 422},
		{entry("a/.GIT/config", "100644", sha), "tree.path contains a malformed path component", 422},
		{entry("none", "100644", `"sha":null`), "GitRPC::BadObjectState", 422},
	} {
		status, answer := callAPI(t, w, "POST", inRepo("/git/trees"), tc.body)
		if status != tc.status || answer["message"] != tc.message {
			t.Errorf("%s: %d %v, want %d %s", tc.body, status, answer["message"], tc.status, tc.message)
		}
	}
	if err := w.Forge.CreateRepository("kubestellar/empty", forge.Repository{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/git/trees", "/git/blobs"} {
		body := `{"content":"x","tree":[{"path":"x","mode":"100644","content":"x"}]}`
		if status, answer := callAPI(t, w, "POST", "/repos/kubestellar/empty"+path, body); status != 409 || answer["message"] != "Git Repository is empty." {
			t.Errorf("%s of an empty repository: %d %v", path, status, answer)
		}
	}
}

func TestTreesAreShown(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	made := mustCall(
		t,
		w,
		"POST",
		"/git/trees",
		`{"tree":[{"path":"d/e/f","mode":"100755","content":"12345"},{"path":"m","mode":"160000","sha":"`+strings.Repeat("a", 40)+`"}]}`,
	)
	for recursive, want := range map[bool][]string{
		false: {"d 040000 tree 0", "m 160000 commit 0"},
		true:  {"d 040000 tree 0", "d/e 040000 tree 0", "d/e/f 100755 blob 5", "m 160000 commit 0"},
	} {
		tree, _, err := networktest.Hub(w).Git.GetTree(t.Context(), owner, repo, made["sha"].(string), recursive)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range tree.Entries {
			got = append(got, fmt.Sprint(e.GetPath(), " ", e.GetMode(), " ", e.GetType(), " ", e.GetSize()))
		}
		if !slices.Equal(got, want) || tree.GetTruncated() {
			t.Errorf("recursive %t: %q, want %q", recursive, got, want)
		}
	}
	for _, name := range []string{"main", networktest.Git(t, w, clone, "rev-parse", "HEAD")} {
		tree, _, err := networktest.Hub(w).Git.GetTree(t.Context(), owner, repo, name, false)
		if err != nil || tree.GetSHA() != treeOf(t, w, "main") {
			t.Errorf("tree of %s: %v (%v)", name, tree, err)
		}
	}
	_, _, err := networktest.Hub(w).Git.GetTree(t.Context(), owner, repo, strings.Repeat("1", 40), false)
	networktest.WantStatus(t, "no such tree", err, 404)
}

func TestCommitOfABotIsSigned(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := networktest.New(t, network.Options{Now: func() time.Time { return at }})
	networktest.Seed(t, w, networktest.Repository, forge.Repository{})
	head := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "main")
	body := fmt.Sprintf(`{"message":"Bump x\n\nSigned-off-by: x","tree":%q,"parents":[%q]}`, treeOf(t, w, "main"), head)
	made := mustCall(t, w, "POST", "/git/commits", body)
	if want := fmt.Sprintf("%d+rehearsal[bot]@users.noreply.github.com", forge.UserID("rehearsal[bot]")); forge.MainEmail != want {
		t.Errorf("mail %s, want %s", forge.MainEmail, want)
	}
	want := strings.Join(
		[]string{forge.MainLogin, forge.MainEmail, "2026-01-02T03:04:05+00:00", "GitHub", "noreply@github.com", head, "Bump x\n\nSigned-off-by: x"},
		"\n",
	)
	if got := networktest.Git(
		t,
		w,
		w.Forge.RepositoryDir(networktest.Repository),
		"log",
		"-1",
		"--format=%an%n%ae%n%aI%n%cn%n%ce%n%P%n%B",
		made["sha"].(string),
	); got != want {
		t.Errorf("committed\n%s\nwant\n%s", got, want)
	}
	shown, _, err := networktest.Hub(w).Git.GetCommit(t.Context(), owner, repo, made["sha"].(string))
	if err != nil || !shown.GetVerification().GetVerified() || shown.GetVerification().GetReason() != "valid" || shown.GetVerification().GetSignature() == "" {
		t.Errorf("shown as %v (%v), want it verified", shown, err)
	}
	other, _, err := networktest.Hub(w).Repositories.GetCommit(t.Context(), owner, repo, made["sha"].(string), nil)
	if err != nil || !other.Commit.GetVerification().GetVerified() || other.Author.GetLogin() != forge.MainLogin || other.Author.GetType() != "Bot" ||
		other.Committer.GetLogin() != "web-flow" {
		t.Errorf("shown as %v (%v), want its accounts", other, err)
	}
	networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "fsck", "--strict")
	me, _, err := networktest.Hub(w).Users.Get(t.Context(), forge.MainLogin)
	if err != nil || me.GetID() != forge.UserID(forge.MainLogin) || me.GetType() != "Bot" {
		t.Errorf("the bot is %v (%v)", me, err)
	}
	if status, _ := callAPI(t, w, "GET", "/users/nobody", ""); status != 404 {
		t.Errorf("no token: %d, want 404", status)
	}
}

func TestCommitThatNamesSomebodyIsNotSigned(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	tree := treeOf(t, w, "main")
	const date = `"date":"2026-01-02T03:04:05`
	for people, want := range map[string]string{
		`"author":{"name":"A","email":"a@b",` + date + `+02:00"}`: "A a@b 2026-01-02T03:04:05+02:00 A a@b 2026-01-02T03:04:05+02:00",
		`"author":{"name":"A","email":"a@b",` + date + `Z"},"committer":{"name":"C","email":"c@x","date":"2026-01-03T00:00:00Z"}`: "" +
			"A a@b 2026-01-02T03:04:05+00:00 C c@x 2026-01-03T00:00:00+00:00",
	} {
		made := mustCall(t, w, "POST", "/git/commits", fmt.Sprintf(`{"message":"m","tree":%q,%s}`, tree, people))
		if v := made["verification"].(map[string]any); v["verified"] != false || v["reason"] != "unsigned" {
			t.Errorf("%s: %v", people, v)
		}
		if got := networktest.Git(
			t,
			w,
			w.Forge.RepositoryDir(networktest.Repository),
			"log",
			"-1",
			"--format=%an %ae %aI %cn %ce %cI",
			made["sha"].(string),
		); got != want {
			t.Errorf("%s: %s, want %s", people, got, want)
		}
	}
	pushed, _, err := networktest.Hub(w).Git.GetCommit(t.Context(), owner, repo, networktest.Git(t, w, clone, "rev-parse", "HEAD"))
	if err != nil || pushed.GetVerification().GetVerified() || pushed.GetVerification().GetReason() != "unsigned" {
		t.Errorf("pushed %v (%v), want it unsigned", pushed, err)
	}
}

// TestForgedSignature pushes a commit with the signature of another one.
func TestForgedSignature(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	dir := w.Forge.RepositoryDir(networktest.Repository)
	made := mustCall(t, w, "POST", "/git/commits", fmt.Sprintf(`{"message":"m","tree":%q}`, treeOf(t, w, "main")))
	raw, err := w.Forge.Git(networktest.Repository, "", "cat-file", "commit", made["sha"].(string))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := w.Forge.Git(networktest.Repository, strings.Replace(raw, "\n\nm", "\n\nanother", 1), "hash-object", "-t", "commit", "-w", "--stdin")
	if err != nil {
		t.Fatal(err)
	}
	networktest.Git(t, w, dir, "cat-file", "-e", strings.TrimSpace(forged))
	shown, _, err := networktest.Hub(w).Git.GetCommit(t.Context(), owner, repo, strings.TrimSpace(forged))
	if err != nil || shown.GetVerification().GetVerified() || shown.GetVerification().GetReason() != "unknown_key" {
		t.Errorf("forged %v (%v), want it refused", shown, err)
	}
}

func TestCommitsAreRefused(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	tree, head, none := treeOf(t, w, "main"), networktest.Git(t, w, clone, "rev-parse", "HEAD"), strings.Repeat("1", 40)
	for body, want := range map[string]string{
		fmt.Sprintf(`{"tree":%q}`, tree):                                    "Invalid request.\n\n\"message\" wasn't supplied.",
		`{"message":"m"}`:                                                   "Invalid request.\n\n\"tree\" wasn't supplied.",
		fmt.Sprintf(`{"message":"m","tree":%q}`, none):                      "Tree SHA does not exist",
		fmt.Sprintf(`{"message":"m","tree":%q}`, head):                      "Tree SHA does not exist",
		`{"message":"m","tree":"main"}`:                                     "Tree SHA does not exist",
		fmt.Sprintf(`{"message":"m","tree":%q,"parents":[%q]}`, tree, none): "Parent SHA does not exist or is not a commit object",
		fmt.Sprintf(`{"message":"m","tree":%q,"parents":[%q]}`, tree, tree): "Parent SHA does not exist or is not a commit object",
		fmt.Sprintf(`{"message":"m","tree":%q,"author":{"name":"a<b>","email":"x@y"}}`,
			tree): "Invalid request.\n\nauthor.name holds a character that git forbids.",
		fmt.Sprintf(`{"message":"m","tree":%q,"author":{"name":"a","email":""}}`,
			tree): "Invalid request.\n\n\"author.email\" wasn't supplied.",
		fmt.Sprintf(`{"message":"m","tree":%q,"committer":{"name":"a\nparent x","email":"x@y"}}`,
			tree): "Invalid request.\n\ncommitter.name holds a character that git forbids.",
	} {
		if status, answer := callAPI(t, w, "POST", inRepo("/git/commits"), body); status != 422 || answer["message"] != want {
			t.Errorf("%s: %d %v, want 422 %s", body, status, answer["message"], want)
		}
	}
	for _, sha := range []string{none, tree, "main"} {
		if status, _ := callAPI(t, w, "GET", inRepo("/git/commits/"+sha), ""); status != 404 {
			t.Errorf("commit %s: %d, want 404", sha, status)
		}
	}
}

func TestRefsAreMovedAndDeleted(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	one := offer(t, w, clone, "bump", "b", "1")
	two := networktest.CommitFile(t, w, clone, "b", "2")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "HEAD:refs/heads/more")
	beside := offer(t, w, clone, "beside", "b", "3")
	for _, tc := range []struct {
		ref, body, message string
		at                 string // of bump afterwards
	}{
		{"heads/bump", fmt.Sprintf(`{"sha":%q}`, beside), "Update is not a fast forward", one},
		{"heads/bump", fmt.Sprintf(`{"sha":%q}`, strings.Repeat("1", 40)), "Object does not exist", one},
		{"heads/bump", `{"sha":"main"}`, "Object does not exist", one},
		{"heads/bump", fmt.Sprintf(`{"sha":%q,"force":true}`, treeOf(t, w, "main")), "Object is not a commit", one},
		{"heads/bump", `{}`, "Invalid request.\n\n\"sha\" wasn't supplied.", one},
		{"heads/none", fmt.Sprintf(`{"sha":%q}`, two), "Reference does not exist", one},
		{"heads/bum", fmt.Sprintf(`{"sha":%q}`, two), "Reference does not exist", one},
		{"heads/bump", fmt.Sprintf(`{"sha":%q}`, two), "", two},
		{"heads/bump", fmt.Sprintf(`{"sha":%q}`, two), "", two},
		{"heads/bump", fmt.Sprintf(`{"sha":%q}`, one), "Update is not a fast forward", two},
		{"heads/bump", fmt.Sprintf(`{"sha":%q,"force":true}`, beside), "", beside},
	} {
		status, answer := callAPI(t, w, "PATCH", inRepo("/git/refs/"+tc.ref), tc.body)
		if message, _ := answer["message"].(string); message != tc.message || (status == 200) != (tc.message == "") || status != 200 && status != 422 {
			t.Errorf("%s %s: %d %v, want %q", tc.ref, tc.body, status, answer, tc.message)
		}
		if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "bump"); got != tc.at {
			t.Errorf("after %s the branch is at %s, want %s", tc.body, got, tc.at)
		}
	}
	if status, answer := callAPI(
		t,
		w,
		"POST",
		inRepo("/git/refs"),
		fmt.Sprintf(`{"ref":"refs/heads/bump","sha":%q}`, one),
	); status != 422 ||
		answer["message"] != "Reference already exists" {
		t.Errorf("made twice: %d %v", status, answer)
	}
	for _, tc := range []struct {
		ref    string
		status int
	}{{"heads/bump", 204}, {"heads/bump", 422}, {"heads/main", 422}} {
		if status, answer := callAPI(t, w, "DELETE", inRepo("/git/refs/"+tc.ref), ""); status != tc.status {
			t.Errorf("deleting %s: %d %v, want %d", tc.ref, status, answer, tc.status)
		}
	}
	if out, err := networktest.TryGit(w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "--verify", "bump"); err == nil {
		t.Errorf("bump is still at %s", out)
	}
}

func TestTagOfAnImmutableReleaseStays(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{Immutable: true})
	first := networktest.Git(t, w, clone, "rev-parse", "HEAD")
	second := networktest.CommitFile(t, w, clone, "b", "2")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	mustCall(t, w, "POST", "/releases", fmt.Sprintf(`{"tag_name":"v1","target_commitish":%q}`, first))
	for method, body := range map[string]string{"PATCH": fmt.Sprintf(`{"sha":%q,"force":true}`, second), "DELETE": ""} {
		status, answer := callAPI(t, w, method, inRepo("/git/refs/tags/v1"), body)
		if message, _ := answer["message"].(string); status != 422 || !strings.Contains(message, "immutable release") {
			t.Errorf("%s: %d %v, want a refusal", method, status, answer)
		}
	}
	if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "v1"); got != first {
		t.Errorf("v1 is at %s, want %s", got, first)
	}
}

// The tag of a deleted immutable release may be deleted, and its name stays reserved.
func TestTagOfADeletedImmutableRelease(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{Immutable: true})
	head := networktest.Git(t, w, clone, "rev-parse", "HEAD")
	other := networktest.CommitFile(t, w, clone, "b", "2")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	for _, tag := range []string{"v1", "v2"} {
		made := mustCall(t, w, "POST", "/releases", fmt.Sprintf(`{"tag_name":%q,"target_commitish":%q}`, tag, head))
		mustCall(t, w, "DELETE", fmt.Sprintf("/releases/%v", made["id"]), "")
		if _, err := networktest.TryGit(w, clone, "push", "--quiet", "--force", "origin", other+":refs/tags/"+tag); err == nil {
			t.Errorf("%s was moved by a push", tag)
		}
		if status, _ := callAPI(t, w, "PATCH", inRepo("/git/refs/tags/"+tag), fmt.Sprintf(`{"sha":%q,"force":true}`, other)); status != 422 {
			t.Errorf("%s was moved: %d", tag, status)
		}
	}
	mustCall(t, w, "DELETE", "/git/refs/tags/v1", "")
	networktest.Git(t, w, clone, "push", "--quiet", "origin", ":refs/tags/v2")
	for _, tag := range []string{"v1", "v2"} {
		if _, err := networktest.TryGit(
			w,
			clone,
			"push",
			"--quiet",
			"origin",
			head+":refs/tags/"+tag,
		); err == nil ||
			!strings.Contains(err.Error(), "creations being restricted") {
			t.Errorf("%s came back by a push: %v", tag, err)
		}
		if status, answer := callAPI(
			t,
			w,
			"POST",
			inRepo("/git/refs"),
			fmt.Sprintf(`{"ref":"refs/tags/%s","sha":%q}`, tag, head),
		); status != 422 ||
			!strings.Contains(fmt.Sprint(answer["message"]), "creations being restricted") {
			t.Errorf("%s came back: %d %v", tag, status, answer)
		}
		if status, answer := callAPI(t, w, "POST", inRepo("/releases"), fmt.Sprintf(`{"tag_name":%q}`, tag)); status != 422 {
			t.Errorf("a release of %s came back: %d %v", tag, status, answer)
		}
	}
}

func TestPeopleBesideTheProgram(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "bump", "b", "1")
	offer(t, w, clone, "other", "c", "1")
	openPull(t, w, "bump")
	openPull(t, w, "other")
	before := len(w.Requests())
	alice := w.Person("alice")
	sha, err := alice.Push(networktest.Repository, "bump", "fix it", map[string]string{"d/x": "by hand"})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{alice.Comment(networktest.Repository, 1, "looks odd"), alice.Merge(networktest.Repository, 1),
		alice.Close(networktest.Repository, 2)} {
		if err != nil {
			t.Error(err)
		}
	}
	if got := len(w.Requests()); got != before {
		t.Errorf("%d requests by hand, want none", got-before)
	}
	commits, _, err := networktest.Hub(w).PullRequests.ListCommits(t.Context(), owner, repo, 1, nil)
	if err != nil || len(commits) != 2 || commits[1].GetSHA() != sha || commits[1].Author.GetLogin() != "alice" || commits[1].Author.GetType() != "User" ||
		commits[0].Author != nil ||
		commits[1].Commit.GetVerification().GetVerified() {
		t.Errorf("commits %v (%v), want a last one of alice's", commits, err)
	}
	comments, _, err := networktest.Hub(w).Issues.ListComments(t.Context(), owner, repo, 1, nil)
	if err != nil || len(comments) != 1 || comments[0].User.GetLogin() != "alice" {
		t.Errorf("comments %v (%v), want one of alice's", comments, err)
	}
	p, _, err := networktest.Hub(w).PullRequests.Get(t.Context(), owner, repo, 1)
	if err != nil || !p.GetMerged() || p.MergedBy.GetLogin() != "alice" || p.User.GetLogin() != forge.MainLogin || p.GetComments() != 1 ||
		p.GetCommits() != 2 ||
		p.GetChangedFiles() != 2 {
		t.Errorf("pull request %v (%v)", p, err)
	}
	if got := w.Forge.PullRequests(
		networktest.Repository,
	); got[0].MergedBy != "alice" || got[0].Author != forge.MainLogin || !slices.Equal(got[0].Commenters, []string{"alice"}) || got[1].State != "closed" ||
		got[1].Merged {
		t.Errorf("the forge has %+v", got)
	}
	for _, err := range []error{alice.Comment(networktest.Repository, 3, "x"), alice.Comment("no/such", 1, "x"), alice.Merge(networktest.Repository, 2)} {
		if err == nil {
			t.Error("did what cannot be done")
		}
	}
	if _, err := alice.Push(networktest.Repository, "none", "x", nil); err == nil {
		t.Error("pushed to no branch")
	}
}

func TestIssuesAndLabels(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	offer(t, w, clone, "bump", "b", "1")
	openPull(t, w, "bump")
	issues := networktest.Hub(w).Issues
	made := mustCall(t, w, "POST", "/labels", `{"name":"Bump","color":"00FF00","description":"a bump"}`)
	if made["color"] != "00ff00" || made["description"] != "a bump" {
		t.Errorf("label %v", made)
	}
	for body, code := range map[string]string{`{"name":"bump"}`: "already_exists", `{"name":""}`: "missing_field", `{"name":"x","color":"green"}`: "invalid"} {
		if status, answer := callAPI(t, w, "POST", inRepo("/labels"), body); status != 422 || !strings.Contains(fmt.Sprint(answer["errors"]), "code:"+code) {
			t.Errorf("%s: %d %v, want %s", body, status, answer, code)
		}
	}
	if _, _, err := issues.AddLabelsToIssue(t.Context(), owner, repo, 1, []string{"bump", "fresh"}); err != nil {
		t.Fatal(err)
	}
	all, _, err := issues.ListLabels(t.Context(), owner, repo, nil)
	if err != nil || len(all) != 2 || all[1].GetName() != "fresh" || all[1].GetColor() != forge.PlainColor {
		t.Errorf("labels %v (%v), want the missing one made", all, err)
	}
	if _, _, err := issues.ReplaceLabelsForIssue(t.Context(), owner, repo, 1, []string{"fresh", "third"}); err != nil {
		t.Fatal(err)
	}
	if got := theOne(t, w).Labels; !slices.Equal(got, []string{"fresh", "third"}) {
		t.Errorf("set to %q", got)
	}
	if pulls, _, err := networktest.Hub(w).PullRequests.List(t.Context(), owner, repo, nil); err != nil || len(pulls) != 1 || len(pulls[0].Labels) != 2 {
		t.Errorf("listed %v (%v), want its labels", pulls, err)
	}
	if err := w.Person("alice").Comment(networktest.Repository, 1, "x"); err != nil {
		t.Fatal(err)
	}
	issue, _, err := issues.Edit(
		t.Context(),
		owner,
		repo,
		1,
		&github.IssueRequest{Title: github.String("new"), Labels: &[]string{"BUMP"}, State: github.String("closed")},
	)
	if err != nil || issue.GetTitle() != "new" || issue.GetState() != "closed" || len(issue.Labels) != 1 || issue.Labels[0].GetName() != "Bump" ||
		issue.GetComments() != 1 ||
		!issue.IsPullRequest() {
		t.Errorf("issue %v (%v)", issue, err)
	}
	_, _, err = issues.Edit(t.Context(), owner, repo, 1, &github.IssueRequest{State: github.String("merged"), Labels: &[]string{"lost"}})
	networktest.WantStatus(t, "no such state", err, 422)
	got, _, err := issues.Get(t.Context(), owner, repo, 1)
	if err != nil || got.GetTitle() != "new" || len(got.Labels) != 1 {
		t.Errorf("issue %v (%v), want it as before the refused edit", got, err)
	}
	_, _, err = issues.Get(t.Context(), owner, repo, 2)
	networktest.WantStatus(t, "no such issue", err, 404)
}
