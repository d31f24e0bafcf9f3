package lookup

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/outcome"
)

// Repositories reads chart repositories over https: https://helm.sh/docs/topics/chart_repository. It reads each index
// once. helm's own reader links a client of Kubernetes, and reads from files only.
type Repositories struct {
	HTTP http.RoundTripper

	mu      sync.Mutex
	indexes map[string]func() ([]byte, error)
}

// entry is a version of a chart in an index.
type entry struct {
	Version string
	URLs    []string
	Digest  string
}

// Limits in bytes. helm has the same for a chart.
const (
	maxIndex = 100 << 20
	maxChart = 100 << 20
)

// get returns the content at an address. Only https is read, also after a redirect.
func (r *Repositories) get(ctx context.Context, address string, limit int64) ([]byte, error) {
	client := http.Client{Transport: r.HTTP, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		const most = 10
		if req.URL.Scheme != "https" || len(via) >= most {
			return fmt.Errorf("redirected to %s", req.URL.Redacted())
		}
		return nil
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if req.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s is not read: want https", req.URL.Redacted())
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d MiB", address, limit>>20)
	}
	return data, err
}

// index returns the content of the index of a repository.
func (r *Repositories) index(ctx context.Context, repository string) ([]byte, error) {
	r.mu.Lock()
	read, known := r.indexes[repository]
	if !known {
		read = sync.OnceValues(func() ([]byte, error) { return r.get(ctx, repository+"/index.yaml", maxIndex) })
		if r.indexes == nil {
			r.indexes = map[string]func() ([]byte, error){}
		}
		r.indexes[repository] = read
	}
	r.mu.Unlock()
	return read()
}

// find returns the entry of a version of a chart, as helm finds it: that of the same text, or of the same version.
func (r *Repositories) find(ctx context.Context, at, version string) (entry, error) {
	repository, name := splitAt(at)
	data, err := r.index(ctx, repository)
	if err != nil {
		return entry{}, fmt.Errorf("looking for chart %s:%s: could not ask: %w", at, version, err)
	}
	entries, err := entriesOf(data, name)
	if err != nil {
		return entry{}, fmt.Errorf("looking for chart %s:%s: could not ask: %s/index.yaml is not the index of a "+
			"chart repository: %w", at, version, repository, err)
	}
	for _, same := range []func(string) string{func(v string) string { return v }, plainVersion} {
		for _, e := range entries {
			if same(e.Version) == same(version) {
				return e, nil
			}
		}
	}
	return entry{}, fmt.Errorf("looking for chart %s:%s: %w", at, version, outcome.ErrAbsent)
}

// has reports whether a repository has some version of a chart.
func (r *Repositories) has(ctx context.Context, at string) bool {
	repository, name := splitAt(at)
	data, err := r.index(ctx, repository)
	if err != nil {
		return false
	}
	entries, err := entriesOf(data, name)
	return err == nil && len(entries) > 0
}

// splitAt returns the address of a chart's repository, and the chart's name.
func splitAt(at string) (repository, name string) {
	i := strings.LastIndexByte(at, '/')
	return at[:max(i, 0)], at[i+1:]
}

func plainVersion(v string) string {
	v, _, _ = strings.Cut(strings.TrimPrefix(v, "v"), "+")
	return v
}

// entriesOf returns the versions of a chart in an index. An index may be large, so only the part about the chart is
// parsed if it is written as helm writes it.
func entriesOf(data []byte, name string) ([]entry, error) {
	part := regexp.MustCompile(`(?m)^  ["']?` + regexp.QuoteMeta(name) + `["']?:[ \t]*\r?\n` +
		`(?:(?:  [ -].*|[ \t]*)\r?\n)+`)
	if found := part.Find(data); found != nil && bytes.HasPrefix(bytes.TrimSpace(data), []byte("apiVersion:")) {
		data = append([]byte("apiVersion: v1\nentries:\n"), found...)
	}
	var index struct {
		APIVersion string `yaml:"apiVersion"`
		Entries    map[string][]entry
	}
	if err := yaml.Unmarshal(data, &index); err != nil {
		return nil, errors.New("it is not YAML")
	}
	if index.APIVersion == "" {
		return nil, errors.New("it has no apiVersion")
	}
	return index.Entries[name], nil
}

// Digest returns the digest of a chart's package according to the index. An index may lack it.
func (r *Repositories) Digest(ctx context.Context, at, version string) (string, error) {
	e, err := r.find(ctx, at, version)
	if err != nil || e.Digest == "" {
		return "", err
	}
	return "sha256:" + strings.TrimPrefix(e.Digest, "sha256:"), nil
}

// Archive fetches a chart's package from the first of its addresses that serves it. An address may be relative, on
// another host, or in a registry, which fetch reads.
func (r *Repositories) Archive(
	ctx context.Context, at, version string, fetch func(ctx context.Context, at, tag string) ([]byte, error),
) ([]byte, error) {
	e, err := r.find(ctx, at, version)
	if err != nil {
		return nil, err
	}
	repository, _ := splitAt(at)
	base, err := url.Parse(repository + "/")
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, address := range e.URLs {
		archive, err := r.archive(ctx, base, address, fetch)
		if sum := fmt.Sprintf("%x", sha256.Sum256(archive)); err == nil && e.Digest != "" &&
			sum != strings.TrimPrefix(e.Digest, "sha256:") && !strings.HasPrefix(address, "oci://") {
			err = outcome.Wrongf("%s has the digest %s, and the index records %s", address, sum, e.Digest)
		}
		if err == nil {
			return archive, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("fetching chart %s:%s: could not ask: %w", at, version,
		cmp.Or(errors.Join(errs...), errors.New("the index has no address of it")))
}

func (r *Repositories) archive(
	ctx context.Context, base *url.URL, address string, fetch func(ctx context.Context, at, tag string) ([]byte, error),
) ([]byte, error) {
	if location, ok := strings.CutPrefix(address, "oci://"); ok {
		i := strings.LastIndexByte(path.Base(location), ':')
		if i < 0 {
			return nil, fmt.Errorf("%s has no tag", address)
		}
		i += len(location) - len(path.Base(location))
		return fetch(ctx, location[:i], location[i+1:])
	}
	to, err := base.Parse(address)
	if err != nil {
		return nil, err
	}
	return r.get(ctx, to.String(), maxChart)
}

// Chart fetches a chart's package from its registry, or from its repository over https.
func (r Resolver) Chart(ctx context.Context, at, tag string) ([]byte, error) {
	if strings.HasPrefix(at, delivery.HTTPS) && r.Repositories != nil {
		return r.Repositories.Archive(ctx, at, tag, r.Registry.ChartArchive)
	}
	return r.Registry.ChartArchive(ctx, at, tag)
}
