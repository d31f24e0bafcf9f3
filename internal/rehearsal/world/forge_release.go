package world

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const releasesPage = 30 // releases or assets in one answer unless the client asks for another number

// release is a draft until it is published; drafts may share a tag name, and none needs a tag.
type release struct {
	id                          int64
	tag, target, name, body     string
	named                       bool // a name was given, which may be empty
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

func (f *forge) createRelease(c *call) (reply, error) {
	edit, err := decode[releaseEdit](c.Request)
	if err != nil {
		return fail(err)
	}
	if edit.Tag == nil || *edit.Tag == "" {
		return fail(invalid("Release", "missing_field", "tag_name", ""))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rel := &release{author: c.who(), target: "main", created: f.now(), draft: true}
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

func (f *forge) editRelease(c *call) (reply, error) {
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

// touchesLocked says whether an edit changes what immutability locks; the texts, the prerelease
// mark and make_latest stay free (github/docs#45730).
func (e releaseEdit) touchesLocked(rel *release) bool {
	return e.Tag != nil && *e.Tag != rel.tag || e.Target != nil && *e.Target != rel.target || e.Draft != nil && *e.Draft
}

// revise writes an edit into a release and publishes it if asked to.
func (f *forge) revise(r *repository, rel *release, edit releaseEdit, publish bool) error {
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

// checkRelease refuses what no release may be, draft or not.
func (r *repository) checkRelease(rel *release) error {
	if ok, err := r.says("check-ref-format", "refs/tags/"+rel.tag); err != nil {
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

// targetOf is the commit that a release's tag names, or will name once it is published.
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

// publish makes a release public, with the tag at its target if there is none yet. A release
// that is public already, and was edited, passes too, for its tag may be another now.
func (f *forge) publish(r *repository, rel *release, first bool) error {
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

// noteLatest makes a published release the latest one, as GitHub does by default.
func (r *repository) noteLatest(rel *release, makeLatest *string) {
	if !rel.draft && !rel.prerelease && (makeLatest == nil || *makeLatest == "true") {
		r.latest = rel.id
	}
}

func (f *forge) deleteRelease(c *call) (reply, error) {
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
		os.Remove(a.file) // a file left behind is named by nobody
	}
	return noContent()
}

func (f *forge) listReleases(c *call) (reply, error) {
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

// releases are those that the caller may see, newest first; drafts only for who may write.
func (c *call) releases() []*release {
	var all []*release
	for _, rel := range slices.Backward(c.repo.releases) {
		if !rel.draft || c.writes() {
			all = append(all, rel)
		}
	}
	return all
}

// release finds the release that the path names.
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

func (f *forge) getRelease(c *call) (reply, error) { return f.showRelease(c, (*call).release) }

func (f *forge) getReleaseByTag(c *call) (reply, error) {
	return f.showRelease(c, func(c *call) (*release, error) {
		return c.one(func(rel *release) bool { return !rel.draft && rel.tag == c.PathValue("tag") })
	})
}

func (f *forge) getLatestRelease(c *call) (reply, error) {
	return f.showRelease(c, func(c *call) (*release, error) { return c.repo.latestRelease() })
}

func (f *forge) showRelease(c *call, find func(*call) (*release, error)) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rel, err := find(c)
	if err != nil {
		return fail(err)
	}
	return ok(c.repo.releaseJSON(rel))
}

// latestRelease is the one marked as such, or the newest that could be.
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

// slug names a release in web addresses: a draft has no tag of its own yet.
func (rel *release) slug() string {
	if rel.draft {
		return fmt.Sprintf("untagged-%020x", rel.id)
	}
	return rel.tag
}

// addNotes puts generated notes below the body, and names the release if nobody did.
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

func (f *forge) generateNotes(c *call) (reply, error) {
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
	notes, err := c.repo.notes(ask.Tag, cmp.Or(ask.Target, "main"), ask.Previous)
	if err != nil {
		return fail(err)
	}
	return ok(map[string]any{"name": ask.Tag, "body": notes})
}

// notes hold the comparison with the release before, which is all that GitHub writes where no
// pull request was merged.
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
