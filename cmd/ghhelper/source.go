package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
)

// source is what a command works on: a folder, or a commit.
type source struct {
	repo   git.Repo // whose Dir is the folder
	commit string   // "" for a folder
	tree   fs.FS
	names  []string // of the tree's files; of a commit they are not listed
	file   *delivery.File
	config string // the path of delivery.yaml in the tree, "" if it lies elsewhere
}

// folder is a folder as it lies there: the one named or, where none is, the
// repository around the current one.
func (p process) folder(ctx context.Context, dir, config string) (source, error) {
	repo := git.Repo{Dir: dir, Env: p.Environ}
	if dir == "" {
		var err error
		if repo, err = p.repository(ctx, "."); err != nil {
			return source{}, err
		}
	}
	tree, err := find.OpenFolder(repo.Dir)
	if err != nil {
		return source{}, outcome.As(outcome.Usage, err)
	}
	src := source{repo: repo, tree: tree}
	if src.names, err = files(ctx, src); err != nil {
		return source{}, err
	}
	return declared(src, config)
}

// files lists what belongs to a folder: what git tracks and does not ignore, or
// all, where git knows nothing of the folder.
func files(ctx context.Context, src source) ([]string, error) {
	names, err := src.repo.Files(ctx)
	var failed *git.Error
	if err != nil && !errors.As(err, &failed) {
		return nil, err
	}
	if len(names) > 0 {
		return names, nil
	}
	return find.Names(src.tree)
}

// against is another folder, or a commit by any name that git has for it.
func (p process) against(ctx context.Context, what, config string) (source, error) {
	if info, err := os.Stat(what); err == nil && info.IsDir() {
		return p.folder(ctx, what, config)
	}
	repo, err := p.repository(ctx, ".")
	if err != nil {
		return source{}, err
	}
	commit, err := repo.Commit(ctx, what)
	if err != nil {
		return source{}, usage("--against %q is neither a folder nor a commit of this repository: %w", what, err)
	}
	return p.at(ctx, repo, commit, config)
}

// head is the commit that is checked out around a folder: what releases are
// made of, whatever else lies in the work tree.
func (p process) head(ctx context.Context, dir, config string) (source, error) {
	repo, err := p.repository(ctx, dir)
	if err != nil {
		return source{}, err
	}
	commit, err := repo.Head(ctx)
	if err != nil {
		return source{}, usage("%w; there is no commit yet", err)
	}
	return p.at(ctx, repo, commit, config)
}

func (p process) at(ctx context.Context, repo git.Repo, commit, config string) (source, error) {
	tree, err := repo.Snapshot(ctx, commit)
	if err != nil {
		return source{}, err
	}
	names, err := find.Names(tree)
	if err != nil {
		return source{}, err
	}
	return declared(source{repo: repo, commit: commit, tree: tree, names: names}, config)
}

func (p process) repository(ctx context.Context, dir string) (git.Repo, error) {
	top, err := git.Repo{Dir: dir, Env: p.Environ}.Top(ctx)
	if err != nil {
		return git.Repo{}, usage("%w; run ghhelper in the clone of a repository", err)
	}
	return git.Repo{Dir: top, Env: p.Environ}, nil
}

// declared reads what the source declares: in the tree or, where it is not
// there, in a file elsewhere.
func declared(src source, config string) (source, error) {
	name := path.Clean(filepath.ToSlash(config))
	if fs.ValidPath(name) {
		if _, err := fs.Stat(src.tree, name); err == nil || !isFile(config) {
			file, err := delivery.Load(src.tree, name)
			src.file, src.config = file, name
			return src, outcome.As(outcome.Usage, err)
		}
	}
	data, err := os.ReadFile(config)
	if err != nil {
		return src, usage("--config %q: want a path in the tree, from its root, or a file: %w", config, err)
	}
	src.file, err = delivery.Parse(config, data)
	return src, outcome.As(outcome.Usage, err)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// goSetting is a setting of the go command, from where it keeps them too:
// https://pkg.go.dev/cmd/go#hdr-Environment_variables
func (p process) goSetting(name, otherwise string) string {
	if value := p.Getenv(name); value != "" {
		return value
	}
	config, err := os.UserConfigDir()
	if err != nil {
		return otherwise
	}
	data, err := os.ReadFile(orElse(p.Getenv("GOENV"), filepath.Join(config, "go", "env")))
	if err != nil {
		return otherwise // there is no such file, or the go command could not read it either
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok && value != "" {
			return value
		}
	}
	return otherwise
}

// goProxies are the module proxies that the go command would ask, in order.
func (p process) goProxies() []string {
	entries := strings.FieldsFunc(p.goSetting("GOPROXY", "https://proxy.golang.org,direct"), func(r rune) bool { return r == ',' || r == '|' })
	return slices.DeleteFunc(entries, func(e string) bool { return strings.TrimSpace(e) == "" })
}
