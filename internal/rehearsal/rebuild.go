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

// Rebuild builds a git tag again: in a fake network, in a clean clone, with an empty build cache
// and the toolchain that go.mod records. Modules come from the module cache, after a check against
// go.sum.
type Rebuild struct {
	Repo       git.Repo // with the user's own environment, for git and go
	Server     string   // the URL of the forge that has the repository
	Version    ref.Version
	Registry   *oci.Registry      // has the base images
	Goreleaser goreleaser.Program // without Dir and Env, which Run sets
	Now        func() time.Time
}

// Run builds. An error gives the reason why nothing could be compared. It is never of
// outcome.Wrong, because the cause may be this machine.
func (b Rebuild) Run(ctx context.Context, src prove.Source) (prove.Rebuilt, error) {
	again, err := b.run(ctx, src)
	if err != nil {
		return again, fmt.Errorf("it could not be built again: %s", err.Error())
	}
	return again, nil
}

func (b Rebuild) run(ctx context.Context, src prove.Source) (prove.Rebuilt, error) {
	if runtime.GOOS != "linux" {
		return prove.Rebuilt{}, fmt.Errorf("building again in a fake network needs Linux, this is %s: "+
			"see golang/go#77865", runtime.GOOS)
	}
	folder := src.File.Components[src.Self].Folder
	config, err := goreleaser.Load(src.Tree, folder)
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
	n, err := network.Start(filepath.Join(dir, "network"), network.Options{})
	if err != nil {
		return prove.Rebuilt{}, err
	}
	defer n.Close()
	built, err := b.buildIn(ctx, n, dir, src)
	if err != nil {
		return prove.Rebuilt{}, err
	}
	toolchain, err := goreleaser.Toolchain(src.Tree, folder)
	how := "built with an empty cache by toolchain " + toolchain + " and goreleaser " + b.Goreleaser.Version(ctx)
	again := prove.Rebuilt{How: how, Images: built.Images, Files: map[string]string{}}
	for _, file := range built.Files {
		again.Files[file.Name] = file.Digest
	}
	return again, err
}

// buildIn clones the tag from the network's forge, and builds it.
func (b Rebuild) buildIn(
	ctx context.Context, n *network.Network, dir string, src prove.Source,
) (goreleaser.Results, error) {
	repository := src.File.Components[src.Self].Repository
	name := src.File.Components[src.Self].GitTag(b.Version)
	if err := b.fetchTag(ctx, n, repository, name, src.Commit); err != nil {
		return goreleaser.Results{}, err
	}
	rehearsal := &Rehearsal{Repo: b.Repo, File: src.File}
	env := append(rehearsal.env(n), "GOCACHE="+filepath.Join(dir, "cache"))
	outside, clone := git.Repo{Dir: dir, Env: env}, git.Repo{Dir: filepath.Join(dir, "clone"), Env: env}
	from := "https://github.com/" + repository
	if _, err := outside.Run(ctx, "clone", "--quiet", "--branch", name, from, clone.Dir); err != nil {
		return goreleaser.Results{}, err
	}
	if _, err := rehearsal.modules(ctx, clone.Dir); err != nil {
		return goreleaser.Results{}, err
	}
	module := goreleaser.ModuleFolder(src.Tree, src.File.Components[src.Self].Folder)
	if err := b.verifyModules(ctx, rehearsal, filepath.Join(clone.Dir, module)); err != nil {
		return goreleaser.Results{}, err
	}
	forge, err := gh.New(gh.Options{Token: n.Token(), Transport: n.Transport()})
	if err != nil {
		return goreleaser.Results{}, err
	}
	program := b.Goreleaser
	program.Dir, program.Env = clone.Dir, env
	releaser := &release.Releaser{
		Repo: clone, Commit: src.Commit, Tree: src.Tree, File: src.File, Version: b.Version,
		Registry: registryOf(n), Forge: forge, Server: "https://github.com",
		Goreleaser: program,
		Log:        &report.Log{Out: io.Discard, Now: b.Now},
	}
	if err := b.bases(ctx, n, releaser); err != nil {
		return goreleaser.Results{}, err
	}
	return releaser.Build(ctx)
}

// fetchTag fetches the tag, with its history, into the network's forge.
func (b Rebuild) fetchTag(ctx context.Context, n *network.Network, repository, name, commit string) error {
	if err := n.Forge.CreateRepository(repository, forge.Repository{}); err != nil {
		return err
	}
	there := git.Repo{Dir: n.Forge.RepositoryDir(repository), Env: b.Repo.Env}
	tag := "refs/tags/" + name
	from := b.Server + "/" + repository
	if _, err := there.Run(ctx, "fetch", "--quiet", "--no-tags", "--", from, tag+":"+tag); err != nil {
		return err
	}
	got, err := there.Run(ctx, "rev-parse", "--verify", tag+"^{commit}")
	if err == nil && got != commit {
		err = fmt.Errorf("the tag names commit %s now, and named %s before: it is being moved", got, commit)
	}
	if err != nil {
		return err
	}
	_, err = there.Run(ctx, "update-ref", "refs/heads/main", commit)
	return err
}

// verifyModules checks the module cache, which earlier runs have filled, against go.sum.
func (b Rebuild) verifyModules(ctx context.Context, rehearsal *Rehearsal, clone string) error {
	if _, err := os.Stat(filepath.Join(clone, "go.mod")); err != nil {
		return nil
	}
	_, err := rehearsal.goCommand(ctx, clone, "mod", "verify")
	return err
}

// bases copies the base images into the network's registries by digest, except those that the
// build makes itself.
func (b Rebuild) bases(ctx context.Context, n *network.Network, releaser *release.Releaser) error {
	names, err := releaser.BaseImages()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := oci.Copy(ctx, b.Registry, registryOf(n), name); err != nil {
			return err
		}
	}
	return nil
}
