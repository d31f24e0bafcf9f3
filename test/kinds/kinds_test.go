// Package kinds_test checks bump and verify against the kinds of places. Each case file in
// testdata has a tree, a bump and the right answer about each line. A generator varies the
// files, and the answers must not change.
//
//	go test ./test/kinds -run Kinds/f02 -variants 200 -seed 7
package kinds_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubestellar/actions/internal/bump"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/history"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/workspace"
	"github.com/kubestellar/actions/test/testkit"
)

var (
	variants = flag.Int("variants", 20, "number of variants of each case")
	seed     = flag.Uint64("seed", 1, "seed of the variants")
)

func TestKinds(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txtar")
	testkit.Must(t, err)
	if len(paths) == 0 {
		t.Fatal("there are no cases")
	}
	for _, path := range paths {
		k := readKind(t, path)
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			k.check(t)
		})
	}
}

// check checks the case as written, and its variants.
func (k *kind) check(t *testing.T) {
	t.Helper()
	all := []*kind{k}
	names := []string{"as written"}
	for i := range *variants {
		v, what := k.varied(rand.New(rand.NewPCG(*seed, uint64(i))))
		all, names = append(all, v), append(names, fmt.Sprintf("variant %d (%s)", i, strings.Join(what, ", ")))
	}
	repo := k.repository(t, all)
	wrong := map[string]bool{}
	for i, v := range all {
		for _, p := range v.problems(t, repo, i) {
			if _, open := k.open[p.label]; open && p.label != "" {
				wrong[p.label] = wrong[p.label] || i == 0
				continue
			}
			t.Errorf("%s: %s", names[i], p.text)
			if i > 0 && testing.Verbose() {
				t.Log(v.show(p.file))
			}
		}
		if t.Failed() && i > 0 && !testing.Verbose() {
			return // one variant is enough
		}
	}
	for label, because := range k.open {
		if !wrong[label] {
			t.Errorf("%q is right now: remove the line open (%s)", label, because)
		}
	}
}

// show returns a file of a variant.
func (k *kind) show(name string) string {
	for _, f := range k.tree {
		if f.name == name {
			return "\n-- " + name + " --\n" + string(k.text(f))
		}
	}
	return ""
}

// problem is a wrong answer, with the label of its line.
type problem struct{ label, file, text string }

// repository makes one git repository with a branch for each variant. Without commits, only
// the case as written has one.
func (k *kind) repository(t *testing.T, all []*kind) git.Repo {
	t.Helper()
	dir := t.TempDir()
	repo := git.Repo{Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}}
	if len(k.commits) == 0 {
		all = all[:1]
	}
	var stream strings.Builder
	for i, v := range all {
		stream.WriteString(v.history(branch(i)))
	}
	testkit.Git(t, repo, "init", "--quiet", "--initial-branch", branch(0))
	testkit.Git(t, repo.Input([]byte(stream.String())), "fast-import", "--quiet")
	testkit.Git(t, repo, "reset", "--quiet", "--hard")
	if k.shallow {
		tips := testkit.Git(t, repo, "for-each-ref", "--format=%(objectname)", "refs/heads")
		testkit.Write(t, filepath.Join(dir, ".git", "shallow"), tips+"\n")
	}
	return repo
}

func branch(i int) string { return fmt.Sprintf("v%d", i) }

// problems returns the wrong answers about a variant.
func (k *kind) problems(t *testing.T, repo git.Repo, i int) []problem {
	t.Helper()
	r := &run{kind: k, t: t}
	err := r.open(repo, i)
	for n := range k.steps {
		if err == nil {
			err = r.step(n)
		}
	}
	switch {
	case err != nil && k.fails != "" && strings.Contains(err.Error(), k.fails):
	case err != nil:
		r.add("fails", "", "saw the error %v", err)
	case k.fails != "":
		r.add("fails", "", "saw no error, want %q", k.fails)
	}
	return r.wrong
}

// run is one run of a variant.
type run struct {
	kind    *kind
	t       *testing.T
	file    *delivery.File
	tree    fstest.MapFS
	names   []string
	history func(context.Context, []history.Place) (*history.Log, error)
	wrong   []problem
}

func (r *run) add(label, file, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if file != "" {
		text = file + ": " + text
	}
	name, _, _ := strings.Cut(file, ":")
	r.wrong = append(r.wrong, problem{label, name, text})
}

// open reads the tree: as written from the work tree, as bump does, or else from memory.
func (r *run) open(repo git.Repo, i int) error {
	r.tree = fstest.MapFS{}
	for _, f := range r.kind.tree {
		r.tree[f.name] = &fstest.MapFile{Data: r.kind.text(f), Mode: 0o644}
	}
	r.names = slices.Sorted(maps.Keys(r.tree))
	if len(r.kind.commits) > 0 || i == 0 {
		r.history = bump.HistoryOf(repo, branch(i))
	}
	if i > 0 {
		var err error
		r.file, err = delivery.Load(r.tree, delivery.FileName)
		return err
	}
	src, err := workspace.Opener{Env: repo.Env, Config: delivery.FileName}.Folder(r.t.Context(), repo.Dir)
	if err == nil && !slices.Equal(src.Names, r.names) {
		err = fmt.Errorf("the repository has %q, want %q", src.Names, r.names)
	}
	r.file = src.File
	return err
}

// step checks a bump, the findings before and after it, and that a second one does nothing.
func (r *run) step(n int) error {
	s := r.kind.steps[n]
	before := r.tree
	if n == 0 {
		if err := r.verify(before, func(*mark) bool { return true }); err != nil {
			return err
		}
	}
	plan, err := r.plan(before, s)
	if err != nil {
		return err
	}
	r.compare(n, plan)
	r.lines(plan)
	if want := r.kind.partial; !strings.Contains(plan.Partial, want) || want == "" && plan.Partial != "" {
		r.add("", "", "the history is partial because of %q, want %q", plan.Partial, want)
	}
	after := maps.Clone(before)
	for _, c := range plan.Changes {
		after[c.File] = &fstest.MapFile{Data: c.After, Mode: 0o644}
	}
	again, err := r.plan(after, s)
	if err != nil {
		return fmt.Errorf("bumping again: %w", err)
	}
	for _, e := range again.Edits {
		r.add("again", e.Site.String(), "a second bump moves %s to %s", e.Written, e.To)
	}
	if n+1 < len(r.kind.steps) && r.kind.steps[n+1].then {
		r.tree = after
	}
	return r.verify(after, func(m *mark) bool { return !strings.HasPrefix(m.answer(n), "moves") })
}

func (r *run) plan(tree fs.FS, s step) (*bump.Plan, error) {
	version, err := ref.ParseVersion(s.version)
	if err != nil {
		return nil, err
	}
	b := bump.Bump{File: r.file, Tree: tree, Names: r.names, History: r.history,
		Move: decide.Move{Component: s.component, Version: version}}
	plan, err := b.Plan(r.t.Context())
	if err == nil && plan.Err(false) != nil {
		err = plan.Err(false)
	}
	return plan, err
}

// verify compares the findings of a tree with those wanted at its lines.
func (r *run) verify(tree fs.FS, wanted func(m *mark) bool) error {
	found, err := find.New(r.file).Files(r.t.Context(), tree, r.names)
	if err != nil {
		return err
	}
	seen := map[place][]string{}
	findings, _ := decide.Check(r.file, found, nil)
	for _, f := range decide.Errors(findings) {
		p := place{f.File, f.Line}
		seen[p] = append(seen[p], f.Rule+" "+f.String())
	}
	for _, f := range r.kind.tree {
		for i, l := range f.lines {
			p := place{f.name, i + 1}
			r.findings(l.mark, p, seen[p], wanted)
			delete(seen, p)
		}
	}
	for p, rest := range seen {
		r.add("", p.String(), "verify finds %q", rest)
	}
	return nil
}

// place is a line of a file.
type place struct {
	file string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

func (r *run) findings(m *mark, p place, seen []string, wanted func(m *mark) bool) {
	label := ""
	var want []string
	if m != nil {
		label = m.label
		if wanted(m) {
			want = slices.Clone(m.findings)
		}
	}
	if label != "" {
		label = "!" + label
	}
	for _, s := range seen {
		i := slices.IndexFunc(want, func(w string) bool {
			rule, text, _ := strings.Cut(w, " ")
			return strings.HasPrefix(s, rule+" ") && strings.Contains(s, text)
		})
		if i < 0 {
			r.add(label, p.String(), "verify finds %s", s)
			continue
		}
		want = slices.Delete(want, i, i+1)
	}
	for _, w := range want {
		r.add(label, p.String(), "verify does not find %q, but %q", w, seen)
	}
}

// compare compares a plan with the answers.
func (r *run) compare(n int, plan *bump.Plan) {
	edits, left := map[place][]decide.Edit{}, map[place][]decide.Left{}
	for _, e := range plan.Edits {
		p := place{e.File, e.Line}
		edits[p] = append(edits[p], e)
	}
	for _, l := range plan.Left {
		p := place{l.File, l.Line}
		left[p] = append(left[p], l)
	}
	for _, f := range r.kind.tree {
		for i, l := range f.lines {
			p := place{f.name, i + 1}
			text := differs(l.mark.answer(n), plan.Move.Version, edits[p], left[p])
			if text == "" {
				continue
			}
			label := ""
			if l.mark != nil {
				label = l.mark.label
			}
			r.add(label, p.String(), "bump %s %s: %s\n\t%s", plan.Move.Component, plan.Move.Version, text, l.text)
		}
	}
}

// lines checks that a line that moves changes only at its edits, and the others not at all.
func (r *run) lines(plan *bump.Plan) {
	for _, c := range plan.Changes {
		was, is := strings.SplitAfter(string(r.tree[c.File].Data), "\n"), strings.SplitAfter(string(c.After), "\n")
		for _, e := range slices.Backward(plan.Edits) {
			if e.File == c.File {
				text := was[e.Line-1]
				was[e.Line-1] = text[:e.Column-1] + e.To + text[e.Column-1+len(e.Written):]
			}
		}
		if !slices.Equal(was, is) {
			r.add("", c.File, "saw\n%s\nwant\n%s", strings.Join(is, ""), strings.Join(was, ""))
		}
	}
}

// differs describes how the decisions about a line differ from the answer, or returns "".
func differs(answer string, version ref.Version, edits []decide.Edit, left []decide.Left) string {
	want, text, _ := strings.Cut(answer, ": ")
	saw := describe(edits, left)
	isListed := func(l decide.Left) bool { return l.Listed }
	matches := func(l decide.Left) bool {
		return l.Listed == (want == "listed") && strings.Contains(l.Because, text)
	}
	right := false
	switch {
	case want == "any":
		right = true
	case strings.HasPrefix(want, "moves"):
		_, to, _ := strings.Cut(want, " to ")
		right = len(edits) > 0
		for _, e := range edits {
			right = right && e.To == expected(e, to, version)
		}
	case len(edits) > 0:
	case want == "kept":
		right = true
	case want == "silent":
		right = len(left) == 0
	case want == "listed", text != "":
		right = slices.ContainsFunc(left, matches)
	default:
		right = !slices.ContainsFunc(left, isListed)
	}
	if right {
		return ""
	}
	return fmt.Sprintf("saw %s, want %q", saw, answer)
}

// expected returns the version that an edit writes.
func expected(e decide.Edit, to string, version ref.Version) string {
	switch {
	case to != "":
		return to
	case strings.HasPrefix(e.Written, "v"):
		return version.WithV()
	}
	return version.String()
}

func describe(edits []decide.Edit, left []decide.Left) string {
	var all []string
	for _, e := range edits {
		all = append(all, fmt.Sprintf("%s → %s (%s) %s", e.Written, e.To, e.Syntax, e.Because))
	}
	for _, l := range left {
		all = append(all, fmt.Sprintf("%s %s (%s): %s", l.Written, l.Outcome(), l.Syntax, l.Because))
	}
	if all == nil {
		return "nothing"
	}
	return strings.Join(all, "; ")
}

// Each variation changes the files of some cases, and loses no answer.
func TestVariations(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txtar")
	testkit.Must(t, err)
	for _, v := range variations {
		changed := 0
		for i, path := range paths {
			k := readKind(t, path)
			c := k.copied()
			v.apply(c, rand.New(rand.NewPCG(*seed, uint64(i))))
			if was, is := k.marks(), c.marks(); was != is {
				t.Errorf("%s: %s: saw %d answers, want %d", path, v.name, is, was)
			}
			if c.crlf || c.history("x") != k.history("x") {
				changed++
			}
		}
		const few = 3
		if changed < few {
			t.Errorf("%s changes %d cases, want %d or more", v.name, changed, few)
		}
	}
}

// marks counts the lines with an answer.
func (k *kind) marks() int {
	count := 0
	for _, f := range k.tree {
		for _, l := range f.lines {
			if l.mark != nil {
				count++
			}
		}
	}
	return count
}
