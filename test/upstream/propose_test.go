package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/bump"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/event"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/faults"
	"github.com/kubestellar/actions/test/testkit"
)

const (
	us     = "o/us"
	branch = "bump-up"
)

// downstream is the repository o/us, which refers to o/up.
type downstream struct {
	*stage
	t    *testing.T
	name string   // current name at GitHub
	work git.Repo // clone of an early state

	elsewhere *delivery.File  // replaces the file in main
	dispatch  *event.Dispatch // event that started the run
}

// newDownstream creates o/us with these files and a delivery.yaml.
func newDownstream(t *testing.T, files map[string]string) *downstream {
	t.Helper()
	return newStage(t).downstream(t, files)
}

func (s *stage) downstream(t *testing.T, files map[string]string) *downstream {
	t.Helper()
	d := &downstream{stage: s, t: t, name: us}
	for _, v := range []string{"1.2.4", "1.3.0"} {
		d.image(t, v)
		d.released(t, v, "ghcr.io/o/up:"+v)
	}
	d.work = d.git(t.TempDir())
	d.run(d.work, "clone", "--quiet", "https://github.com/"+us, ".")
	d.commit("HEAD", map[string]string{"delivery.yaml": declared + "bumps: {labels: [dependencies]}\n"})
	d.commit("HEAD", files)
	return d
}

func (d *downstream) run(in git.Repo, args ...string) string {
	d.t.Helper()
	return testkit.Git(d.t, in, args...)
}

// commit pushes files to main, as a person with a clone does. Files that end in .sh are executable.
func (d *downstream) commit(_ string, files map[string]string) {
	d.t.Helper()
	for name, text := range files {
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := os.WriteFile(d.work.Dir+"/"+name, []byte(text), mode); err != nil {
			d.t.Fatal(err)
		}
	}
	d.run(d.work, "add", ".")
	d.run(d.work, "commit", "--quiet", "--message", "files")
	d.run(d.work, "push", "--quiet", "origin", "HEAD:refs/heads/main")
}

// bare runs git in the repository itself.
func (d *downstream) bare(args ...string) string {
	d.t.Helper()
	return d.run(d.git(d.Forge.RepositoryDir(d.name)), args...)
}

// file returns the content of a file on a branch.
func (d *downstream) file(branch, name string) string {
	d.t.Helper()
	return d.bare("show", branch+":"+name)
}

func (d *downstream) theOne() forge.PullRequest {
	d.t.Helper()
	all := d.Forge.PullRequests(d.name)
	if len(all) != 1 {
		d.t.Fatalf("there are %d pull requests, want 1: %+v", len(all), all)
	}
	return all[0]
}

// propose does the work of `ghhelper bump up VERSION --pull-request`.
func (d *downstream) propose(version string) (bump.Proposed, error) {
	d.t.Helper()
	v, err := ref.ParseVersion(version)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.move(decide.Move{Component: "up", Version: v})
}

func (d *downstream) move(move decide.Move) (bump.Proposed, error) {
	forge, err := gh.New(gh.Options{
		Token: d.Token(), TokenName: "the test's", Transport: d.Transport(), Slow: faults.Slow,
		Wait: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	p := bump.Proposer{
		Forge: forge, Repo: d.work, Repository: us, Server: "https://github.com", Config: delivery.FileName, File: d.elsewhere,
		Move: move, Dispatch: d.dispatch, Asker: *d.asker(d.t, nil), Env: d.work.Env,
	}
	return p.Propose(d.t.Context())
}

// must proposes a version and checks the resulting state.
func (d *downstream) must(version string, want bump.State) bump.Proposed {
	d.t.Helper()
	done, err := d.propose(version)
	if err != nil || done.State != want {
		d.t.Fatalf("proposing %s: %s, %s, %v; want %s", version, done.State, done.Because, err, want)
	}
	return done
}

// asked returns the requests to the API since a number of them, all or only those with an effect.
func (d *downstream) asked(since int, effects bool) []string {
	var all []string
	for _, r := range d.Requests()[since:] {
		if r.Host == "api.github.com" && (r.Effect || !effects) {
			all = append(all, fmt.Sprintf("%s %s %d", r.Method, r.Path, r.Status))
		}
	}
	return all
}

var pulls = map[string]string{"pull.sh": "docker pull ghcr.io/o/up:1.2.3\n", "values.yaml": "image: ghcr.io/o/up:1.2.3\n"}

// There is one pull request on the tip of main with one signed-off commit. A second run changes
// nothing.
func TestProposes(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	done := d.must("1.2.4", bump.Opened)
	one := d.theOne()
	if one.Title != "✨ Bump up to 1.2.4" || one.Base != "main" || one.Head != branch || one.Author != "rehearsal[bot]" ||
		!slices.Equal(one.Labels, []string{"dependencies"}) {
		t.Errorf("the pull request is %+v", one)
	}
	for _, want := range []string{
		"| `pull.sh` | line 1 | `1.2.3` → `1.2.4` | tag |", "https://github.com/o/up/releases/tag/v1.2.4",
		"https://github.com/o/up/compare/v1.2.3...v1.2.4", "| `image ghcr.io/o/up:1.2.4` | `sha256:",
	} {
		if !strings.Contains(one.Body, want) {
			t.Errorf("its text lacks %q:\n%s", want, one.Body)
		}
	}
	shown := d.bare("show", "--raw", "--format=%P%n%an <%ae>%n%B", branch)
	author := strings.Split(shown, "\n")[1]
	if !strings.HasPrefix(shown, d.bare("rev-parse", "main")+"\n") || !strings.Contains(shown, "\nSigned-off-by: "+author+"\n") ||
		!strings.Contains(author, "+rehearsal[bot]@users.noreply.github.com>") || !strings.Contains(shown, ":100755 100755 ") {
		t.Errorf("the commit is %s", shown)
	}
	if !done.Commit().Verified || done.Commit().Signature() != "signed by GitHub (valid)" || done.Commit().Author != author {
		t.Errorf("GitHub made %+v", done.Commits)
	}
	if dirty, err := d.work.Dirty(t.Context()); err != nil || len(dirty) > 0 {
		t.Errorf("the work tree changed: %v, %v", dirty, err)
	}
	since := len(d.Requests())
	d.must("1.2.4", bump.Unchanged)
	if did := d.asked(since, true); len(did) > 0 {
		t.Errorf("a second run sent %q", did)
	}
}

// delivery.yaml is read at the tip of main, which is the base of the pull request, whatever is checked
// out.
func TestDeclaredByMain(t *testing.T) {
	t.Parallel()
	const other = "version: 1\nself: us\ncomponents:\n  us: {repository: o/us}\n"
	onMain := strings.ReplaceAll(declared, "  up:", "  late:") + "bumps: {branch: \"{component}-next\", title: \"🌱 {component} {version}\"}\n"
	v, err := ref.ParseVersion("1.2.4")
	testkit.Must(t, err)
	late := decide.Move{Component: "late", Version: v}
	checksOut := func(d *downstream, text string) { // without changing main
		d.Must(os.WriteFile(d.work.Dir+"/delivery.yaml", []byte(text), 0o644))
		d.run(d.work, "commit", "--quiet", "--all", "--message", "not pushed")
	}
	t.Run("a component that only main declares", func(t *testing.T) {
		t.Parallel()
		d := newDownstream(t, pulls)
		d.commit("HEAD", map[string]string{"delivery.yaml": onMain})
		checksOut(d, other+"bumps: {branch: \"wrong-{component}\"}\n")
		done, err := d.move(late)
		one := d.theOne()
		if err != nil || done.State != bump.Opened || one.Head != "late-next" || one.Title != "🌱 late 1.2.4" ||
			!strings.Contains(one.Body, "https://github.com/o/up/releases/tag/v1.2.4") {
			t.Errorf("%s, %v, %+v", done.State, err, one)
		}
		if want := "delivery.yaml of commit " + d.bare("rev-parse", "main") + ", the tip of main"; done.Declared != want {
			t.Errorf("declared by %q, want %q", done.Declared, want)
		}
	})
	t.Run("a component that only HEAD declares", func(t *testing.T) {
		t.Parallel()
		d := newDownstream(t, pulls)
		checksOut(d, onMain)
		since := len(d.Requests())
		_, err := d.move(late)
		want := "delivery.yaml of commit " + d.bare("rev-parse", "main") +
			`, the tip of main: component "late" is not declared in delivery.yaml, which has up, us`
		if outcome.Of(err) != outcome.Usage || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
		if asked := d.asked(since, false); len(asked) > 0 {
			t.Errorf("it sent %q", asked)
		}
	})
	t.Run("a file that is not in the repository", func(t *testing.T) {
		t.Parallel()
		d := newDownstream(t, pulls)
		d.elsewhere = parsed(t, onMain)
		done, err := d.move(late)
		if one := d.theOne(); err != nil || done.State != bump.Opened || one.Head != "late-next" || done.Declared != delivery.FileName {
			t.Errorf("%s, %q, %v, %+v", done.State, done.Declared, err, one)
		}
	})
	t.Run("another repository", func(t *testing.T) {
		t.Parallel()
		d := newDownstream(t, pulls)
		d.commit("HEAD", map[string]string{"delivery.yaml": strings.Replace(declared, "repository: o/us", "repository: o/fork", 1)})
		_, err := d.propose("1.2.4")
		if outcome.Of(err) != outcome.Usage || !strings.Contains(err.Error(), "is about repository o/fork, want o/us, as HEAD has it: check out main") {
			t.Error(err)
		}
	})
	t.Run("a dispatch of another repository than main's", func(t *testing.T) {
		t.Parallel()
		d := newDownstream(t, pulls)
		checksOut(d, strings.ReplaceAll(declared, "repository: o/up", "repository: o/forged"))
		d.dispatch = dispatched(t, `{"client_payload": {"repository": "o/forged"}}`)
		if _, err := d.propose("1.2.4"); outcome.Of(err) != outcome.Usage ||
			!strings.Contains(err.Error(), `client_payload.repository is "o/forged", want o/up`) {
			t.Error(err)
		}
	})
}

// dispatched returns the dispatch of a payload.
func dispatched(t *testing.T, text string) *event.Dispatch {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	testkit.Write(t, path, text)
	d, err := event.Read("repository_dispatch", path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A bump takes at most seven requests to the API, even for a hundred files and with labels. A commit for
// places that were behind takes two more.
func TestRequestsAreFew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		oldest   string // version of ten of the files
		requests int
	}{"one commit": {"1.2.3", 7}, "two commits": {"1.2.2", 9}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for i := range 100 {
				files[fmt.Sprintf("values-%d.yaml", i)] = "image: ghcr.io/o/up:1.2.3\n"
				if i < 10 {
					files[fmt.Sprintf("values-%d.yaml", i)] = fmt.Sprintf("image: ghcr.io/o/up:%s\n", test.oldest)
				}
			}
			d := newDownstream(t, files)
			for _, step := range []struct {
				version string
				want    bump.State
			}{{"1.2.4", bump.Opened}, {"1.3.0", bump.Replaced}} {
				since := len(d.Requests())
				if done := d.must(step.version, step.want); len(done.Plan.Changes) != 100 {
					t.Fatalf("%d files changed, want 100", len(done.Plan.Changes))
				}
				if asked := d.asked(since, false); len(asked) > test.requests {
					t.Errorf("%s took %d requests: %s", step.version, len(asked), strings.Join(asked, "\n"))
				}
			}
		})
	}
}

var lags = map[string]string{
	"late.sh": "docker pull ghcr.io/o/up:1.2.2\n", "pull.sh": "docker pull ghcr.io/o/up:1.2.3\n",
	"values.yaml": "image: ghcr.io/o/up:1.2.3\n",
}

// Places that were behind the others catch up in a second commit, which gives the reasons. A second run
// changes nothing, and a newer release replaces both commits.
func TestCatchesUpInACommitOfItsOwn(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, lags)
	if done := d.must("1.2.4", bump.Opened); len(done.Commits) != 2 || !done.Commits[0].Verified || !done.Commit().Verified {
		t.Errorf("GitHub made %+v", done.Commits)
	}
	d.isTwoCommits("1.2.4")
	d.runsAgain("1.2.4")
	d.must("1.3.0", bump.Replaced)
	d.isTwoCommits("1.3.0")
	d.runsAgain("1.3.0")
}

// caughtUp is the reason for the place that was behind, in the commit's message.
const caughtUp = "\n- late.sh:1, 1.2.2: was behind the others; never moved with them: check it\n"

// isTwoCommits checks that the branch moves current places in one commit on the tip of main, and late.sh in
// another.
func (d *downstream) isTwoCommits(version string) {
	d.t.Helper()
	if got, want := d.bare("log", "--reverse", "--name-only", "--format=%s", "main.."+branch),
		"✨ Bump up to "+version+"\n\npull.sh\nvalues.yaml\nCatch up 1 place of up\n\nlate.sh"; got != want {
		d.t.Errorf("the branch holds %q, want %q", got, want)
	}
	for commit, want := range map[string]string{
		branch + "^": "\n\nup " + version + " in 2 places.\n\nBump-tree: " + d.bare("rev-parse", branch+"^^{tree}") + "\nSigned-off-by: ",
		branch:       caughtUp + "\nBump-tree: " + d.bare("rev-parse", branch+"^{tree}") + "\nSigned-off-by: ",
	} {
		if got := d.bare("show", "--no-patch", "--format=%B", commit); !strings.Contains(got, want) {
			d.t.Errorf("the message is %q, want %q in it", got, want)
		}
	}
}

// runsAgain checks that a second run sends nothing.
func (d *downstream) runsAgain(version string) {
	d.t.Helper()
	since := len(d.Requests())
	d.must(version, bump.Unchanged)
	if did := d.asked(since, true); len(did) > 0 {
		d.t.Errorf("a second run sent %q", did)
	}
}

// The split between the two commits is checked, and not only the tree that they result in.
func TestAnotherSplitIsReplaced(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(d *downstream){
		"both in one commit": func(d *downstream) { d.makeOurs("main", branch) },
		"all in the first one": func(d *downstream) {
			d.makeOurs("main", branch)
			d.makeOurs(branch, branch)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDownstream(t, lags)
			d.must("1.2.4", bump.Opened)
			alter(d)
			d.must("1.2.4", bump.Replaced)
			d.isTwoCommits("1.2.4")
			d.runsAgain("1.2.4")
		})
	}
}

// makeOurs puts a commit of ours on the branch, with this parent and the tree of another commit.
func (d *downstream) makeOurs(parent, of string) {
	d.t.Helper()
	tree := d.bare("rev-parse", of+"^{tree}")
	author, email, _ := strings.Cut(d.bare("show", "--no-patch", "--format=%an%n%ae", branch), "\n")
	args := []string{"-c", "user.name=" + author, "-c", "user.email=" + email, "commit-tree", "-p", parent, "-m",
		fmt.Sprintf("Bump\n\nBump-tree: %s\nSigned-off-by: %s <%s>", tree, author, email), tree}
	d.bare("update-ref", "refs/heads/"+branch, d.bare(args...))
}

// History decides about a place without a name, and the text links to the commit that is the reason. A shallow
// clone results in the same pull request, because the missing commits are fetched.
func TestHistoryDecides(t *testing.T) {
	t.Parallel()
	for _, depth := range []string{"--no-single-branch", "--depth=1"} {
		t.Run(depth, func(t *testing.T) {
			t.Parallel()
			d := newDownstream(t, map[string]string{"deploy.env": "RELEASE=1.2.2\n", "values.yaml": "image: ghcr.io/o/up:1.2.2\n"})
			d.commit("main", map[string]string{"deploy.env": "RELEASE=1.2.3\n", "values.yaml": "image: ghcr.io/o/up:1.2.3\n"})
			reason := d.bare("rev-parse", "main")
			d.commit("main", map[string]string{"README.md": "Nothing about versions.\n"})
			d.work = d.git(t.TempDir())
			d.run(d.work, "clone", "--quiet", depth, "https://github.com/"+us, ".")
			d.must("1.2.4", bump.Opened)
			want := fmt.Sprintf("moved with the others in [%.8s](https://github.com/o/us/commit/%s) |", reason, reason)
			if one := d.theOne(); d.file(branch, "deploy.env") != "RELEASE=1.2.4" || !strings.Contains(one.Body, want) {
				t.Errorf("deploy.env holds %q, want %q in\n%s", d.file(branch, "deploy.env"), want, one.Body)
			}
			d.runsAgain("1.2.4")
		})
	}
}

// If nothing but places that were behind moves, there is one commit.
func TestCatchesUpAlone(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, map[string]string{"late.sh": lags["late.sh"], "pull.sh": "docker pull ghcr.io/o/up:1.2.4\n"})
	if done := d.must("1.2.4", bump.Opened); len(done.Commits) != 1 {
		t.Errorf("GitHub made %+v", done.Commits)
	}
	if got, want := d.bare("show", "--no-patch", "--format=%B", branch), caughtUp; !strings.Contains(got, want) {
		t.Errorf("the message is %q, want %q in it", got, want)
	}
	d.runsAgain("1.2.4")
}

// Two commits come on top of those of people as well.
func TestCatchesUpOnTopOfPeoplesCommits(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.2.4", bump.Opened)
	d.pushes("fix", map[string]string{"fix.sh": "docker pull ghcr.io/o/up:1.2.2\n"})
	head := d.bare("rev-parse", branch)
	if done := d.must("1.3.0", bump.Added); len(done.Commits) != 2 {
		t.Errorf("GitHub made %+v", done.Commits)
	}
	if got, want := d.bare("log", "--reverse", "--name-only", "--format=%s", head+".."+branch),
		"✨ Bump up to 1.3.0\n\npull.sh\nvalues.yaml\nCatch up 1 place of up\n\nfix.sh"; got != want {
		t.Errorf("the branch holds %q, want %q", got, want)
	}
	d.runsAgain("1.3.0")
}

// A newer release replaces the proposed one. An older one does not.
func TestProposesInPlace(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.2.4", bump.Opened)
	d.must("1.3.0", bump.Replaced)
	one := d.theOne()
	if one.Title != "✨ Bump up to 1.3.0" || strings.Contains(one.Body, "1.2.4") || d.bare("rev-list", "--count", "main.."+branch) != "1" ||
		!strings.Contains(d.file(branch, "pull.sh"), ":1.3.0") {
		t.Errorf("the pull request is %+v", one)
	}
	since := len(d.Requests())
	if done := d.must("1.2.4", bump.Nothing); !strings.Contains(done.Because, "pull request 1 proposes 1.3.0, a newer version") {
		t.Errorf("the older one: %q", done.Because)
	}
	if did := d.asked(since, true); len(did) > 0 {
		t.Errorf("the older one sent %q", did)
	}
}

// Commits of people on the proposal's branch stay, with ghhelper's commit on top.
func TestPeoplesCommitsStay(t *testing.T) {
	t.Parallel()
	for name, touch := range map[string]func(d *downstream){
		"a commit": func(d *downstream) {
			d.pushes("fix", map[string]string{"fix.txt": "by hand\n"})
		},
		"a comment": func(d *downstream) { d.Must(d.Person("ada").Comment(us, 1, "why?")) },
		"an amended commit": func(d *downstream) {
			tree := d.bare("rev-parse", branch+"^{tree}")
			message := strings.Replace(d.bare("show", "--no-patch", "--format=%B", branch), "✨", "🌱", 1)
			amended := d.bare("commit-tree", "-p", "main", "-m", message, tree)
			d.bare("update-ref", "refs/heads/"+branch, amended)
		},
		"a squashed commit": func(d *downstream) {
			d.pushes("fix", map[string]string{"fix.txt": "by hand\n"})
			message := d.bare("show", "--no-patch", "--format=%B", branch+"^")
			squashed := d.bare("commit-tree", "-p", "main", "-m", message, d.bare("rev-parse", branch+"^{tree}"))
			d.bare("update-ref", "refs/heads/"+branch, squashed)
		},
		"main has moved too": func(d *downstream) {
			d.pushes("fix", map[string]string{"fix.txt": "by hand\n"})
			d.commit("main", map[string]string{"late.yaml": "image: ghcr.io/o/up:1.2.3\n"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDownstream(t, pulls)
			d.must("1.2.4", bump.Opened)
			touch(d)
			head, files := d.bare("rev-parse", branch), d.bare("ls-tree", "--name-only", branch)
			d.must("1.3.0", bump.Added)
			if d.bare("merge-base", head, branch) != head {
				t.Error("the branch was forced")
			}
			if now := d.bare("ls-tree", "--name-only", branch); !strings.HasPrefix(now, strings.Split(files, "\n")[0]) ||
				!strings.Contains(d.file(branch, "pull.sh"), ":1.3.0") {
				t.Errorf("the branch holds %s, want all of %s", now, files)
			}
			if strings.Contains(files, "fix.txt") && d.file(branch, "fix.txt") != "by hand" {
				t.Error("what was added by hand has gone")
			}
			tree := d.bare("merge-tree", "--write-tree", "main", branch)
			for _, name := range strings.Fields(d.bare("ls-tree", "--name-only", tree)) {
				if text := d.bare("show", tree+":"+name); strings.Contains(text, "o/up:1.2.") {
					t.Errorf("merged, %s holds %s", name, text)
				}
			}
			if one := d.theOne(); one.Title != "✨ Bump up to 1.3.0" {
				t.Errorf("the pull request is %+v", one)
			}
			since := len(d.Requests())
			d.must("1.3.0", bump.Unchanged)
			if did := d.asked(since, true); len(did) > 0 {
				t.Errorf("a second run sent %q", did)
			}
		})
	}
}

func (d *downstream) pushes(message string, files map[string]string) {
	d.t.Helper()
	_, err := d.Person("ada").Push(us, branch, message, files)
	d.Must(err)
}

// Comments of bots do not count as the work of people.
func TestBotsDoNotCount(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.2.4", bump.Opened)
	forge, err := gh.New(gh.Options{Token: d.Token(), Transport: d.Transport()})
	d.Must(err)
	d.Must(forge.AddLabels(t.Context(), us, 1, []string{"more"}))
	req := strings.NewReader(`{"body":"a check has passed"}`)
	d.post("/repos/"+us+"/issues/1/comments", req)
	since := len(d.Requests())
	d.must("1.3.0", bump.Replaced)
	if asked := d.asked(since, false); len(asked) > 7 {
		t.Errorf("it took %d requests: %s", len(asked), strings.Join(asked, "\n"))
	}
	if one := d.theOne(); !slices.Equal(one.Labels, []string{"dependencies", "more"}) || len(one.Comments) != 1 {
		t.Errorf("the pull request is %+v", one)
	}
}

// A conflict is reported for people to solve, and nothing changes.
func TestConflictsAreReported(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.2.4", bump.Opened)
	d.pushes("fix", map[string]string{"pull.sh": "docker pull --quiet ghcr.io/o/up:1.2.4\n"})
	d.commit("main", map[string]string{"pull.sh": "podman pull ghcr.io/o/up:1.2.3\n"})
	head, since := d.bare("rev-parse", branch), len(d.Requests())
	done, err := d.propose("1.3.0")
	if outcome.Of(err) != outcome.Wrong || !strings.Contains(err.Error(), "both have changed pull.sh; merge main into it") {
		t.Errorf("%+v, %v", done, err)
	}
	if did := d.asked(since, true); len(did) > 0 || d.bare("rev-parse", branch) != head {
		t.Errorf("it sent %q", did)
	}
}

// A branch of people without a pull request is left alone.
func TestABranchOfPeopleIsLeft(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.bare("branch", branch, "main")
	d.pushes("mine", map[string]string{"mine.txt": "x"})
	since := len(d.Requests())
	if _, err := d.propose("1.2.4"); outcome.Of(err) != outcome.Wrong ||
		!strings.Contains(err.Error(), "holds commits of people, and no pull request is open from it") {
		t.Error(err)
	}
	if did := d.asked(since, true); len(did) > 0 {
		t.Errorf("it sent %q", did)
	}
}

// If the answer to a forced update was lost, the branch is read before another try. Commits pushed in
// the meantime stay.
func TestAForcedMoveIsNotRepeatedBlindly(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.2.4", bump.Opened)
	lost := 0
	d.Intercept(func(r networktest.Request) networktest.Fault {
		switch {
		case r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/git/refs/heads/"+branch) && lost == 0:
			lost++
			return networktest.Fault{CutBefore: true}
		case lost == 1 && r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/git/ref/heads/"+branch):
			lost++
			d.pushes("fix", map[string]string{"fix.txt": "by hand\n"})
		}
		return networktest.Fault{}
	})
	d.must("1.3.0", bump.Added)
	if lost != 2 || d.file(branch, "fix.txt") != "by hand" || !strings.Contains(d.file(branch, "pull.sh"), ":1.3.0") {
		t.Errorf("%d steps; the branch holds\n%s", lost, d.bare("log", "--oneline", "--name-only", branch))
	}
}

// If main or the branch moves in the meantime, the change is made again, up to three times.
func TestMovesMeanwhile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at    string // the request before whose answer it moves
		moves int
		where string
		want  bump.State // "" means that it gives up
	}{
		{"/git/commits", 1, "main", bump.Replaced}, {"/git/trees", 1, "main", bump.Replaced}, {"/git/refs/heads/" + branch, 1, "main", bump.Replaced},
		{"/git/commits", 3, "main", ""}, {"/git/commits", 1, branch, bump.Added}, {"/pulls/1", 1, branch, bump.Added},
	} {
		name := strings.ReplaceAll(fmt.Sprintf("%s of %s, %d times", test.where, test.at, test.moves), "/", "|")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDownstream(t, pulls)
			d.must("1.2.4", bump.Opened)
			moves := 0
			d.Intercept(func(r networktest.Request) networktest.Fault {
				if r.Effect && strings.HasSuffix(r.Path, test.at) && moves < test.moves {
					moves++
					name := fmt.Sprintf("%s-%d.yaml", test.where, moves)
					if _, err := d.Person("ada").Push(us, test.where, "meanwhile", map[string]string{name: "image: ghcr.io/o/up:1.2.3\n"}); err != nil {
						t.Error(err)
					}
				}
				return networktest.Fault{}
			})
			done, err := d.propose("1.3.0")
			d.Intercept(nil)
			if moves != test.moves {
				t.Fatalf("it moved %d times, want %d", moves, test.moves)
			}
			if test.want == "" {
				if outcome.Of(err) != outcome.Unchecked || !strings.Contains(err.Error(), "moved each of the 3 times") {
					t.Fatalf("%+v, %v", done, err)
				}
				return
			}
			if err != nil || done.State != test.want {
				t.Fatalf("%s, %s, %v", done.State, done.Because, err)
			}
			tree := d.bare("merge-tree", "--write-tree", "main", branch)
			for i := range moves {
				if got := d.bare("show", fmt.Sprintf("%s:%s-%d.yaml", tree, test.where, i+1)); got != "image: ghcr.io/o/up:1.3.0" {
					t.Errorf("the change from the meantime contains %q", got)
				}
			}
			if test.want == bump.Replaced && d.bare("rev-parse", branch+"^") != d.bare("rev-parse", "main") {
				t.Error("its commit is not on the tip of main")
			}
		})
	}
}

// Several runs at once, as after repeated notifications, result in one pull request.
func TestProposesAtOnce(t *testing.T) {
	t.Parallel()
	var seconds atomic.Int64 // gives each commit another time
	d := newStageAt(t, func() time.Time { return time.Unix(1_800_000_000+seconds.Add(1), 0) }).downstream(t, pulls)
	for _, version := range []string{"1.2.4", "1.3.0"} {
		const many = 3
		errs := make([]error, many)
		clones := make([]*downstream, many)
		for i := range clones {
			clones[i] = &downstream{stage: d.stage, t: t, name: us, work: d.git(t.TempDir())}
			d.run(clones[i].work, "clone", "--quiet", "https://github.com/"+us, ".")
		}
		var group sync.WaitGroup
		for i := range clones {
			group.Go(func() { _, errs[i] = clones[i].propose(version) })
		}
		group.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		if one := d.theOne(); one.Title != "✨ Bump up to "+version || d.bare("rev-list", "--count", "main.."+branch) != "1" ||
			!strings.Contains(d.file(branch, "pull.sh"), version) {
			t.Errorf("the pull request is %+v", one)
		}
	}
}

// A change that another run has proposed in the meantime is not proposed again.
func TestAnotherRunIsFaster(t *testing.T) {
	t.Parallel()
	var seconds atomic.Int64
	d := newStageAt(t, func() time.Time { return time.Unix(1_800_000_000+seconds.Add(1), 0) }).downstream(t, pulls)
	other := &downstream{stage: d.stage, t: t, name: us, work: d.git(t.TempDir())}
	d.run(other.work, "clone", "--quiet", "https://github.com/"+us, ".")
	var ran atomic.Bool
	d.Intercept(func(r networktest.Request) networktest.Fault {
		if strings.HasSuffix(r.Path, "/git/commits") && !ran.Swap(true) {
			other.must("1.2.4", bump.Opened)
		}
		return networktest.Fault{}
	})
	since := len(d.Requests())
	d.must("1.2.4", bump.Unchanged)
	d.Intercept(nil)
	for _, did := range d.asked(since, true) {
		if strings.HasPrefix(did, "PATCH") {
			t.Errorf("it sent %s", did)
		}
	}
	d.theOne()
}

// A pull request that has become unnecessary is closed, with a reason.
func TestClosesWhatIsNeedless(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.2.4", bump.Opened)
	d.commit("main", map[string]string{"pull.sh": "docker pull ghcr.io/o/up:1.2.4\n", "values.yaml": "image: ghcr.io/o/up:1.2.4\n"})
	d.must("1.2.4", bump.Closed)
	one := d.theOne()
	if one.State != "closed" || one.Merged || len(one.Comments) != 1 || !strings.Contains(one.Comments[0], "main holds up 1.2.4 or newer") {
		t.Errorf("the pull request is %+v", one)
	}
	since := len(d.Requests())
	d.must("1.2.4", bump.Nothing)
	if did := d.asked(since, true); len(did) > 0 {
		t.Errorf("a second run sent %q", did)
	}
	d.must("1.3.0", bump.Opened)
	if all := d.Forge.PullRequests(d.name); len(all) != 2 || all[1].State != "open" {
		t.Errorf("there are %+v", all)
	}
}

// These pull requests stay open although main needs no change.
func TestStaysOpen(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.3.0", bump.Opened)
	d.commit("main", map[string]string{"pull.sh": "docker pull ghcr.io/o/up:1.2.4\n", "values.yaml": "image: ghcr.io/o/up:1.2.4\n"})
	if done := d.must("1.2.4", bump.Nothing); !strings.Contains(done.Because, "a newer version") {
		t.Error(done.Because)
	}
	d.pushes("fix", map[string]string{"fix.txt": "by hand\n"})
	d.commit("main", map[string]string{"pull.sh": "docker pull ghcr.io/o/up:1.3.0\n", "values.yaml": "image: ghcr.io/o/up:1.3.0\n"})
	if done := d.must("1.3.0", bump.Nothing); !strings.Contains(done.Because, "holds commits of people, and stays open") {
		t.Error(done.Because)
	}
	if one := d.theOne(); one.State != "open" {
		t.Errorf("the pull request is %+v", one)
	}
}

// A pull request that a person closed is not opened again, unless there is a change.
func TestClosedByPeople(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.2.4", bump.Opened)
	d.Must(d.Person("ada").Close(us, 1))
	if done := d.must("1.2.4", bump.Nothing); !strings.Contains(done.Because, "pull request 1 proposed the same, and was closed") {
		t.Error(done.Because)
	}
	d.must("1.3.0", bump.Opened)
}

// After the merge, a branch that was not deleted is ignored.
func TestAfterTheMerge(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.2.4", bump.Opened)
	d.Must(d.Person("ada").Merge(us, 1))
	d.must("1.2.4", bump.Nothing)
	d.must("1.3.0", bump.Opened)
	if all := d.Forge.PullRequests(d.name); len(all) != 2 || !all[0].Merged || d.bare("rev-list", "--count", "main.."+branch) != "1" {
		t.Errorf("there are %+v", all)
	}
}

// The pull request may be merged between the queries of branches and pull requests. It is not opened
// again, because GitHub refuses one without commits.
func TestMergedMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDownstream(t, pulls)
	d.must("1.2.4", bump.Opened)
	var once sync.Once
	d.Intercept(func(r networktest.Request) networktest.Fault {
		if strings.HasSuffix(r.Path, "/pulls") {
			once.Do(func() { d.Must(d.Person("ada").Merge(us, 1)) })
		}
		return networktest.Fault{}
	})
	d.must("1.2.4", bump.Nothing)
	if all := d.Forge.PullRequests(d.name); len(all) != 1 || !all[0].Merged {
		t.Errorf("there are %+v", all)
	}
}

// Binary files, deletions and modes arrive unchanged.
func TestAnyBytes(t *testing.T) {
	t.Parallel()
	latin := "# caf\xe9\nimage: ghcr.io/o/up:1.2.3\n"
	d := newDownstream(t, map[string]string{"latin.yaml": latin})
	d.must("1.2.4", bump.Opened)
	if got := d.file(branch, "latin.yaml") + "\n"; got != strings.Replace(latin, "1.2.3", "1.2.4", 1) {
		t.Errorf("it contains %q", got)
	}
}

// proposal is a state before 1.3.0 is proposed, and the expected result.
type proposal struct {
	before func(d *downstream)
	want   bump.State
}

// again returns the expected result of a second run.
func (p proposal) again() bump.State {
	if p.want == bump.Closed {
		return bump.Nothing
	}
	return bump.Unchanged
}

var stages = map[string]proposal{
	"opened":                  {func(*downstream) {}, bump.Opened},
	"opened with two commits": {func(d *downstream) { d.commit("main", lags) }, bump.Opened},
	"replaced":                {func(d *downstream) { d.must("1.2.4", bump.Opened) }, bump.Replaced},
	"added to": {func(d *downstream) {
		d.must("1.2.4", bump.Opened)
		d.pushes("fix", map[string]string{"fix.txt": "by hand\n"})
	}, bump.Added},
	"closed": {func(d *downstream) {
		d.must("1.2.4", bump.Opened)
		d.commit("main", map[string]string{"pull.sh": "docker pull ghcr.io/o/up:1.3.0\n", "values.yaml": "image: ghcr.io/o/up:1.3.0\n"})
	}, bump.Closed},
}

// The process or GitHub dies at each request with an effect, before or after the effect. A second run
// results in the same state as an undisturbed one.
func TestProposalsNeverHalfHappen(t *testing.T) {
	t.Parallel()
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDownstream(t, pulls)
			stage.before(d)
			since := len(d.Requests())
			d.must("1.3.0", stage.want)
			want, effects := d.state(), len(d.asked(since, true))
			if effects < 2 {
				t.Fatalf("the recording has %d requests with an effect", effects)
			}
			for i := range effects {
				for _, fault := range []networktest.Fault{{CutBefore: true}, {CutAfter: true}} {
					d := newDownstream(t, pulls)
					stage.before(d)
					d.dieAt(i, fault)
					_, died := d.propose("1.3.0")
					d.Intercept(nil)
					if _, err := d.propose("1.3.0"); err != nil {
						t.Fatalf("request %d, %+v: run again: %v; before: %v", i, fault, err, died)
					}
					if diff := cmp.Diff(want, d.state()); diff != "" {
						t.Errorf("request %d, %+v (-undisturbed +got):\n%s\nbefore: %v", i, fault, diff, died)
					}
				}
			}
		})
	}
}

// dieAt lets the nth request with an effect suffer the fault and cuts all requests after it, as if the
// process had died.
func (d *downstream) dieAt(n int, fault networktest.Fault) {
	seen := 0
	d.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Host != "api.github.com" {
			return networktest.Fault{}
		}
		if seen > n {
			return networktest.Fault{CutBefore: true}
		}
		if r.Effect {
			seen++
		}
		if seen > n {
			return fault
		}
		return networktest.Fault{}
	})
}

// state returns everything that the downstream shows.
func (d *downstream) state() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", d.bare("for-each-ref", "--format=%(refname) %(tree) %(subject)"))
	for _, p := range d.Forge.PullRequests(d.name) {
		fmt.Fprintf(&b, "%+v\n", p)
	}
	return b.String()
}

func (d *downstream) post(path string, body *strings.Reader) {
	d.t.Helper()
	data := new(bytes.Buffer)
	_, err := data.ReadFrom(body)
	d.Must(err)
	d.Must(postJSON(d.t.Context(), d.Network.Network, path, data.Bytes()))
}

var errStatus = errors.New("unexpected status")

func postJSON(ctx context.Context, w *networktest.Network, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.github.com"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+w.Token())
	req.Header.Set("Content-Type", "application/json")
	res, err := w.Transport().RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		return fmt.Errorf("%w %d", errStatus, res.StatusCode)
	}
	return nil
}
