package resolve

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
)

// Refs tells the commit of a tag or, where branches count, of a branch at a
// repository (owner/name), "" where there is none.
type Refs func(ctx context.Context, repository, name string, branches bool) (string, error)

// World asks the registries, the forges and the Go module proxies themselves.
type World struct {
	Registry *oci.Registry
	Refs     Refs
	// Server is where files and assets are served from: https://github.com.
	Server string
	// HTTP carries the questions to servers and proxies.
	HTTP http.RoundTripper
	// Proxies are the entries of GOPROXY, and Private the patterns of modules
	// that none of them is asked for: https://go.dev/ref/mod#goproxy-protocol
	Proxies []string
	Private string
	// Brief asks registries only whether something is there, in one request;
	// answers then lack the revision.
	Brief bool
}

// Resolve asks for the target.
func (w World) Resolve(ctx context.Context, t Target) Answer {
	switch t.Kind {
	case GitTag, Branch:
		return w.ref(ctx, t)
	case delivery.Image, delivery.Chart:
		return w.artifact(ctx, t)
	case delivery.Module:
		return Answer{Target: t, Err: w.module(ctx, t)}
	}
	return Answer{Target: t, Err: w.file(ctx, t)}
}

// file asks for a file or asset of a repository. GitHub hides what is private
// behind the answer that there is no such thing, so the repository itself is
// asked for before that answer is believed.
func (w World) file(ctx context.Context, t Target) error {
	err := w.served(ctx, t.URL(w.Server), t)
	if !errors.Is(err, oci.ErrAbsent) || !errors.Is(w.served(ctx, w.Server+"/"+t.At, t), oci.ErrAbsent) {
		return err
	}
	return fmt.Errorf("looking for %s: could not ask: %s does not exist, or is private", t, t.At)
}

func (w World) artifact(ctx context.Context, t Target) Answer {
	describe := w.Registry.Describe
	if w.Brief {
		describe = w.Registry.Glance
	}
	d, err := describe(ctx, t.At, t.Tag)
	return Answer{Target: t, Digest: d.Digest, Revision: d.Labels[oci.KeyRevision], StandIn: d.StandIn(), Err: err}
}

func (w World) ref(ctx context.Context, t Target) Answer {
	commit, err := w.Refs(ctx, t.At, t.Tag, t.Kind == Branch)
	if err == nil && commit == "" {
		err = absent(t)
	}
	return Answer{Target: t, Revision: commit, Err: err}
}

func absent(t Target) error { return fmt.Errorf("looking for %s: %w", t, oci.ErrAbsent) }

// served asks whether a server has something at an address.
func (w World) served(ctx context.Context, url string, t Target) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", t, err)
	}
	res, err := (&http.Client{Transport: w.HTTP}).Do(req)
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
		return fmt.Errorf("looking for %s: could not ask: %s answers %s: it does not exist, or is private", t, req.URL.Host, res.Status)
	}
	return fmt.Errorf("looking for %s: could not ask: %s answers %s", t, req.URL.Host, res.Status)
}

// module asks the proxies in their order, each after the one before it has
// answered that it has no such version.
func (w World) module(ctx context.Context, t Target) error {
	proxies := w.Proxies
	if module.MatchPrefixPatterns(w.Private, t.At) {
		proxies = []string{"direct"}
	}
	if len(proxies) == 0 {
		proxies = []string{"off"}
	}
	var last error
	for _, proxy := range proxies {
		if last = w.moduleAt(ctx, proxy, t); !errors.Is(last, oci.ErrAbsent) {
			return last
		}
	}
	return last
}

func (w World) moduleAt(ctx context.Context, proxy string, t Target) error {
	switch proxy {
	case "off":
		return fmt.Errorf("looking for %s: could not ask: GOPROXY is off", t)
	case "direct":
		return w.moduleTag(ctx, t)
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
	return w.served(ctx, url, t)
}

// moduleTag asks the repository itself; of a pseudo-version it has no tag.
func (w World) moduleTag(ctx context.Context, t Target) error {
	repository, ok := strings.CutPrefix(t.At, "github.com/")
	if !ok || module.IsPseudoVersion(t.Tag) {
		return fmt.Errorf("looking for %s: could not ask: only a module proxy can tell, and GOPROXY has none for it", t)
	}
	parts := strings.SplitN(repository, "/", 3)
	return w.ref(ctx, Target{Kind: GitTag, At: strings.Join(parts[:min(2, len(parts))], "/"), Tag: t.Tag}).Err
}
