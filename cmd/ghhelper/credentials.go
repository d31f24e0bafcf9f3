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

// docker reads the credentials of docker and podman, including those of credential
// helpers.
var docker = keychain{"docker's configuration", authn.DefaultKeychain}

// registry returns a client with docker's credentials, then helm's, then
// GITHUB_TOKEN for ghcr.io. Docker's come first, as in goreleaser.
func (p process) registry() *oci.Registry {
	helm := helmConfig(p.helmRegistryConfig())
	return reach(docker, keychain{"helm's configuration " + string(helm), helm}, github.Keychain)
}

// builderRegistry returns a client with the credentials of goreleaser, which does not
// read helm's.
func builderRegistry() *oci.Registry { return reach(docker, github.Keychain) }

// anonymous returns a client without credentials.
func anonymous() *oci.Registry { return reach() }

func reach(with ...authn.Keychain) *oci.Registry {
	return &oci.Registry{Keychain: authn.NewMultiKeychain(with...), Transport: transport()}
}

// keychain adds its name and the registry to errors. A keychain that fails is never
// skipped: the next one has another identity than the user has set up.
type keychain struct {
	name string
	authn.Keychain
}

func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

func (k keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	found, err := authn.Resolve(ctx, k.Keychain, target)
	if err != nil {
		return nil, fmt.Errorf("%s has credentials for %s that cannot be read: "+
			"log in again, or repair the credential helper that it names: %s",
			k.name, target.RegistryStr(), withoutOutput(err))
	}
	return found, nil
}

// withoutOutput removes the output of a credential helper, which may be the secret.
// It is the end of such an error, see Get in
// https://github.com/docker/docker-credential-helpers/blob/v0.9.5/client/client.go
func withoutOutput(err error) string {
	text, _, _ := strings.Cut(err.Error(), ", out: ")
	return text
}

// helmConfig is the file in which `helm registry login` stores credentials, in the
// format of docker's.
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
	found.ServerAddress = "" // it is set even without credentials
	if found == (types.AuthConfig{}) {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: found.Username, Password: found.Password, Auth: found.Auth,
		IdentityToken: found.IdentityToken, RegistryToken: found.RegistryToken,
	}), nil
}

// helmRegistryConfig returns the path of that file: https://helm.sh/docs/helm/helm/
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

// configHome returns helm's default folder for configurations. On macOS it is not
// os.UserConfigDir.
func (p process) configHome() string {
	if runtime.GOOS == "darwin" {
		return filepath.Join(p.Getenv("HOME"), "Library", "Preferences")
	}
	return filepath.Join(p.Getenv("HOME"), ".config")
}
