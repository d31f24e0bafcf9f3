// Package workspace opens the files that a command works on: a folder or a
// commit, with its delivery.yaml.
package workspace

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
)

// Workspace is a folder or a commit, and its delivery.yaml.
type Workspace struct {
	Repo   git.Repo // its Dir is the folder
	Commit string   // empty for a folder
	Tree   fs.FS
	Names  []string // of the files in Tree
	File   *delivery.File
	Config string // path of delivery.yaml in Tree, empty if the file is outside of it
}

// Close ends the reading of a commit before its context ends.
func (w Workspace) Close() error {
	if tree, ok := w.Tree.(io.Closer); ok {
		return tree.Close()
	}
	return nil
}

// Opener opens workspaces.
type Opener struct {
	Env    []string // the environment of git
	Config string   // path of delivery.yaml in the tree, or of a file elsewhere
}

// Folder opens a folder as it is on disk. An empty dir means the repository
// around the current folder.
func (o Opener) Folder(ctx context.Context, dir string) (Workspace, error) {
	repo := git.Repo{Dir: dir, Env: o.Env}
	if dir == "" {
		var err error
		if repo, err = o.Repository(ctx, "."); err != nil {
			return Workspace{}, err
		}
	}
	tree, err := find.OpenFolder(repo.Dir)
	if err != nil {
		return Workspace{}, outcome.As(outcome.Usage, err)
	}
	w := Workspace{Repo: repo, Tree: tree}
	if w.Names, err = filesOf(ctx, w); err != nil {
		return Workspace{}, err
	}
	return o.declared(w)
}

// filesOf lists the files that git tracks or does not ignore, or every file if
// the folder is not a part of a repository.
func filesOf(ctx context.Context, w Workspace) ([]string, error) {
	names, err := w.Repo.Files(ctx)
	var failed *git.Error
	if err != nil && !errors.As(err, &failed) {
		return nil, err
	}
	if len(names) > 0 {
		return names, nil
	}
	return find.Names(w.Tree)
}

// Named opens a folder by its path, or a commit by any name that git knows.
func (o Opener) Named(ctx context.Context, name string) (Workspace, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return o.Folder(ctx, name)
	}
	repo, err := o.Repository(ctx, ".")
	if err != nil {
		return Workspace{}, err
	}
	commit, err := repo.Commit(ctx, name)
	if err != nil {
		return Workspace{}, outcome.Usagef(
			"--against %q is neither a folder nor a commit of this repository: %w", name, err)
	}
	return o.Commit(ctx, repo, commit)
}

// Head opens the commit that is checked out around a folder. Changes in the
// work tree are not part of it.
func (o Opener) Head(ctx context.Context, dir string) (Workspace, error) {
	repo, err := o.Repository(ctx, dir)
	if err != nil {
		return Workspace{}, err
	}
	commit, err := repo.Head(ctx)
	if err != nil {
		return Workspace{}, outcome.Usagef("%w; the repository has no commit yet", err)
	}
	return o.Commit(ctx, repo, commit)
}

// Commit opens a commit of a repository.
func (o Opener) Commit(ctx context.Context, repo git.Repo, commit string) (Workspace, error) {
	tree, err := repo.Snapshot(ctx, commit)
	if err != nil {
		return Workspace{}, err
	}
	names, err := find.Names(tree)
	if err != nil {
		return Workspace{}, err
	}
	return o.declared(Workspace{Repo: repo, Commit: commit, Tree: tree, Names: names})
}

// Repository returns the repository around a folder.
func (o Opener) Repository(ctx context.Context, dir string) (git.Repo, error) {
	top, err := git.Repo{Dir: dir, Env: o.Env}.Top(ctx)
	if err != nil {
		return git.Repo{}, outcome.Usagef("%w; run ghhelper in the clone of a repository", err)
	}
	return git.Repo{Dir: top, Env: o.Env}, nil
}

// declared reads delivery.yaml: from the tree, or from elsewhere if the tree
// lacks it and there is a file of that path.
func (o Opener) declared(w Workspace) (Workspace, error) {
	name := path.Clean(filepath.ToSlash(o.Config))
	if fs.ValidPath(name) {
		if _, err := fs.Stat(w.Tree, name); err == nil || !isFile(o.Config) {
			file, err := delivery.Load(w.Tree, name)
			w.File, w.Config = file, name
			return w, outcome.As(outcome.Usage, err)
		}
	}
	data, err := os.ReadFile(o.Config)
	if err != nil {
		return w, outcome.Usagef("--config %q: want a path in the tree, from its root, or a file: %w", o.Config, err)
	}
	w.File, err = delivery.Parse(o.Config, data)
	return w, outcome.As(outcome.Usage, err)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
