//go:build workflows

package workflows_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/testkit"
)

const (
	root = "../.."
	here = "kubestellar/actions"
	// pinned is the version of this repository that the organisation's workflows call.
	pinned = "v0.30.0"
	app    = "Iv1.mover"
)

// organisation is a GitHub organisation in a fake network.
type organisation struct {
	*testkit.Network
	env []string // for a person with all rights
	key string   // of the App
	hub *hub
	// others are act's arguments for actions of other people.
	others []string
}

// newOrganisation creates all five repositories, each with one release, and the App.
func newOrganisation(t *testing.T) *organisation {
	t.Helper()
	n := testkit.Start(t, network.Options{}, here)
	o := &organisation{Network: n, env: append(n.Env(), testkit.GoEnv(t)...), hub: &hub{seen: map[string]bool{}}}
	o.publishOurs()
	for _, name := range []string{"kubeflex", "ocm-status-addon", "ocm-transport-plugin", "kubestellar"} {
		o.Must(o.Forge.CreateRepository("kubestellar/"+name, forge.Repository{}))
		clone := filepath.Join(o.Dir, "seed", name)
		o.write(clone, name)
		o.seed(clone, "kubestellar/"+name)
	}
	for repository, version := range map[string]string{
		"actions": "0.30.0", "kubeflex": "0.8.1", "ocm-status-addon": "0.2.0-rc10", "ocm-transport-plugin": "0.1.10",
		"kubestellar": "0.30.0",
	} {
		o.released("kubestellar/"+repository, version)
	}
	o.installApp()
	o.others = o.standIns()
	o.Forge.OnRun(o.perform)
	return o
}

// git runs git as a person with all rights.
func (o *organisation) git(dir string, args ...string) string {
	o.T.Helper()
	return strings.TrimSpace(testkit.Git(o.T, git.Repo{Dir: dir, Env: o.env}, args...))
}

// write extracts a repository's files from its archive.
func (o *organisation) write(dir, name string) {
	o.T.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "organisation", name+".txtar"))
	o.Must(err)
	base, err := oci.BaseImage()
	o.Must(err)
	digest, err := base.Digest()
	o.Must(err)
	for _, f := range archive.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		o.Must(os.MkdirAll(filepath.Dir(path), 0o755))
		mode := os.FileMode(0o644)
		if strings.HasSuffix(path, ".sh") {
			mode = 0o755
		}
		o.Must(os.WriteFile(path, bytes.ReplaceAll(f.Data, []byte("@BASE"), []byte("@"+digest.String())), mode))
	}
}

func writeFile(dir, name, text string) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func (o *organisation) seed(dir, repository string) {
	o.T.Helper()
	o.git(dir, "init", "--quiet", "--initial-branch=main")
	o.git(dir, "add", "--all")
	o.git(dir, "commit", "--quiet", "--signoff", "--message", "Begin")
	o.git(dir, "push", "--quiet", "https://github.com/"+repository, "main")
}

// ours are the files of this repository that other repositories' jobs use.
var ours = []string{"go.mod", "go.sum", "Makefile", "LICENSE", "actions", "cmd", "internal", "tools", "hack/mirror-workflows.sh", ".github/workflows"}

// publishOurs pushes this working tree's programs, actions and workflows, and tags them. act does not
// support $/. The reusable workflows are therefore those of hack/mirror-workflows.sh, and call the
// actions at the commit before.
func (o *organisation) publishOurs() {
	o.T.Helper()
	dir := filepath.Join(o.Dir, "seed", "actions")
	o.copyOurs(dir)
	o.write(dir, "actions")
	o.seed(dir, here)
	commit := o.git(dir, "rev-parse", "HEAD")
	copies := filepath.Join(o.Dir, "mirrored")
	mirror := exec.Command("bash", filepath.Join(dir, "hack/mirror-workflows.sh"), here, commit, copies)
	if out, err := mirror.CombinedOutput(); err != nil {
		o.T.Fatalf("%v: %s", err, out)
	}
	written, err := filepath.Glob(filepath.Join(copies, "*.yml"))
	o.Must(err)
	for _, copied := range written {
		o.Must(copyFile(copied, filepath.Join(dir, ".github/workflows", filepath.Base(copied))))
	}
	o.git(dir, "commit", "--quiet", "--all", "--signoff", "--message", "Call our actions by their commit")
	o.git(dir, "tag", "--annotate", "--message", pinned, pinned)
	o.git(dir, "push", "--quiet", "https://github.com/"+here, "main", pinned)
}

// copyOurs copies the files of this repository that git tracks or would track.
func (o *organisation) copyOurs(dir string) {
	o.T.Helper()
	list := exec.Command("git", append([]string{"-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"}, ours...)...)
	out, err := list.Output()
	o.Must(err)
	names := strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	if len(names) < 100 {
		o.T.Fatalf("git lists only %d of our files", len(names))
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/testdata/") {
			continue
		}
		o.Must(copyFile(filepath.Join(root, name), filepath.Join(dir, name)))
	}
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted, and not committed yet
	}
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode())
}

// installApp installs the App that bumps pins and notifies downstreams.
func (o *organisation) installApp() {
	o.T.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	o.Must(err)
	o.key = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	may := forge.Permissions{"contents": "write", "pull_requests": "write", "workflows": "write", "actions": "write"}
	o.Forge.AddApp(forge.App{ClientID: app, Login: "mover[bot]", Key: &key.PublicKey, Installation: 1,
		Repositories: map[string]forge.Permissions{here: may, "kubestellar/kubestellar": may}})
}

// released creates an earlier release from the present state of a repository.
func (o *organisation) released(repository, version string) {
	o.T.Helper()
	dir := o.clone(repository, "main")
	tree := os.DirFS(dir)
	file, err := delivery.Load(tree, delivery.FileName)
	o.Must(err)
	v, err := ref.ParseVersion(version)
	o.Must(err)
	commit := o.git(dir, "rev-parse", "HEAD")
	if !slices.Contains(o.tags(repository), v.WithV()) {
		o.git(dir, "tag", v.WithV())
		o.git(dir, "push", "--quiet", "origin", v.WithV())
	}
	o.hub.seen[repository+" refs/tags/"+v.WithV()] = true
	said := map[string]string{oci.KeyRevision: commit, oci.KeyVersion: version, oci.KeySource: "https://github.com/" + repository}
	for _, a := range file.Own().Artifacts {
		if a.Kind == delivery.Image {
			image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Labels: said}})
			o.Must(err)
			o.publish(a.At, a.TagFor(v), image)
		}
	}
	stamper := apply.Stamper{Tree: tree, File: file, Version: v, Time: time.Unix(0, 0)}
	copies, err := stamper.Stamp(o.T.Context(), filepath.Join(dir, "stamped"))
	o.Must(err)
	for _, c := range copies {
		if c.Kind != delivery.Chart {
			continue
		}
		image, err := oci.ChartImage(c.Archive, c.Chart.Metadata(), apply.Annotations(file, c, commit))
		o.Must(err)
		a := file.Own().Artifacts[c.Artifact]
		o.publish(a.At, a.TagFor(v), image)
	}
}

func (o *organisation) publish(at, tag string, image v1.Image) {
	o.T.Helper()
	_, err := o.OCI().PushImage(o.T.Context(), at, tag, image)
	o.Must(err)
}

// push pushes a tag on the repository's main, as a maintainer does, and waits for everything that it
// starts.
func (o *organisation) push(repository, tag string) {
	o.T.Helper()
	_, err := o.Person("maintainer").Push(repository, "main", "Prepare "+tag, map[string]string{"CHANGES": tag + "\n"})
	o.Must(err)
	dir := o.clone(repository, "main")
	o.git(dir, "tag", "--annotate", "--message", tag, tag)
	o.git(dir, "push", "--quiet", "origin", tag)
	o.settle()
}

// clone returns a maintainer's new clone at a branch, tag or commit.
func (o *organisation) clone(repository, at string) string {
	o.T.Helper()
	dir, err := os.MkdirTemp(o.Dir, "clone-*")
	o.Must(err)
	o.git(dir, "clone", "--quiet", "--branch", at, "https://github.com/"+repository, ".")
	return dir
}

// file returns a file of a repository at a ref.
func (o *organisation) file(repository, at, name string) string {
	o.T.Helper()
	return o.git(o.Forge.RepositoryDir(repository), "show", at+":"+name)
}

// tags returns the tags of a repository, sorted.
func (o *organisation) tags(repository string) []string {
	o.T.Helper()
	all := strings.Fields(o.git(o.Forge.RepositoryDir(repository), "tag", "--list"))
	slices.Sort(all)
	return all
}
