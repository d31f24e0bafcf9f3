package forge

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
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

	"github.com/klauspost/compress/snappy"
)

const releasesPage = 30 // the page size if the client sets none

// release is a draft until it is published. Drafts may share a tag name, and need no tag.
type release struct {
	id                          int64
	tag, target, name, body     string
	named                       bool // a name was given, even an empty one
	draft, prerelease           bool
	immutable                   bool
	created, published, updated time.Time
	assets                      []*asset
	author                      account
}

// releaseEdit is the body of a create or an edit; nil means "not given".
type releaseEdit struct {
	Tag           *string `json:"tag_name"`
	Target        *string `json:"target_commitish"`
	Name          *string `json:"name"`
	Body          *string `json:"body"`
	Draft         *bool   `json:"draft"`
	Prerelease    *bool   `json:"prerelease"`
	MakeLatest    *string `json:"make_latest"`
	GenerateNotes bool    `json:"generate_release_notes"`
}

func (f *Forge) createRelease(c *call) (reply, error) {
	edit, err := decode[releaseEdit](c.Request)
	if err != nil {
		return fail(err)
	}
	if edit.Tag == nil || *edit.Tag == "" {
		return fail(invalid("Release", "missing_field", "tag_name", ""))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rel := &release{author: c.who(), target: c.repo.Branch, created: f.now(), draft: true}
	publish := edit.Draft == nil || !*edit.Draft
	edit.Draft = nil
	if err := f.revise(c.repo, rel, edit, publish); err != nil {
		return fail(err)
	}
	rel.id = f.nextID()
	c.repo.releases = append(c.repo.releases, rel)
	c.repo.noteLatest(rel, edit.MakeLatest)
	answer, err := made(c.repo.releaseJSON(rel))
	answer.header = http.Header{"Location": {c.repo.api("/releases/%d", rel.id)}}
	return answer, err
}

func (f *Forge) editRelease(c *call) (reply, error) {
	edit, err := decode[releaseEdit](c.Request)
	if err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rel, err := c.release()
	if err != nil {
		return fail(err)
	}
	if rel.immutable && edit.touchesLocked(rel) {
		return fail(unprocessable("Cannot change the tag, the target or the draft state of an immutable release"))
	}
	// The edit goes to a copy, so that a refused one leaves nothing behind.
	revised := *rel
	if err := f.revise(c.repo, &revised, edit, edit.Draft != nil && !*edit.Draft && rel.draft); err != nil {
		return fail(err)
	}
	*rel = revised
	c.repo.noteLatest(rel, edit.MakeLatest)
	return ok(c.repo.releaseJSON(rel))
}

// touchesLocked reports whether an edit changes a field that immutability locks. The texts, the
// prerelease mark and make_latest stay free (github/docs#45730).
func (e releaseEdit) touchesLocked(rel *release) bool {
	return e.Tag != nil && *e.Tag != rel.tag || e.Target != nil && *e.Target != rel.target || e.Draft != nil && *e.Draft
}

// revise applies an edit to a release and publishes it if requested.
func (f *Forge) revise(r *repository, rel *release, edit releaseEdit, publish bool) error {
	was := *rel
	set(&rel.tag, edit.Tag)
	set(&rel.target, edit.Target)
	set(&rel.body, edit.Body)
	set(&rel.prerelease, edit.Prerelease)
	set(&rel.draft, edit.Draft)
	if edit.Name != nil {
		rel.name, rel.named = *edit.Name, true
	}
	rel.updated = f.now()
	if err := r.checkRelease(rel); err != nil {
		return err
	}
	if edit.GenerateNotes {
		if err := r.addNotes(rel); err != nil {
			return err
		}
	}
	if publish || !was.draft && !rel.draft {
		return f.publish(r, rel, publish)
	}
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// checkRelease refuses an invalid release, draft or not.
func (r *repository) checkRelease(rel *release) error {
	if ok, err := r.isTrue("check-ref-format", "refs/tags/"+rel.tag); err != nil {
		return err
	} else if !ok {
		return invalid("Release", "custom", "tag_name", "tag_name is not a valid tag")
	}
	_, found, err := r.targetOf(rel)
	if err == nil && !found {
		err = invalid("Release", "invalid", "target_commitish", "")
	}
	return err
}

// targetOf returns the commit of a release's tag, or its future commit if it is a draft.
func (r *repository) targetOf(rel *release) (string, bool, error) {
	sha, found, err := r.commitOf("refs/tags/" + rel.tag)
	if err != nil || found {
		return sha, found, err
	}
	if fullSHA.MatchString(rel.target) {
		kind, err := r.kind(rel.target)
		return rel.target, kind == "commit", err
	}
	return r.commitOf("refs/heads/" + strings.TrimPrefix(rel.target, "refs/heads/"))
}

// publish makes a release public, and creates its tag at the target if there is none. It also runs
// after an edit of a public release, whose tag name may have changed.
func (f *Forge) publish(r *repository, rel *release, first bool) error {
	for _, other := range r.releases {
		if other.id != rel.id && !other.draft && other.tag == rel.tag {
			return invalid("Release", "already_exists", "tag_name", "")
		}
	}
	if first && r.burned[rel.tag] {
		return invalid("Release", "custom", "tag_name", "tag_name was used by an immutable release")
	}
	sha, _, err := r.targetOf(rel)
	if err != nil {
		return err
	}
	if err := r.createRef("refs/tags/"+rel.tag, sha); err != nil && err != errRefExists {
		return err
	}
	rel.draft = false
	if first {
		rel.published, rel.immutable = f.now(), r.Immutable
	}
	return r.lockIf(rel)
}

func (r *repository) lockIf(rel *release) error {
	if !rel.immutable || r.burned[rel.tag] {
		return nil
	}
	r.burned[rel.tag] = true
	return r.lockTag(rel.tag)
}

// noteLatest marks a published release as the latest, as GitHub does by default.
func (r *repository) noteLatest(rel *release, makeLatest *string) {
	if !rel.draft && !rel.prerelease && (makeLatest == nil || *makeLatest == "true") {
		r.latest = rel.id
	}
}

func (f *Forge) deleteRelease(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rel, err := c.release()
	if err != nil {
		return fail(err)
	}
	c.repo.releases = slices.DeleteFunc(c.repo.releases, func(r *release) bool { return r == rel })
	if rel.immutable {
		if err := c.repo.unlockTag(rel.tag); err != nil {
			return fail(err)
		}
	}
	for _, a := range rel.assets {
		os.Remove(a.file) // a file left behind is unused
	}
	return noContent()
}

func (f *Forge) listReleases(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	visible := c.releases()
	items, header := paged(c, visible, releasesPage)
	shown := []any{}
	for _, rel := range items {
		shown = append(shown, c.repo.releaseJSON(rel))
	}
	return reply{http.StatusOK, shown, header}, nil
}

// releases returns the releases that the caller may see, newest first. Drafts require write access.
func (c *call) releases() []*release {
	var all []*release
	for _, rel := range slices.Backward(c.repo.releases) {
		if !rel.draft || c.writes() {
			all = append(all, rel)
		}
	}
	return all
}

// release returns the release in the path.
func (c *call) release() (*release, error) {
	id, err := strconv.ParseInt(c.PathValue("id"), 10, 64)
	if err != nil {
		return nil, notFound()
	}
	return c.one(func(rel *release) bool { return rel.id == id })
}

func (c *call) one(wanted func(*release) bool) (*release, error) {
	all := c.releases()
	i := slices.IndexFunc(all, wanted)
	if i < 0 {
		return nil, notFound()
	}
	return all[i], nil
}

func (f *Forge) getRelease(c *call) (reply, error) { return f.showRelease(c, (*call).release) }

func (f *Forge) getReleaseByTag(c *call) (reply, error) {
	return f.showRelease(c, func(c *call) (*release, error) {
		return c.one(func(rel *release) bool { return !rel.draft && rel.tag == c.PathValue("tag") })
	})
}

func (f *Forge) getLatestRelease(c *call) (reply, error) {
	return f.showRelease(c, func(c *call) (*release, error) { return c.repo.latestRelease() })
}

func (f *Forge) showRelease(c *call, find func(*call) (*release, error)) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rel, err := find(c)
	if err != nil {
		return fail(err)
	}
	return ok(c.repo.releaseJSON(rel))
}

// latestRelease returns the marked release, or the newest candidate.
func (r *repository) latestRelease() (*release, error) {
	var newest *release
	for _, rel := range r.releases {
		if rel.draft || rel.prerelease {
			continue
		}
		if rel.id == r.latest {
			return rel, nil
		}
		newest = rel
	}
	if newest == nil {
		return nil, notFound()
	}
	return newest, nil
}

func (r *repository) releaseJSON(rel *release) map[string]any {
	assets := []any{}
	for _, a := range rel.assets {
		assets = append(assets, r.assetJSON(rel, a))
	}
	at := r.api("/releases/%d", rel.id)
	shown := map[string]any{
		"id": rel.id, "node_id": nodeID("Release", rel.id), "url": at, "assets_url": at + "/assets",
		"upload_url": fmt.Sprintf("%s/repos/%s/releases/%d/assets{?name,label}", r.site.uploads, r.fullName(), rel.id),
		"html_url":   r.page("/releases/tag/%s", rel.slug()), "author": r.site.user(rel.author), "assets": assets,
		"tag_name": rel.tag, "target_commitish": rel.target, "name": nil, "body": rel.body,
		"draft": rel.draft, "prerelease": rel.prerelease, "immutable": rel.immutable,
		"created_at": stamp(rel.created), "updated_at": stamp(rel.updated), "published_at": nil,
		"tarball_url": nil, "zipball_url": nil,
	}
	if rel.named {
		shown["name"] = rel.name
	}
	if !rel.draft {
		shown["published_at"] = stamp(rel.published)
		shown["tarball_url"], shown["zipball_url"] = r.api("/tarball/%s", rel.tag), r.api("/zipball/%s", rel.tag)
	}
	return shown
}

// slug returns a release's name in web addresses. A draft's tag may not exist yet.
func (rel *release) slug() string {
	if rel.draft {
		return fmt.Sprintf("untagged-%020x", rel.id)
	}
	return rel.tag
}

// addNotes appends generated notes to the body, and sets the release's name if none was given.
func (r *repository) addNotes(rel *release) error {
	notes, err := r.notes(rel.tag, rel.target, "")
	if err != nil {
		return err
	}
	rel.body = strings.TrimLeft(rel.body+"\n\n"+notes, "\n")
	if !rel.named {
		rel.name, rel.named = rel.tag, true
	}
	return nil
}

func (f *Forge) generateNotes(c *call) (reply, error) {
	ask, err := decode[struct {
		Tag      string `json:"tag_name"`
		Target   string `json:"target_commitish"`
		Previous string `json:"previous_tag_name"`
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	if ask.Tag == "" {
		return fail(invalid("Release", "missing_field", "tag_name", ""))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	notes, err := c.repo.notes(ask.Tag, cmp.Or(ask.Target, c.repo.Branch), ask.Previous)
	if err != nil {
		return fail(err)
	}
	return ok(map[string]any{"name": ask.Tag, "body": notes})
}

// notes returns the comparison with the previous release. GitHub writes only this if no pull
// request was merged.
func (r *repository) notes(tag, target, previous string) (string, error) {
	_, found, err := r.targetOf(&release{tag: tag, target: target})
	if err != nil {
		return "", err
	}
	if !found {
		return "", invalid("Release", "invalid", "target_commitish", "")
	}
	for _, rel := range r.releases {
		if previous == "" && !rel.draft && rel.tag != tag {
			previous = rel.tag
		}
	}
	if previous == "" {
		return "**Full Changelog**: " + r.page("/commits/%s", tag), nil
	}
	return "**Full Changelog**: " + r.page("/compare/%s...%s", previous, tag), nil
}

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

// An interrupted upload leaves an asset in state starter, which blocks its name until it is
// deleted. GitHub documents this for its own failures.
const (
	stateUploaded = "uploaded"
	stateStarter  = "starter"
)

func (f *Forge) uploadAsset(c *call) (reply, error) {
	a := &asset{
		name:  strings.ReplaceAll(c.URL.Query().Get("name"), " ", "."),
		label: c.URL.Query().Get("label"),
		kind: cmp.Or(
			c.Header.Get("Content-Type"),
			"application/octet-stream",
		),
		state:   stateStarter,
		created: f.now(),
		by:      c.who(),
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

// begin reserves the name, so that one of two simultaneous uploads is refused.
func (f *Forge) begin(c *call, a *asset) error {
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

// receive streams the body to disk and completes the asset if the whole body arrived.
func (f *Forge) receive(c *call, a *asset) error {
	size, digest, err := writeFile(a.file, c.Body)
	if err == nil && size == 0 {
		f.discard(c, a)
		return &apiError{status: http.StatusBadRequest, Message: "Bad Size"}
	}
	if err != nil {
		return &apiError{status: http.StatusBadGateway, Message: err.Error()}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a.size, a.digest, a.state = size, digest, stateUploaded
	return nil
}

func writeFile(path string, from io.Reader) (size int64, digest string, err error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, "", err
	}
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(file, sum), from)
	return size, fmt.Sprintf("sha256:%x", sum.Sum(nil)), errors.Join(err, file.Close())
}

func (f *Forge) discard(c *call, a *asset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rel := range c.repo.releases {
		rel.assets = slices.DeleteFunc(rel.assets, func(other *asset) bool { return other == a })
	}
}

func (f *Forge) listAssets(c *call) (reply, error) {
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

// asset returns the asset in the path, from the releases that the caller may see.
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

func (f *Forge) getAsset(c *call) (reply, error) {
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

func (f *Forge) deleteAsset(c *call) (reply, error) {
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
	os.Remove(a.file) // a file left behind is unused
	return noContent()
}

// content is a response body from a file.
type content struct {
	file       *os.File
	name, kind string
	size       int64
}

// download requires the forge's lock to be held; the file is read after it is released.
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
	io.Copy(rw, b.file) // the client may be gone
}

func (r *repository) assetJSON(rel *release, a *asset) map[string]any {
	shown := map[string]any{
		"id":      a.id,
		"node_id": nodeID("ReleaseAsset", a.id),
		"name":    a.name,
		"label":   a.label,
		"state":   a.state,
		"url": r.api(
			"/releases/assets/%d",
			a.id,
		),
		"browser_download_url": r.page("/releases/download/%s/%s", rel.slug(), a.name),
		"content_type":         a.kind,
		"size":                 a.size,
		"digest":               nil,
		"download_count":       a.downloads,
		"created_at":           stamp(a.created),
		"updated_at":           stamp(a.created),
		"uploader":             r.site.user(a.by),
	}
	if a.digest != "" {
		shown["digest"] = a.digest
	}
	return shown
}

var downloadPath = regexp.MustCompile(`^/([^/]+)/([^/]+)/releases/(?:download/(.+)|latest/download)/([^/]+)$`)

// serveDownload serves the assets of published releases at their web addresses.
func (f *Forge) serveDownload(rw http.ResponseWriter, r *http.Request) {
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

// findDownload returns an asset of a tag's release; an empty tag means the latest release.
func (f *Forge) findDownload(r *repository, tag, name string) (reply, error) {
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

// attestation is a Sigstore bundle that a workflow of the repository uploaded.
type attestation struct {
	id     int64
	digest string // of the subject
	bundle []byte
}

const attestationsPage = 30 // the page size if the client sets none

// Attest stores a Sigstore bundle (JSON) for a digest, as actions/attest does. It returns an error
// if there is no such repository, or if the bundle is not JSON. Judging its content is left to
// verifiers.
func (f *Forge) Attest(repository, digest string, bundle []byte) error {
	r, found := f.repository(repository)
	if !found {
		return fmt.Errorf("attesting %s: there is no repository %s", digest, repository)
	}
	if !json.Valid(bundle) {
		return fmt.Errorf("attesting %s: the bundle is not JSON", digest)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.attestations = append(r.attestations, attestation{f.nextID(), digest, slices.Clone(bundle)})
	return nil
}

// states reports whether a bundle's statement has a predicate type.
func (a attestation) states(predicate string) bool {
	var b struct {
		Envelope struct{ Payload []byte } `json:"dsseEnvelope"`
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
	}
	return json.Unmarshal(a.bundle, &b) == nil && json.Unmarshal(b.Envelope.Payload, &statement) == nil &&
		statement.PredicateType == predicate
}

// listAttestations answers 404 if there are none. Of each bundle it returns only the address, as
// GitHub does since July 2026 (aaif-goose/goose#10557).
func (f *Forge) listAttestations(c *call) (reply, error) {
	query := c.URL.Query()
	predicate := query.Get("predicate_type")
	if query.Has("before") || predicate != "" && !strings.Contains(predicate, "://") {
		return fail(
			&apiError{
				status: http.StatusNotImplemented,
				Message: "the rehearsal's forge lists attestations only from the first page, " +
					"and supports no short names of predicates",
			},
		)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	after, _ := strconv.ParseInt(query.Get("after"), 10, 64) // 0 if absent
	var all []attestation
	for _, a := range c.repo.attestations {
		if a.digest == c.PathValue("digest") && a.id > after && (predicate == "" || a.states(predicate)) {
			all = append(all, a)
		}
	}
	if len(all) == 0 && after == 0 {
		return fail(notFound())
	}
	size := min(number(c, "per_page", attestationsPage), 100)
	page, header := all[:min(size, len(all))], http.Header(nil)
	if len(all) > size {
		query.Set("after", strconv.FormatInt(page[size-1].id, 10))
		header = http.Header{"Link": {fmt.Sprintf(`<%s%s?%s>; rel="next"`, c.base, c.URL.Path, query.Encode())}}
	}
	return reply{http.StatusOK, map[string]any{"attestations": c.repo.attestationsJSON(page)}, header}, nil
}

func (r *repository) attestationsJSON(all []attestation) []any {
	shown := []any{}
	for _, a := range all {
		address := fmt.Sprintf(
			"https://%s/attestations/%s/%d.json.sn?sig=%s",
			hostBundles,
			r.fullName(),
			a.id,
			nodeID("Attestation", a.id),
		)
		shown = append(shown, map[string]any{"bundle_url": address, "repository_id": r.id, "initiator": "user"})
	}
	return shown
}

var bundlePath = regexp.MustCompile(`^/attestations/([^/]+/[^/]+)/([0-9]+)\.json\.sn$`)

// serveBundle acts as the bundle store. The store does not know GitHub's tokens and refuses
// requests with one, while gh sends its token to all of GitHub's hosts.
func (f *Forge) serveBundle(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		http.Error(rw, "the address is signed, and takes no other authorization", http.StatusBadRequest)
		return
	}
	var packed []byte
	m, found := bundlePath.FindStringSubmatch(r.URL.Path), false
	if m != nil {
		packed, found = f.findBundle(m[1], m[2], r.URL.Query().Get("sig"))
	}
	if !found {
		http.Error(rw, "Not Found", http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", "application/x-snappy")
	rw.Write(packed) // the client may be gone
}

// findBundle returns the bundle in snappy's block format.
func (f *Forge) findBundle(repository, id, signature string) ([]byte, bool) {
	r, found := f.repository(repository)
	if !found {
		return nil, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range r.attestations {
		if strconv.FormatInt(a.id, 10) == id && signature == nodeID("Attestation", a.id) {
			return snappy.Encode(nil, a.bundle), true
		}
	}
	return nil, false
}
