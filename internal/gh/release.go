package gh

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Release is a GitHub release with its assets.
type Release struct {
	ID    int64  `json:"id"`
	Tag   string `json:"tag_name"`
	Draft bool   `json:"draft"`
	// Target is the commit or branch that the release was created for.
	Target string `json:"target_commitish"`
	// Notes is its text in Markdown.
	Notes string `json:"body"`
	// Immutable is set if GitHub no longer allows changes of its tag and assets.
	Immutable bool      `json:"immutable"`
	URL       string    `json:"html_url"`
	Published time.Time `json:"published_at"` // zero for a draft
	Assets    []Asset   `json:"assets"`
}

// Asset is one file of a release. go-github v62 has no field for the digest.
type Asset struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	State  string `json:"state"`
	Digest string `json:"digest"` // "sha256:…", or "" on servers that do not return it
}

// Complete reports whether the asset's upload has completed. An interrupted upload
// occupies its name, with the state "starter".
// https://docs.github.com/en/rest/releases/assets#upload-a-release-asset
func (a Asset) Complete() bool { return a.State == "uploaded" }

// Asset returns the release's asset with a name, and reports whether it exists.
func (r *Release) Asset(name string) (Asset, bool) {
	for _, a := range r.Assets {
		if a.Name == name {
			return a, true
		}
	}
	return Asset{}, false
}

// Releases returns the releases of a tag: the published one first, if there is one, and
// then drafts.
func (c *Client) Releases(ctx context.Context, repository, tag string) ([]*Release, error) {
	var found []*Release
	published, err := c.Release(ctx, repository, tag)
	if err != nil {
		return nil, err
	}
	if published != nil {
		found = append(found, published)
	}
	drafts, err := c.drafts(ctx, repository, tag)
	return append(found, drafts...), err
}

// Release returns the published release of a tag, or nil. Those of public repositories
// are visible without a token.
func (c *Client) Release(ctx context.Context, repository, tag string) (*Release, error) {
	var published Release
	err := c.get(ctx, fmt.Sprintf("repos/%s/releases/tags/%s", repository, tag), &published)
	if errors.Is(err, ErrAbsent) {
		return nil, c.CheckAccess(ctx, repository)
	}
	if err != nil {
		return nil, err
	}
	return &published, nil
}

// CheckAccess returns an error if a repository is not visible. GitHub answers 404 for
// objects in repositories to which the token has no access.
func (c *Client) CheckAccess(ctx context.Context, repository string) error {
	var answer struct{}
	return c.get(ctx, "repos/"+repository, &answer)
}

// drafts returns the drafts for a tag. They are only in the list of all releases,
// because their tag does not exist yet.
func (c *Client) drafts(ctx context.Context, repository, tag string) ([]*Release, error) {
	all, err := list[*Release](ctx, c, "repos/"+repository+"/releases?per_page=100")
	return slices.DeleteFunc(all, func(r *Release) bool { return !r.Draft || r.Tag != tag }), err
}

func (c *Client) get(ctx context.Context, path string, out any) error {
	_, err := c.read(ctx, path, out)
	return err
}

// CreateDraft creates an empty draft for a tag on a commit, and returns its ID. Its name
// is the tag, because goreleaser finds drafts by name. GitHub allows several drafts for
// a tag. So a draft that exists after a lost response may be another runner's, and the
// result is Uncertain.
func (c *Client) CreateDraft(ctx context.Context, repository, tag, commit string) (int64, error) {
	owner, repo := split(repository)
	draft := &github.RepositoryRelease{TagName: &tag, Name: &tag, TargetCommitish: &commit, Draft: github.Bool(true)}
	var made *github.RepositoryRelease
	var lost error
	err := c.write(ctx, func() (err error) {
		made, _, err = c.api.Repositories.CreateRelease(ctx, owner, repo, draft)
		lost = err
		return err
	}, func(ctx context.Context) (bool, error) {
		there, err := c.Releases(ctx, repository, tag)
		return len(there) > 0, err
	})
	if err = cmp.Or(err, lost); err != nil {
		return 0, c.explain("creating a draft release of "+repository, err)
	}
	return made.GetID(), nil
}

// DeleteDraft deletes an empty draft. Only pass the ID of a draft that the caller
// created: GitHub would also delete a public release.
func (c *Client) DeleteDraft(ctx context.Context, repository string, id int64) error {
	owner, repo := split(repository)
	err := c.write(ctx, func() error {
		_, err := c.api.Repositories.DeleteRelease(ctx, owner, repo, id)
		return err
	}, c.absent(releasePath(repository, id)))
	if err != nil {
		return c.explain("deleting a draft release of "+repository, err)
	}
	return nil
}

func releasePath(repository string, id int64) string {
	return fmt.Sprintf("repos/%s/releases/%d", repository, id)
}

// absent returns a function that reports whether a path answers 404.
func (c *Client) absent(path string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		var answer struct{}
		err := c.get(ctx, path, &answer)
		if errors.Is(err, ErrAbsent) {
			return true, nil
		}
		return false, err
	}
}

// Upload uploads a file to a release under a name.
func (c *Client) Upload(ctx context.Context, repository string, release int64, name, path string) error {
	repeated := false
	err := c.write(ctx, func() error {
		if repeated {
			if err := c.clear(ctx, repository, release, name); err != nil {
				return err
			}
		}
		repeated = true
		return c.upload(ctx, repository, release, name, path)
	}, func(ctx context.Context) (bool, error) { return c.holds(ctx, repository, release, name, path) })
	if err != nil {
		return c.explain(fmt.Sprintf("uploading %s to a release of %s", name, repository), err)
	}
	return nil
}

// upload sends the file. GetBody allows sending it again after a redirect.
func (c *Client) upload(ctx context.Context, repository string, release int64, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return err
	}
	address := releasePath(repository, release) + "/assets?" + url.Values{"name": {name}}.Encode()
	req, err := c.api.NewUploadRequest(address, file, about.Size(), octets)
	if err != nil {
		return err
	}
	req.GetBody = func() (io.ReadCloser, error) { return os.Open(path) }
	_, err = c.api.Do(ctx, req, nil)
	return err
}

// asset returns the asset with a name of a release or draft, and reports whether it
// exists.
func (c *Client) asset(ctx context.Context, repository string, release int64, name string) (Asset, bool, error) {
	assets, err := list[Asset](ctx, c, releasePath(repository, release)+"/assets?per_page=100")
	found, ok := (&Release{Assets: assets}).Asset(name)
	return found, ok, err
}

// holds reports whether a release has the complete file under a name. It returns an
// error if the asset has other bytes.
func (c *Client) holds(ctx context.Context, repository string, release int64, name, path string) (bool, error) {
	asset, ok, err := c.asset(ctx, repository, release, name)
	if err != nil || !ok || !asset.Complete() {
		return false, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	digest, err := c.AssetDigest(ctx, repository, asset)
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(data)); err == nil && digest != want {
		err = outcome.Wrongf("release asset %s has the digest %s, want %s: another process also uploads it",
			name, digest, want)
	}
	return err == nil, err
}

// clear deletes the asset of an interrupted upload, which would occupy the name.
func (c *Client) clear(ctx context.Context, repository string, release int64, name string) error {
	asset, ok, err := c.asset(ctx, repository, release, name)
	if err != nil || !ok || asset.Complete() {
		return err
	}
	return c.DeleteAsset(ctx, repository, asset.ID)
}

// DeleteAsset deletes an asset of a draft.
func (c *Client) DeleteAsset(ctx context.Context, repository string, asset int64) error {
	owner, repo := split(repository)
	err := c.write(ctx, func() error {
		_, err := c.api.Repositories.DeleteReleaseAsset(ctx, owner, repo, asset)
		return err
	}, c.absent(assetPath(repository, asset)))
	if err != nil {
		return c.explain("deleting an asset of "+repository, err)
	}
	return nil
}

func assetPath(repository string, id int64) string {
	return fmt.Sprintf("repos/%s/releases/assets/%d", repository, id)
}

// AssetDigest returns the SHA-256 of an asset. It downloads the asset if the server does
// not return digests.
func (c *Client) AssetDigest(ctx context.Context, repository string, a Asset) (string, error) {
	if a.Digest != "" {
		return a.Digest, nil
	}
	hash := sha256.New()
	if err := c.Download(ctx, repository, a, hash); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", hash.Sum(nil)), nil
}

// maxAsset is the maximum size of an asset in bytes, which is GitHub's limit.
// https://docs.github.com/en/repositories/releasing-projects-on-github/about-releases#storage-and-bandwidth-quotas
const maxAsset = 2 << 30

// Download writes an asset's bytes. After an error, the bytes written so far are
// incomplete.
func (c *Client) Download(ctx context.Context, repository string, a Asset, to io.Writer) error {
	body, err := c.openAsset(ctx, repository, a)
	if err != nil {
		return c.explain("downloading "+a.Name, err)
	}
	defer body.Close()
	n, err := io.Copy(to, io.LimitReader(body, maxAsset+1))
	if err == nil && n > maxAsset {
		err = fmt.Errorf("it is larger than %d bytes", maxAsset)
	}
	if err == nil && a.Size > 0 && n != a.Size {
		err = fmt.Errorf("saw %d bytes, want %d", n, a.Size)
	}
	if err != nil {
		return fmt.Errorf("downloading %s: %w", a.Name, err)
	}
	return nil
}

// openAsset requests an asset. The API returns its bytes or, on github.com, a redirect
// to a signed URL on another host, to which it sends no token.
func (c *Client) openAsset(ctx context.Context, repository string, a Asset) (io.ReadCloser, error) {
	req, err := c.api.NewRequest(http.MethodGet, assetPath(repository, a.ID), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", octets)
	res, err := c.api.BareDo(ctx, req)
	if err == nil {
		return res.Body, nil
	}
	if res == nil || res.StatusCode/100 != 3 {
		return nil, err
	}
	to, gone := res.Location()
	if gone != nil {
		return nil, err
	}
	return c.openElsewhere(ctx, to)
}

func (c *Client) openElsewhere(ctx context.Context, to *url.URL) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return nil, bare(err)
	}
	req.Header.Set("Accept", octets)
	res, err := c.plain.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("the storage host %s answered %s", to.Host, res.Status)
	}
	return res.Body, nil
}

// MakesImmutable reports whether the repository makes each release immutable when it is
// published. GitHub answers 404 if the setting is off, and so do servers without it.
// https://docs.github.com/en/rest/repos/repos#check-if-immutable-releases-are-enabled-for-a-repository
func (c *Client) MakesImmutable(ctx context.Context, repository string) (bool, error) {
	var setting struct{ Enabled bool }
	err := c.get(ctx, "repos/"+repository+"/immutable-releases", &setting)
	if errors.Is(err, ErrAbsent) {
		return false, nil
	}
	return setting.Enabled, err
}

// SetNotes sets the text of a release.
func (c *Client) SetNotes(ctx context.Context, repository string, release int64, notes string) error {
	return c.edit(ctx, "writing", repository, release, &github.RepositoryRelease{Body: &notes},
		func(now Release) bool { return now.Notes == notes })
}

// edit changes a release until it is as wanted.
func (c *Client) edit(
	ctx context.Context, doing, repository string, release int64, change *github.RepositoryRelease,
	done func(Release) bool,
) error {
	owner, repo := split(repository)
	err := c.write(ctx, func() error {
		_, _, err := c.api.Repositories.EditRelease(ctx, owner, repo, release, change)
		return err
	}, func(ctx context.Context) (bool, error) {
		var now Release
		err := c.get(ctx, releasePath(repository, release), &now)
		return err == nil && done(now), err
	})
	if err != nil {
		return c.explain(doing+" the release of "+repository, err)
	}
	return nil
}

// Publish makes the draft of a version public, with its tag. The version decides
// whether it is a prerelease.
func (c *Client) Publish(ctx context.Context, repository string, release int64, v ref.Version) error {
	prerelease := v.Prerelease() != ""
	// With "legacy", the latest release is the one with the highest version. The default
	// would be this one, which may belong to an older line.
	change := &github.RepositoryRelease{
		Draft:      github.Bool(false),
		Prerelease: github.Bool(prerelease),
		MakeLatest: github.String("legacy"),
	}
	return c.edit(ctx, "publishing", repository, release, change, func(now Release) bool { return !now.Draft })
}
