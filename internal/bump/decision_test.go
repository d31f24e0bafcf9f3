package bump

import (
	"testing"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/ref"
)

func TestNextChoice(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		situation
		want choice
	}{
		"no branch yet":                          {situation{changes: true, ours: true}, replace},
		"our commit is behind":                   {situation{changes: true, ours: true, open: true}, replace},
		"our commit is as it would be":           {situation{changes: true, ours: true, open: true, same: true}, keep},
		"the same, and no pull request":          {situation{changes: true, ours: true, same: true}, keep},
		"the same, closed by people":             {situation{changes: true, ours: true, same: true, rejected: true}, leaveRejected},
		"something new after people closed it":   {situation{changes: true, ours: true, rejected: true}, replace},
		"the same, closed once and open again":   {situation{changes: true, ours: true, same: true, rejected: true, open: true}, keep},
		"our commit conflicts":                   {situation{changes: true, ours: true, open: true, conflict: true}, replace},
		"our commit, discussed":                  {situation{changes: true, ours: true, open: true, discussed: true}, add},
		"our commit, discussed and as it was":    {situation{changes: true, ours: true, open: true, discussed: true, same: true}, add},
		"commits of people":                      {situation{changes: true, open: true}, add},
		"commits of people that conflict":        {situation{changes: true, open: true, conflict: true}, refuseConflict},
		"discussed, in conflict":                 {situation{changes: true, ours: true, open: true, discussed: true, conflict: true}, refuseConflict},
		"commits of people, no pull request":     {situation{changes: true}, refuseBranch},
		"people conflict, no pull request":       {situation{changes: true, conflict: true}, refuseBranch},
		"a newer version is proposed":            {situation{changes: true, ours: true, open: true, newer: true, further: true}, leaveNewer},
		"a newer one by people, in conflict":     {situation{changes: true, open: true, conflict: true, newer: true, further: true}, leaveNewer},
		"newer, and nothing to change":           {situation{ours: true, open: true, newer: true, further: true}, leaveNewer},
		"nothing to change":                      {situation{ours: true}, finish},
		"nothing to change, a branch of people":  {situation{}, finish},
		"nothing to change any longer":           {situation{ours: true, open: true}, closePull},
		"nothing to change, discussed":           {situation{ours: true, open: true, discussed: true}, closePull},
		"nothing to change, ours conflicts":      {situation{ours: true, open: true, conflict: true}, closePull},
		"nothing to change, people's too":        {situation{open: true, redundant: true}, closePull},
		"nothing to change, people's do more":    {situation{open: true}, leavePeople},
		"nothing to change, more pins are moved": {situation{ours: true, open: true, further: true}, leaveFurther},
	} {
		if got := test.next(); got != test.want {
			t.Errorf("%s: saw %q, want %q", name, got, test.want)
		}
	}
}

// A pull request is ahead if it moves more pins to a version beyond the given one.
func TestAheadOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		proposed, base versions
		beyond         string
		want           bool
	}{
		"nothing moves":                   {held("1.0.0"), held("1.0.0"), "", false},
		"one pin moves":                   {held("1.1.0"), held("1.0.0"), "", true},
		"to the very version":             {held("1.1.0"), held("1.0.0"), "1.1.0", false},
		"beyond the version":              {held("1.2.0"), held("1.0.0"), "1.1.0", true},
		"as far as the base":              {held("1.2.0"), held("1.2.0"), "1.1.0", false},
		"more pins than in the base":      {held("1.2.0", "1.2.0"), held("1.2.0", "1.0.0"), "1.1.0", true},
		"fewer pins than in the base":     {held("1.2.0", "1.0.0"), held("1.2.0", "1.2.0"), "1.1.0", false},
		"an older one in another's place": {held("1.0.0", "1.1.0"), held("1.1.0", "1.0.0"), "", false},
		"no pins":                         {nil, held("1.0.0"), "", false},
		"the base has no pins":            {held("1.0.0"), nil, "", true},
	} {
		var beyond ref.Version
		if test.beyond != "" {
			beyond = held(test.beyond)[0]
		}
		if got := test.proposed.aheadOf(test.base, beyond); got != test.want {
			t.Errorf("%s: saw %v, want %v", name, got, test.want)
		}
	}
}

func held(texts ...string) (all versions) {
	for _, text := range texts {
		v, err := ref.ParseVersion(text)
		if err != nil {
			panic(err)
		}
		all = append(all, v)
	}
	return all
}

// A commit is ours if its author signed it off and no person amended it.
func TestIsOurs(t *testing.T) {
	t.Parallel()
	const tree, author = "0123456789012345678901234567890123456789", "bot <bot@example.com>"
	ours := func() git.Commit {
		return git.Commit{Tree: tree, Author: author, Committer: signs, Message: "Bump app\n\n" + treeTrailer + tree + "\n" + signOff + author}
	}
	for name, test := range map[string]struct {
		alter func(*git.Commit)
		want  bool
	}{
		"as GitHub made it":               {func(*git.Commit) {}, true},
		"committed by its author":         {func(c *git.Commit) { c.Committer = author }, true},
		"committed by a person":           {func(c *git.Commit) { c.Committer = "ada <ada@example.com>" }, false},
		"with another tree":               {func(c *git.Commit) { c.Tree = tree[1:] + "a" }, false},
		"by another author":               {func(c *git.Commit) { c.Author = "ada <ada@example.com>" }, false},
		"without a trailer":               {func(c *git.Commit) { c.Message = "Bump app\n\n" + signOff + author }, false},
		"with a text after the sign-off":  {func(c *git.Commit) { c.Message += "\n\nand more" }, false},
		"with the trailer inside a line":  {func(c *git.Commit) { c.Message = "see " + treeTrailer + tree + "\n" + signOff + author }, false},
		"signed off in the middle of one": {func(c *git.Commit) { c.Message = treeTrailer + tree + "\nnot " + signOff + author }, false},
	} {
		c := ours()
		test.alter(&c)
		if got := isOurs(c); got != test.want {
			t.Errorf("%s: saw %v, want %v", name, got, test.want)
		}
	}
}

// The branch is ours only if each of its commits is. The last of ours gives the
// author of the next.
func TestBranch(t *testing.T) {
	t.Parallel()
	const tree, base = "0123456789012345678901234567890123456789", "base"
	ours := func(author string) git.Commit {
		return git.Commit{Tree: tree, Author: author, Committer: author, Parents: []string{base},
			Message: "x\n\n" + treeTrailer + tree + "\n" + signOff + author}
	}
	person := git.Commit{Tree: tree, Author: "ada", Committer: "ada", Parents: []string{base}, Message: "fix"}
	second := ours("a")
	second.ID, second.Parents = "second", []string{"first"}
	first := ours("a")
	first.ID = "first"
	merge := ours("a")
	merge.Parents = []string{base, "other"}
	for name, test := range map[string]struct {
		commits     []git.Commit
		ours, onTip bool
		author      string
	}{
		"empty":                   {nil, true, false, ""},
		"one of ours":             {[]git.Commit{ours("a")}, true, true, "a"},
		"one of ours, a merge":    {[]git.Commit{merge}, true, false, "a"},
		"two of ours in a line":   {[]git.Commit{first, second}, true, true, "a"},
		"two of ours, elsewhere":  {[]git.Commit{second, first}, true, false, "a"},
		"two of ours":             {[]git.Commit{ours("a"), ours("b")}, true, false, "b"},
		"ours, and one of people": {[]git.Commit{ours("a"), person}, false, false, "a"},
		"one of people, and ours": {[]git.Commit{person, ours("b")}, false, false, "b"},
		"one of people":           {[]git.Commit{person}, false, true, ""},
	} {
		b := branch{Tips: git.Tips{Base: base}, commits: test.commits}
		if b.ours() != test.ours || b.onTip() != test.onTip || b.lastOfOurs().Author != test.author {
			t.Errorf("%s: ours %v, on tip %v, author %q; want %v, %v, %q", name, b.ours(), b.onTip(), b.lastOfOurs().Author, test.ours, test.onTip, test.author)
		}
	}
}

// A pull request's text is edited if it was written for another tree.
func TestIsAbout(t *testing.T) {
	t.Parallel()
	pull := &gh.Pull{Body: "text\n<!-- " + treeTrailer + "0123 -->\n"}
	if !isAbout(pull, "0123") || isAbout(pull, "0124") {
		t.Errorf("%q: about 0123 %v, about 0124 %v", pull.Body, isAbout(pull, "0123"), isAbout(pull, "0124"))
	}
}
