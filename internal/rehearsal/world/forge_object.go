package world

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// maxBlob is the size up to which GitHub takes a blob by its API:
// https://docs.github.com/en/rest/git/blobs
const maxBlob = 40 << 20

func missing(field string) *apiError {
	return unprocessable(fmt.Sprintf("Invalid request.\n\n%q wasn't supplied.", field))
}

// notEmpty refuses to make objects in a repository that has none yet, as GitHub does
// (github/rest-api-description#637).
func (r *repository) notEmpty() error {
	all, err := r.refs("refs/")
	if err == nil && len(all) == 0 {
		err = &apiError{status: http.StatusConflict, Message: "Git Repository is empty."}
	}
	return err
}

// createdAt answers with a thing that has an address of its own.
func createdAt(body map[string]any) (reply, error) {
	return reply{http.StatusCreated, body, http.Header{"Location": {body["url"].(string)}}}, nil
}

func (f *forge) createBlob(c *call) (reply, error) {
	ask, err := decode[struct{ Content, Encoding *string }](c.Request)
	if err != nil {
		return fail(err)
	}
	if ask.Content == nil {
		return fail(missing("content"))
	}
	if err := c.repo.notEmpty(); err != nil {
		return fail(err)
	}
	text, err := decodeBlob(*ask.Content, ask.Encoding)
	if err != nil {
		return fail(err)
	}
	sha, err := c.repo.writeObject("blob", text)
	if err != nil {
		return fail(err)
	}
	return createdAt(map[string]any{"sha": sha, "url": c.repo.api("/git/blobs/%s", sha)})
}

func decodeBlob(content string, encoding *string) (string, error) {
	kind := "utf-8"
	set(&kind, encoding)
	switch kind {
	case "utf-8":
	case "base64":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(content), ""))
		if err != nil {
			return "", unprocessable("content is not valid Base64")
		}
		content = string(raw)
	default:
		return "", unprocessable(fmt.Sprintf("%q is not a valid encoding", kind))
	}
	if len(content) > maxBlob {
		return "", unprocessable("Sorry, your input was too large to process. Consider creating the blob in a local clone of the repository and then pushing it to GitHub.")
	}
	return content, nil
}

// writeObject stores an object of a checked kind and tells its name.
func (b *bare) writeObject(kind, text string) (string, error) {
	sha, err := b.run(text, "hash-object", "-t", kind, "-w", "--stdin")
	return strings.TrimSpace(sha), err
}

const base64Line = 60 // characters; GitHub breaks the lines of a file's content there

func (f *forge) getBlob(c *call) (reply, error) {
	sha := c.PathValue("sha")
	kind, err := c.repo.kind(sha)
	if err != nil {
		return fail(err)
	}
	if kind != "blob" {
		return fail(notFound())
	}
	body, err := c.repo.run("", "cat-file", "blob", sha)
	if err != nil {
		return fail(err)
	}
	if acceptsRaw(c.Header) {
		return ok(text{"application/vnd.github.raw+json; charset=utf-8", body})
	}
	return ok(map[string]any{
		"sha": sha, "node_id": nodeID("Blob", sha), "url": c.repo.api("/git/blobs/%s", sha),
		"size": len(body), "content": folded(base64.StdEncoding.EncodeToString([]byte(body))), "encoding": "base64",
	})
}

// acceptsRaw says whether the client wants bytes in place of JSON, by any name that GitHub has
// had for it.
func acceptsRaw(h http.Header) bool {
	return slices.ContainsFunc([]string{"application/vnd.github.raw+json", "application/vnd.github.raw", "application/vnd.github.v3.raw"}, func(kind string) bool { return accepts(h, kind) })
}

func folded(s string) string {
	var b strings.Builder
	for ; len(s) > base64Line; s = s[base64Line:] {
		b.WriteString(s[:base64Line] + "\n")
	}
	if s != "" {
		b.WriteString(s + "\n")
	}
	return b.String()
}

// commitAsk is the body of a new commit; nil means "not given".
type commitAsk struct {
	Message, Tree     *string
	Parents           []string
	Author, Committer *person
	Signature         *string
}

func (f *forge) createGitCommit(c *call) (reply, error) {
	ask, err := decode[commitAsk](c.Request)
	if err != nil {
		return fail(err)
	}
	if err := ask.refusal(c.repo); err != nil {
		return fail(err)
	}
	made, signs := ask.commit(f.site, c.who())
	sha, err := f.writeCommit(c.repo, made, signs)
	if err != nil {
		return fail(err)
	}
	written, err := c.repo.commit(sha)
	if err != nil {
		return fail(err)
	}
	return createdAt(c.repo.gitCommitJSON(written))
}

func (a commitAsk) refusal(r *repository) error {
	switch {
	case a.Message == nil:
		return missing("message")
	case a.Tree == nil:
		return missing("tree")
	case a.Signature != nil:
		return &apiError{status: http.StatusNotImplemented, Message: "the rehearsal's forge takes no signature of the caller's"}
	}
	for role, p := range map[string]*person{"author": a.Author, "committer": a.Committer} {
		if p == nil {
			continue
		}
		if err := p.refusal(role); err != nil {
			return err
		}
	}
	kinds, err := r.kinds(append([]string{*a.Tree}, a.Parents...))
	if err != nil {
		return err
	}
	if kinds[*a.Tree] != "tree" {
		return unprocessable("Tree SHA does not exist")
	}
	for _, p := range a.Parents {
		if kinds[p] != "commit" {
			return unprocessable("Parent SHA does not exist or is not a commit object")
		}
	}
	return nil
}

// commit is what is asked for. github.com signs for a bot that names nobody, and for none else:
// https://docs.github.com/en/authentication/managing-commit-signature-verification/about-commit-signature-verification
func (a commitAsk) commit(s *site, by account) (made commit, signs bool) {
	made = commit{tree: *a.Tree, parents: a.Parents, message: *a.Message, author: s.person(by)}
	set(&made.author, a.Author)
	made.committer = made.author
	set(&made.committer, a.Committer)
	signs = !s.isEnterprise() && by.kind == kindBot && a.Author == nil && a.Committer == nil
	if signs {
		made.committer = s.gitHub
	}
	return made, signs
}

// writeCommit stores a commit that no branch leads to yet. It is written as an object, since
// commit-tree takes the time from the machine's clock and not from the forge's.
func (f *forge) writeCommit(r *repository, c commit, signs bool) (string, error) {
	text := "tree " + c.tree + "\n"
	for _, p := range c.parents {
		text += "parent " + p + "\n"
	}
	c.committer.Date = cmp.Or(c.committer.Date, c.author.Date)
	text += fmt.Sprintf("author %s\ncommitter %s\n\n%s\n", f.line(c.author), f.line(c.committer), strings.TrimRight(c.message, "\n"))
	if signs {
		text = signed(text)
	}
	return r.writeObject("commit", text)
}

func (f *forge) getGitCommit(c *call) (reply, error) {
	sha := c.PathValue("sha")
	kind, err := c.repo.kind(sha)
	if err != nil {
		return fail(err)
	}
	if kind != "commit" {
		return fail(notFound())
	}
	one, err := c.repo.commit(sha)
	if err != nil {
		return fail(err)
	}
	return ok(c.repo.gitCommitJSON(one))
}

// gitCommitJSON is a commit as git has it, without the accounts of its people.
func (r *repository) gitCommitJSON(c commit) map[string]any {
	parents := []any{}
	for _, p := range c.parents {
		parents = append(parents, map[string]any{"sha": p, "url": r.api("/git/commits/%s", p), "html_url": r.page("/commit/%s", p)})
	}
	return map[string]any{
		"sha": c.sha, "node_id": nodeID("Commit", c.sha), "url": r.api("/git/commits/%s", c.sha), "html_url": r.page("/commit/%s", c.sha),
		"author": c.author.json(), "committer": c.committer.json(), "message": c.message,
		"tree": map[string]any{"sha": c.tree, "url": r.api("/git/trees/%s", c.tree)}, "parents": parents, "verification": c.verification(),
	}
}
