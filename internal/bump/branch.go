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

// branch is the branch of a proposal, and the pull requests from it.
type branch struct {
	git.Tips
	commits  []git.Commit // that the default branch lacks, the oldest first
	open     *gh.Pull     // the open pull request
	rejected *gh.Pull     // of the same head, closed without a merge
	// merged is the tree of the default branch with the branch merged into it. It
	// is empty without a branch or in a conflict.
	merged    string
	conflict  *git.ConflictError
	discussed bool // people have commented on the open pull request
}

// inspect reads the branch and its pull requests.
func (a *attempt) inspect(ctx context.Context) error {
	pulls, err := a.Forge.Pulls(ctx, a.Repository, a.branchName())
	if err != nil {
		return err
	}
	for _, pull := range pulls {
		switch {
		case pull.Open:
			a.open = pull
		case a.rejected == nil && !pull.Merged && pull.Head == a.Head:
			a.rejected = pull
		}
	}
	if a.open != nil {
		if a.discussed, err = a.Forge.Discussed(ctx, a.Repository, a.open.Number); err != nil {
			return err
		}
	}
	if a.Head == "" {
		return nil
	}
	if a.commits, err = a.Repo.Between(ctx, a.Base, a.Head); err != nil {
		return err
	}
	a.merged, err = a.Repo.Merge(ctx, a.Base, a.Head)
	if errors.As(err, &a.conflict) {
		return nil
	}
	return err
}

// ours reports whether each commit that the default branch lacks is ours.
func (b branch) ours() bool {
	return !slices.ContainsFunc(b.commits, func(c git.Commit) bool { return !isOurs(c) })
}

// onTip reports whether the branch is a line of commits on the tip of the default branch.
func (b branch) onTip() bool {
	return len(b.commits) > 0 && slices.Equal(b.commits[0].Parents, []string{b.Base}) && b.isLine()
}

// isLine reports whether each commit is the only parent of the next.
func (b branch) isLine() bool {
	for i, c := range b.commits {
		if i > 0 && !slices.Equal(c.Parents, []string{b.commits[i-1].ID}) {
			return false
		}
	}
	return true
}

// lastOfOurs returns our last commit, or a zero one.
func (b branch) lastOfOurs() (last git.Commit) {
	for _, c := range b.commits {
		if isOurs(c) {
			last = c
		}
	}
	return last
}

// treeTrailer precedes the tree that we made, in a commit's message and in the
// text of a pull request. A commit that a person amends has another tree.
const treeTrailer = "Bump-tree: "

var trailer = regexp.MustCompile(`(?m)^` + treeTrailer + `([0-9a-f]{40,64})$`)

// signs is the committer of what GitHub's API commits for a bot.
const signs = "GitHub <noreply@github.com>"

// isOurs reports whether a commit is as we made it: signed off by its author,
// and with the tree that its trailer names.
func isOurs(c git.Commit) bool {
	named := trailer.FindStringSubmatch(c.Message)
	return named != nil && named[1] == c.Tree && strings.HasSuffix(c.Message, "\n"+signOff+c.Author) &&
		(c.Committer == c.Author || c.Committer == signs)
}
