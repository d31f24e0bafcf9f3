package world

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
)

func notAllowed(m string) *apiError {
	return &apiError{status: http.StatusMethodNotAllowed, Message: m}
}

// mergeAsk is the body of a merge; nil means "not given", and an empty text is one.
type mergeAsk struct {
	Title   *string `json:"commit_title"`
	Message *string `json:"commit_message"`
	Method  string  `json:"merge_method"`
	SHA     string  `json:"sha"`
}

func (f *forge) mergePull(c *call) (reply, error) {
	ask, err := decodeIfAny[mergeAsk](c.Request)
	if err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	if err := ask.refusal(p); err != nil {
		return fail(err)
	}
	if err := f.join(c.repo, p, ask, c.who()); err != nil {
		return fail(err)
	}
	return ok(map[string]any{"sha": p.MergeCommit, "merged": true, "message": "Pull Request successfully merged"})
}

// join merges an open pull request; it is called with mu held.
func (f *forge) join(r *repository, p *pull, ask mergeAsk, by account) error {
	sha, err := f.mergeCommit(r, p, ask, by)
	if err != nil {
		return err
	}
	if err := r.moveRef("refs/heads/"+p.Base, sha, p.baseSHA); err != nil {
		return err
	}
	p.merge(sha, f.now(), by)
	return nil
}

// refusal is why a pull request cannot be merged as asked for, as far as that is known before git is asked.
func (a mergeAsk) refusal(p *pull) error {
	switch cmp.Or(a.Method, "merge") {
	case "merge", "squash":
	case "rebase":
		return notAllowed("Rebase merges are not allowed on this repository.")
	default:
		return unprocessable(fmt.Sprintf("Invalid request.\n\n%q is not a merge method.", a.Method))
	}
	switch {
	case p.State != stateOpen:
		return notAllowed("Pull Request is not mergeable")
	case p.Draft:
		return notAllowed("Pull Request is still a draft")
	case a.SHA != "" && a.SHA != p.HeadSHA:
		return &apiError{status: http.StatusConflict, Message: "Head branch was modified. Review and try the merge again."}
	}
	return nil
}

// mergeCommit writes the commit of a merge; no branch leads to it yet.
func (f *forge) mergeCommit(r *repository, p *pull, ask mergeAsk, by account) (string, error) {
	tree, clean, err := r.mergeTree(p.baseSHA, p.HeadSHA)
	if err != nil {
		return "", err
	}
	if !clean {
		return "", notAllowed("Pull Request is not mergeable")
	}
	parents, title, message := []string{p.baseSHA, p.HeadSHA}, fmt.Sprintf("Merge pull request #%d from %s/%s", p.Number, r.owner, p.Head), p.Title
	if ask.Method == "squash" {
		parents = parents[:1]
		if title, message, err = r.squashed(p); err != nil {
			return "", err
		}
	}
	set(&title, ask.Title)
	set(&message, ask.Message)
	text := strings.TrimSpace(title + "\n\n" + message)
	return f.writeCommit(r, commit{tree: tree, parents: parents, author: f.site.person(by), committer: f.site.gitHub, message: text}, !f.site.isEnterprise())
}

// squashed is what GitHub writes by default: the text of the only commit, or all of them below
// the pull request's title.
func (r *repository) squashed(p *pull) (title, message string, err error) {
	all, err := r.commits(p.baseSHA + ".." + p.HeadSHA)
	if err != nil {
		return "", "", err
	}
	title = p.Title
	if len(all) == 1 {
		title, message, _ = strings.Cut(all[0].message, "\n")
		message = strings.TrimSpace(message)
	} else {
		for _, one := range all {
			message += "* " + one.message + "\n\n"
		}
	}
	return fmt.Sprintf("%s (#%d)", title, p.Number), message, nil
}

// mergeTree merges two commits into a tree, unless they are in conflict or not related.
func (b *bare) mergeTree(base, head string) (tree string, clean bool, err error) {
	if related, err := b.says("merge-base", base, head); err != nil || !related {
		return "", false, err
	}
	out, err := b.run("", "merge-tree", "--write-tree", "--no-messages", base, head)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return "", false, nil
	}
	return strings.TrimSpace(out), err == nil, err
}

// mergeable is what the API says of an open pull request; of a closed one GitHub says nothing.
func (r *repository) mergeable(p *pull) (verdict any, state string, err error) {
	if p.State != stateOpen {
		return nil, "unknown", nil
	}
	_, clean, err := r.mergeTree(p.baseSHA, p.HeadSHA)
	switch {
	case err != nil:
		return nil, "", err
	case !clean:
		state = "dirty"
	case p.Draft:
		state = "draft"
	default:
		state = "clean"
	}
	return clean, state, nil
}

// moveRef moves a branch from where it was, and refuses if a push was faster.
func (b *bare) moveRef(name, to, from string) error {
	_, err := b.run("", "update-ref", name, to, from)
	if err == nil {
		return nil
	}
	if now, found, lookErr := b.ref(name); lookErr == nil && (!found || now.sha != from) {
		return notAllowed("Base branch was modified. Review and try the merge again.")
	}
	return err
}

// isMerged answers with a status alone.
func (f *forge) isMerged(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	if !p.Merged {
		return fail(notFound())
	}
	return noContent()
}
