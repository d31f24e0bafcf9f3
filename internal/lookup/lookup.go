// Package lookup queries registries, git servers and Go module proxies for targets.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/resolve"
)

// Refs returns the commit of a tag of a repository (owner/name) or, if branches is set, of a tag or branch. It is empty
// if there is none.
type Refs func(ctx context.Context, repository, name string, branches bool) (string, error)

// Resolver queries the servers where targets are published.
type Resolver struct {
	Registry *oci.Registry
	Refs     Refs
	Server   string            // serves files and assets: https://github.com
	HTTP     http.RoundTripper // to Server and Proxies
	// Proxies are the entries of GOPROXY. Private holds the patterns of modules that are not queried there:
	// https://go.dev/ref/mod#goproxy-protocol
	Proxies []string
	Private string
	// Repositories reads chart repositories over https.
	Repositories *Repositories
	// Brief limits the query of a registry to one request. Answers then lack the revision.
	Brief bool
}

// Resolve queries a target.
func (r Resolver) Resolve(ctx context.Context, t resolve.Target) resolve.Answer {
	switch t.Kind {
	case resolve.GitTag, resolve.Branch:
		return r.ref(ctx, t)
	case resolve.Image, resolve.Chart:
		return r.artifact(ctx, t)
	case resolve.Module:
		return resolve.Answer{Target: t, Err: r.module(ctx, t)}
	}
	return resolve.Answer{Target: t, Err: r.file(ctx, t)}
}

// file queries a file, folder or asset of a repository. GitHub answers 404 for everything in a private repository.
// Therefore a 404 counts only if the repository itself can be seen.
func (r Resolver) file(ctx context.Context, t resolve.Target) error {
	err := r.served(ctx, t.URL(r.Server), t)
	if !errors.Is(err, outcome.ErrAbsent) || !errors.Is(r.served(ctx, r.Server+"/"+t.At, t), outcome.ErrAbsent) {
		return err
	}
	return fmt.Errorf("looking for %s: could not ask: %s does not exist, or is private", t, t.At)
}

func (r Resolver) artifact(ctx context.Context, t resolve.Target) resolve.Answer {
	if strings.HasPrefix(t.At, delivery.HTTPS) && r.Repositories != nil {
		digest, err := r.Repositories.Digest(ctx, t.At, t.Tag)
		return resolve.Answer{Target: t, Digest: digest, Err: err}
	}
	describe := r.Registry.Describe
	if r.Brief {
		describe = r.Registry.Glance
	}
	d, err := describe(ctx, t.At, t.Tag)
	if err != nil && t.Kind == resolve.Chart && r.Repositories != nil && r.Repositories.has(ctx, delivery.HTTPS+t.At) {
		err = fmt.Errorf("looking for %s: could not ask: a chart repository over https has it, and no registry: "+
			"write at: %s%s in %s", t, delivery.HTTPS, t.At, delivery.FileName)
	}
	return resolve.Answer{
		Target: t, Digest: d.Digest, Revision: d.Labels[oci.KeyRevision], StandIn: d.StandIn(), Err: err,
	}
}

func (r Resolver) ref(ctx context.Context, t resolve.Target) resolve.Answer {
	commit, err := r.Refs(ctx, t.At, t.Tag, t.Kind == resolve.Branch)
	if err == nil && commit == "" {
		err = absent(t)
	}
	return resolve.Answer{Target: t, Revision: commit, Err: err}
}

func absent(t resolve.Target) error { return fmt.Errorf("looking for %s: %w", t, outcome.ErrAbsent) }

// served queries whether a server has something at an address.
func (r Resolver) served(ctx context.Context, url string, t resolve.Target) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", t, err)
	}
	res, err := (&http.Client{Transport: r.HTTP}).Do(req)
	if err != nil {
		return fmt.Errorf("looking for %s: could not ask: %w", t, err)
	}
	res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound, http.StatusGone:
		return absent(t)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("looking for %s: could not ask: %s answers %s: it does not exist, or is private",
			t, req.URL.Host, res.Status)
	}
	return fmt.Errorf("looking for %s: could not ask: %s answers %s", t, req.URL.Host, res.Status)
}

// module queries the proxies in order. The next one is queried only if the one before lacks the version.
func (r Resolver) module(ctx context.Context, t resolve.Target) error {
	proxies := r.Proxies
	if module.MatchPrefixPatterns(r.Private, t.At) {
		proxies = []string{"direct"}
	}
	if len(proxies) == 0 {
		proxies = []string{"off"}
	}
	var last error
	for _, proxy := range proxies {
		if last = r.moduleAt(ctx, proxy, t); !errors.Is(last, outcome.ErrAbsent) {
			return last
		}
	}
	return last
}

func (r Resolver) moduleAt(ctx context.Context, proxy string, t resolve.Target) error {
	switch proxy {
	case "off":
		return fmt.Errorf("looking for %s: could not ask: GOPROXY is off", t)
	case "direct":
		return r.moduleTag(ctx, t)
	}
	path, err := module.EscapePath(t.At)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", t, err)
	}
	version, err := module.EscapeVersion(t.Tag)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", t, err)
	}
	url := strings.TrimSuffix(proxy, "/") + "/" + path + "/@v/" + version + ".mod"
	if file, ok := strings.CutPrefix(url, "file://"); ok {
		if _, err := os.Stat(filepath.FromSlash(file)); errors.Is(err, os.ErrNotExist) {
			return absent(t)
		} else if err != nil {
			return fmt.Errorf("looking for %s: could not ask: %w", t, err)
		}
		return nil
	}
	return r.served(ctx, url, t)
}

// moduleTag queries the module's repository for the tag. A pseudo-version has no tag.
func (r Resolver) moduleTag(ctx context.Context, t resolve.Target) error {
	repository, ok := strings.CutPrefix(t.At, "github.com/")
	if !ok || module.IsPseudoVersion(t.Tag) {
		return fmt.Errorf("looking for %s: could not ask: only a module proxy has it, and GOPROXY names none", t)
	}
	parts := strings.SplitN(repository, "/", 3)
	at := strings.Join(parts[:min(2, len(parts))], "/")
	return r.ref(ctx, resolve.Target{Kind: resolve.GitTag, At: at, Tag: t.Tag}).Err
}
