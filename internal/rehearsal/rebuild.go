package rehearsal

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
)

// Rebuild builds what a git tag holds once more: in a world of its own, in a
// clean clone in another folder, with an empty build cache and the toolchain
// that go.mod records. Modules come from the module cache, once it is verified
// against go.sum.
type Rebuild struct {
	Repo       git.Repo // where git and go run, with the user's own environment
	Server     string   // where the repository is fetched from
	Version    ref.Version
	Registry   *oci.Registry      // where base images are read
	Goreleaser goreleaser.Program // without Dir and Env, which Run sets
	Now        func() time.Time
}

// Run builds. An error says why nothing could be compared. It is never of
// outcome.Wrong: what fails here may fail for want of something here.
func (b Rebuild) Run(ctx context.Context, src prove.Source) (prove.Rebuilt, error) {
	again, err := b.run(ctx, src)
	if err != nil {
		return again, fmt.Errorf("it could not be built again: %s", err.Error())
	}
	return again, nil
}

func (b Rebuild) run(ctx context.Context, src prove.Source) (prove.Rebuilt, error) {
	if runtime.GOOS != "linux" {
		return prove.Rebuilt{}, fmt.Errorf("building again in a world of its own takes Linux, this is %s: see golang/go#77865", runtime.GOOS)
	}
	config, err := goreleaser.Load(src.Tree)
	if err != nil {
		return prove.Rebuilt{}, err
	}
	if config == nil {
		return prove.Rebuilt{}, fmt.Errorf("the tag contains no %s, so its build is not known", goreleaser.FileName)
	}
	dir, err := os.MkdirTemp("", "ghhelper-rebuild-*")
	if err != nil {
		return prove.Rebuilt{}, err
	}
	defer os.RemoveAll(dir)
	w, err := network.Start(filepath.Join(dir, "world"), network.Options{})
	if err != nil {
		return prove.Rebuilt{}, err
	}
	defer w.Close()
	built, err := b.in(ctx, w, dir, src)
	if err != nil {
		return prove.Rebuilt{}, err
	}
	toolchain, err := goreleaser.Toolchain(src.Tree)
	again := prove.Rebuilt{How: "built with an empty cache by toolchain " + toolchain + " and goreleaser " + b.Goreleaser.Version(ctx), Images: built.Images, Files: map[string]string{}}
	for _, file := range built.Files {
		again.Files[file.Name] = file.Digest
	}
	return again, err
}

// in clones the tag out of the world, and builds it there.
func (b Rebuild) in(ctx context.Context, w *network.Network, dir string, src prove.Source) (goreleaser.Results, error) {
	repository := src.File.Components[src.Self].Repository
	if err := b.bring(ctx, w, repository, src.Commit); err != nil {
		return goreleaser.Results{}, err
	}
	rehearsal := &Rehearsal{Repo: b.Repo}
	cache := filepath.Join(dir, "cache")
	env := append(rehearsal.env(w), "GOCACHE="+cache)
	clone := git.Repo{Dir: filepath.Join(dir, "clone"), Env: env}
	if _, err := (git.Repo{Dir: dir, Env: env}).Run(ctx, "clone", "--quiet", "--branch", b.Version.Tag(), "https://github.com/"+repository, clone.Dir); err != nil {
		return goreleaser.Results{}, err
	}
	if _, err := rehearsal.modules(ctx, clone.Dir); err != nil {
		return goreleaser.Results{}, err
	}
	if err := b.verifyModules(ctx, rehearsal, clone.Dir); err != nil {
		return goreleaser.Results{}, err
	}
	forge, err := gh.New(gh.Options{Token: w.Token(), Transport: w.Transport()})
	if err != nil {
		return goreleaser.Results{}, err
	}
	program := b.Goreleaser
	program.Dir, program.Env = clone.Dir, env
	releaser := &release.Releaser{
		Repo: clone, Commit: src.Commit, Tree: src.Tree, File: src.File, Version: b.Version, Registry: registryOf(w), Forge: forge, Server: "https://github.com",
		Goreleaser: program,
		Log:        &report.Log{Out: io.Discard, Now: b.Now},
	}
	if err := b.bases(ctx, w, releaser); err != nil {
		return goreleaser.Results{}, err
	}
	return releaser.Build(ctx)
}

// bring puts the tag, with its history, into the world.
func (b Rebuild) bring(ctx context.Context, w *network.Network, repository, commit string) error {
	if err := w.Forge.CreateRepository(repository, forge.Repository{}); err != nil {
		return err
	}
	there := git.Repo{Dir: w.Forge.RepositoryDir(repository), Env: b.Repo.Env}
	tag := "refs/tags/" + b.Version.Tag()
	if _, err := there.Run(ctx, "fetch", "--quiet", "--no-tags", "--", b.Server+"/"+repository, tag+":"+tag); err != nil {
		return err
	}
	got, err := there.Run(ctx, "rev-parse", "--verify", tag+"^{commit}")
	if err == nil && got != commit {
		err = fmt.Errorf("the tag is on commit %s now, and was on %s: it is being moved", got, commit)
	}
	if err != nil {
		return err
	}
	_, err = there.Run(ctx, "update-ref", "refs/heads/main", commit)
	return err
}

// verifyModules holds the module cache to go.sum: it was filled some other day.
func (b Rebuild) verifyModules(ctx context.Context, rehearsal *Rehearsal, clone string) error {
	if _, err := os.Stat(filepath.Join(clone, "go.mod")); err != nil {
		return nil
	}
	_, err := rehearsal.goCommand(ctx, clone, "mod", "verify")
	return err
}

// bases copies the images that ours are built on into the world, by digest, but
// for our own, which the build makes.
func (b Rebuild) bases(ctx context.Context, w *network.Network, releaser *release.Releaser) error {
	names, err := releaser.BaseImages()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := oci.Copy(ctx, b.Registry, registryOf(w), name); err != nil {
			return err
		}
	}
	return nil
}
