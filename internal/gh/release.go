package gh

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/google/go-github/v62/github"
)

// Release is a GitHub release with its assets.
type Release struct {
	ID    int64  `json:"id"`
	Tag   string `json:"tag_name"`
	Draft bool   `json:"draft"`
	// Target is the commit or branch that the release was made for.
	Target string `json:"target_commitish"`
	// Immutable: GitHub changes neither its tag nor its assets any more.
	Immutable bool    `json:"immutable"`
	URL       string  `json:"html_url"`
	Assets    []Asset `json:"assets"`
}

// Asset is one file of a release. go-github v62 knows no digests, so the
// shape is our own.
type Asset struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	State  string `json:"state"`
	Digest string `json:"digest"` // "sha256:…"; "" on servers that tell none
}

// Complete tells whether the asset's upload came to its end. One that broke
// off keeps its name in the state "starter":
// https://docs.github.com/en/rest/releases/assets#upload-a-release-asset
func (a Asset) Complete() bool { return a.State == "uploaded" }

// Asset finds an asset of the release by its name.
func (r *Release) Asset(name string) (Asset, bool) {
	for _, a := range r.Assets {
		if a.Name == name {
			return a, true
		}
	}
	return Asset{}, false
}

// Releases lists the releases of a tag: the published one first, if there is
// one, then drafts. No release is an empty list.
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

// Release is the published release of a tag, nil without one. Anybody can see
// those of a public repository.
func (c *Client) Release(ctx context.Context, repository, tag string) (*Release, error) {
	var published Release
	err := c.get(ctx, fmt.Sprintf("repos/%s/releases/tags/%s", repository, tag), &published)
	if errors.Is(err, ErrAbsent) {
		return nil, c.reaches(ctx, repository)
	}
	if err != nil {
		return nil, err
	}
	return &published, nil
}

// reaches tells whether a repository can be seen at all: GitHub hides what a
// token does not reach behind the answer that there is no such thing.
func (c *Client) reaches(ctx context.Context, repository string) error {
	var answer struct{}
	return c.get(ctx, "repos/"+repository, &answer)
}

// drafts are only in the list of all releases: they have no tag yet.
func (c *Client) drafts(ctx context.Context, repository, tag string) ([]*Release, error) {
	const size = 100
	var drafts []*Release
	for page := 1; ; page++ {
		var batch []*Release
		if err := c.get(ctx, fmt.Sprintf("repos/%s/releases?per_page=%d&page=%d", repository, size, page), &batch); err != nil {
			return nil, err
		}
		for _, r := range batch {
			if r.Draft && r.Tag == tag {
				drafts = append(drafts, r)
			}
		}
		if len(batch) < size {
			return drafts, nil
		}
	}
}

func (c *Client) get(ctx context.Context, path string, out any) error {
	req, err := c.api.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if _, err := c.api.Do(ctx, req, out); err != nil {
		return c.explain("reading "+path, err)
	}
	return nil
}

// CreateDraft makes an empty draft for a tag on a commit, and tells its ID. Its
// name is the tag, by which goreleaser finds it and fills it.
func (c *Client) CreateDraft(ctx context.Context, repository, tag, commit string) (int64, error) {
	owner, repo := split(repository)
	draft := &github.RepositoryRelease{TagName: github.String(tag), Name: github.String(tag), TargetCommitish: github.String(commit), Draft: github.Bool(true)}
	made, _, err := c.api.Repositories.CreateRelease(ctx, owner, repo, draft)
	if err != nil {
		return 0, c.explain("making a draft release of "+repository, err)
	}
	return made.GetID(), nil
}

// DeleteDraft takes an empty draft away again. It is for its maker: GitHub
// deletes a public release as readily.
func (c *Client) DeleteDraft(ctx context.Context, repository string, id int64) error {
	owner, repo := split(repository)
	if _, err := c.api.Repositories.DeleteRelease(ctx, owner, repo, id); err != nil {
		return c.explain("deleting a draft release of "+repository, err)
	}
	return nil
}

// Upload adds a file to a release under a name.
func (c *Client) Upload(ctx context.Context, repository string, release int64, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	owner, repo := split(repository)
	options := &github.UploadOptions{Name: name, MediaType: "application/octet-stream"}
	if _, _, err := c.api.Repositories.UploadReleaseAsset(ctx, owner, repo, release, options, file); err != nil {
		return c.explain(fmt.Sprintf("uploading %s to a release of %s", name, repository), err)
	}
	return nil
}

// DeleteAsset takes a file from a release that is still a draft.
func (c *Client) DeleteAsset(ctx context.Context, repository string, asset int64) error {
	owner, repo := split(repository)
	if _, err := c.api.Repositories.DeleteReleaseAsset(ctx, owner, repo, asset); err != nil {
		return c.explain("deleting an asset of "+repository, err)
	}
	return nil
}

// AssetDigest is the SHA-256 of an asset's bytes, as GitHub tells it or, where
// it tells none, of the bytes that it serves.
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

// maxAsset bounds what is downloaded of one asset, in bytes: GitHub takes no
// larger one.
// https://docs.github.com/en/repositories/releasing-projects-on-github/about-releases#storage-and-bandwidth-quotas
const maxAsset = 2 << 30

// Download writes an asset's bytes. What has been written before an error counts
// for nothing.
func (c *Client) Download(ctx context.Context, repository string, a Asset, to io.Writer) error {
	owner, repo := split(repository)
	body, _, err := c.api.Repositories.DownloadReleaseAsset(ctx, owner, repo, a.ID, c.plain)
	if err != nil {
		return c.explain("downloading "+a.Name, err)
	}
	defer body.Close()
	n, err := io.Copy(to, io.LimitReader(body, maxAsset+1))
	if err == nil && n > maxAsset {
		err = fmt.Errorf("it is larger than %d bytes", maxAsset)
	}
	if err == nil && a.Size > 0 && n != a.Size {
		err = fmt.Errorf("%d bytes came, GitHub says that it has %d", n, a.Size)
	}
	if err != nil {
		return fmt.Errorf("downloading %s: %w", a.Name, err)
	}
	return nil
}

// MakesImmutable tells whether the repository's setting is on that makes each
// release immutable as it is published. GitHub answers 404 where it is off, and
// so do servers that have no such setting.
// https://docs.github.com/en/rest/repos/repos#check-if-immutable-releases-are-enabled-for-a-repository
func (c *Client) MakesImmutable(ctx context.Context, repository string) (bool, error) {
	var setting struct{ Enabled bool }
	err := c.get(ctx, "repos/"+repository+"/immutable-releases", &setting)
	if errors.Is(err, ErrAbsent) {
		return false, nil
	}
	return setting.Enabled, err
}

// Publish makes a draft public, with its tag.
func (c *Client) Publish(ctx context.Context, repository string, release int64, prerelease bool) error {
	owner, repo := split(repository)
	// "legacy" leaves it to the versions which release is the latest; the
	// default would make it this one, though it may be of an older line.
	change := &github.RepositoryRelease{Draft: github.Bool(false), Prerelease: github.Bool(prerelease), MakeLatest: github.String("legacy")}
	if _, _, err := c.api.Repositories.EditRelease(ctx, owner, repo, release, change); err != nil {
		return c.explain("publishing the release of "+repository, err)
	}
	return nil
}
