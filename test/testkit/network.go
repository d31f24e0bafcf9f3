package testkit

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/contract"
)

// EmptyTree is the hash of git's empty tree.
const EmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// Network is the fake network of one test.
type Network struct {
	*networktest.Network
	T    testing.TB
	Dir  string        // a folder for the test
	Slow time.Duration // time limit of GitHub's answers; zero means the client's default
}

// Start starts a network that ends with the test, and creates repositories. It checks the traffic of
// the fake GitHub against the description of GitHub's API.
func Start(t testing.TB, o network.Options, repositories ...string) *Network {
	t.Helper()
	networktest.SkipIfShort(t)
	dir := t.TempDir()
	w, err := networktest.Start(filepath.Join(dir, "network"), o)
	Must(t, err)
	w.Observe(contract.Hold(t))
	t.Cleanup(func() { w.Close() })
	for _, repository := range repositories {
		Must(t, w.Forge.CreateRepository(repository, forge.Repository{}))
	}
	return &Network{Network: w, T: t, Dir: dir}
}

// For returns the network for a subtest.
func (n *Network) For(t testing.TB) *Network {
	other := *n
	other.T = t
	return &other
}

// Must ends the test if there is an error.
func (n *Network) Must(err error) {
	n.T.Helper()
	Must(n.T, err)
}

// Repo returns a folder in which git uses the network.
func (n *Network) Repo(dir string) git.Repo {
	return git.Repo{Dir: dir, Env: append(n.Env(), "PATH="+os.Getenv("PATH"))}
}

// Bare returns a repository of the fake GitHub.
func (n *Network) Bare(repository string) git.Repo { return n.Repo(n.Forge.RepositoryDir(repository)) }

// Git runs git in a folder and returns its output.
func (n *Network) Git(dir string, args ...string) string {
	n.T.Helper()
	return Git(n.T, n.Repo(dir), args...)
}

// Seed creates a repository with files on main, and returns its clone.
func (n *Network) Seed(repository string, files map[string]string) git.Repo {
	n.T.Helper()
	n.Must(n.Forge.CreateRepository(repository, forge.Repository{}))
	clone := n.Repo(filepath.Join(n.Dir, filepath.FromSlash(repository)))
	n.Git(n.Dir, "clone", "--quiet", "https://github.com/"+repository, clone.Dir)
	n.Push(clone, "begin", files)
	return clone
}

// Push commits files in a clone and pushes them to main.
func (n *Network) Push(clone git.Repo, message string, files map[string]string) {
	n.T.Helper()
	for name, text := range files {
		Write(n.T, filepath.Join(clone.Dir, name), text)
	}
	Git(n.T, clone, "add", ".")
	Git(n.T, clone, "commit", "--quiet", "--allow-empty", "--message", message)
	Git(n.T, clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
}

// CommitEmpty gives a repository a first commit without files, and returns it. The refs point to it.
func (n *Network) CommitEmpty(repository string, refs ...string) string {
	n.T.Helper()
	repo := Dated(n.Bare(repository))
	commit := Git(n.T, repo, "commit-tree", "-m", "begin", EmptyTree)
	for _, ref := range append(slices.Clone(refs), "refs/heads/main") {
		Git(n.T, repo, "update-ref", ref, commit)
	}
	return commit
}

// OCI returns a client of the registries with the right to push.
func (n *Network) OCI() *oci.Registry { return n.registry(Login(n.Token())) }

// Anonymous returns a client of the registries without credentials.
func (n *Network) Anonymous() *oci.Registry { return n.registry(authn.NewMultiKeychain()) }

func (n *Network) registry(keychain authn.Keychain) *oci.Registry {
	return &oci.Registry{Keychain: keychain, Transport: n.Transport(), Backoff: remote.Backoff{Steps: 1}}
}

// Remote returns the options of direct requests to the registries, with the right to push.
func (n *Network) Remote() []remote.Option {
	return []remote.Option{remote.WithTransport(n.Transport()), remote.WithAuthFromKeychain(Login(n.Token()))}
}

// GitHub returns a client of the fake GitHub that does not wait between attempts.
func (n *Network) GitHub(token string) *gh.Client {
	n.T.Helper()
	client, err := gh.New(gh.Options{Token: token, TokenName: "X_TOKEN", Transport: n.Transport(), Slow: n.Slow, Wait: NoWait})
	n.Must(err)
	return client
}

// PushImage publishes an image without files, and returns its digest.
func (n *Network) PushImage(at, tag string, labels map[string]string) string {
	n.T.Helper()
	config := &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Labels: labels}}
	image, err := mutate.ConfigFile(empty.Image, config)
	n.Must(err)
	digest, err := n.OCI().PushImage(n.T.Context(), at, tag, image)
	n.Must(err)
	return digest
}

// PushChart publishes a chart, and returns its digest.
func (n *Network) PushChart(at, tag string, files fstest.MapFS, annotations map[string]string) string {
	n.T.Helper()
	digest, err := n.OCI().PushImage(n.T.Context(), at, tag, ChartImage(n.T, files, time.Unix(0, 0), annotations))
	n.Must(err)
	return digest
}

// ChartImage returns the image of a chart that is packaged at a time.
func ChartImage(t testing.TB, files fstest.MapFS, at time.Time, annotations map[string]string) v1.Image {
	t.Helper()
	c, err := chart.LoadFS(files, ".")
	Must(t, err)
	archive, err := c.Package(at)
	Must(t, err)
	image, err := oci.ChartImage(archive, c.Metadata(), annotations)
	Must(t, err)
	return image
}

// Labels returns the labels of an artifact that is built from a commit.
func Labels(repository, commit, version string) map[string]string {
	return map[string]string{oci.KeyRevision: commit, oci.KeyVersion: version, oci.KeySource: "https://github.com/" + repository}
}
