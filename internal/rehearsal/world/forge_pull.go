package world

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The states of a pull request in GitHub's REST API, which has none for a merged one.
const (
	stateOpen   = "open"
	stateClosed = "closed"
)

// PullRequest is a pull request between two branches of one repository.
type PullRequest struct {
	Number      int
	Title, Body string
	// Head and Base are names of branches. HeadSHA is the commit that was last seen on Head while
	// the pull request was open.
	Head, Base, HeadSHA string
	Draft               bool
	// State is "open" or "closed"; a merged pull request is closed too.
	State  string
	Merged bool
	// MergeCommit is what brought the changes to Base, or "".
	MergeCommit string
	Labels      []string
	// Author and MergedBy are the logins of who opened and who merged it; MergedBy is "" also
	// where a push did.
	Author, MergedBy string
	// Comments are their texts, oldest first; Commenters are the logins of who wrote them.
	Comments, Commenters []string
}

// pull is a pull request of the forge; its comments stand here, with their times.
type pull struct {
	PullRequest
	id                               int64
	baseSHA                          string
	created, updated, closed, merged time.Time
	remarks                          []remark
	author, merger                   account
}

// PullRequests lists the pull requests of a repository, oldest first; none if there is no such
// repository. After Close they are as the forge last saw them. A repository whose git does not
// answer panics: it is a wrong test.
func (w *World) PullRequests(fullName string) []PullRequest {
	r, found := w.forge.repository(fullName)
	if !found {
		return nil
	}
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	var all []PullRequest
	for _, p := range r.pulls {
		if err := r.settle(p, w.forge.now()); err != nil && w.over.Err() == nil {
			panic(fmt.Sprintf("world: looking at pull request %d of %s: %v", p.Number, fullName, err))
		}
		all = append(all, p.shown())
	}
	return all
}

func (p *pull) shown() PullRequest {
	shown := p.PullRequest
	shown.Labels = slices.Clone(p.Labels)
	for _, c := range p.remarks {
		shown.Comments, shown.Commenters = append(shown.Comments, c.body), append(shown.Commenters, c.by.login)
	}
	shown.Author, shown.MergedBy = p.author.login, p.merger.login
	return shown
}

// settle brings an open pull request to where its branches are now, as GitHub does after each
// push: it closes where a branch has gone or the head has nothing left to offer, and is merged
// where somebody pushed its commits to the base.
func (r *repository) settle(p *pull, now time.Time) error {
	if p.State != stateOpen {
		return nil
	}
	base, baseFound, err := r.ref("refs/heads/" + p.Base)
	if err != nil {
		return err
	}
	head, headFound, err := r.ref("refs/heads/" + p.Head)
	if err != nil {
		return err
	}
	if !baseFound {
		p.close(now)
		return nil
	}
	seen := p.HeadSHA
	if headFound && head.sha != seen {
		p.HeadSHA, p.updated = head.sha, now
	}
	return r.settleOn(p, base.sha, seen, headFound, now)
}

// settleOn tells "merged by a push" from "head set back to the base" by the commit seen before,
// which only a merge brings to the base.
func (r *repository) settleOn(p *pull, base, seen string, headFound bool, now time.Time) error {
	offersNothing, err := r.contains(base, p.HeadSHA)
	if err != nil {
		return err
	}
	arrived, err := r.contains(base, seen)
	if err != nil {
		return err
	}
	switch {
	case offersNothing && arrived:
		p.merge(p.HeadSHA, now, account{})
	case offersNothing || !headFound:
		p.close(now)
	default:
		p.baseSHA = base
	}
	return nil
}

// contains says whether a commit is part of the history of another.
func (b *bare) contains(history, sha string) (bool, error) {
	return b.says("merge-base", "--is-ancestor", sha, history)
}

func (p *pull) close(now time.Time) { p.State, p.closed, p.updated = stateClosed, now, now }

// merge is told nobody where a push did it.
func (p *pull) merge(sha string, now time.Time, by account) {
	p.close(now)
	p.merger = by
	p.Merged, p.MergeCommit, p.merged = true, sha, now
}

// check refuses what no open pull request may be, and otherwise finds its commits.
func (r *repository) check(p *pull) error {
	base, found, err := r.ref("refs/heads/" + p.Base)
	if err != nil {
		return err
	}
	if !found {
		return invalid("PullRequest", "invalid", "base", "")
	}
	head, found, err := r.ref("refs/heads/" + p.Head)
	if err != nil {
		return err
	}
	if !found {
		return invalid("PullRequest", "invalid", "head", "")
	}
	if err := r.checkOther(p); err != nil {
		return err
	}
	p.HeadSHA, p.baseSHA = head.sha, base.sha
	return r.checkCommits(p)
}

// checkOther never sees p itself, which is new, closed, or for another base still.
func (r *repository) checkOther(p *pull) error {
	for _, other := range r.pulls {
		if other.State == stateOpen && other.Head == p.Head && other.Base == p.Base {
			return invalid("PullRequest", "custom", "", fmt.Sprintf("A pull request already exists for %s:%s.", r.owner, p.Head))
		}
	}
	return nil
}

func (r *repository) checkCommits(p *pull) error {
	related, err := r.says("merge-base", p.baseSHA, p.HeadSHA)
	if err != nil {
		return err
	}
	if !related {
		return invalid("PullRequest", "custom", "", fmt.Sprintf("The %s branch has no history in common with %s", p.Head, p.Base))
	}
	n, err := r.count(p.baseSHA, p.HeadSHA)
	if err == nil && n == 0 {
		err = invalid("PullRequest", "custom", "", fmt.Sprintf("No commits between %s and %s", p.Base, p.Head))
	}
	return err
}

// change is a file that a pull request changes.
type change struct {
	status, sha, name string
	added, deleted    int
}

var changeStatus = map[string]string{"A": "added", "D": "removed", "M": "modified", "T": "changed"}

// changes lists the files since the branches parted; a renamed one is removed and added.
func (r *repository) changes(p *pull) ([]change, error) {
	out, err := r.run("", "diff", "--no-renames", "--no-ext-diff", "--raw", "--no-abbrev", "--numstat", "-z", p.baseSHA+"..."+p.HeadSHA)
	if err != nil {
		return nil, err
	}
	var all []change
	lines := map[string]string{} // by file: added TAB deleted
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	for i := 0; i < len(fields); i++ {
		if raw := strings.Fields(fields[i]); strings.HasPrefix(fields[i], ":") {
			i++
			all = append(all, change{status: changeStatus[raw[4]], sha: raw[3], name: fields[i]})
			if raw[4] == "D" {
				all[len(all)-1].sha = raw[2]
			}
		} else if parts := strings.SplitN(fields[i], "\t", 3); len(parts) == 3 {
			lines[parts[2]] = parts[0] + "\t" + parts[1]
		}
	}
	for i := range all {
		fmt.Sscanf(lines[all[i].name], "%d\t%d", &all[i].added, &all[i].deleted) // "-" for a binary file stays 0
	}
	return all, nil
}
