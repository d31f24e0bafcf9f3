package world

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const comparePage = 250 // commits in one answer unless the client asks for another number

// commit is what the API shows of one.
type commit struct {
	sha, tree                    string
	parents                      []string
	author, committer            [2]string // name, mail
	authored, committed, message string
}

// commitFormat separates its parts by NUL, which no commit can hold.
const commitFormat = "--format=tformat:%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"

// commits reads those that a revision range of checked SHAs names, oldest first.
func (r *repository) commits(args ...string) ([]commit, error) {
	out, err := r.run("", append([]string{"log", "-z", "--reverse", commitFormat}, args...)...)
	if err != nil {
		return nil, err
	}
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	var all []commit
	for part := range slices.Chunk(fields, 10) {
		if len(part) < 10 {
			break // the one empty field of an empty range
		}
		all = append(all, commit{
			sha: part[0], tree: part[1], parents: strings.Fields(part[2]),
			author: [2]string{part[3], part[4]}, authored: part[5],
			committer: [2]string{part[6], part[7]}, committed: part[8], message: strings.TrimRight(part[9], "\n"),
		})
	}
	return all, nil
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
	return ok(c.repo.commitJSON(one))
}

// text is an answer that is no JSON.
type text struct{ kind, body string }

// commitJSON leaves out the files and the statistics, which are optional in the API.
func (r *repository) commitJSON(c commit) map[string]any {
	parents := []any{}
	for _, p := range c.parents {
		parents = append(parents, map[string]any{"sha": p, "url": r.api("/commits/%s", p), "html_url": r.page("/commit/%s", p)})
	}
	return map[string]any{
		"sha": c.sha, "node_id": nodeID("Commit", c.sha), "url": r.api("/commits/%s", c.sha),
		"html_url": r.page("/commit/%s", c.sha), "comments_url": r.api("/commits/%s/comments", c.sha),
		"author": nil, "committer": nil, "parents": parents,
		"commit": map[string]any{
			"author": personJSON(c.author, c.authored), "committer": personJSON(c.committer, c.committed),
			"message": c.message, "tree": map[string]any{"sha": c.tree, "url": r.api("/git/trees/%s", c.tree)},
			"url": r.api("/git/commits/%s", c.sha), "comment_count": 0, "verification": unsigned(),
		},
	}
}

func personJSON(who [2]string, when string) map[string]any {
	if t, err := time.Parse(time.RFC3339, when); err == nil {
		when = stamp(t)
	}
	return map[string]any{"name": who[0], "email": who[1], "date": when}
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
		"name": name, "commit": c.repo.commitJSON(head), "protected": false,
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
	return c.compareReply(s, all)
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

func (c *call) compareReply(s span, all []commit) (reply, error) {
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
		shown = append(shown, c.repo.commitJSON(one))
	}
	page := c.repo.page("/compare/%s...%s", s.baseName, s.headName)
	return reply{http.StatusOK, map[string]any{
		"url": c.repo.api("/compare/%s...%s", s.baseName, s.headName), "html_url": page,
		"permalink_url": c.repo.page("/compare/%s...%s", s.base, s.head), "diff_url": page + ".diff", "patch_url": page + ".patch",
		"base_commit": c.repo.commitJSON(base), "merge_base_commit": c.repo.commitJSON(merge),
		"status": s.status(), "ahead_by": s.ahead, "behind_by": s.behind, "total_commits": s.ahead, "commits": shown,
	}, header}, nil
}
