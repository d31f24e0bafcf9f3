package git_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/testkit"
)

// CI systems write URLs with tokens into .git/config. The error of a git command names
// the place and the reason, and does not contain the token.
func TestErrorsHoldNoToken(t *testing.T) {
	t.Parallel()
	const token = "ghs_known_0123456789"
	w := testkit.Start(t, network.Options{})
	if err := w.Forge.CreateRepository("o/app", forge.Repository{Private: true}); err != nil {
		t.Fatal(err)
	}
	repo := w.Repo(t.TempDir())
	testkit.Git(t, repo, "init", "--quiet")
	testkit.Git(t, repo, "commit", "--quiet", "--allow-empty", "-m", "begin")
	for name, url := range map[string]string{
		"a wrong token":          "https://x-access-token:" + token + "@github.com/o/app",
		"a token alone":          "https://" + token + "@github.com/o/none",
		"an @ in the password":   "https://me:" + token + "@me@github.com/o/app",
		"no such repository":     "https://x-access-token:" + token + "@github.com/o/none",
		"no such host":           "https://x-access-token:" + token + "@elsewhere.example/o/app",
		"a scheme of nobody":     "nobody://x-access-token:" + token + "@github.com/o/app",
		"a / in the password":    "https://me:" + token + "/more@github.com/o/app",
		"a port that is no port": "https://x-access-token:" + token + "@github.com:port/o/app",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			there := git.Repo{Dir: t.TempDir(), Env: repo.Env}
			testkit.Git(t, there, "clone", "--quiet", repo.Dir, ".")
			testkit.Git(t, there, "remote", "add", "named", url)
			testkit.Git(t, there, "tag", "v1.0.0")
			for _, remote := range []git.Remote{git.Remote(url), "named"} {
				ctx := context.Background()
				_, listed := there.RemoteTag(ctx, remote, "v1.0.0")
				_, fetched := there.Fetched(ctx, t.TempDir(), git.Remote(url), "refs/heads/main")
				_, pushed := there.Run(ctx, "push", "--quiet", string(remote), "v1.0.0")
				_, ran := there.Run(ctx, "clone", "--quiet", url, "new")
				for what, err := range map[string]error{"list": listed, "fetch": fetched, "clone": ran, "push": pushed} {
					if err == nil || outcome.Of(err) != outcome.Unchecked {
						t.Errorf("%s: %v, want an error", what, err)
					}
					for ; err != nil; err = errors.Unwrap(err) {
						if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "known_0123456789") {
							t.Errorf("%s by %.5s: the token is in %s", what, remote, text)
						}
					}
				}
			}
		})
	}
}

// Traces that hide nothing end up in an error, too.
func TestTracesHoldNoToken(t *testing.T) {
	t.Parallel()
	w := testkit.Start(t, network.Options{})
	repo := git.Repo{Dir: t.TempDir(), Env: append(w.Env(), "PATH="+os.Getenv("PATH"), "GIT_TRACE=1", "GIT_TRACE_CURL=1", "GIT_TRACE_REDACT=0")}
	_, err := repo.RemoteTag(context.Background(), "https://x-access-token:"+git.Remote(w.Token())+"@github.com/o/none", "v1.0.0")
	if err == nil || !strings.Contains(err.Error(), "uthorization: ***") {
		t.Fatalf("want an error with a trace: %v", err)
	}
	for _, secret := range []string{w.Token(), base64.StdEncoding.EncodeToString([]byte("x-access-token:" + w.Token()))} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s is in %v", secret, err)
		}
	}
}
