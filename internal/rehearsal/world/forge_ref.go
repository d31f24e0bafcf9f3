package world

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
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
	err = c.repo.createRef(ask.Ref, ask.SHA)
	if errors.Is(err, errRefExists) {
		return fail(unprocessable("Reference already exists"))
	}
	if err != nil {
		return fail(unprocessable("Reference update failed: " + err.Error()))
	}
	return made(c.repo.refJSON(ref{ask.Ref, ask.SHA, kind}))
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

type person struct {
	Name  string     `json:"name"`
	Email string     `json:"email"`
	Date  *time.Time `json:"date"`
}

func (f *forge) createTag(c *call) (reply, error) {
	ask, err := decode[struct {
		Tag, Message, Object, Type string
		Tagger                     *person
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	kind, err := c.repo.kind(ask.Object)
	if err != nil {
		return fail(err)
	}
	if kind == "" || kind != ask.Type {
		return fail(unprocessable(fmt.Sprintf("Object %q is of type %q, want %q", ask.Object, kind, ask.Type)))
	}
	text := fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger %s\n\n%s\n", ask.Object, kind, ask.Tag, f.signature(ask.Tagger), strings.TrimSuffix(ask.Message, "\n"))
	sha, err := c.repo.run(text, "mktag")
	if err != nil {
		return fail(unprocessable(err.Error()))
	}
	return c.showTag(strings.TrimSpace(sha), http.StatusCreated)
}

// signature is a person and time as git writes them; nobody means the token's own account, now.
func (f *forge) signature(p *person) string {
	if p == nil {
		p = &person{Name: identityName, Email: identityEmail}
	}
	at := f.now()
	if p.Date != nil {
		at = *p.Date
	}
	return fmt.Sprintf("%s <%s> %d %s", p.Name, p.Email, at.Unix(), at.Format("-0700"))
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
		"tag": fields["tag"], "message": strings.TrimSuffix(message, "\n"), "tagger": parseSignature(fields["tagger"]),
		"object": r.objectJSON(fields["object"], fields["type"]), "verification": unsigned(),
	}, nil
}

func parseSignature(s string) map[string]any {
	name, rest, _ := strings.Cut(s, " <")
	email, when, _ := strings.Cut(rest, "> ")
	var unix int64
	fmt.Sscan(when, &unix) // a tag without a tagger shows the epoch
	return map[string]any{"name": name, "email": email, "date": stamp(time.Unix(unix, 0))}
}

// unsigned is what GitHub says of an object without a signature; the world signs nothing.
func unsigned() map[string]any {
	return map[string]any{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
}
