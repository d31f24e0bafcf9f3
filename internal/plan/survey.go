package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/tree"
)

// Bounds of what is read of a repository, which may be anybody's: bytes of its
// delivery.yaml and of its tree, and components that it declares, each of whose
// repositories is asked for its tags; and how many are looked at at one time.
const (
	mostOfDelivery   = 256 << 10
	mostOfTree       = 128 << 20
	mostOfComponents = 100
	atOnce           = 16
)

// Survey looks at repositories.
//
// Of the API it asks two things: the organisation's list, and whether a
// repository has a delivery.yaml, both by ETag. All else comes by git, which
// costs nothing of the API's limit: releases and the default branch by one
// question, the tree of what declares anything by one fetch without history,
// and by none where it was fetched before.
type Survey struct {
	Forge  *gh.Client
	Git    git.Repo // in whose folder nothing lies
	Server string   // https://github.com
	Keeper gh.Keeper
}

// Plan is what was seen, and what follows from it.
type Plan struct {
	Organisation string // "" where repositories were named
	Repositories []Repository
	Without      []string // the repositories that have no delivery.yaml
	LeftOut      []LeftOut
	Steps        []Step
	Cycles       []Cycle
	Unchecked    []decide.Unchecked
}

// LeftOut is a repository that was not looked at on purpose.
type LeftOut struct {
	Repository string `json:"repository"`
	Because    string `json:"because"`
}

// Organisation plans over all repositories of an organisation.
func (s Survey) Organisation(ctx context.Context, name string) (*Plan, error) {
	all, err := s.Forge.Repositories(ctx, s.Keeper, name)
	if err != nil {
		return nil, err
	}
	p := &Plan{Organisation: name}
	var names []string
	for _, r := range all {
		switch {
		case r.Archived:
			p.LeftOut = append(p.LeftOut, LeftOut{r.Name, "archived"})
		case r.Disabled:
			p.LeftOut = append(p.LeftOut, LeftOut{r.Name, "disabled"})
		default:
			names = append(names, r.Name)
		}
	}
	return p, s.plan(ctx, p, names, &look{})
}

// Repositories plans over those that are named.
func (s Survey) Repositories(ctx context.Context, names []string) (*Plan, error) {
	p := &Plan{}
	return p, s.plan(ctx, p, slices.Compact(slices.Sorted(slices.Values(names))), &look{named: true})
}

func (s Survey) plan(ctx context.Context, p *Plan, names []string, l *look) error {
	l.Survey, l.released = s, releases{}
	each(names, func(name string) { l.at(ctx, name) })
	each(l.unasked(), func(name string) { l.askReleases(ctx, name) })
	if err := ctx.Err(); err != nil {
		return err
	}
	slices.Sort(l.without)
	slices.SortFunc(l.open, func(a, b decide.Unchecked) int {
		return strings.Compare(a.What+"\x00"+a.Because, b.What+"\x00"+b.Because)
	})
	slices.SortFunc(l.declared, func(a, b declared) int { return strings.Compare(a.name, b.name) })
	p.Without, p.Unchecked = l.without, l.open
	p.Repositories = assemble(l.declared, l.released)
	o := newOrder(newGraph(p.Repositories))
	p.Steps, p.Cycles = o.pending(), o.cycles()
	return nil
}

// each does something for each name, some at once.
func each(names []string, do func(string)) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, name := range names {
		group.Go(func() error { do(name); return nil })
	}
	_ = group.Wait() // what goes wrong is noted where it does
}

// look gathers what is seen; its methods may be called at once.
type look struct {
	Survey
	named bool // the repositories were not listed by their organisation

	mu       sync.Mutex // guards all below
	declared []declared
	released releases
	without  []string
	open     []decide.Unchecked
}

func (l *look) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *look) opened(what string, err error) {
	l.note(func() { l.open = append(l.open, decide.Unchecked{What: what, Because: shorten(err.Error())}) })
}

// shorten keeps one line of what may be anybody's text.
func shorten(text string) string {
	const most = 500
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// at looks at one repository.
func (l *look) at(ctx context.Context, name string) {
	d, unread, err := l.examine(ctx, name)
	switch {
	case errors.Is(err, errNone):
		l.note(func() { l.without = append(l.without, name) })
		return
	case err != nil:
		l.opened(name, err)
		return
	}
	l.note(func() { l.declared = append(l.declared, d) })
	for _, u := range unread {
		l.opened(name+": "+u.File, errors.New(u.Because))
	}
}

// errNone says that a repository has no delivery.yaml.
var errNone = errors.New("there is no " + delivery.FileName)

func (l *look) examine(ctx context.Context, name string) (declared, []find.Unread, error) {
	if err := l.declares(ctx, name); err != nil {
		return declared{}, nil, err
	}
	survey, err := l.ask(ctx, name)
	if err != nil {
		return declared{}, nil, err
	}
	tree, err := l.tree(ctx, name, survey.Head)
	if err != nil {
		return declared{}, nil, err
	}
	file, err := load(name, tree)
	if err != nil {
		return declared{}, nil, err
	}
	found, err := find.New(file).Tree(ctx, tree)
	return declared{name, file, find.Pins(found.References)}, found.Unread, err
}

// declares asks whether there is a delivery.yaml. What it says is read from the
// tree, so that both are of one commit.
func (l *look) declares(ctx context.Context, name string) error {
	_, err := l.Forge.File(ctx, l.Keeper, name, delivery.FileName)
	if !errors.Is(err, gh.ErrAbsent) {
		return err
	}
	if !l.named {
		return errNone
	}
	// Nobody has said that this repository is there.
	if _, err := l.Forge.DefaultBranch(ctx, name); err != nil {
		return err
	}
	return errNone
}

// load reads what a repository declares, and holds it to being about itself.
func load(name string, tree fs.FS) (*delivery.File, error) {
	data, err := fs.ReadFile(tree, delivery.FileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNone
	}
	if err != nil {
		return nil, err
	}
	if len(data) > mostOfDelivery {
		return nil, fmt.Errorf("%s has %d bytes, which is more than is read: %d", delivery.FileName, len(data), mostOfDelivery)
	}
	file, err := delivery.Parse(delivery.FileName, data)
	if err != nil {
		return nil, err
	}
	if own := file.Own().Repository; !strings.EqualFold(own, name) {
		return nil, fmt.Errorf("%s says that it is of %s: want the repository in which it lies; correct repository of %s there", delivery.FileName, own, file.Self)
	}
	if len(file.Components) > mostOfComponents {
		return nil, fmt.Errorf("%s declares %d components, which is more than are asked for: %d", delivery.FileName, len(file.Components), mostOfComponents)
	}
	for _, component := range file.Names() {
		if upstream := file.Components[component].Repository; !gh.IsRepository(upstream) {
			return nil, fmt.Errorf("%s: repository of %s is %q, want owner/name", delivery.FileName, component, upstream)
		}
	}
	return file, nil
}

// unasked are the repositories that others refer to, and that were not asked
// for their releases yet.
func (l *look) unasked() []string {
	missing := map[string]string{}
	for _, d := range l.declared {
		for _, c := range d.file.Components {
			if _, asked := l.released[fold(c.Repository)]; !asked {
				missing[fold(c.Repository)] = c.Repository
			}
		}
	}
	var names []string
	for _, name := range missing {
		names = append(names, name)
	}
	return names
}

func (l *look) askReleases(ctx context.Context, name string) {
	if _, err := l.ask(ctx, name); err != nil {
		l.opened("the releases of "+name, err)
	}
}

// ask asks a repository for its default branch and its releases.
func (l *look) ask(ctx context.Context, name string) (git.Survey, error) {
	survey, err := l.Git.Survey(ctx, l.remote(name))
	if err != nil {
		return survey, fmt.Errorf("could not ask: %w", err)
	}
	l.note(func() { l.released[fold(name)] = survey.Versions })
	return survey, nil
}

func (l *look) remote(name string) git.Remote { return git.Remote(l.Server + "/" + name) }

// kept is a tree as it is kept.
type kept struct {
	Commit string
	Files  map[string][]byte // the texts
}

// tree is the tree of a repository's commit: as it was kept, or fetched anew.
func (l *look) tree(ctx context.Context, name, commit string) (fs.FS, error) {
	if commit == "" {
		return nil, errors.New("its default branch has no commit")
	}
	key := "tree " + string(l.remote(name))
	var k kept
	data, found := l.Keeper.Load(key)
	if found && json.Unmarshal(data, &k) == nil && k.Commit == commit {
		return k.tree()
	}
	files, err := l.fetch(ctx, name, commit)
	if err != nil {
		return nil, fmt.Errorf("fetching commit %s: %w", commit, err)
	}
	k = kept{commit, files}
	if data, err = json.Marshal(k); err != nil {
		return nil, err
	}
	if err := l.Keeper.Save(key, data); err != nil {
		return nil, err
	}
	return k.tree()
}

func (k kept) tree() (fs.FS, error) {
	var files []tree.File
	for name, data := range k.Files {
		files = append(files, tree.Bytes(name, data))
	}
	return tree.New(files)
}

// fetch reads a commit's files by git, in a folder that goes away again.
func (l *look) fetch(ctx context.Context, name, commit string) (files map[string][]byte, err error) {
	dir, err := os.MkdirTemp(l.Git.Dir, "fetch-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	repo, err := l.Git.FetchedCommit(ctx, dir, l.remote(name), commit)
	if err != nil {
		return nil, err
	}
	size, err := repo.Size(ctx, commit)
	if err != nil {
		return nil, err
	}
	if size > mostOfTree {
		return nil, fmt.Errorf("its files have %d bytes, which is more than is read: %d", size, mostOfTree)
	}
	snapshot, err := repo.Snapshot(ctx, commit)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	return texts(snapshot)
}

// texts are the files of a tree in which anything could be found: a picture
// would only fill the cache.
func texts(tree fs.FS) (map[string][]byte, error) {
	names, err := find.Names(tree)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		if !fs.ValidPath(name) {
			files[name] = nil // whoever looks for references says so
			continue
		}
		info, err := fs.Lstat(tree, name)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		if !find.IsBinary(data) {
			files[name] = data
		}
	}
	return files, nil
}
