package gh_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

const repository = "o/app"

func start(t *testing.T, o forge.Repository) (*networktest.Network, *gh.Client) {
	t.Helper()
	w := testkit.Start(t, network.Options{})
	if err := w.Forge.CreateRepository(repository, o); err != nil {
		t.Fatal(err)
	}
	w.CommitEmpty(repository)
	return w.Network, client(t, w.Network, w.Token(), "")
}

func client(t *testing.T, w *networktest.Network, token, url string) *gh.Client {
	t.Helper()
	c, err := gh.New(gh.Options{APIURL: url, Token: token, TokenName: "X_TOKEN", Transport: w.Transport(), Wait: testkit.NoWait})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A release from the draft to its publication, on github.com and on an Enterprise
// server.
func TestRelease(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"github.com": "", "Enterprise": "https://github.com/api/v3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := start(t, forge.Repository{})
			release(t, client(t, w, w.Token(), url))
		})
	}
}

func release(t *testing.T, c *gh.Client) {
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if none, err := c.Releases(ctx, repository, "v1.0.0"); err != nil || len(none) != 0 {
		t.Fatalf("before: %v, %v", none, err)
	}
	id, err := c.CreateDraft(ctx, repository, "v1.0.0", "main")
	must(err)
	second, err := c.CreateDraft(ctx, repository, "v1.0.0", "main")
	must(err)
	if second <= id {
		t.Errorf("the second draft is %d, the first %d", second, id)
	}
	must(c.DeleteDraft(ctx, repository, second))
	drafts, err := c.Releases(ctx, repository, "v1.0.0")
	if err != nil || len(drafts) != 1 || !drafts[0].Draft || drafts[0].ID != id {
		t.Fatalf("the draft: %v, %v", drafts, err)
	}
	file := filepath.Join(t.TempDir(), "f")
	must(os.WriteFile(file, []byte("text"), 0o644))
	must(c.Upload(ctx, repository, drafts[0].ID, "old.txt", file))
	must(c.Upload(ctx, repository, drafts[0].ID, "new.txt", file))
	if err := c.Upload(ctx, repository, drafts[0].ID, "new.txt", file); err == nil {
		t.Error("an asset was uploaded twice")
	}
	drafts, err = c.Releases(ctx, repository, "v1.0.0")
	must(err)
	old, _ := drafts[0].Asset("old.txt")
	must(c.DeleteAsset(ctx, repository, old.ID))
	must(c.Publish(ctx, repository, drafts[0].ID, ref.Version{}))
	public, err := c.Releases(ctx, repository, "v1.0.0")
	if err != nil || len(public) != 1 || public[0].Draft || len(public[0].Assets) != 1 {
		t.Fatalf("published: %+v, %v", public, err)
	}
	asset, _ := public[0].Asset("new.txt")
	const sum = "sha256:982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
	for _, known := range []string{asset.Digest, ""} { // with and without the server's digest
		asset.Digest = known
		if digest, err := c.AssetDigest(ctx, repository, asset); err != nil || digest != sum {
			t.Errorf("the asset's digest: %s, %v", digest, err)
		}
	}
}

func TestDispatchIsSeenAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, c := start(t, forge.Repository{})
	event := gh.NewEvent("us", "1.0.0")
	if run, err := c.FindRun(ctx, repository, "repository_dispatch", event.ID, time.Time{}); run != nil || err != nil {
		t.Fatalf("before: %v, %v", run, err)
	}
	if err := c.Dispatch(ctx, repository, event); err != nil {
		t.Fatal(err)
	}
	if run, err := c.FindRun(ctx, repository, "repository_dispatch", event.ID, time.Now().Add(-time.Hour)); run == nil || run.Title != event.ID || err != nil {
		t.Errorf("after: %v, %v", run, err)
	}
	got := w.Forge.Dispatches(repository)
	if len(got) != 1 || got[0].EventType != gh.EventType || string(got[0].ClientPayload) != `{"component":"us","version":"1.0.0","id":"us 1.0.0"}` {
		t.Errorf("received %+v", got)
	}
}

func TestCheckWrite(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, c := start(t, forge.Repository{})
	if err := c.CheckWrite(ctx, repository); err != nil {
		t.Error(err)
	}
	if err := c.CheckWrite(ctx, "o/none"); !errors.Is(err, gh.ErrAbsent) {
		t.Errorf("no such repository: %v", err)
	}
	err := client(t, w, "ghs_known_and_wrong", "").CheckWrite(ctx, repository)
	if err == nil || !strings.Contains(err.Error(), "(X_TOKEN) is missing, wrong or expired") || strings.Contains(err.Error(), "ghs_known_and_wrong") {
		t.Errorf("a wrong token: %v", err)
	}
	_, reader := start(t, forge.Repository{Rights: "read"})
	if err := reader.CheckWrite(ctx, repository); err == nil || !strings.Contains(err.Error(), "no permission to write to o/app") {
		t.Errorf("a token that may only read: %v", err)
	}
	if err := w.Forge.CreateRepository("o/other", forge.Repository{}); err != nil {
		t.Fatal(err)
	}
	secret, err := w.Forge.AddToken(forge.Token{Kind: forge.WorkflowToken, Repositories: map[string]forge.Permissions{repository: {"contents": "write"}}})
	if err != nil {
		t.Fatal(err)
	}
	workflow := client(t, w, secret, "")
	if err := workflow.CheckWrite(ctx, repository); err != nil {
		t.Errorf("a workflow's token, for which GitHub reports no permissions: %v", err)
	}
	err = workflow.CheckWrite(ctx, "o/other")
	const want = "no permission to write to o/other: the token (X_TOKEN) is from an App or a workflow and only has access to o/app: use a token"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a workflow's token, elsewhere: %v", err)
	}
	w.Intercept(func(networktest.Request) networktest.Fault { return networktest.Fault{Status: http.StatusBadGateway} })
	if err := c.CheckWrite(ctx, repository); err == nil || errors.Is(err, gh.ErrAbsent) {
		t.Errorf("a bad gateway: %v", err)
	}
}

func TestNewRefusesInvalidURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"api.github.com", "://", "https://"} {
		if _, err := gh.New(gh.Options{APIURL: url}); err == nil || !strings.Contains(err.Error(), "GITHUB_API_URL") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestMakesImmutable(t *testing.T) {
	t.Parallel()
	w, c := start(t, forge.Repository{})
	for _, on := range []bool{false, true} {
		if err := w.Forge.SetImmutable(repository, on); err != nil {
			t.Fatal(err)
		}
		if got, err := c.MakesImmutable(context.Background(), repository); got != on || err != nil {
			t.Errorf("saw %t, %v, want %t", got, err, on)
		}
	}
	w.Intercept(func(networktest.Request) networktest.Fault {
		return networktest.Fault{Status: http.StatusForbidden, Body: `{}`}
	})
	if _, err := c.MakesImmutable(context.Background(), repository); err == nil {
		t.Error("a setting that may not be read was read")
	}
}

// Errors about an immutable release are final: retries cannot succeed.
func TestImmutableIsFinal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, c := start(t, forge.Repository{Immutable: true})
	file := filepath.Join(t.TempDir(), "f")
	_, made := c.CreateDraft(ctx, repository, "v1.0.0", "main")
	if err := errors.Join(os.WriteFile(file, []byte("text"), 0o644), made); err != nil {
		t.Fatal(err)
	}
	drafts, err := c.Releases(ctx, repository, "v1.0.0")
	if err != nil || len(drafts) != 1 || drafts[0].Immutable {
		t.Fatalf("the draft: %+v, %v", drafts, err)
	}
	id := drafts[0].ID
	if err := errors.Join(c.Upload(ctx, repository, id, "a", file), c.Publish(ctx, repository, id, ref.Version{})); err != nil {
		t.Fatal(err)
	}
	public, err := c.Releases(ctx, repository, "v1.0.0")
	if err != nil || len(public) != 1 || !public[0].Immutable {
		t.Fatalf("published: %+v, %v", public, err)
	}
	if _, err := c.CreateDraft(ctx, repository, "v1.0.0", "main"); err != nil {
		t.Fatal(err)
	}
	drafts, err = c.Releases(ctx, repository, "v1.0.0")
	if err != nil || len(drafts) != 2 {
		t.Fatalf("the second draft: %+v, %v", drafts, err)
	}
	for what, err := range map[string]error{
		"an upload":  c.Upload(ctx, repository, id, "b", file),
		"a deletion": c.DeleteAsset(ctx, repository, public[0].Assets[0].ID),
	} {
		if outcome.Of(err) != outcome.Wrong || !strings.Contains(err.Error(), "take the next version") {
			t.Errorf("%s: code %d, %v", what, outcome.Of(err), err)
		}
	}
}
