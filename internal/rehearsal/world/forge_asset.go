package world

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// asset is a file of a release.
type asset struct {
	id                int64
	name, label, kind string
	digest            string // "sha256:…"
	state             string
	size              int64
	downloads         int
	created           time.Time
	file              string
	by                account
}

// An upload that broke off leaves an asset in state starter, which blocks its name until it is
// deleted; GitHub documents so for its own failures.
const (
	stateUploaded = "uploaded"
	stateStarter  = "starter"
)

func (f *forge) uploadAsset(c *call) (reply, error) {
	a := &asset{
		name: strings.ReplaceAll(c.URL.Query().Get("name"), " ", "."), label: c.URL.Query().Get("label"),
		kind: cmp.Or(c.Header.Get("Content-Type"), "application/octet-stream"), state: stateStarter, created: f.now(), by: c.who(),
	}
	if a.name == "" || strings.ContainsAny(a.name, `/\`) {
		return fail(invalid("ReleaseAsset", "missing_field", "name", ""))
	}
	if err := f.begin(c, a); err != nil {
		return fail(err)
	}
	if err := f.receive(c, a); err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rel, err := c.release()
	if err != nil {
		return fail(err)
	}
	return made(c.repo.assetJSON(rel, a))
}

// begin reserves the name, so that of two uploads at the same time one is refused.
func (f *forge) begin(c *call, a *asset) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	rel, err := c.release()
	if err != nil {
		return err
	}
	if rel.immutable {
		return unprocessable("Cannot upload assets to an immutable release.")
	}
	if slices.ContainsFunc(rel.assets, func(other *asset) bool { return other.name == a.name }) {
		return invalid("ReleaseAsset", "already_exists", "name", "")
	}
	a.id = f.nextID()
	a.file = filepath.Join(f.dir, "assets", strconv.FormatInt(a.id, 10))
	rel.assets = append(rel.assets, a)
	return nil
}

// receive streams the body to disk and ends the asset's state of starter if all came.
func (f *forge) receive(c *call, a *asset) error {
	size, err := writeFile(a.file, c.Body)
	if err == nil && size == 0 {
		f.discard(c, a)
		return &apiError{status: http.StatusBadRequest, Message: "Bad Size"}
	}
	if err != nil {
		return &apiError{status: http.StatusBadGateway, Message: err.Error()}
	}
	sum, err := hashFile(a.file)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a.size, a.digest, a.state = size, "sha256:"+sum, stateUploaded
	return nil
}

func writeFile(path string, from io.Reader) (int64, error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(file, from)
	return n, errors.Join(err, file.Close())
}

func (f *forge) discard(c *call, a *asset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rel := range c.repo.releases {
		rel.assets = slices.DeleteFunc(rel.assets, func(other *asset) bool { return other == a })
	}
}

func (f *forge) listAssets(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rel, err := c.release()
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, rel.assets, releasesPage)
	shown := []any{}
	for _, a := range items {
		shown = append(shown, c.repo.assetJSON(rel, a))
	}
	return reply{http.StatusOK, shown, header}, nil
}

// asset finds the asset that the path names, among the releases that the caller may see.
func (c *call) asset() (*release, *asset, error) {
	for _, rel := range c.releases() {
		for _, a := range rel.assets {
			if strconv.FormatInt(a.id, 10) == c.PathValue("id") {
				return rel, a, nil
			}
		}
	}
	return nil, nil, notFound()
}

func (f *forge) getAsset(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rel, a, err := c.asset()
	if err != nil {
		return fail(err)
	}
	if !accepts(c.Header, "application/octet-stream") {
		return ok(c.repo.assetJSON(rel, a))
	}
	return a.download()
}

func accepts(h http.Header, kind string) bool {
	for _, part := range strings.Split(strings.Join(h.Values("Accept"), ","), ",") {
		if media, _, err := mime.ParseMediaType(part); err == nil && media == kind {
			return true
		}
	}
	return false
}

func (f *forge) deleteAsset(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rel, a, err := c.asset()
	if err != nil {
		return fail(err)
	}
	if rel.immutable {
		return fail(unprocessable("Cannot delete asset from an immutable release."))
	}
	rel.assets = slices.DeleteFunc(rel.assets, func(other *asset) bool { return other == a })
	os.Remove(a.file) // a file left behind is named by nobody
	return noContent()
}

// content is an answer that is a file.
type content struct {
	file       *os.File
	name, kind string
	size       int64
}

// download is called with the forge's lock held; the file is read after it is released.
func (a *asset) download() (reply, error) {
	if a.state != stateUploaded {
		return fail(notFound())
	}
	file, err := os.Open(a.file)
	if err != nil {
		return fail(err)
	}
	a.downloads++
	return ok(content{file, a.name, a.kind, a.size})
}

func (b content) write(rw http.ResponseWriter) {
	defer b.file.Close()
	rw.Header().Set("Content-Type", b.kind)
	rw.Header().Set("Content-Length", strconv.FormatInt(b.size, 10))
	rw.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": b.name}))
	rw.WriteHeader(http.StatusOK)
	io.Copy(rw, b.file) // a client that has gone needs no rest
}

func (r *repository) assetJSON(rel *release, a *asset) map[string]any {
	shown := map[string]any{
		"id": a.id, "node_id": nodeID("ReleaseAsset", a.id), "name": a.name, "label": a.label, "state": a.state,
		"url": r.api("/releases/assets/%d", a.id), "browser_download_url": r.page("/releases/download/%s/%s", rel.slug(), a.name),
		"content_type": a.kind, "size": a.size, "digest": nil, "download_count": a.downloads,
		"created_at": stamp(a.created), "updated_at": stamp(a.created), "uploader": r.site.user(a.by),
	}
	if a.digest != "" {
		shown["digest"] = a.digest
	}
	return shown
}

var downloadPath = regexp.MustCompile(`^/([^/]+)/([^/]+)/releases/(?:download/(.+)|latest/download)/([^/]+)$`)

// serveDownload serves the assets of published releases at their web addresses.
func (f *forge) serveDownload(rw http.ResponseWriter, r *http.Request) {
	m := downloadPath.FindStringSubmatch(r.URL.Path)
	repo, visible := f.visit(r, m[1]+"/"+m[2])
	if !visible {
		http.Error(rw, "Not Found", http.StatusNotFound)
		return
	}
	answer, err := f.findDownload(repo, m[3], m[4])
	if err != nil {
		http.Error(rw, fmt.Sprintf("Not Found: %v", err), http.StatusNotFound)
		return
	}
	writeReply(rw, answer)
}

// findDownload looks in the release of a tag; an empty one means the latest release.
func (f *forge) findDownload(r *repository, tag, name string) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if tag == "" {
		rel, err := r.latestRelease()
		if err != nil {
			return fail(err)
		}
		tag = rel.tag
	}
	for _, rel := range r.releases {
		for _, a := range rel.assets {
			if !rel.draft && rel.tag == tag && a.name == name {
				return a.download()
			}
		}
	}
	return fail(notFound())
}
