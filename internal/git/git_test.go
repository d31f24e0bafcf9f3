package git_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/test/testkit"
)

// clones returns two clones of a bare repository. Its branch main has one commit.
func clones(t *testing.T) (one, two git.Repo) {
	t.Helper()
	dir := t.TempDir()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b.invalid", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b.invalid",
		"GIT_COMMITTER_DATE=2026-01-02T03:04:05Z"}
	at := git.Repo{Dir: dir, Env: env}
	one, two = git.Repo{Dir: filepath.Join(dir, "one"), Env: env}, git.Repo{Dir: filepath.Join(dir, "two"), Env: env}
	testkit.Git(t, at, "init", "--quiet", "--bare", "--initial-branch=main", "bare")
	testkit.Git(t, at, "clone", "--quiet", "bare", "one")
	testkit.Git(t, one, "commit", "--quiet", "--allow-empty", "-m", "begin")
	testkit.Git(t, one, "push", "--quiet", "origin", "HEAD:main")
	testkit.Git(t, at, "clone", "--quiet", "bare", "two")
	return one, two
}

func TestTagsAreFetchedAndStay(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	one, two := clones(t)
	head := testkit.Git(t, one, "rev-parse", "HEAD")
	if commit, err := one.RemoteTag(ctx, git.Origin, "v1.0.0"); commit != "" || err != nil {
		t.Fatalf("no tag yet: %q, %v", commit, err)
	}
	testkit.Git(t, one, "tag", "--annotate", "--message", "one", "v1.0.0", head)
	testkit.Git(t, one, "push", "--quiet", "origin", "v1.0.0")
	if commit, err := two.RemoteTag(ctx, git.Origin, "v1.0.0"); commit != head || err != nil {
		t.Errorf("an annotated tag at the remote: %q, %v, want %s", commit, err, head)
	}
	if err := two.FetchTag(ctx, git.Origin, "v1.0.0"); err != nil {
		t.Fatal(err)
	}
	if commit, err := two.LocalTag(ctx, "v1.0.0"); commit != head || err != nil {
		t.Errorf("the fetched tag: %q, %v", commit, err)
	}
	testkit.Git(t, two, "tag", "--delete", "v1.0.0")
	testkit.Git(t, two, "commit", "--quiet", "--allow-empty", "-m", "more")
	testkit.Git(t, two, "tag", "--annotate", "--message", "two", "v1.0.0")
	if err := two.FetchTag(ctx, git.Origin, "v1.0.0"); err == nil {
		t.Error("a local tag was moved")
	}
}

func TestReleasedFrom(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	one, two := clones(t)
	testkit.Git(t, one, "commit", "--quiet", "--allow-empty", "-m", "patch")
	patch := testkit.Git(t, one, "rev-parse", "HEAD")
	lines := []string{"release-*"}
	for _, test := range []struct {
		doing string
		do    []string
		want  []string
	}{
		{"nowhere", nil, nil},
		{"on another branch", []string{"push", "--quiet", "origin", "HEAD:other", "HEAD:refs/heads/x/refs/heads/release-1.0", "HEAD:refs/heads/released"}, nil},
		{"on a release branch", []string{"push", "--quiet", "origin", "HEAD:release-1.0"}, []string{"release-1.0"}},
		{"about to be below its head", []string{"commit", "--quiet", "--allow-empty", "-m", "more"}, []string{"release-1.0"}},
		{"below its head", []string{"push", "--quiet", "origin", "HEAD:release-1.0"}, []string{"release-1.0"}},
		{"on two", []string{"push", "--quiet", "origin", "HEAD:release-1.1"}, []string{"release-1.0", "release-1.1"}},
	} {
		if test.do != nil {
			testkit.Git(t, one, test.do...)
		}
		branch, err := one.ReleasedFrom(ctx, git.Origin, patch, lines)
		if err != nil || branch != strings.Join(test.want[:min(1, len(test.want))], "") {
			t.Errorf("a commit %s: %q, %v", test.doing, branch, err)
		}
		if all, err := one.Releases(ctx, git.Origin, patch, lines); err != nil || !slices.Equal(all, test.want) {
			t.Errorf("a commit %s: %q, %v", test.doing, all, err)
		}
	}
	if branch, err := two.ReleasedFrom(ctx, git.Origin, testkit.Git(t, two, "rev-parse", "HEAD"), lines); branch != "main" || err != nil {
		t.Errorf("a commit on main: %q, %v", branch, err)
	}
}

// The default branch may have any name, and release branches any form. A stale main does not count.
func TestReleasedFromOtherBranches(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	one, _ := clones(t)
	origin := git.Repo{Dir: testkit.Git(t, one, "remote", "get-url", "origin"), Env: one.Env}
	testkit.Git(t, one, "push", "--quiet", "origin", "HEAD:main")
	testkit.Git(t, one, "commit", "--quiet", "--allow-empty", "-m", "more")
	testkit.Git(t, one, "push", "--quiet", "origin", "HEAD:refs/heads/trunk", "HEAD:refs/heads/v1.2.x", "HEAD:refs/heads/v1.2.y")
	testkit.Git(t, origin, "symbolic-ref", "HEAD", "refs/heads/trunk")
	if name, err := one.DefaultBranch(ctx, git.Origin); name != "trunk" || err != nil {
		t.Errorf("the default branch is %q, %v", name, err)
	}
	head := testkit.Git(t, one, "rev-parse", "HEAD")
	if all, err := one.Releases(ctx, git.Origin, head, []string{"v*.x"}); err != nil || !slices.Equal(all, []string{"trunk", "v1.2.x"}) {
		t.Errorf("the branches are %q, %v", all, err)
	}
}

func TestErrorsKeepCommandAndStatus(t *testing.T) {
	t.Parallel()
	one, _ := clones(t)
	_, err := one.Run(context.Background(), "rev-parse", "--verify", "nothing")
	var failed *git.Error
	if !errors.As(err, &failed) || failed.Status != 128 || !strings.Contains(err.Error(), "git rev-parse --verify nothing: fatal") {
		t.Errorf("got %v", err)
	}
}

func TestFilesAndDirty(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	one, _ := clones(t)
	for _, name := range []string{"b", "a space", "ä\n"} {
		if err := os.WriteFile(filepath.Join(one.Dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if dirty, err := one.Dirty(ctx); len(dirty) != 3 || err != nil {
		t.Errorf("dirty: %q, %v", dirty, err)
	}
	testkit.Git(t, one, "add", ".")
	if files, err := one.Files(ctx); strings.Join(files, "|") != "a space|b|ä\n" || err != nil {
		t.Errorf("files: %q, %v", files, err)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	one, _ := clones(t)
	for _, tag := range []string{"v1.0.0", "v1.0.0-rc10", "v1", "vertical", "1.0.0"} {
		testkit.Git(t, one, "tag", tag)
	}
	versions, err := one.Versions(context.Background(), delivery.Component{}.Tagged)
	if len(versions) != 2 || err != nil {
		t.Errorf("versions: %v, %v", versions, err)
	}
}

// A commit has the versions in its history. A clone without any falls back to all tags.
func TestVersionsIn(t *testing.T) {
	t.Parallel()
	one, _ := clones(t)
	testkit.Git(t, one, "commit", "--quiet", "--allow-empty", "--message", "first")
	for _, tag := range []string{"v0.1.0", "v0.2.0"} {
		testkit.Git(t, one, "commit", "--quiet", "--allow-empty", "--message", tag)
		testkit.Git(t, one, "tag", tag)
	}
	for commit, want := range map[string]string{"v0.1.0": "0.1.0", "v0.2.0": "0.2.0", "v0.1.0~1": "0.2.0"} {
		versions, err := one.VersionsIn(t.Context(), commit, delivery.Component{}.Tagged)
		if got := ref.Newest(versions).String(); got != want || err != nil {
			t.Errorf("%s: newest %s, want %s, %v", commit, got, want, err)
		}
	}
}

// ls-remote matches the ends of names, so it also lists a branch that is named like the tag.
func TestRemoteTagIsNoBranchOfThatName(t *testing.T) {
	t.Parallel()
	one, _ := clones(t)
	testkit.Git(t, one, "push", "--quiet", "origin", "HEAD:refs/heads/refs/tags/v1.0.0")
	if commit, err := one.RemoteTag(context.Background(), git.Origin, "v1.0.0"); commit != "" || err != nil {
		t.Errorf("got %q, %v", commit, err)
	}
}
