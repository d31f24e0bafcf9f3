package git_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/test/testkit"
)

func TestSurvey(t *testing.T) {
	t.Parallel()
	one, two := clones(t)
	first := testkit.Git(t, one, "rev-parse", "HEAD")
	if err := os.WriteFile(filepath.Join(one.Dir, "a\tb"), make([]byte, 1234), 0o644); err != nil {
		t.Fatal(err)
	}
	testkit.Git(t, one, "add", ".")
	testkit.Git(t, one, "commit", "--quiet", "-m", "second")
	for _, tag := range []string{"v0.2.0-rc9", "v0.2.0-rc10", "0.9.0", "v1", "vx", "x/v3.0.0"} {
		testkit.Git(t, one, "tag", "--annotate", "--message", "x", tag, first)
	}
	testkit.Git(t, one, "push", "--quiet", "--tags", "origin", "HEAD:main")
	head := testkit.Git(t, one, "rev-parse", "HEAD")
	remote := git.Remote(testkit.Git(t, one, "remote", "get-url", "origin"))
	s, err := two.Survey(t.Context(), remote)
	if err != nil || s.Head != head {
		t.Errorf("head %q, %v, want %s", s.Head, err, head)
	}
	for form, want := range map[string]string{"": "0.2.0-rc10", "{version}": "0.9.0", "x/v{version}": "3.0.0"} {
		versions := s.Versions(delivery.Component{Tag: form}.Tagged)
		if newest := ref.Newest(versions); newest.String() != want {
			t.Errorf("tags %q: versions %v, want the newest %s", form, versions, want)
		}
	}
	got, err := two.FetchedCommit(t.Context(), t.TempDir(), remote, head)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := got.Snapshot(t.Context(), head)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := fs.ReadFile(tree, "a\tb"); err != nil || len(data) != 1234 {
		t.Errorf("the file: %d bytes, %v", len(data), err)
	}
	if size, err := got.Size(t.Context(), head); err != nil || size != 1234 {
		t.Errorf("the size: %d, %v", size, err)
	}
	if log := testkit.Git(t, got, "rev-list", head); log != head {
		t.Errorf("its history came too: %s", log)
	}
}

func TestSurveyOfNothing(t *testing.T) {
	t.Parallel()
	one, _ := clones(t)
	bare := t.TempDir()
	testkit.Git(t, one, "init", "--quiet", "--bare", bare)
	if s, err := one.Survey(t.Context(), git.Remote(bare)); err != nil || s.Head != "" || len(s.Tags) != 0 {
		t.Errorf("an empty repository: %+v, %v", s, err)
	}
	if s, err := one.Survey(t.Context(), git.Remote(bare+"-not")); err == nil {
		t.Errorf("no repository: %+v, want an error", s)
	}
}
