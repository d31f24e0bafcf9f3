package world

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const comparePage = 250 // commits in one answer unless the client asks for another number

// commit is what the API shows of one.
type commit struct {
	sha, tree         string
	parents           []string
	author, committer person
	message           string
	signature         string // as it stands in the object; "" if there is none
	payload           string // what a signature is made over
}

// commits reads those that a revision range of checked SHAs names, oldest first.
func (r *repository) commits(args ...string) ([]commit, error) {
	list, err := r.run("", append([]string{"rev-list", "--reverse"}, args...)...)
	if err != nil || list == "" {
		return nil, err
	}
	out, err := r.run(list, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	var all []commit
	for rest := out; rest != ""; {
		head, body, _ := strings.Cut(rest, "\n")
		fields := strings.Fields(head) // name, kind, size
		size, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil || size >= len(body) {
			return nil, fmt.Errorf("reading commits: git says %q", head)
		}
		all, rest = append(all, parseCommit(fields[0], body[:size])), body[size+1:]
	}
	return all, nil
}

// parseCommit reads a commit as git stores it.
func parseCommit(sha, raw string) commit {
	c := commit{sha: sha}
	head, message, _ := strings.Cut(raw, "\n\n")
	var signed, kept []string // the lines of the signature, and all others
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch {
		case key == "gpgsig", key == "" && len(signed) > 0:
			signed = append(signed, value)
			continue
		case key == "tree":
			c.tree = value
		case key == "parent":
			c.parents = append(c.parents, value)
		case key == "author":
			c.author = parsePerson(value)
		case key == "committer":
			c.committer = parsePerson(value)
		}
		kept = append(kept, line)
	}
	c.signature, c.payload = strings.Join(signed, "\n"), strings.Join(kept, "\n")+"\n\n"+message
	c.message = strings.TrimRight(message, "\n")
	return c
}

func (r *repository) commit(sha string) (commit, error) {
	all, err := r.commits("--no-walk", sha)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("reading commit %s: saw %d, want 1", sha, len(all))
	}
	if err != nil {
		return commit{}, err
	}
	return all[0], nil
}

func (f *forge) getCommit(c *call) (reply, error) {
	name := c.PathValue("ref")
	sha, found, err := c.repo.commitOf(name)
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(unprocessable("No commit found for SHA: " + name))
	}
	if accepts(c.Header, "application/vnd.github.sha") || accepts(c.Header, "application/vnd.github.v3.sha") {
		return ok(text{"application/vnd.github.sha; charset=utf-8", sha})
	}
	one, err := c.repo.commit(sha)
	if err != nil {
		return fail(err)
	}
	return ok(f.commitJSON(c.repo, one))
}

// text is an answer that is no JSON.
type text struct{ kind, body string }

// commitJSON leaves out the files and the statistics, which are optional in the API.
func (f *forge) commitJSON(r *repository, c commit) map[string]any {
	parents := []any{}
	for _, p := range c.parents {
		parents = append(parents, map[string]any{"sha": p, "url": r.api("/commits/%s", p), "html_url": r.page("/commit/%s", p)})
	}
	return map[string]any{
		"sha": c.sha, "node_id": nodeID("Commit", c.sha), "url": r.api("/commits/%s", c.sha),
		"html_url": r.page("/commit/%s", c.sha), "comments_url": r.api("/commits/%s/comments", c.sha),
		"author": f.accountOf(c.author), "committer": f.accountOf(c.committer), "parents": parents,
		"commit": map[string]any{
			"author": c.author.json(), "committer": c.committer.json(),
			"message": c.message, "tree": map[string]any{"sha": c.tree, "url": r.api("/git/trees/%s", c.tree)},
			"url": r.api("/git/commits/%s", c.sha), "comment_count": 0, "verification": c.verification(),
		},
	}
}

func (f *forge) getBranch(c *call) (reply, error) {
	name := c.PathValue("branch")
	r, found, err := c.repo.ref("refs/heads/" + name)
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(&apiError{status: http.StatusNotFound, Message: "Branch not found"})
	}
	head, err := c.repo.commit(r.sha)
	if err != nil {
		return fail(err)
	}
	at := c.repo.api("/branches/%s", name)
	return ok(map[string]any{
		"name": name, "commit": f.commitJSON(c.repo, head), "protected": false,
		"protection":     map[string]any{"enabled": false, "required_status_checks": map[string]any{"enforcement_level": "off", "contexts": []string{}, "checks": []string{}}},
		"protection_url": at + "/protection",
		"_links":         map[string]any{"self": at, "html": c.repo.page("/tree/%s", name)},
	})
}

// span is the pair of commits that a comparison is about.
type span struct {
	baseName, headName string
	base, head, merge  string
	ahead, behind      int
}

func (f *forge) compare(c *call) (reply, error) {
	baseName, headName, split := strings.Cut(c.PathValue("basehead"), "...")
	if !split {
		return fail(notFound())
	}
	s := span{baseName: baseName, headName: headName}
	if err := c.repo.measure(&s); err != nil {
		return fail(err)
	}
	all, err := c.repo.commits(s.base + ".." + s.head)
	if err != nil {
		return fail(err)
	}
	return f.compareReply(c, s, all)
}

// measure finds the commits of a span and how far they are apart.
func (r *repository) measure(s *span) error {
	var err error
	if s.base, err = r.mustCommit(s.baseName); err != nil {
		return err
	}
	if s.head, err = r.mustCommit(s.headName); err != nil {
		return err
	}
	related, err := r.says("merge-base", s.base, s.head)
	if err == nil && !related {
		err = &apiError{status: http.StatusNotFound, Message: fmt.Sprintf("No common ancestor between %s and %s.", s.baseName, s.headName)}
	}
	if err != nil {
		return err
	}
	out, err := r.run("", "merge-base", s.base, s.head)
	if err != nil {
		return err
	}
	s.merge = strings.TrimSpace(out)
	if s.ahead, err = r.count(s.base, s.head); err != nil {
		return err
	}
	s.behind, err = r.count(s.head, s.base)
	return err
}

func (r *repository) mustCommit(name string) (string, error) {
	sha, found, err := r.commitOf(name)
	if err == nil && !found {
		err = notFound()
	}
	return sha, err
}

// count is the number of commits that to has and from has not.
func (r *repository) count(from, to string) (int, error) {
	out, err := r.run("", "rev-list", "--count", from+".."+to)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(out))
}

func (s span) status() string {
	switch {
	case s.ahead == 0 && s.behind == 0:
		return "identical"
	case s.behind == 0:
		return "ahead"
	case s.ahead == 0:
		return "behind"
	}
	return "diverged"
}

func (f *forge) compareReply(c *call, s span, all []commit) (reply, error) {
	base, err := c.repo.commit(s.base)
	if err != nil {
		return fail(err)
	}
	merge, err := c.repo.commit(s.merge)
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, all, comparePage)
	shown := []any{}
	for _, one := range items {
		shown = append(shown, f.commitJSON(c.repo, one))
	}
	page := c.repo.page("/compare/%s...%s", s.baseName, s.headName)
	return reply{http.StatusOK, map[string]any{
		"url": c.repo.api("/compare/%s...%s", s.baseName, s.headName), "html_url": page,
		"permalink_url": c.repo.page("/compare/%s...%s", s.base, s.head), "diff_url": page + ".diff", "patch_url": page + ".patch",
		"base_commit": f.commitJSON(c.repo, base), "merge_base_commit": f.commitJSON(c.repo, merge),
		"status": s.status(), "ahead_by": s.ahead, "behind_by": s.behind, "total_commits": s.ahead, "commits": shown,
	}, header}, nil
}
