package bump

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
)

// standing is what stands on a proposal's branch, and what people have made of it.
type standing struct {
	git.Tips
	commits  []git.Commit // of the branch, that the base lacks; the oldest first
	open     *gh.Pull     // the open pull request from it
	rejected *gh.Pull     // one of this very commit that was closed and not merged
	// merged is the tree of the base with the branch merged into it, "" without a
	// branch, or where that is a conflict.
	merged    string
	conflict  *git.ConflictError
	discussed bool // people have said something in the open pull request
}

// look finds out how the branch stands.
func (p Proposer) look(ctx context.Context, tips git.Tips) (standing, error) {
	s := standing{Tips: tips}
	pulls, err := p.Forge.Pulls(ctx, p.Repository, p.branch())
	if err != nil {
		return s, err
	}
	for _, pull := range pulls {
		switch {
		case pull.Open:
			s.open = pull
		case s.rejected == nil && !pull.Merged && pull.Head == tips.Head:
			s.rejected = pull
		}
	}
	if s.open != nil {
		if s.discussed, err = p.Forge.Discussed(ctx, p.Repository, s.open.Number); err != nil {
			return s, err
		}
	}
	if tips.Head == "" {
		return s, nil
	}
	if s.commits, err = p.Repo.Between(ctx, tips.Base, tips.Head); err != nil {
		return s, err
	}
	s.merged, err = p.Repo.Merge(ctx, tips.Base, tips.Head)
	if errors.As(err, &s.conflict) {
		err = nil
	}
	return s, err
}

// untouched tells whether the branch may be put elsewhere: it holds nothing that
// the base lacks but commits of ours, about which people have said nothing.
func (s standing) untouched() bool { return s.ours() && !s.discussed }

func (s standing) ours() bool {
	return !slices.ContainsFunc(s.commits, func(c git.Commit) bool { return !isOurs(c) })
}

// onTip tells whether the branch is one commit on the tip of the base.
func (s standing) onTip() bool {
	return len(s.commits) == 1 && slices.Equal(s.commits[0].Parents, []string{s.Base})
}

// us is the author of our last commit, "" without one.
func (s standing) us() string {
	who := ""
	for _, c := range s.commits {
		if isOurs(c) {
			who = c.Author
		}
	}
	return who
}

// lastOfOurs is the tree of our last commit, "" without one.
func (s standing) lastOfOurs() string {
	tree := ""
	for _, c := range s.commits {
		if isOurs(c) {
			tree = c.Tree
		}
	}
	return tree
}

// treeTrailer names, in a commit's message and in a pull request's text, the tree
// that we made: a commit that somebody has amended has another one.
const treeTrailer = "Bump-tree: "

var trailer = regexp.MustCompile(`(?m)^` + treeTrailer + `([0-9a-f]{40,64})$`)

// signs is who commits what is made by GitHub's API for a bot.
const signs = "GitHub <noreply@github.com>"

// isOurs tells whether a commit is as we made it.
func isOurs(c git.Commit) bool {
	said := trailer.FindStringSubmatch(c.Message)
	return said != nil && said[1] == c.Tree && strings.HasSuffix(c.Message, "\n"+signOff+c.Author) && (c.Committer == c.Author || c.Committer == signs)
}
