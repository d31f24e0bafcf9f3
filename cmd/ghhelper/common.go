package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
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

// source is the repository that a command works on.
type source struct {
	repo git.Repo
	tree fs.FS
	file *delivery.File
	root *os.Root
}

// open opens the repository around the current folder. The caller closes it.
func (w world) open(ctx context.Context, config string) (source, error) {
	return w.openAt(ctx, ".", config)
}

func (w world) openAt(ctx context.Context, dir, config string) (source, error) {
	top, err := git.Repo{Dir: dir, Env: w.Environ}.Top(ctx)
	if err != nil {
		return source{}, usage("%w; run ghhelper in the clone of a repository", err)
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return source{}, err
	}
	file, err := delivery.Load(root.FS(), config)
	if err != nil {
		return source{}, outcome.As(outcome.Usage, err)
	}
	return source{git.Repo{Dir: top, Env: w.Environ}, root.FS(), file, root}, nil
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

// forge reaches GitHub, or the Enterprise server that a workflow runs on.
func (w world) forge(token string) (*gh.Client, error) {
	c, err := gh.New(gh.Options{APIURL: w.Getenv("GITHUB_API_URL"), Token: token, Transport: transport()})
	if err != nil {
		return nil, outcome.As(outcome.Usage, err)
	}
	return c, nil
}

// server is where repositories are served from.
func (w world) server() string { return orElse(w.Getenv("GITHUB_SERVER_URL"), "https://github.com") }
