package interleaving_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/verify"
)

// seen records first observations of state that must not change.
type seen struct {
	mu     *sync.Mutex
	tags   map[string]string // by repository and tag: object and commit
	charts map[string]string // by location:tag: digest
	mains  map[string]string // by repository: the last commit whose references were checked

	// Answers of git that never change.
	commits   map[string]string // by tag object
	histories map[string]string // by commit
}

func newSeen() seen {
	return seen{
		mu: &sync.Mutex{}, tags: map[string]string{}, charts: map[string]string{}, mains: map[string]string{},
		commits: map[string]string{}, histories: map[string]string{},
	}
}

// refs are the refs of a repository, each with its object and, for an annotated tag, its commit.
type refs map[string]string

// refs returns the refs of a repository. Calls must not run at the same time.
func (w *wood) refs(tree tree) (refs, error) {
	objects, err := w.Forge.Refs(tree.repository())
	all := refs{}
	for name, object := range objects {
		all[name] = object
		if !strings.HasPrefix(name, "refs/tags/") {
			continue
		}
		commit, gitErr := w.once(w.seen.commits, tree, object, "rev-parse", "--verify", object+"^{commit}")
		err = errors.Join(err, gitErr)
		if commit != object {
			all[name] += " " + commit
		}
	}
	return all, err
}

// once runs git if the answer for an object is not known yet.
func (w *wood) once(known map[string]string, tree tree, object string, args ...string) (string, error) {
	if out, is := known[object]; is {
		return out, nil
	}
	out, err := w.bare(tree).Run(context.Background(), args...)
	if err == nil {
		known[object] = out
	}
	return out, err
}

// commit returns the commit of a ref, or "".
func (r refs) commit(name string) string {
	object, commit, _ := strings.Cut(r[name], " ")
	if commit == "" {
		return object
	}
	return commit
}

// versions returns the versions of the tags, sorted.
func (r refs) versions() []ref.Version {
	var all []ref.Version
	for name := range r {
		if tag, ok := strings.CutPrefix(name, "refs/tags/"); ok {
			v, err := ref.ParseVersion(tag)
			if err == nil {
				all = append(all, v)
			}
		}
	}
	slices.SortFunc(all, ref.Version.Compare)
	return all
}

// check returns the invariants that do not hold, as an outside observer sees them.
func (w *wood) check() (broken []string) {
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	w.mu.Lock()
	people := slices.Clone(w.people) // copied before the branches are read
	w.mu.Unlock()
	all := map[string]refs{}
	for _, tree := range trees {
		refs, err := w.refs(tree)
		if err != nil {
			broken = append(broken, err.Error())
		}
		all[tree.repository()] = refs
		broken = slices.Concat(broken, w.tagsStay(tree, refs), w.chartsStay(tree), w.onePull(tree), w.peopleStay(tree, refs, people))
	}
	for _, tree := range trees {
		broken = append(broken, w.mainWorks(tree, all)...)
	}
	return broken
}

// tagsStay checks that no git tag has moved.
func (w *wood) tagsStay(tree tree, refs refs) []string {
	now := map[string]string{}
	for name, at := range refs {
		if strings.HasPrefix(name, "refs/tags/") {
			now[tree.repository()+" "+name] = at
		}
	}
	return stays(w.seen.tags, now, tree.repository()+" ", "git tag")
}

// chartsStay checks that no published tag has changed, including staging tags.
func (w *wood) chartsStay(tree tree) []string {
	now, err := w.published(tree)
	if err != nil {
		return []string{err.Error()}
	}
	return stays(w.seen.charts, now, tree.at()+":", "published")
}

// stays compares names with a prefix with their first observation, and records new names.
func stays(before, now map[string]string, prefix, what string) (broken []string) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if strings.HasPrefix(name, prefix) && now[name] != before[name] {
			broken = append(broken, fmt.Sprintf("%s %s was %s, and is %q now", what, name, before[name], now[name]))
		}
	}
	for name, at := range now {
		if _, known := before[name]; !known {
			before[name] = at
		}
	}
	return broken
}

// published returns the tags of a chart with their digests.
func (w *wood) published(tree tree) (map[string]string, error) {
	repository, err := name.NewRepository(tree.at())
	if err != nil {
		return nil, err
	}
	options := w.Remote()
	puller, err := remote.NewPuller(options...)
	if err != nil {
		return nil, err
	}
	tags, err := puller.List(context.Background(), repository)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, tag := range tags {
		head, err := puller.Head(context.Background(), repository.Tag(tag))
		if err != nil {
			return nil, err
		}
		all[tree.at()+":"+tag] = head.Digest.String()
	}
	return all, nil
}

// onePull checks that a component has at most one open pull request.
func (w *wood) onePull(tree tree) (broken []string) {
	open := 0
	for _, p := range w.Forge.PullRequests(tree.repository()) {
		if p.State == "open" {
			open++
		}
	}
	if open > 1 {
		broken = append(broken, fmt.Sprintf("%s has %d open pull requests for %s", tree.repository(), open, tree.pins))
	}
	return broken
}

// peopleStay checks that each commit of a person is on its branch or on main.
func (w *wood) peopleStay(tree tree, refs refs, people []pushed) (broken []string) {
	reach := map[string]string{}
	for _, p := range people {
		if p.tree.name != tree.name {
			continue
		}
		for _, name := range []string{"refs/heads/" + p.branch, "refs/heads/main"} {
			if _, asked := reach[name]; !asked && refs[name] != "" {
				out, err := w.once(w.seen.histories, tree, refs.commit(name), "rev-list", refs.commit(name))
				if err != nil {
					broken = append(broken, err.Error())
				}
				reach[name] = out
			}
		}
		if !strings.Contains(reach["refs/heads/"+p.branch]+reach["refs/heads/main"], p.commit) {
			broken = append(broken, fmt.Sprintf(
				"commit %s, pushed by a person to %s of %s, is neither there nor on main", p.commit, p.branch, tree.repository(),
			))
		}
	}
	return broken
}

// mainWorks runs verify on the tip of main. Published artifacts never disappear, so one check of a tip
// is enough.
func (w *wood) mainWorks(tree tree, all map[string]refs) []string {
	tip := all[tree.repository()].commit("refs/heads/main")
	if w.seen.mains[tree.repository()] == tip {
		return nil
	}
	w.seen.mains[tree.repository()] = tip
	ctx := context.Background()
	b, err := w.bring(ctx, "", w.bare(tree), tip)
	defer b.close()
	if err != nil {
		return []string{err.Error()}
	}
	b.ask.Resolver = lookup.Resolver{
		Registry: w.registry(""), Server: server, Brief: true,
		Refs: func(_ context.Context, repository, name string, _ bool) (string, error) {
			return all[repository].commit("refs/tags/" + name), nil
		},
	}
	found, err := find.New(b.file).Files(ctx, b.tree, b.names)
	if err != nil {
		return []string{err.Error()}
	}
	result := verify.Offline(b.file, found, nil)
	if err := b.ask.Check(ctx, found.References, nil, &result); err != nil {
		return []string{err.Error()}
	}
	if result.Targets == 0 {
		return []string{"main of " + tree.repository() + " refers to nothing"}
	}
	var broken []string
	for _, f := range result.Findings {
		broken = append(broken, fmt.Sprintf("main of %s at %s: %s", tree.repository(), tip, f))
	}
	for _, open := range result.Unchecked {
		broken = append(broken, fmt.Sprintf("main of %s at %s: %s: %s", tree.repository(), tip, open.What, open.Because))
	}
	return broken
}

// state returns everything that an outside observer sees.
func (w *wood) state() string {
	w.T.Helper()
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	var b strings.Builder
	for _, tree := range trees {
		refs, err := w.refs(tree)
		w.Must(err)
		charts, err := w.published(tree)
		w.Must(err)
		for _, all := range []map[string]string{refs, charts} {
			for _, name := range slices.Sorted(maps.Keys(all)) {
				fmt.Fprintln(&b, tree.name, name, all[name])
			}
		}
		for _, p := range w.Forge.PullRequests(tree.repository()) {
			fmt.Fprintf(&b, "%s %+v\n", tree.name, p)
		}
		fmt.Fprintf(&b, "%s %d dispatches, %d runs\n", tree.name, len(w.Forge.Dispatches(tree.repository())), len(w.Forge.Runs(tree.repository())))
	}
	return b.String()
}
