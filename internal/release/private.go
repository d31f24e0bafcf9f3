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

// private returns a finding for each package of these artifacts that is not public. A private
// package stays private, and a new one will be: ghcr.io and quay.io create private
// packages, and their APIs cannot make a package public.
// https://docs.github.com/en/packages/learn-github-packages/configuring-a-packages-access-control-and-visibility
func (r *Releaser) private(ctx context.Context, artifacts []string) ([]decide.Finding, error) {
	if r.AllowPrivate {
		return nil, nil // prove lists the private packages
	}
	var findings []decide.Finding
	var errs []error
	for _, name := range artifacts {
		at := r.File.Own().Artifacts[name].At
		if at == "" {
			continue
		}
		saw, help, err := r.visibility(ctx, at)
		errs = append(errs, err)
		if saw != "" {
			findings = append(findings, decide.Finding{
				Rule:      "private-package",
				Component: r.File.Self,
				Saw:       saw,
				Want:      "a public package",
				Help:      help + "; with --allow-private the release continues, and lists private packages at the end",
			})
		}
	}
	return findings, errors.Join(errs...)
}

// visibility returns why a package is not public, and what to do. It returns "" for a public
// package.
func (r *Releaser) visibility(ctx context.Context, at string) (saw, help string, err error) {
	public, err := r.Public.Sight(ctx, at)
	if err != nil || public == oci.Visible {
		return "", "", err
	}
	ours, err := r.Registry.Sight(ctx, at)
	switch {
	case err != nil:
		return "", "", err
	case ours == oci.Visible:
		return "package " + at + ", which is private",
			"an administrator of the package must make it public, in " + settings(at), nil
	case ours == oci.Absent:
		return "no package " + at + " yet, and a new one will be private",
			"push anything to it once, manually or with --allow-private; " +
				"then an administrator of the package must make it public, in " + settings(at), nil
	}
	return "", "", fmt.Errorf("looking for %s: could not check whether it is public: "+
		"it does not exist, or is private and the credentials for %s have no access", at, registryOf(at))
}

func registryOf(at string) string {
	host, _, _ := strings.Cut(at, "/")
	return host
}

// settings returns the page on which a package is made public.
func settings(at string) string {
	host, path, _ := strings.Cut(at, "/")
	owner, name, _ := strings.Cut(path, "/")
	switch host {
	case "ghcr.io":
		const page = "https://github.com/orgs/%s/packages/container/%s/settings (users/ instead of orgs/ for a user's)"
		return fmt.Sprintf(page, owner, url.PathEscape(name))
	case "quay.io":
		return fmt.Sprintf("https://quay.io/repository/%s?tab=settings", path)
	}
	return "its settings at " + host
}
