package release

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/oci"
)

// private: everybody can see the packages that these artifacts of ours go to.
// One that is private stays so, and one that does not exist yet will be: ghcr.io
// and quay.io make new packages private, and have no request that opens one.
// https://docs.github.com/en/packages/learn-github-packages/configuring-a-packages-access-control-and-visibility
func (r *Releaser) private(ctx context.Context, artifacts []string) ([]decide.Finding, error) {
	if r.AllowPrivate {
		return nil, nil // prove says what nobody else can see
	}
	var findings []decide.Finding
	var errs []error
	for _, name := range artifacts {
		at := r.File.Own().Artifacts[name].At
		if at == "" {
			continue
		}
		saw, help, err := r.hidden(ctx, at)
		errs = append(errs, err)
		if saw != "" {
			findings = append(findings, decide.Finding{Rule: "private-package", Component: r.File.Self, Saw: saw, Want: "a package that everybody can pull",
				Help: help + "; with --allow-private the release goes on, and says at its end what nobody else can see"})
		}
	}
	return findings, errors.Join(errs...)
}

// hidden says how it is that nobody else can see a package, and what is to be
// done. Where everybody can, it says nothing.
func (r *Releaser) hidden(ctx context.Context, at string) (saw, help string, err error) {
	public, err := r.Public.Sight(ctx, at)
	if err != nil || public == oci.Visible {
		return "", "", err
	}
	ours, err := r.Registry.Sight(ctx, at)
	switch {
	case err != nil:
		return "", "", err
	case ours == oci.Visible:
		return "package " + at + ", which is private", "an administrator of the package must make it public, in " + settings(at), nil
	case ours == oci.Absent:
		return "no package " + at + " yet, and a new one will be private",
			"push anything to it once, by hand or with --allow-private; then an administrator of the package must make it public, in " + settings(at), nil
	}
	return "", "", fmt.Errorf("looking for %s: could not ask whether everybody can see it: it does not exist, or is private, and the credentials for %s do not reach it",
		at, registryOf(at))
}

func registryOf(at string) string {
	host, _, _ := strings.Cut(at, "/")
	return host
}

// settings is where a package is made public.
func settings(at string) string {
	host, path, _ := strings.Cut(at, "/")
	owner, name, _ := strings.Cut(path, "/")
	switch host {
	case "ghcr.io":
		return fmt.Sprintf("https://github.com/orgs/%s/packages/container/%s/settings (users/ in place of orgs/ for a user's)", owner, url.PathEscape(name))
	case "quay.io":
		return fmt.Sprintf("https://quay.io/repository/%s?tab=settings", path)
	}
	return "its settings at " + host
}
