package interleaving_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kubestellar/actions/internal/bump"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/dispatch"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/tag"
	"github.com/kubestellar/actions/internal/verify"
	"github.com/kubestellar/actions/test/testkit"
)

// task is the work of one actor in a round.
type task struct {
	does    string // release, receive, or a person's action
	tree    tree   // the repository
	version string // to release, or announced
	late    bool   // releases the commit before main's tip
	on      string // revision to release: the version's tag, or main or main~1 if there is no tag
}

func (k task) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", k.does, k.tree.name, k.version))
}

const (
	releases = "release"
	receives = "receive"
	// Actions of people.
	pushToMain   = "push to main"
	pushToBranch = "push to branch"
	merges       = "merge"
	closes       = "close"
	comments     = "comment"
)

var peoples = []string{merges, merges, merges, pushToMain, pushToMain, pushToBranch, pushToBranch, comments, closes}

// do does a task under an actor's name.
func (w *wood) do(ctx context.Context, s *schedule, name string, k task) error {
	switch k.does {
	case releases:
		return w.release(ctx, name, k)
	case receives:
		return w.receive(ctx, name, k)
	}
	var err error
	s.act(name, k.does, func() { err = w.person(k) })
	return err
}

// brought is a commit of a clone, prepared for a command.
type brought struct {
	repo   git.Repo
	commit string
	tree   *git.Snapshot
	names  []string
	file   *delivery.File
	ask    *verify.Asker
}

// close ends the git process that reads files, if reading has begun.
func (b brought) close() {
	if b.tree != nil {
		b.tree.Close() // an error means that the actor has died
	}
}

// bring reads a commit or tree of the clone. The caller closes it, even after an error.
func (w *wood) bring(ctx context.Context, name string, repo git.Repo, commit string) (brought, error) {
	b := brought{repo: repo, commit: commit}
	var err error
	if b.tree, err = repo.Snapshot(ctx, commit); err != nil {
		return b, err
	}
	if b.names, err = find.Names(b.tree); err != nil {
		return b, err
	}
	b.file, err = delivery.Load(b.tree, delivery.FileName)
	registry := w.registry(name)
	resolver := lookup.Resolver{Registry: registry, Refs: repo.Refs(server), Server: server, HTTP: w.transport(name)}
	b.ask = &verify.Asker{File: b.file, Charts: registry.ChartArchive, Resolver: resolver}
	return b, err
}

// release runs tag, publish and dispatch one after the other. It releases the version's tag if there
// is one, and main's tip otherwise.
func (w *wood) release(ctx context.Context, name string, k task) error {
	v, err := ref.ParseVersion(k.version)
	if err != nil {
		return err
	}
	repo, remove, err := w.clone(ctx, name, k.tree, k.on)
	if err != nil {
		return err
	}
	defer remove()
	commit, err := repo.Head(ctx)
	if err != nil {
		return err
	}
	forge, err := w.forge(name)
	if err != nil {
		return err
	}
	b, err := w.bring(ctx, name, repo, commit)
	defer b.close()
	if err != nil {
		return err
	}
	if _, err := w.tagger(name, b, v, forge).Tag(ctx); err != nil {
		return fmt.Errorf("tag: %w", err)
	}
	if _, err := w.releaser(name, b, v, forge).Publish(ctx); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return w.tell(ctx, forge, b.file, v)
}

func (w *wood) tell(ctx context.Context, forge *gh.Client, file *delivery.File, v ref.Version) error {
	a := dispatch.Announcer{Forge: forge, Event: gh.NewEvent(file.Self, v.String()), Now: w.now, Wait: testkit.NoWait}
	for _, receiver := range file.Downstreams {
		if _, err := a.Announce(ctx, receiver, 0); err != nil {
			return fmt.Errorf("dispatch: %w", err)
		}
	}
	return nil
}

func (w *wood) log() *report.Log { return &report.Log{Out: io.Discard, Now: time.Now} }

func (w *wood) tagger(name string, b brought, v ref.Version, forge *gh.Client) *tag.Tagger {
	return &tag.Tagger{
		Repo: b.repo, Commit: b.commit, Tree: b.tree, Names: b.names, File: b.file, Version: v,
		Forge: forge, Server: server, Ask: b.ask, Log: w.log(),
		Prover: &prove.Prover{
			File: b.file, Component: b.file.Self, Version: v, Repo: b.repo, Server: server,
			Registry: w.registry(name), Resolver: b.ask.Resolver, Forge: forge,
			Source: &prove.Source{Commit: b.commit, Tree: b.tree, File: b.file, Self: b.file.Self, Declares: true},
		},
	}
}

func (w *wood) releaser(name string, b brought, v ref.Version, forge *gh.Client) *release.Releaser {
	return &release.Releaser{Repo: b.repo, Commit: b.commit, Tree: b.tree, File: b.file, Version: v, Registry: w.registry(name), Public: w.anonymous(name),
		Forge: forge, Downstreams: forge, Server: server, Lookup: lookup.Resolver{HTTP: w.transport(name)}, Log: w.log()}
}

// receive runs bump --pull-request, as the workflow does that a release starts.
func (w *wood) receive(ctx context.Context, name string, k task) error {
	v, err := ref.ParseVersion(k.version)
	if err != nil {
		return err
	}
	repo, remove, err := w.clone(ctx, name, k.tree, "main")
	if err != nil {
		return err
	}
	defer remove()
	forge, err := w.forge(name)
	if err != nil {
		return err
	}
	head, err := w.bring(ctx, name, repo, "HEAD")
	defer head.close()
	if err != nil {
		return err
	}
	p := bump.Proposer{
		Forge: forge, Repo: repo, Repository: k.tree.repository(), Server: server, Config: delivery.FileName,
		Move: decide.Move{Component: k.tree.pins, Version: v}, Asker: *head.ask, Env: repo.Env,
	}
	done, err := p.Propose(ctx)
	if err == nil {
		w.count.add("proposal: " + string(done.State))
	}
	return err
}

// pushed is a commit that a person pushed.
type pushed struct {
	tree           tree
	branch, commit string
}

// person does a person's action. It does nothing if there is no branch or pull request for it.
func (w *wood) person(k task) error {
	ada, repository := w.Person("ada"), k.tree.repository()
	switch k.does {
	case pushToMain:
		return w.push(k.tree, "main")
	case pushToBranch:
		if !w.has(k.tree, k.tree.branch()) {
			return nil
		}
		return w.push(k.tree, k.tree.branch())
	}
	all := w.Forge.PullRequests(repository)
	i := slices.IndexFunc(all, func(p forge.PullRequest) bool { return p.State == "open" })
	if i < 0 {
		return nil
	}
	w.count.add("person: " + k.does)
	switch k.does {
	case merges:
		return ada.Merge(repository, all[i].Number)
	case closes:
		return ada.Close(repository, all[i].Number)
	}
	return ada.Comment(repository, all[i].Number, "Why now?")
}

// push adds a new file to a branch.
func (w *wood) push(tree tree, branch string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names++
	file := fmt.Sprintf("notes-%d.md", w.names)
	commit, err := w.Person("ada").Push(tree.repository(), branch, "Note", map[string]string{file: "By hand.\n"})
	if err == nil {
		w.people = append(w.people, pushed{tree, branch, commit})
		w.count.add("person: push to " + strings.SplitN(branch, "-", 2)[0])
	}
	return err
}

func (w *wood) has(tree tree, branch string) bool {
	_, err := w.bare(tree).Run(w.T.Context(), "rev-parse", "--verify", "--quiet", "refs/heads/"+branch)
	return err == nil
}
