package world

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (f *forge) getRef(c *call) (reply, error) {
	r, found, err := c.repo.ref("refs/" + c.PathValue("ref"))
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(notFound())
	}
	return ok(c.repo.refJSON(r))
}

func (f *forge) listMatchingRefs(c *call) (reply, error) {
	all, err := c.repo.refs("refs/" + c.PathValue("ref"))
	if err != nil {
		return fail(err)
	}
	shown := []any{}
	for _, r := range all {
		shown = append(shown, c.repo.refJSON(r))
	}
	return ok(shown)
}

func (f *forge) createRefs(c *call) (reply, error) {
	ask, err := decode[struct{ Ref, SHA string }](c.Request)
	if err != nil {
		return fail(err)
	}
	if ok, err := c.repo.says("check-ref-format", ask.Ref); err != nil {
		return fail(err)
	} else if !ok || !strings.HasPrefix(ask.Ref, "refs/") || strings.Count(ask.Ref, "/") < 2 {
		return fail(unprocessable(fmt.Sprintf("%s is not a valid ref name.", ask.Ref)))
	}
	kind, err := c.repo.kind(ask.SHA)
	if err != nil {
		return fail(err)
	}
	if kind == "" {
		return fail(unprocessable("Object does not exist"))
	}
	if _, exists, err := c.repo.ref(ask.Ref); err == nil && !exists && slices.Contains(c.repo.listed(burnedTags), ask.Ref) {
		return fail(unprocessable("Repository rule violations found\n\nCannot create ref due to creations being restricted."))
	}
	err = c.repo.createRef(ask.Ref, ask.SHA)
	if errors.Is(err, errRefExists) {
		return fail(unprocessable("Reference already exists"))
	}
	if err != nil {
		return fail(unprocessable("Reference update failed: " + err.Error()))
	}
	return made(c.repo.refJSON(ref{ask.Ref, ask.SHA, kind}))
}

// updateRef moves a ref; without force only forwards.
func (f *forge) updateRef(c *call) (reply, error) {
	ask, err := decode[struct {
		SHA   *string
		Force bool
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	if ask.SHA == nil {
		return fail(missing("sha"))
	}
	now, found, err := c.repo.ref("refs/" + c.PathValue("ref"))
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(unprocessable("Reference does not exist"))
	}
	kind, err := c.repo.checkMove(now, *ask.SHA, ask.Force)
	if err != nil {
		return fail(err)
	}
	if _, err := c.repo.run("", "update-ref", now.name, *ask.SHA, now.sha); err != nil {
		return fail(unprocessable("Reference cannot be updated"))
	}
	return ok(c.repo.refJSON(ref{now.name, *ask.SHA, kind}))
}

// checkMove refuses to move a ref to where it may not go, and tells what kind of object is there.
func (r *repository) checkMove(now ref, to string, force bool) (kind string, err error) {
	if kind, err = r.kind(to); err != nil {
		return "", err
	}
	switch {
	case kind == "":
		return "", unprocessable("Object does not exist")
	case strings.HasPrefix(now.name, "refs/heads/") && kind != "commit":
		return "", unprocessable("Object is not a commit")
	case slices.Contains(r.listed(burnedTags), now.name):
		return "", lockedRef(now.name)
	case force || now.sha == to:
		return kind, nil
	}
	forward, err := r.isForward(now, to)
	if err == nil && !forward {
		err = unprocessable("Update is not a fast forward")
	}
	return kind, err
}

// isForward says whether a ref's history is part of the other's; what is no commit has none.
func (r *repository) isForward(now ref, to string) (bool, error) {
	from, leads, err := r.commitOf(now.name)
	if err != nil || !leads {
		return false, err
	}
	out, err := r.run("", "rev-parse", "--verify", "--quiet", to+"^{commit}")
	if err != nil {
		return false, nil
	}
	return r.contains(strings.TrimSpace(out), from)
}

func lockedRef(name string) *apiError {
	return unprocessable(fmt.Sprintf("%s belongs to an immutable release: it neither moves nor goes away", name))
}

func (f *forge) deleteRef(c *call) (reply, error) {
	now, found, err := c.repo.ref("refs/" + c.PathValue("ref"))
	switch {
	case err != nil:
		return fail(err)
	case !found:
		return fail(unprocessable("Reference does not exist"))
	case now.name == "refs/heads/main":
		return fail(unprocessable("Cannot delete the default branch"))
	case slices.Contains(c.repo.listed(lockedTags), now.name):
		return fail(lockedRef(now.name))
	}
	if _, err := c.repo.run("", "update-ref", "-d", now.name, now.sha); err != nil {
		return fail(unprocessable("Reference cannot be updated"))
	}
	return noContent()
}

func (r *repository) refJSON(of ref) map[string]any {
	return map[string]any{
		"ref": of.name, "node_id": nodeID("Ref", of.name),
		"url":    r.api("/git/%s", of.name),
		"object": r.objectJSON(of.sha, of.kind),
	}
}

func (r *repository) objectJSON(sha, kind string) map[string]any {
	return map[string]any{"sha": sha, "type": kind, "url": r.api("/git/%ss/%s", kind, sha)}
}

func (f *forge) getTag(c *call) (reply, error) {
	return c.showTag(c.PathValue("sha"), http.StatusOK)
}

func (c *call) showTag(sha string, status int) (reply, error) {
	kind, err := c.repo.kind(sha)
	if err != nil {
		return fail(err)
	}
	if kind != "tag" {
		return fail(notFound())
	}
	shown, err := c.repo.tagJSON(sha)
	return reply{status: status, body: shown}, err
}

func (f *forge) createTag(c *call) (reply, error) {
	ask, err := decode[struct {
		Tag, Message, Object, Type string
		Tagger                     *person
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	tagger := f.site.person(c.who())
	set(&tagger, ask.Tagger)
	kind, err := c.repo.kind(ask.Object)
	if err != nil {
		return fail(err)
	}
	if kind == "" || kind != ask.Type {
		return fail(unprocessable(fmt.Sprintf("Object %q is of type %q, want %q", ask.Object, kind, ask.Type)))
	}
	text := fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger %s\n\n%s\n", ask.Object, kind, ask.Tag, f.line(tagger), strings.TrimSuffix(ask.Message, "\n"))
	sha, err := c.repo.run(text, "mktag")
	if err != nil {
		return fail(unprocessable(err.Error()))
	}
	return c.showTag(strings.TrimSpace(sha), http.StatusCreated)
}

// tagJSON shows an annotated tag.
func (r *repository) tagJSON(sha string) (map[string]any, error) {
	raw, err := r.run("", "cat-file", "tag", sha)
	if err != nil {
		return nil, err
	}
	head, message, _ := strings.Cut(raw, "\n\n")
	fields := map[string]string{}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		fields[key] = value
	}
	return map[string]any{
		"sha": sha, "node_id": nodeID("Tag", sha), "url": r.api("/git/tags/%s", sha),
		"tag": fields["tag"], "message": strings.TrimSuffix(message, "\n"), "tagger": parsePerson(fields["tagger"]).json(),
		"object": r.objectJSON(fields["object"], fields["type"]), "verification": unsigned(),
	}, nil
}
