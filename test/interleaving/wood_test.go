package interleaving_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/testkit"
)

// tree is one of the three repositories. It releases a chart and pins the chart of another one.
type tree struct {
	name        string
	first       string   // the first pinned version
	more        []string // further versions at the start
	pins        string   // the component that it refers to
	receiver    string   // the repository that refers to it
	tag         string   // the form of its chart's tags
	prereleases bool     // the repository that refers to it follows prereleases
}

var trees = []tree{
	{name: "ash", first: "0.1.0", more: []string{"0.1.1", "0.1.2"}, pins: "birch", receiver: "cedar", tag: "{version}"},
	{name: "birch", first: "0.2.0-rc8", more: []string{"0.2.0-rc9", "0.2.0-rc10"}, pins: "cedar", receiver: "ash", tag: "{version}", prereleases: true},
	{name: "cedar", first: "0.3.0", more: []string{"0.3.1", "0.3.2"}, pins: "ash", receiver: "birch", tag: "v{version}"},
}

func named(name string) tree {
	return trees[slices.IndexFunc(trees, func(t tree) bool { return t.name == name })]
}

func (t tree) repository() string { return "wood/" + t.name }
func (t tree) at() string         { return "ghcr.io/wood/" + t.name + "-chart" }
func (t tree) branch() string     { return "bump-" + t.pins }

func (t tree) tagOf(v string) string { return strings.ReplaceAll(t.tag, "{version}", v) }

const server = "https://github.com"

const job = `apiVersion: batch/v1
kind: Job
metadata: {name: %s}
spec:
  template:
    spec:
      containers:
      - name: helm
        args:
        - upgrade
        - oci://%s
        - --version
        - %s
`

// files returns the first files of the repository. Three of them contain the pin.
func (t tree) files() map[string]string {
	other := named(t.pins)
	return map[string]string{
		"delivery.yaml": fmt.Sprintf(`version: 1
self: %[1]s
components:
  %[1]s:
    repository: wood/%[1]s
    artifacts:
      chart: {kind: chart, at: %[2]s, source: chart, tag: "%[3]s"}
  %[4]s:
    repository: wood/%[4]s
    prereleases: %[5]t
    artifacts:
      chart: {kind: chart, at: %[6]s, tag: "%[7]s"}
    names: [%[8]s_VERSION]
bumps: {labels: [dependencies]}
downstreams: [wood/%[9]s]
`, t.name, t.at(), t.tag, other.name, other.prereleases, other.at(), other.tag, strings.ToUpper(other.name), t.receiver),
		"chart/Chart.yaml":         fmt.Sprintf("apiVersion: v2\nname: %s-chart\nversion: %[2]s\nappVersion: %[2]s\n", t.name, t.tagOf(ref.Placeholder)),
		"chart/values.yaml":        fmt.Sprintf("%s_VERSION: %q\n", strings.ToUpper(other.name), other.first),
		"chart/templates/job.yaml": fmt.Sprintf(job, t.name, other.at(), other.tagOf(fmt.Sprintf("{{ .Values.%s_VERSION }}", strings.ToUpper(other.name)))),
		"demo.sh":                  fmt.Sprintf("helm upgrade --install %s oci://%s --version %s\n", other.name, other.at(), other.tagOf(other.first)),
		"ci/pins.yaml":             fmt.Sprintf("env:\n  %s_VERSION: %q\n", strings.ToUpper(other.name), other.first),
		".github/workflows/bump.yml": `name: bump
on:
  repository_dispatch:
    types: [upstream-released]
run-name: ${{ github.event.client_payload.id }}
jobs: {}
`,
	}
}

// wood is a network with the three repositories, and a record of the actors' work.
type wood struct {
	*testkit.Network
	seed  int64
	clock atomic.Int64 // seconds; constant within a round, because commits contain it
	seen  seen
	count *counts

	mu         sync.Mutex
	unfinished []task
	people     []pushed
	taken      map[string]bool // charts that a person pushed
	names      int
}

const begin = 1_800_000_000 // in 2027

func newWood(t *testing.T, seed int64, count *counts) *wood {
	t.Helper()
	w := &wood{seed: seed, count: count, seen: newSeen(), taken: map[string]bool{}}
	w.clock.Store(begin)
	w.Network = testkit.Start(t, network.Options{Now: w.now})
	for _, tree := range trees {
		w.plant(tree)
	}
	return w
}

func (w *wood) now() time.Time { return time.Unix(w.clock.Load(), 0) }

// plant creates a repository with some releases.
func (w *wood) plant(tree tree) {
	w.T.Helper()
	w.Must(w.Forge.CreateRepository(tree.repository(), forge.Repository{}))
	bare := w.bare(tree)
	empty, err := bare.Run(w.T.Context(), "commit-tree", "-m", "Begin", testkit.EmptyTree)
	w.Must(err)
	var files []git.File
	for name, text := range tree.files() {
		files = append(files, git.File{Name: name, Data: []byte(text)})
	}
	first, err := bare.CommitFiles(w.T.Context(), empty, "Grow", files)
	w.Must(err)
	second, err := bare.CommitFiles(w.T.Context(), first, "Say what it is", []git.File{{Name: "README.md", Data: []byte("A tree.\n")}})
	w.Must(err)
	_, err = bare.Run(w.T.Context(), "update-ref", "refs/heads/main", second)
	w.Must(err)
	for _, version := range append([]string{tree.first}, tree.more...) {
		_, err := bare.Run(w.T.Context(), "update-ref", "refs/tags/v"+version, first)
		w.Must(err)
		w.pushChart(tree, version, "from before there was a release process")
	}
}

// pushChart pushes a chart as a person does.
func (w *wood) pushChart(tree tree, version, description string) {
	w.T.Helper()
	text := fmt.Sprintf("apiVersion: v2\nname: %s-chart\nversion: %s\ndescription: %s\n", tree.name, tree.tagOf(version), description)
	w.PushChart(tree.at(), tree.tagOf(version), fstest.MapFS{"Chart.yaml": {Data: []byte(text)}}, nil)
	w.taken[tree.at()+":"+tree.tagOf(version)] = true
}

// bare returns the repository itself.
func (w *wood) bare(tree tree) git.Repo {
	return git.Repo{Dir: w.Forge.RepositoryDir(tree.repository()), Env: w.env("")}
}

// env returns the environment of an actor's commands, or of an observer's if the name is "".
func (w *wood) env(name string) []string {
	at := fmt.Sprintf("%d +0000", w.clock.Load())
	return append(w.Env(), "PATH="+os.Getenv("PATH"), "GIT_HTTP_USER_AGENT="+name, "GIT_AUTHOR_DATE="+at, "GIT_COMMITTER_DATE="+at)
}

// bearing adds the actor's name to requests.
type bearing struct {
	next http.RoundTripper
	name string
}

func (b bearing) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", b.name)
	return b.next.RoundTrip(req)
}

// transport returns an actor's transport with a new connection for each request. net/http repeats a
// request by itself if a reused connection breaks, and whether it is reused depends on timing.
func (w *wood) transport(name string) http.RoundTripper {
	if name == "" {
		return w.Transport()
	}
	own := w.Transport().(*http.Transport).Clone()
	own.DisableKeepAlives = true
	return bearing{own, name}
}

func (w *wood) registry(name string) *oci.Registry {
	return &oci.Registry{Keychain: testkit.Login(w.Token()), Transport: w.transport(name), Backoff: remote.Backoff{Steps: 1}}
}

// anonymous returns a client without credentials.
func (w *wood) anonymous(name string) *oci.Registry {
	return &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: w.transport(name), Backoff: remote.Backoff{Steps: 1}}
}

func (w *wood) forge(name string) (*gh.Client, error) {
	return gh.New(gh.Options{
		Token: w.Token(), TokenName: "the actor's", Transport: w.transport(name),
		Wait: testkit.NoWait, Random: func() float64 { return 0 },
	})
}

// clone clones a repository at a revision, as a workflow's job does. It sends no request, so it
// contains the state of the round's begin.
func (w *wood) clone(ctx context.Context, name string, tree tree, at string) (git.Repo, func(), error) {
	dir, err := os.MkdirTemp(w.Dir, "clone-*")
	if err != nil {
		return git.Repo{}, nil, err
	}
	remove := func() { os.RemoveAll(dir) }
	repo := git.Repo{Dir: dir, Env: w.env(name)}
	if err = linked(w.Forge.RepositoryDir(tree.repository()), filepath.Join(dir, ".git")); err == nil {
		_, err = repo.Run(ctx, "checkout", "--quiet", "--detach", at)
	}
	return repo, remove, err
}

// linked clones a bare repository like git clone, with links to the files of its objects. It starts no
// git process.
func linked(bare, to string) error {
	const config = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
	if err := os.CopyFS(filepath.Join(to, "refs"), os.DirFS(filepath.Join(bare, "refs"))); err != nil {
		return err
	}
	for name, text := range map[string]string{"HEAD": "ref: refs/heads/main\n", "config": config} {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if packed, err := os.ReadFile(filepath.Join(bare, "packed-refs")); err == nil {
		if err := os.WriteFile(filepath.Join(to, "packed-refs"), packed, 0o644); err != nil {
			return err
		}
	}
	return filepath.WalkDir(filepath.Join(bare, "objects"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(bare, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		return os.Link(path, filepath.Join(to, name))
	})
}
