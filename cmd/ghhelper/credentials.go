package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/github"

	"github.com/kubestellar/actions/internal/oci"
)

// docker has what docker and podman keep, by themselves or with credential
// helpers.
var docker = asked{"docker's configuration", authn.DefaultKeychain}

// registry reaches registries with docker's credentials, then helm's, and
// ghcr.io with GITHUB_TOKEN where neither has any. Docker's come first since
// they do so in goreleaser, too.
func (p process) registry() *oci.Registry {
	helm := helmConfig(p.helmRegistryConfig())
	return reach(docker, asked{"helm's configuration " + string(helm), helm}, github.Keychain)
}

// builderRegistry reaches registries as goreleaser does, which knows nothing of
// helm's credentials.
func builderRegistry() *oci.Registry { return reach(docker, github.Keychain) }

// anybody reaches registries without credentials.
func anybody() *oci.Registry { return reach() }

func reach(with ...authn.Keychain) *oci.Registry {
	return &oci.Registry{Keychain: authn.NewMultiKeychain(with...), Transport: transport()}
}

// asked is a keychain whose errors say what was asked, and for which registry.
// A keychain that fails is never passed over for the next one: who has set it up
// does not want to be anybody else.
type asked struct {
	what string
	authn.Keychain
}

func (a asked) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return a.ResolveContext(context.Background(), target)
}

func (a asked) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	found, err := authn.Resolve(ctx, a.Keychain, target)
	if err != nil {
		return nil, fmt.Errorf("%s has credentials for %s that cannot be read: log in anew, or repair the credential helper that it names: %s",
			a.what, target.RegistryStr(), withoutOutput(err))
	}
	return found, nil
}

// withoutOutput leaves out what a credential helper has printed, which may be
// the secret: it stands last in such an error, see Get in
// https://github.com/docker/docker-credential-helpers/blob/v0.9.5/client/client.go
func withoutOutput(err error) string {
	text, _, _ := strings.Cut(err.Error(), ", out: ")
	return text
}

// helmConfig is the file in which `helm registry login` keeps credentials; it
// has the format of docker's.
type helmConfig string

func (c helmConfig) Resolve(target authn.Resource) (authn.Authenticator, error) {
	file, err := os.Open(string(c))
	if errors.Is(err, fs.ErrNotExist) {
		return authn.Anonymous, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	kept, err := config.LoadFromReader(file)
	if err != nil {
		return nil, err
	}
	found, err := kept.GetAuthConfig(target.RegistryStr())
	if err != nil {
		return nil, err
	}
	found.ServerAddress = "" // it is set whether there is anything or not
	if found == (types.AuthConfig{}) {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{Username: found.Username, Password: found.Password, Auth: found.Auth,
		IdentityToken: found.IdentityToken, RegistryToken: found.RegistryToken}), nil
}

// helmRegistryConfig is where helm keeps it: https://helm.sh/docs/helm/helm/
func (p process) helmRegistryConfig() string {
	if path := p.Getenv("HELM_REGISTRY_CONFIG"); path != "" {
		return path
	}
	home := p.Getenv("HELM_CONFIG_HOME")
	if home == "" {
		home = filepath.Join(orElse(p.Getenv("XDG_CONFIG_HOME"), p.configHome()), "helm")
	}
	return filepath.Join(home, "registry", "config.json")
}

// configHome is where helm looks for configurations unless it is told
// otherwise; on macOS that is not what os.UserConfigDir says.
func (p process) configHome() string {
	if runtime.GOOS == "darwin" {
		return filepath.Join(p.Getenv("HOME"), "Library", "Preferences")
	}
	return filepath.Join(p.Getenv("HOME"), ".config")
}
