package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/github"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// source is the repository that a command works on: its work tree, or the
// commit that is checked out.
type source struct {
	repo   git.Repo
	commit string // "" for the work tree
	tree   fs.FS
	file   *delivery.File
}

// workTree is the repository around the current folder as it lies there.
func (w world) workTree(ctx context.Context, config string) (source, error) {
	repo, err := w.repository(ctx, ".")
	if err != nil {
		return source{}, err
	}
	root, err := os.OpenRoot(repo.Dir) // links do not lead out of it
	if err != nil {
		return source{}, err
	}
	return declared(source{repo: repo, tree: root.FS()}, config)
}

// head is the commit that is checked out around a folder: what releases are
// made of, whatever else lies in the work tree.
func (w world) head(ctx context.Context, dir, config string) (source, error) {
	repo, err := w.repository(ctx, dir)
	if err != nil {
		return source{}, err
	}
	commit, err := repo.Head(ctx)
	if err != nil {
		return source{}, usage("%w; there is no commit yet", err)
	}
	tree, err := repo.Snapshot(ctx, commit)
	if err != nil {
		return source{}, err
	}
	return declared(source{repo: repo, commit: commit, tree: tree}, config)
}

func (w world) repository(ctx context.Context, dir string) (git.Repo, error) {
	top, err := git.Repo{Dir: dir, Env: w.Environ}.Top(ctx)
	if err != nil {
		return git.Repo{}, usage("%w; run ghhelper in the clone of a repository", err)
	}
	return git.Repo{Dir: top, Env: w.Environ}, nil
}

// declared reads what the source declares.
func declared(src source, config string) (source, error) {
	name := path.Clean(config)
	if !fs.ValidPath(name) {
		return src, usage("--config %q: want a path in the repository, from its root", config)
	}
	file, err := delivery.Load(src.tree, name)
	src.file = file
	return src, outcome.As(outcome.Usage, err)
}

// version reads a version from the command line.
func parseVersion(text string) (ref.Version, error) {
	v, err := ref.ParseVersion(text)
	if err == nil && v.IsPlaceholder() {
		err = fmt.Errorf("version %q is the placeholder that git holds: name the version to release", text)
	}
	if err != nil {
		return v, outcome.As(outcome.Usage, err)
	}
	return v, nil
}

// transport carries all requests; proxies and extra authorities are taken
// from the environment, as Go's users expect.
func transport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	t.ResponseHeaderTimeout = time.Minute
	return t
}

// registry reaches registries with docker's credentials, and ghcr.io with
// GITHUB_TOKEN where docker has none.
func registry() *oci.Registry {
	return &oci.Registry{Keychain: authn.NewMultiKeychain(authn.DefaultKeychain, github.Keychain), Transport: transport()}
}

// anybody reaches registries without credentials.
func anybody() *oci.Registry {
	return &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: transport()}
}

// forge reaches GitHub, or the Enterprise server that a workflow runs on.
func (w world) forge(tokenName string) (*gh.Client, error) {
	c, err := gh.New(gh.Options{APIURL: w.Getenv("GITHUB_API_URL"), Token: w.Getenv(tokenName), TokenName: tokenName, Transport: transport()})
	if err != nil {
		return nil, outcome.As(outcome.Usage, err)
	}
	return c, nil
}

// server is where repositories are served from.
func (w world) server() string { return orElse(w.Getenv("GITHUB_SERVER_URL"), "https://github.com") }
